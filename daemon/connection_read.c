/* Reading: bytes from the socket, cut into frames and lines.
 *
 * All connections read into one chunk that the set owns. Small frames are worked on where they
 * lie: their jobs hold a reference to the chunk, and the next read goes behind them. So a small
 * job costs no copy and an idle connection no buffer. Connections that have sent wasm jobs read
 * into their user's segment instead, for the same reason; whoever can write there is that user, so
 * what is read of a frame is copied once before it is believed. What is left over, an incomplete
 * frame or line, is kept with its connection until more comes. A large payload is received straight
 * into the job's own memory, together with what follows it, in one call.
 */
#include "config.h"

#include "connection_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "segment.h"

/* A chunk holds several reads; with the buffer's header it fills the pool's class of 256 KiB. */
enum { CHUNK_BYTES = 256 * 1024 - BUF_HEADER_BYTES, READ_BYTES = 64 * 1024, CHUNK_ALIGN = 64 };

/* The longest incomplete frame that is kept: a header and a payload that is worked on in place. */
enum { KEPT_BYTES_MAX = 17 * 1024, LINE_BYTES_MIN = 4096 };

/* Room for one read behind what is used, preferably where nobody looks any more. */
static bool chunk_prepare(struct pool_local *l, struct read_chunk *chunk)
{
    if (chunk->buf != NULL && buf_is_sole(chunk->buf))
        chunk->used = 0;
    if (chunk->buf == NULL || CHUNK_BYTES - chunk->used < KEPT_BYTES_MAX + READ_BYTES) {
        struct buf *fresh = chunk->segment == NULL
                                ? buf_new_vital(l, CHUNK_BYTES)
                                : buf_new_shared(l, chunk->segment, CHUNK_BYTES);
        if (fresh == NULL)
            return false;
        buf_put(l, chunk->buf);
        chunk->buf = fresh;
        chunk->used = 0;
    }
    return true;
}

void connection_read_shared(struct connection *c, struct segment *segment)
{
    struct connection_set *s = c->set;
    struct read_chunk *chunk = s->shared;
    if (c->chunk->segment == segment)
        return;
    while (chunk != NULL && chunk->segment != segment)
        chunk = chunk->next;
    if (chunk == NULL) {
        chunk = calloc(1, sizeof(*chunk));
        if (chunk == NULL)
            return; /* then small operands are moved */
        chunk->segment = segment_get(segment);
        chunk->next = s->shared;
        s->shared = chunk;
    }
    c->chunk = chunk;
}

void connection_forget_chunks(struct connection_set *s)
{
    struct read_chunk *next;
    for (struct read_chunk *chunk = s->shared; chunk != NULL; chunk = next) {
        next = chunk->next;
        buf_put(s->rooms.local, chunk->buf);
        segment_put(chunk->segment);
        free(chunk);
    }
    buf_put(s->rooms.local, s->chunk.buf);
}

/* Descriptors wait for the frame that they came with, which may be cut off; more than a few are not
 * ours to hold. */
static void take_descriptors(struct connection *c, struct msghdr *msg)
{
    for (struct cmsghdr *cm = CMSG_FIRSTHDR(msg); cm != NULL; cm = CMSG_NXTHDR(msg, cm)) {
        if (cm->cmsg_level != SOL_SOCKET || cm->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (cm->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(cm) + i * sizeof(int), sizeof(fd));
            if (c->fd_count < CONNECTION_FDS_MAX)
                c->fds[c->fd_count++] = fd;
            else
                close(fd);
        }
    }
}

void connection_drop_fds(struct connection *c)
{
    while (c->fd_count > 0)
        close(c->fds[--c->fd_count]);
}

/* One recvmsg. Returns the bytes read, 0 if there is nothing to do now. */
static size_t receive(struct connection *c, struct iovec *iov, size_t iov_count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(CONNECTION_FDS_MAX * sizeof(int))];
    struct msghdr msg = {.msg_iov = iov,
                         .msg_iovlen = iov_count,
                         .msg_control = control,
                         .msg_controllen = sizeof(control)};
    ssize_t got;
    do
        got = recvmsg(c->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    while (got < 0 && errno == EINTR);
    if (got > 0) {
        take_descriptors(c, &msg);
        monitor_add(monitor_loop(c->set->rooms.monitor), MONITOR_read_bytes, (uint64_t)got);
        return (size_t)got;
    }
    if (got == 0)
        connection_end_reading(c, WIRE_BAD_PAYLOAD_BYTES);
    else if (errno != EAGAIN)
        connection_lost(c);
    return 0;
}

