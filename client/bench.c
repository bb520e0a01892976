/* A load generator.
 *
 * Each connection has `depth` slots, a frame for each, and the slot's number as its id. Slots that
 * may be sent wait in a ring; answers mostly come in order, so what waits is mostly one run of
 * frames that lie one behind the other, and goes out as one piece. Frames that are large share
 * their operands instead. The clock is read once per read and stands for all answers in it.
 */
#include "config.h"

#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bench_arena.h"
#include "dial.h"

enum {
    BUFFER_BYTES = 256 * 1024,   /* one read; stays in the second-level cache */
    FRAME_COPY_MAX = 16 * 1024,  /* frames up to it are built whole for each slot */
    LARGE_BYTES = 64 * 1024,     /* frames above it get large socket buffers */
    SEND_IOV_MAX = 64,
    EVENTS_MAX = 256,
    SILENCE_MS = 30000
};

struct peer {
    int fd;
    bool wants_out;
    uint8_t *frames;    /* borrowed from bench */
    uint32_t *ready;    /* owned ring of slots to send */
    uint32_t ready_at, ready_count;
    size_t head_sent;   /* bytes of the first one's frame that went out */
    uint64_t *sent_ns;  /* owned, by slot */
    uint32_t in_flight; /* wholly sent, not answered */

    struct wire_answer answer;
    size_t header_have; /* bytes of it, while it is not whole */
    bool in_payload, check;
    size_t payload_at;
};

struct bench {
    struct bench_options options;
    const struct bench_work *work;
    struct peer *peers; /* owned */
    uint8_t *frames;    /* owned: by slot; with arenas by connection and slot */
    size_t frame_bytes, stride;
    bool copies; /* frames are whole; else headers only, and work->operands is sent behind */
    struct bench_arena arena;
    uint8_t *buffer;
    int epoll_fd;

    /* The phase that runs. */
    struct bench_stats *stats;
    uint64_t started, count, end_ns, verify_every, unverified;
    bool stopping;
    int error;
    char *why;
    size_t why_have;
};

static uint64_t now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Ends the phase: notes the first reason. */
static int fail(struct bench *b, int error, const char *words)
{
    if (b->error == 0) {
        b->error = error;
        if (words != NULL)
            (void)snprintf(b->why, BENCH_WHY_BYTES, "%s", words);
    }
    return error;
}

static void watch(struct bench *b, struct peer *p, bool wants_out)
{
    if (p->wants_out == wants_out)
        return;
    struct epoll_event event = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0u), .data.ptr = p};
    (void)epoll_ctl(b->epoll_fd, EPOLL_CTL_MOD, p->fd, &event);
    p->wants_out = wants_out;
}

static void make_ready(struct bench *b, struct peer *p, uint32_t slot)
{
    uint32_t at = p->ready_at + p->ready_count++;
    p->ready[at < b->options.depth ? at : at - b->options.depth] = slot;
}

/* Starts another job in a free slot, if the phase is not at its end. */
static void start(struct bench *b, struct peer *p, uint32_t slot)
{
    if (b->stopping || b->started == b->count)
        return;
    b->started++;
    make_ready(b, p, slot);
}

/* Slot of the i-th frame that waits. */
static uint32_t ready_slot(const struct bench *b, const struct peer *p, uint32_t i)
{
    uint32_t at = p->ready_at + i;
    return p->ready[at < b->options.depth ? at : at - b->options.depth];
}

/* What waits, as pieces; runs of neighbouring frames are one. */
static unsigned gather(const struct bench *b, const struct peer *p, struct iovec *iov)
{
    unsigned count = 0;
    size_t skip = p->head_sent;
    for (uint32_t i = 0; i < p->ready_count && count + 2 <= SEND_IOV_MAX; i++) {
        uint8_t *frame = p->frames + ready_slot(b, p, i) * b->stride;
        if (!b->copies) {
            size_t head = skip < WIRE_HEADER_BYTES ? WIRE_HEADER_BYTES - skip : 0;
            size_t past = skip - (WIRE_HEADER_BYTES - head);
            if (head > 0)
                iov[count++] = (struct iovec){frame + skip, head};
            iov[count++] = (struct iovec){b->work->operands + past,
                                          b->frame_bytes - WIRE_HEADER_BYTES - past};
        } else if (count > 0 &&
                   frame == (uint8_t *)iov[count - 1].iov_base + iov[count - 1].iov_len) {
            iov[count - 1].iov_len += b->frame_bytes;
        } else {
            iov[count++] = (struct iovec){frame + skip, b->frame_bytes - skip};
        }
        skip = 0;
    }
    return count;
}

