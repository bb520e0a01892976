/* The interface of libsimdd: checks, queues, and leaves the moving to pump.c. */
#include "config.h"

#include "simdd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "handle.h"

enum { ARENA_KEEP_BYTES = 256 << 20, CROWD_TRIES = 10, CROWD_PAUSE_NS = 1000000 };

static const struct handle_options default_options = {
    .reconnects = 8, .reconnect_us = 5000, .resends = 3, .overload_retries = 100};

void handle_fail(struct simdd *s, int status, const char *words)
{
    if (words == NULL)
        (void)snprintf(s->error, sizeof(s->error), "%s", simdd_strerror(status));
    else
        (void)snprintf(s->error, sizeof(s->error), "%s", words);
}

static int fail(struct simdd *s, int status)
{
    handle_fail(s, status, NULL);
    return status;
}

static int slots_grow(struct simdd *s)
{
    size_t cap = s->slot_cap != 0 ? 2 * s->slot_cap : 64;
    if (cap > UINT32_MAX)
        return -ENOMEM;
    struct request **grown = realloc(s->slots, cap * sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    s->slots = grown;
    s->slot_cap = cap;
    return 0;
}

struct request *handle_request(struct simdd *s)
{
    struct request *r = s->idle.first;
    if (r != NULL) {
        request_queue_remove(&s->idle, r);
        return r;
    }
    if (s->slot_count == s->slot_cap && slots_grow(s) < 0)
        return NULL;
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->fd = -1;
    r->slot = (uint32_t)s->slot_count;
    s->slots[s->slot_count++] = r;
    return r;
}

void handle_recycle(struct simdd *s, struct request *r)
{
    request_reset(r, s->memory);
    r->generation++; /* an answer to the old id now finds nobody */
    request_queue_push_front(&s->idle, r);
}

void handle_enqueue(struct simdd *s, struct request *r)
{
    request_queue_push(&s->queue, r);
    s->queued_bytes += r->frame_bytes;
    s->queued_count++;
}

static void arena_added(void *user, uint32_t number, int fd, size_t bytes)
{
    struct simdd *s = user;
    if (s->link.fd < 0)
        return; /* the next connection announces it */
    struct request *r = handle_request(s);
    if (r == NULL) {
        memory_refuse(s->memory, number);
        return;
    }
    request_encode_plain(r, WIRE_ARENA_ADD, number);
    r->header.arg[1] = (uint32_t)bytes;
    r->header.arg[2] = (uint32_t)((uint64_t)bytes >> 32);
    r->control = true;
    r->fd = memory_dup_fd(fd);
    if (r->fd < 0) {
        memory_refuse(s->memory, number);
        handle_recycle(s, r);
        return;
    }
    handle_enqueue(s, r);
}

static void arena_dropped(void *user, uint32_t number)
{
    struct simdd *s = user;
    struct request *r = s->link.fd < 0 ? NULL : handle_request(s);
    if (r == NULL)
        return; /* without memory the daemon keeps it until the connection ends */
    request_encode_plain(r, WIRE_ARENA_DROP, number);
    r->control = true;
    handle_enqueue(s, r);
}

static const char *socket_path(const char *path)
{
    if (path != NULL)
        return path;
    path = getenv("SIMDD_SOCKET");
    return path != NULL && path[0] != '\0' ? path : SIMDD_DEFAULT_SOCKET;
}

/* The first connection. The daemon's queue of new ones may be full for a moment when a crowd of
 * clients starts at once; all else that may go wrong is the caller's to know at once. */
static int connect_first(struct simdd *s)
{
    int err = pump_connect(s);
    for (int i = 0; i < CROWD_TRIES && err == -EAGAIN; i++) {
        const struct timespec pause = {.tv_nsec = (long)CROWD_PAUSE_NS << i >> 2};
        (void)nanosleep(&pause, NULL);
        err = pump_connect(s);
    }
    return err;
}

int simdd_connect(struct simdd **out, const char *path)
{
    *out = NULL;
    struct simdd *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->options = default_options;
    s->epoll_fd = s->timer_fd = -1;
    s->sink = settle_sink;
    s->sink.user = s;
    struct memory_events events = {arena_added, arena_dropped, s};
    int err = link_init(&s->link);
    if (err == 0)
        err = memory_new(&s->memory, &events, ARENA_KEEP_BYTES);
    if (err == 0)
        err = pump_init(s);
    s->path = strdup(socket_path(path));
    if (s->path == NULL)
        err = -ENOMEM;
    if (err == 0)
        err = connect_first(s);
    if (err < 0) {
        simdd_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void simdd_close(struct simdd *s)
{
    if (s == NULL)
        return;
    s->closing = s->busy = true;
    link_close(&s->link);
    settle_abandon(s, -ECANCELED);
    for (size_t i = 0; i < s->slot_count; i++) {
        request_reset(s->slots[i], s->memory);
        free(s->slots[i]);
    }
    free(s->slots);
    pump_fini(s);
    memory_free(s->memory);
    link_fini(&s->link);
    free(s->path);
    free(s);
}

int simdd_set(struct simdd *s, enum simdd_option option, uint64_t value)
{
    switch (option) {
    case SIMDD_OPT_RECONNECTS:
        s->options.reconnects = value;
        return 0;
    case SIMDD_OPT_RECONNECT_US:
        s->options.reconnect_us = value;
        return 0;
    case SIMDD_OPT_RESENDS:
        s->options.resends = value;
        return 0;
    case SIMDD_OPT_OVERLOAD_RETRIES:
        s->options.overload_retries = value;
        return 0;
    case SIMDD_OPT_ARENA_KEEP_BYTES:
        memory_set_keep(s->memory, (size_t)value);
        return 0;
    }
    return fail(s, -EINVAL);
}

void handle_queue(struct simdd *s, struct request *r, simdd_done_fn *done, void *arg)
{
    r->done = done;
    r->arg = arg;
    s->in_flight++;
    handle_enqueue(s, r);
    bool burst = s->queued_bytes >= HANDLE_BURST_BYTES || s->queued_count >= HANDLE_BURST_JOBS;
    if (burst && !s->busy)
        pump_send(s);
}

int handle_begin(struct simdd *s, struct request **r)
{
    if (s->closing)
        return fail(s, -ECANCELED);
    *r = handle_request(s);
    return *r != NULL ? 0 : fail(s, -ENOMEM);
}

int handle_give_up(struct simdd *s, struct request *r, int err)
{
    handle_recycle(s, r);
    return fail(s, err);
}

int handle_submit(struct simdd *s, struct request *r, simdd_done_fn *done, void *arg)
{
    const char *field;
    int err = request_encode(r, s->memory, &field);
    if (err != 0) {
        handle_recycle(s, r);
        char words[HANDLE_ERROR_BYTES];
        (void)snprintf(words, sizeof(words), "%s%s%s", field != NULL ? field : "",
                       field != NULL ? ": " : "", simdd_strerror(err));
        handle_fail(s, err, words);
        return err;
    }
    handle_queue(s, r, done, arg);
    return 0;
}

int simdd_submit(struct simdd *s, const struct simdd_job *job, simdd_done_fn *done, void *arg)
{
    struct request *r;
    int err = handle_begin(s, &r);
    if (err < 0)
        return err;
    r->job = *job;
    return handle_submit(s, r, done, arg);
}

/* r->text must outlive the recycling that follows. */
void handle_call_done(struct simdd *s, const struct simdd_result *result)
{
    struct handle_call *call = result->arg;
    call->done = true;
    call->result = *result;
    call->result.reason = result->status != 0 ? s->error : "";
    if (call->text != NULL && result->status == 0) {
        struct request *r = s->completing;
        *call->text = r->text;
        r->text = NULL;
    }
}

int handle_call_begin(struct simdd *s)
{
    return s->busy ? fail(s, -EBUSY) : 0;
}

static int call_wait(struct simdd *s, const struct handle_call *call)
{
    while (!call->done) {
        int err = pump_run(s, -1);
        if (err >= 0)
            continue;
        /* We cannot even wait. `call` is on our caller's stack, so nothing may point to it. */
        s->busy = true;
        settle_abandon(s, err);
        s->busy = false;
    }
    return call->result.status;
}

int handle_call_end(struct simdd *s, struct handle_call *call, int err,
                    struct simdd_result *result)
{
    if (err == 0)
        err = call_wait(s, call);
    else
        call->result = (struct simdd_result){.status = err, .reason = s->error, .isa = ""};
    call->result.arg = NULL;
    if (result != NULL)
        *result = call->result;
    return err;
}

int simdd_call(struct simdd *s, const struct simdd_job *job, struct simdd_result *result)
{
    struct handle_call call = {.done = false};
    int err = handle_call_begin(s);
    if (err == 0)
        err = simdd_submit(s, job, handle_call_done, &call);
    return handle_call_end(s, &call, err, result);
}

static int call_plain(struct simdd *s, enum wire_type type, uint32_t arg0, char **text)
{
    struct request *r;
    int err = handle_call_begin(s);
    if (err == 0)
        err = handle_begin(s, &r);
    if (err < 0)
        return err;
    request_encode_plain(r, type, arg0);
    struct handle_call call = {.text = text};
    handle_queue(s, r, handle_call_done, &call);
    return handle_call_end(s, &call, 0, NULL);
}

int simdd_ping(struct simdd *s)
{
    return call_plain(s, WIRE_PING, 0, NULL);
}

int simdd_metrics(struct simdd *s, enum simdd_metrics form, char **text)
{
    char *got = NULL;
    int err = call_plain(s, WIRE_METRICS, (uint32_t)form, &got);
    if (err == 0 && got == NULL)
        err = fail(s, -EPROTO);
    if (err == 0)
        *text = got;
    return err;
}

int simdd_flush(struct simdd *s)
{
    if (!s->busy)
        pump_send(s);
    return s->link_error;
}

int simdd_process(struct simdd *s, int timeout_ms)
{
    int n = pump_run(s, timeout_ms);
    return n < 0 ? fail(s, n) : n;
}

int simdd_wait(struct simdd *s)
{
    do {
        int err = pump_run(s, -1);
        if (err < 0)
            return fail(s, err);
    } while (s->in_flight > 0);
    return 0;
}

int simdd_take(struct simdd *s, struct simdd_result *result)
{
    if (s->taken != NULL)
        handle_recycle(s, s->taken);
    s->taken = s->finished.first;
    if (s->taken == NULL)
        return 0;
    request_queue_remove(&s->finished, s->taken);
    settle_result(s->taken, result);
    return 1;
}

size_t simdd_in_flight(const struct simdd *s)
{
    return s->in_flight;
}

int simdd_fd(const struct simdd *s)
{
    return s->epoll_fd;
}

void *simdd_alloc(struct simdd *s, size_t bytes, int *err)
{
    int status = 0;
    void *p = memory_block_take(s->memory, bytes, &status);
    if (p == NULL)
        (void)fail(s, status);
    if (err != NULL)
        *err = status;
    return p;
}

void simdd_free(struct simdd *s, void *p)
{
    memory_block_give(s->memory, p);
}

const char *simdd_last_error(const struct simdd *s)
{
    return s->error;
}

const char *simdd_version(void)
{
    return PACKAGE_VERSION;
}
