/* The out queue.
 *
 * A segment is a range of a counted buffer. Small answers are written one behind the other into a
 * chunk of the queue's own and extend the last segment while it ends there, so a pass of a thousand
 * answers becomes a few segments; headers between large results share the chunk as well. The first
 * chunk of a queue is small, since many connections may have one answer waiting each.
 */
#include "config.h"

#include "outq.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* With the buffer's header they fill the pool's classes of 1 and 16 KiB. */
enum {
    FIRST_CHUNK_BYTES = 1024 - BUF_HEADER_BYTES,
    CHUNK_BYTES = 16384 - BUF_HEADER_BYTES,
    IOV_COUNT = 64
};

struct outq_segment {
    struct outq_segment *next;
    struct buf *buf;   /* owned reference */
    size_t begin, end; /* what is still to be written */
};

/* A segment of nothing yet, at `at` in `buf`, with a reference of its own; NULL when memory is
 * refused. */
static struct outq_segment *segment_new(struct outq *q, struct pool_local *l, struct buf *buf,
                                        size_t at)
{
    struct outq_segment *s = pool_take_vital(l, sizeof(*s));
    if (s == NULL)
        return NULL;
    *s = (struct outq_segment){.buf = buf_get(buf), .begin = at, .end = at};
    if (q->last != NULL)
        q->last->next = s;
    else
        q->first = s;
    q->last = s;
    return s;
}

/* Makes sure that the chunk has room for so many bytes. */
static bool chunk_reserve(struct outq *q, struct pool_local *l, size_t bytes)
{
    if (q->chunk != NULL && q->chunk->bytes - q->chunk_used >= bytes)
        return true;
    bool few = q->first == NULL && bytes <= FIRST_CHUNK_BYTES;
    struct buf *fresh = buf_new_vital(l, few ? FIRST_CHUNK_BYTES : CHUNK_BYTES);
    if (fresh == NULL)
        return false;
    buf_put(l, q->chunk); /* its segments hold it as long as they need it */
    q->chunk = fresh;
    q->chunk_used = 0;
    return true;
}

void *outq_reserve(struct outq *q, struct pool_local *l, size_t bytes)
{
    assert(bytes <= OUTQ_SMALL_MAX);
    if (!chunk_reserve(q, l, bytes))
        return NULL;
    struct outq_segment *s = q->last;
    if (s == NULL || s->buf != q->chunk || s->end != q->chunk_used)
        s = segment_new(q, l, q->chunk, q->chunk_used);
    if (s == NULL)
        return NULL;
    void *room = q->chunk->data + q->chunk_used;
    q->chunk_used += bytes;
    s->end += bytes;
    q->bytes += bytes;
    return room;
}

int outq_add(struct outq *q, struct pool_local *l, struct buf *buf, size_t bytes)
{
    struct outq_segment *s = segment_new(q, l, buf, 0);
    if (s == NULL)
        return -ENOMEM;
    s->end = bytes;
    q->bytes += bytes;
    return 0;
}

static void chunk_drop(struct outq *q, struct pool_local *l)
{
    buf_put(l, q->chunk);
    q->chunk = NULL;
}

static void segment_drop(struct outq *q, struct pool_local *l)
{
    struct outq_segment *s = q->first;
    q->first = s->next;
    if (q->first == NULL) {
        q->last = NULL;
        chunk_drop(q, l);
    }
    q->bytes -= s->end - s->begin;
    buf_put(l, s->buf);
    pool_give(l, s, sizeof(*s));
}

/* Counts `bytes` as written. */
static void outq_advance(struct outq *q, struct pool_local *l, size_t bytes)
{
    while (q->first != NULL && bytes >= q->first->end - q->first->begin) {
        bytes -= q->first->end - q->first->begin;
        segment_drop(q, l);
    }
    if (bytes > 0) {
        assert(q->first != NULL);
        q->first->begin += bytes;
        q->bytes -= bytes;
    }
}

int outq_write(struct outq *q, struct pool_local *l, int fd, size_t *wrote)
{
    *wrote = 0;
    while (q->bytes > 0) {
        struct iovec iov[IOV_COUNT];
        struct msghdr msg = {.msg_iov = iov};
        size_t want = 0;
        for (struct outq_segment *s = q->first; s != NULL && msg.msg_iovlen < IOV_COUNT;
             s = s->next) {
            iov[msg.msg_iovlen++] = (struct iovec){s->buf->data + s->begin, s->end - s->begin};
            want += s->end - s->begin;
        }
        ssize_t sent = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            if (errno == EINTR)
                continue;
            return errno == EAGAIN ? 0 : -errno;
        }
        outq_advance(q, l, (size_t)sent);
        *wrote += (size_t)sent;
        if ((size_t)sent < want)
            return 0;
    }
    return 0;
}

void outq_clear(struct outq *q, struct pool_local *l)
{
    while (q->first != NULL)
        segment_drop(q, l);
    chunk_drop(q, l); /* there is one without segments if making one failed */
}
