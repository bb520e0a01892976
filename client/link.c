/* One connection.
 *
 * Both directions are state machines over a non-blocking socket. A descriptor travels with the
 * first byte of its frame, so such a frame starts a sendmsg of its own; the daemon then takes
 * descriptors in the order of their frames.
 */
#include "config.h"

#include "link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    SOCKET_BUFFER_BYTES = 2 << 20, /* doubles the rate of payloads of megabytes */
    SEND_IOV_MAX = 256,            /* 4 KiB of stack, 80 small jobs */
    DIRECT_MIN_BYTES = 16 * 1024   /* below it a copy is cheaper than a read of its own */
};

int link_init(struct link *l)
{
    *l = (struct link){.fd = -1};
    l->buffer = malloc(LINK_BUFFER_BYTES);
    return l->buffer != NULL ? 0 : -ENOMEM;
}

void link_fini(struct link *l)
{
    link_close(l);
    free(l->buffer);
    l->buffer = NULL;
}

/* The limit in net.core may allow less without privilege; then we take what we get. */
static void raise_buffer(int fd, int force, int plain)
{
    int bytes = SOCKET_BUFFER_BYTES;
    if (setsockopt(fd, SOL_SOCKET, force, &bytes, sizeof(bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, plain, &bytes, sizeof(bytes));
}

int link_open(struct link *l, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length + 1);

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int err = -errno;
        (void)close(fd);
        return err;
    }
    raise_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
    raise_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
    l->fd = fd;
    return 0;
}

void link_close(struct link *l)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    uint8_t *buffer = l->buffer;
    *l = (struct link){.fd = -1, .buffer = buffer};
}

/* One sendmsg. Returns what it took. */
static ssize_t send_pieces(int fd, struct iovec *iov, unsigned count, int passed_fd)
{
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = count};
    if (passed_fd >= 0) {
        memset(&control, 0, sizeof(control));
        msg.msg_control = &control;
        msg.msg_controllen = sizeof(control.room);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &passed_fd, sizeof(int));
    }
    ssize_t n;
    do
        n = sendmsg(fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* The pieces of as many requests as fit; *passed_fd is what goes with the first byte, or -1. */
static unsigned gather(const struct link *l, const struct request_queue *q, struct iovec *iov,
                       int *passed_fd)
{
    unsigned count = 0;
    size_t skip = l->head_sent;
    *passed_fd = skip == 0 ? q->first->fd : -1;
    for (struct request *r = q->first; r != NULL; r = r->next) {
        if (count + REQUEST_IOV_MAX > SEND_IOV_MAX || (r != q->first && r->fd >= 0))
            break;
        count += request_pieces(r, skip, iov + count);
        skip = 0;
    }
    return count;
}

int link_send(struct link *l, struct request_queue *q, const struct link_sink *sink)
{
    while (q->first != NULL) {
        struct iovec iov[SEND_IOV_MAX];
        int passed_fd;
        unsigned count = gather(l, q, iov, &passed_fd);
        ssize_t n = send_pieces(l->fd, iov, count, passed_fd);
        if (n < 0)
            return (int)n;
        size_t took = (size_t)n + l->head_sent;
        l->head_sent = 0;
        while (q->first != NULL && took >= q->first->frame_bytes) {
            struct request *r = q->first;
            took -= r->frame_bytes;
            request_queue_remove(q, r);
            r->on_wire = true;
            sink->sent(sink->user, r);
        }
        if (took > 0)
            q->first->on_wire = true;
        l->head_sent = took;
    }
    return 0;
}

static int begin_answer(struct link *l, const struct link_sink *sink)
{
    const struct wire_answer *a = &l->answer;
    if (a->magic != WIRE_MAGIC || a->version != WIRE_VERSION || (a->type & WIRE_ANSWER) == 0 ||
        a->result_bytes > SIZE_MAX - WIRE_ALIGN ||
        a->payload_bytes != wire_pad((size_t)a->result_bytes))
        return -EPROTO;
    void *into = NULL;
    size_t into_bytes = 0;
    int err = sink->begin(sink->user, a, &into, &into_bytes);
    if (err < 0)
        return err;
    l->in_payload = true;
    l->payload_left = a->payload_bytes;
    l->into = into;
    l->into_left = into_bytes;
    return 0;
}

/* `n` bytes of payload, `placed` of which already lie where they belong. */
static void account(struct link *l, size_t n, size_t placed)
{
    l->payload_left -= n;
    l->into_left -= placed;
    l->into = l->into != NULL ? l->into + placed : NULL;
}

/* Parses what the buffer holds. */
static int consume(struct link *l, const struct link_sink *sink)
{
    for (;;) {
        size_t have = l->end - l->begin;
        if (!l->in_payload) {
            if (have < WIRE_HEADER_BYTES)
                return 0;
            memcpy(&l->answer, l->buffer + l->begin, WIRE_HEADER_BYTES);
            l->begin += WIRE_HEADER_BYTES;
            int err = begin_answer(l, sink);
            if (err < 0)
                return err;
            have -= WIRE_HEADER_BYTES;
        }
        size_t n = have < l->payload_left ? have : (size_t)l->payload_left;
        size_t placed = n < l->into_left ? n : l->into_left;
        if (placed > 0)
            memcpy(l->into, l->buffer + l->begin, placed);
        account(l, n, placed);
        l->begin += n;
        if (l->payload_left > 0)
            return 0;
        l->in_payload = false;
        int err = sink->end(sink->user, &l->answer);
        if (err < 0)
            return err;
    }
}

int link_receive(struct link *l, const struct link_sink *sink)
{
    for (;;) {
        /* All but part of a header was consumed; move that to the front. */
        memmove(l->buffer, l->buffer + l->begin, l->end - l->begin);
        l->end -= l->begin;
        l->begin = 0;

        struct iovec iov[2];
        int count = 0;
        size_t direct = l->in_payload && l->into_left >= DIRECT_MIN_BYTES ? l->into_left : 0;
        if (direct > 0)
            iov[count++] = (struct iovec){l->into, direct};
        iov[count++] = (struct iovec){l->buffer + l->end, LINK_BUFFER_BYTES - l->end};
        size_t asked = direct + LINK_BUFFER_BYTES - l->end;
        ssize_t n;
        do
            n = readv(l->fd, iov, count);
        while (n < 0 && errno == EINTR);
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -ECONNRESET;

        size_t placed = (size_t)n < direct ? (size_t)n : direct;
        account(l, placed, placed);
        l->end += (size_t)n - placed;
        int err = consume(l, sink);
        if (err < 0)
            return err;
        if ((size_t)n < asked)
            return 0; /* there was no more */
    }
}