static int peer_send(struct bench *b, struct peer *p, uint64_t at_ns)
{
    while (p->ready_count > 0) {
        struct iovec iov[SEND_IOV_MAX];
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = gather(b, p, iov)};
        ssize_t n = sendmsg(p->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return fail(b, -errno, "the daemon closed a connection");
        if (n < 0) {
            watch(b, p, true);
            return 0;
        }
        size_t took = (size_t)n + p->head_sent;
        while (p->ready_count > 0 && took >= b->frame_bytes) {
            p->sent_ns[p->ready[p->ready_at]] = at_ns;
            p->ready_at = p->ready_at + 1 < b->options.depth ? p->ready_at + 1 : 0;
            p->ready_count--;
            p->in_flight++;
            took -= b->frame_bytes;
        }
        p->head_sent = took;
    }
    watch(b, p, false);
    return 0;
}

/* An answer's header is whole. */
static int begin_answer(struct bench *b, struct peer *p)
{
    const struct wire_answer *a = &p->answer;
    size_t out_bytes = b->work->shape.out_bytes;
    if (a->magic != WIRE_MAGIC || a->type != (WIRE_ANSWER | WIRE_JOB) ||
        a->id >= b->options.depth)
        return fail(b, -EPROTO, "an answer makes no sense");
    bool in_arena = (a->flags & WIRE_A_IN_ARENA) != 0;
    size_t want = in_arena ? 0 : wire_pad(out_bytes);
    if (a->status == WIRE_OK && (a->payload_bytes != want || in_arena != b->options.arena))
        return fail(b, -EILSEQ, "an answer has the wrong size");
    p->check = a->status == WIRE_OK && ++b->unverified >= b->verify_every;
    if (p->check)
        b->unverified = 0;
    b->why_have = 0;
    p->payload_at = 0;
    p->in_payload = true;
    return 0;
}

static int check_bytes(struct bench *b, const uint8_t *p, size_t at, size_t bytes)
{
    if (memcmp(p, b->work->expected + at, bytes) == 0)
        return 0;
    char words[96];
    (void)snprintf(words, sizeof(words), "an answer is wrong between its bytes %zu and %zu", at,
                   at + bytes);
    return fail(b, -EILSEQ, words);
}

/* A refusal is complete; its sentence lies in b->why. */
static int refused(struct bench *b, struct peer *p)
{
    uint16_t status = p->answer.status;
    if (status == WIRE_OVERLOADED) {
        b->stats->overloaded++;
        b->why[0] = '\0';
        if (!b->stopping)
            make_ready(b, p, (uint32_t)p->answer.id); /* the same job, once more */
        return 0;
    }
    return fail(b, status, b->why[0] != '\0' ? NULL : wire_status_sentence(status));
}

static int end_answer(struct bench *b, struct peer *p, uint64_t at_ns)
{
    uint32_t slot = (uint32_t)p->answer.id;
    p->in_payload = false;
    p->in_flight--;
    if (p->answer.status != WIRE_OK)
        return refused(b, p);
    if (p->check && b->options.arena) {
        size_t job = (size_t)(p - b->peers) * b->options.depth + slot;
        uint8_t *result = bench_arena_result(&b->arena, job);
        if (check_bytes(b, result, 0, b->work->shape.out_bytes) != 0)
            return b->error;
        memset(result, 0xa5, b->work->shape.out_bytes); /* the next must be written anew */
    }
    b->stats->verified += p->check;
    b->stats->cached += (p->answer.flags & WIRE_A_CACHED) != 0;
    b->stats->done++;
    hist_add(&b->stats->latency, at_ns - p->sent_ns[slot], 1);
    start(b, p, slot);
    return 0;
}

