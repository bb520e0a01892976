/* The load generator's shared memory. */
#include "config.h"

#include "bench_arena.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PAGE = 4096, LINE = 64, WAIT_MS = 30000 };

static size_t round_up(size_t n, size_t to)
{
    return (n + to - 1) / to * to;
}

int bench_arena_init(struct bench_arena *a, const struct bench_work *work, size_t jobs)
{
    *a = (struct bench_arena){.fd = -1};
    a->results_at = round_up(work->shape.inline_bytes, PAGE);
    a->result_stride = round_up(work->shape.out_bytes, LINE);
    if (jobs > (SIZE_MAX / 4 - a->results_at) / a->result_stride)
        return -ENOMEM;
    a->bytes = round_up(a->results_at + jobs * a->result_stride, PAGE);
    a->fd = memfd_create("simdctl-bench", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (a->fd < 0 || ftruncate(a->fd, (off_t)a->bytes) < 0 ||
        fcntl(a->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW) < 0)
        return -errno;
    void *base = mmap(NULL, a->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
    if (base == MAP_FAILED)
        return -errno;
    a->base = base;
    memcpy(a->base, work->operands, work->shape.inline_bytes);
    return 0;
}

void bench_arena_fini(struct bench_arena *a)
{
    if (a->base != NULL)
        (void)munmap(a->base, a->bytes);
    if (a->fd >= 0)
        (void)close(a->fd);
    *a = (struct bench_arena){.fd = -1};
}

static int await(int socket, short events)
{
    struct pollfd p = {.fd = socket, .events = events};
    int n = poll(&p, 1, WAIT_MS);
    if (n == 0)
        return -ETIMEDOUT;
    return n < 0 && errno != EINTR ? -errno : 0;
}

static int read_whole(int socket, void *into, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t n = read(socket, (uint8_t *)into + at, bytes - at);
        if (n == 0)
            return -ECONNRESET;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        at += n > 0 ? (size_t)n : 0;
        int err = n < 0 ? await(socket, POLLIN) : 0;
        if (err < 0)
            return err;
    }
    return 0;
}

int bench_arena_lend(const struct bench_arena *a, int socket)
{
    struct wire_request h = {.magic = WIRE_MAGIC,
                             .version = WIRE_VERSION,
                             .type = WIRE_ARENA_ADD,
                             .arg = {0, (uint32_t)a->bytes, (uint32_t)((uint64_t)a->bytes >> 32)}};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof(control));
    struct iovec iov = {&h, sizeof(h)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof(control.room)};
    struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &a->fd, sizeof(int));
    /* The first 64 bytes on an empty socket: they go whole. */
    if (sendmsg(socket, &msg, MSG_NOSIGNAL) != (ssize_t)sizeof(h))
        return errno != 0 ? -errno : -EIO;

    struct wire_answer answer;
    uint8_t sentence[256];
    int err = read_whole(socket, &answer, sizeof(answer));
    if (err == 0 && (answer.magic != WIRE_MAGIC || answer.payload_bytes > sizeof(sentence)))
        err = -EPROTO;
    if (err == 0)
        err = read_whole(socket, sentence, (size_t)answer.payload_bytes);
    return err == 0 ? answer.status : err;
}

uint8_t *bench_arena_result(const struct bench_arena *a, size_t job)
{
    return a->base + a->results_at + job * a->result_stride;
}

unsigned bench_arena_refs(const struct bench_arena *a, const struct bench_work *work, size_t job,
                          struct wire_ref refs[static KERN_IN_MAX + 1])
{
    size_t at = 0;
    unsigned count = work->shape.in_count;
    for (unsigned i = 0; i < count; i++) {
        refs[i] = (struct wire_ref){.offset = at};
        at += wire_pad(work->shape.in_bytes[i]);
    }
    refs[count] = (struct wire_ref){.offset = a->results_at + job * a->result_stride};
    return count + 1;
}