/* ---- frames ---- */

/* Keeps an incomplete frame. */
static void keep(struct connection *c, const uint8_t *p, size_t bytes)
{
    struct pool_local *l = c->set->rooms.local;
    if (bytes == 0)
        return;
    c->kept = buf_new_vital(l, bytes);
    if (c->kept == NULL) {
        connection_lost(c);
        return;
    }
    memcpy(c->kept->data, p, bytes);
    c->kept_bytes = bytes;
}

/* Works through `bytes` at p in `buf`, up to an incomplete frame. */
static void consume_frames(struct connection *c, struct buf *buf, const uint8_t *p, size_t bytes,
                           uint64_t now_ns)
{
    while (bytes > 0 && !c->closing && !c->read_ended) {
        if (c->skip_bytes > 0) {
            size_t here = c->skip_bytes < bytes ? (size_t)c->skip_bytes : bytes;
            c->skip_bytes -= here;
            p += here;
            bytes -= here;
            continue;
        }
        int64_t used = connection_frame(c, buf, p, bytes, now_ns);
        if (used < 0)
            break;
        p += used;
        bytes -= (size_t)used;
    }
    if (c->closing || c->read_ended)
        return;
    keep(c, p, bytes);
    if (c->kept_bytes == 0) /* no frame has begun that could still ask for them */
        connection_drop_fds(c);
}

/* Where the next bytes go: behind what was kept of the last ones. */
static uint8_t *chunk_room(struct connection *c)
{
    uint8_t *p = c->chunk->buf->data + c->chunk->used;
    if (c->kept_bytes > 0) {
        memcpy(p, c->kept->data, c->kept_bytes);
        buf_put(c->set->rooms.local, c->kept);
        c->kept = NULL;
    }
    return p;
}

/* The chunk is used up to the end of this read, if any of its jobs is still there. */
static void chunk_advance(struct read_chunk *chunk, size_t bytes)
{
    if (!buf_is_sole(chunk->buf))
        chunk->used += (bytes + CHUNK_ALIGN - 1) / CHUNK_ALIGN * CHUNK_ALIGN;
}

static void lines_append(struct connection *c, const uint8_t *p, size_t bytes, uint64_t now_ns);

static void read_frames(struct connection *c, uint64_t now_ns)
{
    struct read_chunk *chunk = c->chunk; /* the next read may go elsewhere */
    uint8_t *p = chunk_room(c);
    size_t bytes = c->kept_bytes;
    c->kept_bytes = 0;
    struct iovec iov = {p + bytes, READ_BYTES};
    size_t got = receive(c, &iov, 1);
    if (got == 0) {
        if (!c->closing)
            keep(c, p, bytes);
        if (c->read_ended && c->kept_bytes > 0)
            connection_truncated(c);
        return;
    }
    bytes += got;
    if (c->language == LANGUAGE_UNKNOWN)
        c->language = p[0] == '{' ? LANGUAGE_LINES : LANGUAGE_FRAMES;
    if (c->language == LANGUAGE_LINES)
        lines_append(c, p, bytes, now_ns);
    else
        consume_frames(c, chunk->buf, p, bytes, now_ns);
    chunk_advance(chunk, bytes);
}

/* The rest of a large payload, and what comes behind it. */
static void read_payload(struct connection *c, uint64_t now_ns)
{
    struct buf *payload = c->job->in_buf;
    size_t missing = payload->bytes - c->payload_have;
    struct read_chunk *chunk = c->chunk;
    uint8_t *p = chunk->buf->data + chunk->used;
    struct iovec iov[2] = {{payload->data + c->payload_have, missing}, {p, READ_BYTES}};
    size_t got = receive(c, iov, 2);
    if (got < missing) {
        c->payload_have += got;
        return;
    }
    connection_payload_done(c);
    consume_frames(c, chunk->buf, p, got - missing, now_ns);
    chunk_advance(chunk, got - missing);
}

/* ---- lines ---- */

/* Room for `more` bytes behind the kept ones. If there is none to be had, or the client's quota is
 * used up, says so and reads no more: the line could not be found the end of. */