/* Some of an answer's payload: `n` bytes. */
static int take_payload(struct bench *b, struct peer *p, const uint8_t *from, size_t n)
{
    int err = 0;
    if (p->check) {
        err = check_bytes(b, from, p->payload_at, n);
    } else if (p->answer.status != WIRE_OK && b->error == 0) {
        size_t room = BENCH_WHY_BYTES - 1 - b->why_have;
        size_t copy = n < room ? n : room;
        memcpy(b->why + b->why_have, from, copy);
        b->why_have += copy;
        b->why[b->why_have] = '\0';
    }
    p->payload_at += n;
    return err;
}

static int parse(struct bench *b, struct peer *p, size_t bytes, uint64_t at_ns)
{
    const uint8_t *from = b->buffer, *end = b->buffer + bytes;
    int err = 0;
    while (err == 0) {
        size_t left = (size_t)(end - from);
        if (!p->in_payload) {
            size_t want = WIRE_HEADER_BYTES - p->header_have;
            size_t n = left < want ? left : want;
            memcpy((uint8_t *)&p->answer + p->header_have, from, n);
            from += n;
            p->header_have += n;
            if (n < want)
                return 0;
            p->header_have = 0;
            if ((err = begin_answer(b, p)) != 0)
                return err;
            left -= n;
        }
        uint64_t payload_left = p->answer.payload_bytes - p->payload_at;
        size_t n = left < payload_left ? left : (size_t)payload_left;
        if (n > 0)
            err = take_payload(b, p, from, n);
        from += n;
        if (n < payload_left)
            return err;
        if (err == 0)
            err = end_answer(b, p, at_ns);
    }
    return err;
}

static int peer_receive(struct bench *b, struct peer *p)
{
    ssize_t n = recv(p->fd, b->buffer, BUFFER_BYTES, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : fail(b, -errno, "a connection broke");
    if (n == 0)
        return fail(b, -ECONNRESET, "the daemon closed a connection");
    uint64_t at_ns = now_ns();
    if (at_ns >= b->end_ns)
        b->stopping = true;
    int err = parse(b, p, (size_t)n, at_ns);
    return err != 0 ? err : peer_send(b, p, at_ns);
}

/* At the end only a frame that is half sent still goes. */
static uint64_t outstanding(struct bench *b)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < b->options.connections; i++) {
        struct peer *p = &b->peers[i];
        if (b->stopping && p->ready_count > (p->head_sent > 0 ? 1 : 0))
            p->ready_count = p->head_sent > 0 ? 1 : 0;
        sum += p->in_flight + p->ready_count;
    }
    return sum;
}

static int pump(struct bench *b)
{
    struct epoll_event events[EVENTS_MAX];
    int n = epoll_wait(b->epoll_fd, events, EVENTS_MAX, SILENCE_MS);
    if (n == 0)
        return fail(b, -ETIMEDOUT, "the daemon was silent for 30 s");
    if (n < 0)
        return errno == EINTR ? 0 : fail(b, -errno, "waiting failed");
    int err = 0;
    for (int i = 0; i < n && err == 0; i++) {
        struct peer *p = events[i].data.ptr;
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0)
            err = peer_receive(b, p);
        else
            err = peer_send(b, p, now_ns());
    }
    return err;
}

int bench_run(struct bench *b, struct bench_stats *stats, unsigned depth, uint64_t count,
              double seconds, uint64_t verify_every, char why[static BENCH_WHY_BYTES])
{
    *stats = (struct bench_stats){.done = 0};
    uint64_t start_ns = now_ns();
    b->stats = stats;
    b->started = b->unverified = 0;
    b->count = count;
    b->end_ns = start_ns + (uint64_t)(seconds * 1e9);
    b->verify_every = verify_every;
    b->stopping = false;
    b->why = why;
    why[0] = '\0';
    b->error = 0;
    depth = depth == 0 || depth > b->options.depth ? b->options.depth : depth;
    for (uint32_t slot = 0; slot < depth; slot++)
        for (unsigned i = 0; i < b->options.connections; i++)
            start(b, &b->peers[i], slot);
    for (unsigned i = 0; i < b->options.connections && b->error == 0; i++)
        (void)peer_send(b, &b->peers[i], now_ns());
    while (b->error == 0) {
        bool over = b->stopping || b->started == b->count;
        if (over && outstanding(b) == 0)
            break;
        (void)pump(b);
    }
    stats->seconds = (double)(now_ns() - start_ns) / 1e9;
    return b->error;
}

