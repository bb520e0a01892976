/* A daemon for tests of the client. */
#include "config.h"

#include "fake_daemon.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "call.h"
#include "kernels/kern.h"
#include "protocol/shape.h"

enum { PEERS_MAX = 1024, ARENAS_MAX = 64, HELD_MAX = 4096, SCRATCH_BYTES = 1 << 20 };

struct held {
    struct wire_answer answer;
    uint8_t *payload; /* owned */
};

struct peer {
    struct fake *fake;
    pthread_t thread;
    int fd;
    struct {
        uint8_t *base;
        size_t bytes;
    } arena[ARENAS_MAX];
    struct held held[HELD_MAX];
    size_t held_count;
    unsigned noise;
    int passed_fd; /* the latest descriptor that came; -1: none */
};

struct fake {
    char path[108];
    int fd;
    pthread_t thread;
    fake_script_fn *script;
    void *user;
    pthread_mutex_t lock; /* over peers */
    struct peer *peers[PEERS_MAX];
    size_t peer_count;
    struct fake_counts counts;
};

static bool read_all(struct peer *p, void *into, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        union {
            struct cmsghdr header;
            char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = {(uint8_t *)into + at, bytes - at};
        struct msghdr msg = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = &control,
                             .msg_controllen = sizeof(control.room)};
        ssize_t n = recvmsg(p->fd, &msg, MSG_CMSG_CLOEXEC);
        if (n <= 0)
            return false;
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        if (c != NULL && c->cmsg_type == SCM_RIGHTS)
            memcpy(&p->passed_fd, CMSG_DATA(c), sizeof(int));
        at += (size_t)n;
    }
    return true;
}