static bool line_reserve(struct connection *c, size_t more)
{
    struct pool_local *l = c->set->rooms.local;
    size_t want = c->kept_bytes + more;
    if (c->kept != NULL && c->kept->bytes >= want)
        return true;
    size_t cap = c->kept == NULL ? LINE_BYTES_MIN : c->kept->bytes * 2;
    cap = cap < want ? want : cap;
    struct buf *grown = NULL;
    if (cap <= READ_BYTES + LINE_BYTES_MIN ||
        cap <= admission_room(c->set->rooms.admission, c->client))
        grown = buf_new(l, cap);
    if (grown == NULL) {
        struct answer_to to = {.json = true};
        answer_error(c, &to, WIRE_OVERLOADED, NULL, 0);
        connection_end_reading(c, WIRE_OVERLOADED);
        return false;
    }
    if (c->kept_bytes > 0)
        memcpy(grown->data, c->kept->data, c->kept_bytes);
    buf_put(l, c->kept);
    c->kept = grown;
    return true;
}

/* True if a line of so many bytes is too long: says so and reads no more. */
static bool line_is_over(struct connection *c, size_t bytes)
{
    if (bytes <= c->set->limits.json_max_bytes)
        return false;
    struct answer_to to = {.json = true};
    answer_error(c, &to, WIRE_LINE_TOO_LONG, NULL, 0);
    connection_end_reading(c, WIRE_LINE_TOO_LONG);
    return true;
}

/* Works through the kept lines; the bytes before `scanned` hold no newline. */
static void consume_lines(struct connection *c, size_t scanned, uint64_t now_ns)
{
    struct pool_local *l = c->set->rooms.local;
    const uint8_t *start = c->kept->data;
    const uint8_t *end = start + c->kept_bytes;
    const uint8_t *from = start + scanned;
    const uint8_t *newline;
    while (!c->closing && !c->read_ended &&
           (newline = memchr(from, '\n', (size_t)(end - from))) != NULL) {
        size_t bytes = (size_t)(newline - start);
        if (bytes > 0 && start[bytes - 1] == '\r')
            bytes--;
        if (bytes > 0 && !line_is_over(c, bytes))
            connection_line(c, (const char *)start, bytes, now_ns);
        start = from = newline + 1;
    }
    if (c->closing)
        return;
    c->kept_bytes = (size_t)(end - start);
    if (c->read_ended || c->kept_bytes == 0 || line_is_over(c, c->kept_bytes)) {
        buf_put(l, c->kept);
        c->kept = NULL;
        c->kept_bytes = 0;
    } else if (start != c->kept->data) { /* else a long line would be moved with every read */
        memmove(c->kept->data, start, c->kept_bytes);
    }
}

static void lines_append(struct connection *c, const uint8_t *p, size_t bytes, uint64_t now_ns)
{
    connection_drop_fds(c); /* lines have no use for any */
    if (!line_reserve(c, bytes))
        return;
    memcpy(c->kept->data + c->kept_bytes, p, bytes);
    c->kept_bytes += bytes;
    consume_lines(c, c->kept_bytes - bytes, now_ns);
}

static void read_lines(struct connection *c, uint64_t now_ns)
{
    if (!line_reserve(c, LINE_BYTES_MIN / 2))
        return;
    size_t room = c->kept->bytes - c->kept_bytes;
    struct iovec iov = {c->kept->data + c->kept_bytes, room < READ_BYTES ? room : READ_BYTES};
    size_t before = c->kept_bytes;
    size_t got = receive(c, &iov, 1);
    connection_drop_fds(c);
    c->kept_bytes += got;
    if (got > 0)
        consume_lines(c, before, now_ns);
    else if (c->read_ended && !c->closing && before > 0) /* a last line needs no newline */
        connection_line(c, (const char *)c->kept->data, before, now_ns);
}

void connection_read(struct connection *c)
{
    uint64_t now_ns = clock_ns();
    struct pool_local *l = c->set->rooms.local;
    if (!chunk_prepare(l, c->chunk)) {
        c->chunk = &c->set->chunk; /* the segment is full */
        if (!chunk_prepare(l, c->chunk)) {
            connection_lost(c);
            return;
        }
    }
    if (c->job != NULL)
        read_payload(c, now_ns);
    else if (c->language == LANGUAGE_LINES)
        read_lines(c, now_ns);
    else
        read_frames(c, now_ns);
    connection_touch(c);
}
