/* A client that speaks raw frames and lines, for the suites of the whole daemon. */
#include "config.h"

#include "daemon_bed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <check.h>

enum { FDS_MAX = 253, ANSWER_MAX = 1 << 30 };

int client_open(const struct bed *b)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = BED_PATIENCE_S};
    memcpy(address.sun_path, b->socket, strlen(b->socket));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
    int err = connect(fd, (struct sockaddr *)&address, sizeof(address));
    ck_assert_msg(err == 0, "connect: %s", strerror(errno));
    return fd;
}

void client_send(int fd, const void *bytes, size_t n)
{
    const uint8_t *p = bytes;
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        ck_assert_msg(sent > 0, "send: %s", strerror(errno));
        p += sent;
        n -= (size_t)sent;
    }
}

void client_send_fds(int fd, const void *bytes, size_t n, const int *fds, unsigned count)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(FDS_MAX * sizeof(int))];
    union {
        const void *constant;
        void *base;
    } first = {.constant = bytes}; /* sendmsg() only reads it */
    struct iovec iov = {first.base, n};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control};
    ck_assert_uint_le(count, FDS_MAX);
    memset(control, 0, sizeof(control));
    msg.msg_controllen = CMSG_SPACE(count * sizeof(int));
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    ssize_t sent = sendmsg(fd, &msg, MSG_NOSIGNAL);
    ck_assert_msg(sent > 0, "sendmsg: %s", strerror(errno));
    client_send(fd, (const uint8_t *)bytes + sent, n - (size_t)sent);
}

struct wire_request client_request(enum wire_type type, uint64_t id)
{
    return (struct wire_request){
        .magic = WIRE_MAGIC, .version = WIRE_VERSION, .type = (uint8_t)type, .id = id};
}

void client_send_frame(int fd, struct wire_request *h, const void *payload, size_t payload_bytes)
{
    h->payload_bytes = payload_bytes;
    client_send(fd, h, sizeof(*h));
    client_send(fd, payload, payload_bytes);
}

/* Up to n bytes; fewer only at the end of the stream. */
static size_t receive(int fd, void *bytes, size_t n)
{
    size_t have = 0;
    while (have < n) {
        ssize_t got = recv(fd, (uint8_t *)bytes + have, n - have, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0 || (got < 0 && errno == ECONNRESET)) /* closed with bytes unread */
            break;
        ck_assert_msg(got > 0, "recv: %s", strerror(errno));
        have += (size_t)got;
    }
    return have;
}

void client_receive(int fd, struct answer *a)
{
    ck_assert_msg(receive(fd, &a->h, sizeof(a->h)) == sizeof(a->h), "closed without an answer");
    ck_assert_uint_eq(a->h.magic, WIRE_MAGIC);
    ck_assert_uint_eq(a->h.version, WIRE_VERSION);
    ck_assert_uint_ne(a->h.type & WIRE_ANSWER, 0);
    ck_assert_uint_lt(a->h.payload_bytes, ANSWER_MAX);
    ck_assert_uint_eq(a->h.payload_bytes, (a->h.result_bytes + 7) & ~(uint64_t)7);
    if (a->h.type != (WIRE_ANSWER | WIRE_CALL))
        ck_assert_uint_eq(a->h.dim[0] | a->h.dim[1] | a->h.dim[2] | a->h.dim[3], 0);
    a->payload = malloc(a->h.payload_bytes + 1);
    ck_assert_ptr_nonnull(a->payload);
    ck_assert_uint_eq(receive(fd, a->payload, a->h.payload_bytes), a->h.payload_bytes);
    for (size_t i = a->h.result_bytes; i < a->h.payload_bytes; i++)
        ck_assert_uint_eq(a->payload[i], 0);
    a->payload[a->h.result_bytes] = '\0';
}

void client_expect_error(int fd, uint64_t id, enum wire_status status, const char *field)
{
    struct answer a;
    client_receive(fd, &a);
    const char *reason = (const char *)a.payload;
    ck_assert_msg(a.h.status == status, "%s (%s) instead of %s", wire_status_name(a.h.status),
                  reason, wire_status_name(status));
    ck_assert_uint_eq(a.h.id, id);
    const char *sentence = reason;
    if (field != NULL) {
        size_t length = strlen(field);
        ck_assert_msg(strncmp(reason, field, length) == 0 && reason[length] == ':',
                      "\"%s\" does not name %s", reason, field);
        sentence += length + 2;
    }
    ck_assert_str_eq(sentence, wire_status_sentence(status));
    free(a.payload);
}

void client_expect_ok(int fd, uint64_t id)
{
    struct answer a;
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", wire_status_name(a.h.status),
                  (const char *)a.payload);
    ck_assert_uint_eq(a.h.id, id);
    free(a.payload);
}

void client_expect_end(int fd)
{
    char byte;
    ck_assert_msg(receive(fd, &byte, 1) == 0, "bytes instead of the end");
}

void client_expect_alive(int fd)
{
    struct wire_request h = client_request(WIRE_PING, 0x70696e67);
    client_send_frame(fd, &h, NULL, 0);
    client_expect_ok(fd, h.id);
}

void client_expect_service(const struct bed *b)
{
    const float operands[4] = {1, 2, 3, 4};
    struct wire_request h = client_request(WIRE_JOB, 12);
    struct answer a;
    h.op = 1; /* add_f32 */
    h.arg[0] = 2;
    int fd = client_open(b);
    client_send_frame(fd, &h, operands, sizeof(operands));
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.status, WIRE_OK);
    ck_assert_uint_eq(a.h.id, 12);
    float z[2];
    ck_assert_uint_eq(a.h.result_bytes, sizeof(z));
    memcpy(z, a.payload, sizeof(z));
    ck_assert(z[0] == 4 && z[1] == 6);
    free(a.payload);
    close(fd);
}

char *client_read_line(int fd)
{
    size_t cap = 256, n = 0;
    char *line = malloc(cap);
    ck_assert_ptr_nonnull(line);
    for (;;) {
        /* Up to the newline and no further: the next line is another call's. */
        ssize_t seen = recv(fd, line + n, cap - n, MSG_PEEK);
        ck_assert_msg(seen > 0, "no line: %s", seen == 0 ? "the end" : strerror(errno));
        const char *newline = memchr(line + n, '\n', (size_t)seen);
        size_t take = newline != NULL ? (size_t)(newline - (line + n)) + 1 : (size_t)seen;
        ck_assert_uint_eq(receive(fd, line + n, take), take);
        n += take;
        if (newline != NULL)
            break;
        if (cap - n < 2) {
            cap *= 2;
            line = realloc(line, cap);
            ck_assert_ptr_nonnull(line);
        }
    }
    line[n - 1] = '\0';
    return line;
}