static bool write_all(struct peer *p, const void *from, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t n = send(p->fd, (const uint8_t *)from + at, bytes - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    return true;
}

static struct wire_answer answer_to(const struct wire_request *h, enum wire_status status,
                                    size_t result_bytes)
{
    return (struct wire_answer){.magic = WIRE_MAGIC,
                                .version = WIRE_VERSION,
                                .type = (uint8_t)(WIRE_ANSWER | h->type),
                                .id = h->id,
                                .status = (uint16_t)status,
                                .result_bytes = result_bytes,
                                .payload_bytes = wire_pad(result_bytes)};
}

static bool say(struct peer *p, const struct wire_request *h, enum wire_status status,
                const char *words, uint32_t retry_after_us)
{
    char padded[64] = {0};
    size_t bytes = strlen(words);
    assert(bytes < sizeof(padded));
    memcpy(padded, words, bytes);
    struct wire_answer a = answer_to(h, status, bytes);
    a.retry_after_us = retry_after_us;
    return write_all(p, &a, sizeof(a)) && write_all(p, padded, wire_pad(bytes));
}

static bool arena_add(struct peer *p, const struct wire_request *h, enum fake_action action)
{
    int fd = p->passed_fd;
    p->passed_fd = -1;
    struct stat st;
    size_t bytes = (size_t)((uint64_t)h->arg[2] << 32 | h->arg[1]);
    if (fd < 0 || fstat(fd, &st) < 0 || (uint64_t)st.st_size != bytes || h->arg[0] >= ARENAS_MAX)
        return false;
    atomic_fetch_add_explicit(&p->fake->counts.arenas_added, 1, memory_order_relaxed); /* a count */
    if (action == FAKE_OVERLOADED) {
        (void)close(fd);
        return say(p, h, WIRE_ARENA_LIMIT, "no arenas here", 0);
    }
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (base == MAP_FAILED)
        return false;
    p->arena[h->arg[0]].base = base;
    p->arena[h->arg[0]].bytes = bytes;
    return say(p, h, WIRE_OK, "", 0);
}

static bool arena_drop(struct peer *p, const struct wire_request *h)
{
    if (h->arg[0] >= ARENAS_MAX || p->arena[h->arg[0]].base == NULL)
        return say(p, h, WIRE_ARENA_UNKNOWN, "no such arena", 0);
    (void)munmap(p->arena[h->arg[0]].base, p->arena[h->arg[0]].bytes);
    p->arena[h->arg[0]].base = NULL;
    /* relaxed: a mere count. */
    atomic_fetch_add_explicit(&p->fake->counts.arenas_dropped, 1, memory_order_relaxed);
    return say(p, h, WIRE_OK, "", 0);
}

/* A place in an arena, or NULL. */
static uint8_t *at(struct peer *p, const struct wire_ref *ref, size_t bytes)
{
    if (ref->arena >= ARENAS_MAX || p->arena[ref->arena].base == NULL || ref->offset % 8 != 0 ||
        ref->offset > p->arena[ref->arena].bytes ||
        bytes > p->arena[ref->arena].bytes - ref->offset)
        return NULL;
    return p->arena[ref->arena].base + ref->offset;
}

static void run(enum kern_op op, const struct kern_args *args)
{
    static const struct kern_part whole = {.phase = 0};
    struct kern_part part = whole;
    part.end = kern_phase_units(op, KERN_ISA_SCALAR, args, 0);
    kern_table_ref(true)->fn[op](args, &part);
}

static bool flush_held(struct peer *p)
{
    bool ok = true;
    while (p->held_count > 0) {
        struct held *h = &p->held[--p->held_count];
        ok = ok && write_all(p, &h->answer, sizeof(h->answer)) &&
             write_all(p, h->payload, h->answer.payload_bytes);
        free(h->payload);
    }
    return ok;
}

/* Sends the result, whole or as the script wants it. Takes `result`. */
static bool deliver(struct peer *p, struct wire_answer *a, uint8_t *result, enum fake_action action)
{
    if (action == FAKE_HOLD) {
        assert(p->held_count < HELD_MAX);
        p->held[p->held_count++] = (struct held){*a, result};
        return true;
    }
    size_t bytes = (size_t)a->payload_bytes;
    bool go_on = true;
    if (action == FAKE_BREAK_HALF) {
        bytes /= 2;
        go_on = false;
    } else if (action == FAKE_BAD_MAGIC) {
        a->magic = 0x21212121;
    } else if (action == FAKE_BAD_ID) {
        a->id ^= 0xffff;
    } else if (action == FAKE_BAD_SIZE) {
        a->result_bytes -= 1;
    } else if (action == FAKE_NOISE) {
        unsigned bit = p->noise++ * 37u % (8 * WIRE_HEADER_BYTES); /* 37: all of them, mixed */
        ((uint8_t *)a)[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    bool ok = write_all(p, a, sizeof(*a)) && write_all(p, result, bytes);
    free(result);
    return ok && flush_held(p) && go_on;
}

/* Where operands and result lie: in the payload and `result`, or in arenas. */
static bool operands(struct peer *p, const struct wire_request *h, struct shape *shape,
                     uint8_t *payload, uint8_t *result, bool *in_arena)
{
    bool arena_job = (h->flags & WIRE_F_ARENA) != 0;
    struct wire_ref *refs = (struct wire_ref *)(void *)payload;
    size_t offset = 0;
    for (unsigned i = 0; i < shape->in_count; i++) {
        shape->args.in[i] = arena_job ? at(p, &refs[i], shape->in_bytes[i]) : payload + offset;
        if (shape->args.in[i] == NULL)
            return false;
        offset += wire_pad(shape->in_bytes[i]);
    }
    *in_arena = arena_job && refs[shape->in_count].arena != WIRE_INLINE;
    shape->args.out = *in_arena ? at(p, &refs[shape->in_count], shape->out_bytes) : result;
    return shape->args.out != NULL;
}

static void count_job(struct peer *p, const struct wire_request *h, bool in_arena)
{
    struct fake_counts *c = &p->fake->counts; /* relaxed: mere counts */
    if ((h->flags & WIRE_F_ARENA) == 0)
        return;
    atomic_fetch_add_explicit(&c->arena_jobs, 1, memory_order_relaxed);
    if (!in_arena)
        atomic_fetch_add_explicit(&c->inline_results, 1, memory_order_relaxed);
}

static bool serve_job(struct peer *p, const struct wire_request *h, enum fake_action action)
{
    const char *field = NULL;
    struct shape shape;
    enum wire_status status = shape_check(&shape, h, SIZE_MAX, &field);
    if (action == FAKE_REFUSE_EARLY && !say(p, h, WIRE_BAD_SHAPE, "k: the fake says no", 0))
        return false;
    size_t payload_bytes = (size_t)h->payload_bytes;
    uint8_t *payload = malloc(payload_bytes + 1);
    if (payload == NULL || !read_all(p, payload, payload_bytes)) {
        free(payload);
        return false;
    }
    bool ok = false, in_arena = false;
    uint8_t *result = calloc(1, wire_pad(status == WIRE_OK ? shape.out_bytes : 0) + 1);
    if (action == FAKE_REFUSE_EARLY || action == FAKE_SILENT) {
        ok = true;
    } else if (action == FAKE_OVERLOADED) {
        ok = say(p, h, WIRE_OVERLOADED, "the fake is busy", 1000);
    } else if (action == FAKE_DRAINING) {
        ok = say(p, h, WIRE_SHUTTING_DOWN, "the fake is leaving", 1000);
    } else if (action == FAKE_REFUSE) {
        ok = say(p, h, WIRE_BAD_SHAPE, "k: the fake says no", 0);
    } else if (action == FAKE_BAD_VERSION) {
        struct wire_request nobody = {.type = 0};
        (void)say(p, &nobody, WIRE_BAD_VERSION, "version: too new", 0);
    } else if (status != WIRE_OK) {
        ok = say(p, h, status, field != NULL ? field : "", 0);
    } else if (!operands(p, h, &shape, payload, result, &in_arena)) {
        ok = say(p, h, WIRE_ARENA_UNKNOWN, "no such arena", 0);
    } else if (action != FAKE_BREAK) {
        run((enum kern_op)h->op, &shape.args);
        count_job(p, h, in_arena);
        struct wire_answer a = answer_to(h, WIRE_OK, shape.out_bytes);
        a.isa = KERN_ISA_SCALAR;
        if (in_arena) {
            a.flags = WIRE_A_IN_ARENA;
            a.payload_bytes = a.result_bytes = 0;
        }
        ok = deliver(p, &a, result, action);
        result = NULL;
    }
    free(result);
    free(payload);
    return ok;
}

/* The one function here copies its first operand: "m/copy", told or untold. "m/other" answers
 * another shape than it was told, "m/fail" an error; of anything else there is no such module. */
static bool answer_call(struct peer *p, const struct wire_request *h, const struct call *call,
                        const uint8_t *operands, enum fake_action action)
{
    const struct wire_ref *refs = (const struct wire_ref *)(const void *)operands;
    bool arena_job = (h->flags & WIRE_F_ARENA) != 0;
    bool in_arena = arena_job && refs[call->in_count].arena != WIRE_INLINE;
    const uint8_t *in = arena_job ? at(p, &refs[0], call->in[0].bytes) : operands;
    struct call_array out = call->out_known ? call->out : call->in[0];
    uint8_t *result = calloc(1, wire_pad(out.bytes));
    uint8_t *to = in_arena ? at(p, &refs[call->in_count], out.bytes) : result;
    assert(result != NULL);
    if (in == NULL || to == NULL) {
        free(result);
        return say(p, h, WIRE_ARENA_UNKNOWN, "no such arena", 0);
    }
    memcpy(to, in, out.bytes < call->in[0].bytes ? out.bytes : call->in[0].bytes);
    struct wire_answer a = answer_to(h, WIRE_OK, in_arena ? 0 : out.bytes);
    a.flags = (uint16_t)((in_arena ? WIRE_A_IN_ARENA : 0) | out.type << WIRE_A_TYPE_SHIFT |
                         out.rank << WIRE_A_RANK_SHIFT);
    memcpy(a.dim, out.dim, sizeof(a.dim));
    if (strcmp(call->function, "other") == 0)
        a.dim[0]++;
    a.isa = KERN_ISA_WASM128;
    count_job(p, h, in_arena);
    return deliver(p, &a, result, action);
}

static bool serve_call(struct peer *p, const struct wire_request *h, enum fake_action action)
{
    const char *field;
    struct call call;
    struct call_name name;
    size_t bytes = (size_t)h->payload_bytes, head = call_head_bytes(h);
    uint8_t *payload = malloc(bytes + 1);
    bool ok = false;
    if (payload != NULL && bytes >= head && read_all(p, payload, bytes)) {
        enum wire_status status = call_parse(&call, &name, h, payload, SIZE_MAX / 2, &field);
        if (action == FAKE_OVERLOADED)
            ok = say(p, h, WIRE_OVERLOADED, "the fake is busy", 1000);
        else if (status != WIRE_OK)
            ok = say(p, h, status, field != NULL ? field : "", 0);
        else if (strcmp(name.module, "m") != 0)
            ok = say(p, h, WIRE_MODULE_UNKNOWN, "name: no such module", 0);
        else if (strcmp(call.function, "fail") == 0)
            ok = say(p, h, WIRE_WASM_FAILED, "the function says no: 3", 0);
        else if (action != FAKE_BREAK)
            ok = answer_call(p, h, &call, payload + head, action);
    }
    free(payload);
    return ok;
}

/* Answers a module's request with what was asked, as text. */
static bool serve_module(struct peer *p, const struct wire_request *h)
{
    char name[64] = "", words[80];
    size_t bytes = (size_t)h->payload_bytes;
    uint8_t *payload = calloc(1, bytes + 1);
    bool ok = payload != NULL && h->arg[0] < sizeof(name) && read_all(p, payload, bytes);
    if (ok) {
        memcpy(name, payload, h->arg[0]);
        const uint8_t *file = payload + wire_pad(h->arg[0]);
        if (h->type == WIRE_MODULE_ADD && (h->arg[2] == 0 || file[h->arg[2] - 1] != '.'))
            ok = say(p, h, WIRE_MODULE_REFUSED, "the fake wants a point at the end", 0);
        else if (h->type == WIRE_MODULE_ADD || h->type == WIRE_MODULE_REMOVE)
            ok = h->arg[1] == WIRE_MODULE_ALL ? say(p, h, WIRE_MODULE_NOT_ALLOWED, "not you", 0)
                                              : say(p, h, WIRE_OK, "", 0);
        else {
            (void)snprintf(words, sizeof(words), "{\"fake\":\"%s\"}", name);
            ok = say(p, h, WIRE_OK, words, 0);
        }
    }
    free(payload);
    return ok;
}

static bool serve(struct peer *p)
{
    static const char metrics[] = "{\"uptime_seconds\": 1.5, \"operation_count\": 7}";
    struct wire_request h;
    if (!read_all(p, &h, sizeof(h)) || h.magic != WIRE_MAGIC)
        return false;
    struct fake *f = p->fake;
    enum fake_action action = FAKE_ANSWER;
    bool is_job = h.type == WIRE_JOB || h.type == WIRE_CALL;
    if (is_job || h.type == WIRE_ARENA_ADD) {
        /* relaxed: each job only needs a number of its own. */
        unsigned index =
            is_job ? atomic_fetch_add_explicit(&f->counts.jobs, 1, memory_order_relaxed) : 0;
        if (f->script != NULL)
            action = f->script(f->user, &h, index);
    }
    switch (h.type) {
    case WIRE_JOB:
        return serve_job(p, &h, action);
    case WIRE_CALL:
        return serve_call(p, &h, action);
    case WIRE_MODULE_ADD:
    case WIRE_MODULE_LIST:
    case WIRE_MODULE_SHOW:
    case WIRE_MODULE_REMOVE:
        return serve_module(p, &h);
    case WIRE_PING:
        return say(p, &h, WIRE_OK, "", 0);
    case WIRE_METRICS:
        return say(p, &h, WIRE_OK, metrics, 0);
    case WIRE_ARENA_ADD:
        return arena_add(p, &h, action);
    case WIRE_ARENA_DROP:
        return arena_drop(p, &h);
    default:
        return false;
    }
}

static void *peer_thread(void *arg)
{
    struct peer *p = arg;
    while (serve(p))
        continue;
    while (p->held_count > 0)
        free(p->held[--p->held_count].payload);
    for (unsigned i = 0; i < ARENAS_MAX; i++)
        if (p->arena[i].base != NULL)
            (void)munmap(p->arena[i].base, p->arena[i].bytes);
    if (p->passed_fd >= 0)
        (void)close(p->passed_fd);
    (void)shutdown(p->fd, SHUT_RDWR); /* closed by fake_stop(), which may be about to use it */
    return NULL;
}

static void *accept_thread(void *arg)
{
    struct fake *f = arg;
    for (;;) {
        int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return NULL; /* fake_stop() shut it down */
        struct peer *p = calloc(1, sizeof(*p));
        assert(p != NULL);
        p->fake = f;
        p->noise = (unsigned)f->peer_count; /* each connection begins at another bit */
        p->fd = fd;
        p->passed_fd = -1;
        atomic_fetch_add_explicit(&f->counts.connections, 1, memory_order_relaxed); /* a count */
        (void)pthread_mutex_lock(&f->lock);
        assert(f->peer_count < PEERS_MAX);
        f->peers[f->peer_count++] = p;
        int err = pthread_create(&p->thread, NULL, peer_thread, p);
        (void)pthread_mutex_unlock(&f->lock);
        assert(err == 0);
        (void)err;
    }
}

int fake_start(struct fake **out, const char *path, fake_script_fn *script, void *user)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert(strlen(path) < sizeof(address.sun_path));
    memcpy(address.sun_path, path, strlen(path) + 1);
    struct fake *f = calloc(1, sizeof(*f));
    if (f == NULL)
        return -ENOMEM;
    memcpy(f->path, address.sun_path, sizeof(f->path));
    f->script = script;
    f->user = user;
    (void)pthread_mutex_init(&f->lock, NULL);
    f->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)unlink(path);
    if (f->fd < 0 || bind(f->fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        listen(f->fd, 128) < 0 || pthread_create(&f->thread, NULL, accept_thread, f) != 0) {
        int err = -errno;
        free(f);
        return err;
    }
    *out = f;
    return 0;
}

void fake_stop(struct fake *f)
{
    if (f == NULL)
        return;
    (void)shutdown(f->fd, SHUT_RDWR);
    (void)pthread_join(f->thread, NULL);
    for (size_t i = 0; i < f->peer_count; i++) {
        struct peer *p = f->peers[i];
        (void)shutdown(p->fd, SHUT_RDWR);
        (void)pthread_join(p->thread, NULL);
        (void)close(p->fd);
        free(p);
    }
    (void)close(f->fd);
    (void)unlink(f->path);
    (void)pthread_mutex_destroy(&f->lock);
    free(f);
}

const struct fake_counts *fake_counts(const struct fake *f)
{
    return &f->counts;
}
