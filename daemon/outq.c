/* The out queue.
 *
 * A segment is a range of a counted buffer. Small answers are appended to the last segment while
 * it has room, so a pass of a thousand answers becomes a few segments. Only the segment that was
 * made for small answers is appended to: a result that the cache also holds is never written to.
 */
#include "config.h"

#include "outq.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* With the buffer's header it fills the pool's class of 16 KiB. */
enum { CHUNK_BYTES = 16384 - sizeof(struct buf), IOV_COUNT = 64 };

struct outq_segment {
    struct outq_segment *next;
    struct buf *buf;   /* owned reference */
    size_t begin, end; /* what is still to be written */
    bool open;         /* small answers may be appended */
};

static struct outq_segment *segment_new(struct outq *q, struct pool_local *l, struct buf *buf)
{
    struct outq_segment *s = pool_take(l, sizeof(*s));
    if (s == NULL)
        return NULL;
    *s = (struct outq_segment){.buf = buf};
    if (q->last != NULL)
        q->last->next = s;
    else
        q->first = s;
    q->last = s;
    return s;
}

void *outq_reserve(struct outq *q, struct pool_local *l, size_t bytes)
{
    assert(bytes <= OUTQ_SMALL_MAX);
    struct outq_segment *s = q->last;
    if (s == NULL || !s->open || s->buf->bytes - s->end < bytes) {
        struct buf *buf = buf_new(l, CHUNK_BYTES);
        if (buf == NULL)
            return NULL;
        s = segment_new(q, l, buf);
        if (s == NULL) {
            buf_put(l, buf);
            return NULL;
        }
        s->open = true;
    }
    void *room = s->buf->data + s->end;
    s->end += bytes;
    q->bytes += bytes;
    return room;
}

int outq_add(struct outq *q, struct pool_local *l, struct buf *buf, size_t bytes)
{
    struct outq_segment *s = segment_new(q, l, buf);
    if (s == NULL)
        return -ENOMEM;
    buf_get(buf);
    s->end = bytes;
    q->bytes += bytes;
    return 0;
}

static void segment_drop(struct outq *q, struct pool_local *l)
{
    struct outq_segment *s = q->first;
    q->first = s->next;
    if (q->first == NULL)
        q->last = NULL;
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
}