/* One slot's header, and its payload where frames are whole. */
static void build_frame(const struct bench *b, uint8_t *frame, size_t job, uint32_t slot)
{
    struct wire_request h = b->work->header;
    h.id = slot;
    h.payload_bytes = b->frame_bytes - WIRE_HEADER_BYTES;
    if (b->options.arena) {
        struct wire_ref refs[KERN_IN_MAX + 1];
        unsigned count = bench_arena_refs(&b->arena, b->work, job, refs);
        h.flags |= WIRE_F_ARENA;
        memcpy(frame + WIRE_HEADER_BYTES, refs, count * sizeof(refs[0]));
    } else if (b->copies) {
        memcpy(frame + WIRE_HEADER_BYTES, b->work->operands, b->work->shape.inline_bytes);
    }
    memcpy(frame, &h, sizeof(h));
}

static int build_frames(struct bench *b)
{
    const struct bench_options *o = &b->options;
    size_t payload = o->arena ? (b->work->shape.in_count + 1) * sizeof(struct wire_ref)
                              : b->work->shape.inline_bytes;
    b->frame_bytes = WIRE_HEADER_BYTES + payload;
    b->copies = b->frame_bytes <= FRAME_COPY_MAX;
    b->stride = b->copies ? b->frame_bytes : WIRE_HEADER_BYTES;
    size_t sets = o->arena ? o->connections : 1;
    b->frames = malloc(sets * o->depth * b->stride);
    if (b->frames == NULL)
        return -ENOMEM;
    for (size_t job = 0; job < sets * o->depth; job++)
        build_frame(b, b->frames + job * b->stride, job, (uint32_t)(job % o->depth));
    return 0;
}

static int open_peer(struct bench *b, unsigned i)
{
    struct peer *p = &b->peers[i];
    size_t depth = b->options.depth;
    p->frames = b->frames + (b->options.arena ? i * depth * b->stride : 0);
    p->ready = malloc(depth * sizeof(*p->ready));
    p->sent_ns = malloc(depth * sizeof(*p->sent_ns));
    if (p->ready == NULL || p->sent_ns == NULL)
        return -ENOMEM;
    size_t most = b->frame_bytes > b->work->shape.out_bytes ? b->frame_bytes
                                                            : b->work->shape.out_bytes;
    int fd = dial(b->options.path, most > LARGE_BYTES);
    if (fd < 0)
        return fd;
    p->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
    if (epoll_ctl(b->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
        return -errno;
    return b->options.arena ? bench_arena_lend(&b->arena, fd) : 0;
}

int bench_new(struct bench **out, const struct bench_options *options,
              const struct bench_work *work, char why[static BENCH_WHY_BYTES])
{
    struct bench *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return -ENOMEM;
    b->options = *options;
    b->work = work;
    b->arena.fd = -1;
    b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    b->buffer = aligned_alloc(64, BUFFER_BYTES);
    b->peers = calloc(options->connections, sizeof(*b->peers));
    int err = b->epoll_fd < 0 ? -errno : b->buffer == NULL || b->peers == NULL ? -ENOMEM : 0;
    for (unsigned i = 0; i < options->connections && b->peers != NULL; i++)
        b->peers[i].fd = -1;
    const char *what = "preparing";
    if (err == 0 && options->arena) {
        what = "shared memory";
        err = bench_arena_init(&b->arena, work, (size_t)options->connections * options->depth);
    }
    if (err == 0)
        err = build_frames(b);
    for (unsigned i = 0; i < options->connections && err == 0; i++) {
        what = "connecting";
        err = open_peer(b, i);
    }
    if (err != 0) {
        (void)snprintf(why, BENCH_WHY_BYTES, "%s: %s", what,
                       err > 0 ? wire_status_sentence((unsigned)err) : strerror(-err));
        bench_free(b);
        return err;
    }
    *out = b;
    return 0;
}

void bench_free(struct bench *b)
{
    if (b == NULL)
        return;
    for (unsigned i = 0; i < b->options.connections && b->peers != NULL; i++) {
        struct peer *p = &b->peers[i];
        if (p->fd >= 0)
            (void)close(p->fd);
        free(p->ready);
        free(p->sent_ns);
    }
    if (b->epoll_fd >= 0)
        (void)close(b->epoll_fd);
    bench_arena_fini(&b->arena);
    free(b->peers);
    free(b->frames);
    free(b->buffer);
    free(b);
}
