/* The loop's part of the pipeline: batches to workers and back.
 *
 * A batch that costs less than waking a worker runs here. At most tasks_max others are in the
 * scheduler; the rest waits in admission, where clients take turns. What workers hand back comes
 * through one ring, and they wake the loop only when it sleeps.
 */
#include "config.h"

#include "pipeline_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

/* Batches per worker that may be out: one running, one ready when it ends. */
enum { TASKS_PER_WORKER = 2 };

static void batch_learn(struct pipeline *p, const struct batch *batch, uint64_t work,
                        uint64_t ran_ns)
{
    const enum kern_op op = (enum kern_op)batch->op;
    uint64_t overhead_ns = (uint64_t)batch->count * JOB_OVERHEAD_NS;
    if (batch->backend == WIRE_BACKEND_WASM) {
        if (cost_estimate_ns(&p->cost, op, work) >= WASM_TEACHES_NS)
            cost_learn(&p->wasm_cost, op, work, ran_ns);
    } else if (work > 0 && ran_ns > overhead_ns) {
        cost_learn(&p->cost, op, work, ran_ns - overhead_ns);
    }
}

/* All jobs of a batch have run. */
static void batch_finish(struct pipeline *p, struct batch *batch)
{
    /* A split job has no company, and took more worker time than time. */
    uint64_t ran_ns = batch->first->split ? batch->first->busy_ns
                                          : batch->ended_ns - batch->started_ns;
    uint64_t work = 0;
    uint64_t share_ns = ran_ns / batch->count;
    struct job *next;
    for (struct job *job = batch->first; job != NULL; job = next) {
        next = job->next;
        if (job->status == WIRE_OK)
            work += job->work;
        job->started_ns = batch->started_ns;
        job->ended_ns = batch->ended_ns;
        pipeline_job_finish(p, job, share_ns);
    }
    batch_learn(p, batch, work, ran_ns);
    batch_free(p->rooms.batcher, batch);
}

/* A user's own code may take as long as wasm_max_run_time lets it. */
static bool batch_is_call(const struct batch *batch)
{
    return batch->op == KERN_OP_NONE;
}

/* Returns owned: a call that waits, of another user than the last one if there is one; or NULL. */
static struct batch *call_next(struct pipeline *p)
{
    struct batch **at = &p->calls_waiting, **pick = at;
    if (p->calls_waiting == NULL || p->calls_out >= p->calls_max)
        return NULL;
    while (*at != NULL && (*at)->client == p->calls_last)
        at = &(*at)->next;
    if (*at != NULL)
        pick = at;
    struct batch *batch = *pick;
    *pick = batch->next;
    if (batch->next == NULL)
        p->calls_end = pick;
    return batch;
}

static void call_wait(struct pipeline *p, struct batch *batch)
{
    batch->next = NULL;
    *p->calls_end = batch;
    p->calls_end = &batch->next;
}

/* Returns owned: what goes to the workers next, or NULL. */
static struct batch *batch_next(struct pipeline *p)
{
    struct batch *batch = call_next(p);
    while (batch == NULL) {
        batch = admission_next(p->rooms.admission);
        if (batch == NULL)
            return NULL;
        if (!batch_is_call(batch) || p->calls_out < p->calls_max)
            break;
        call_wait(p, batch);
        batch = NULL;
    }
    if (batch_is_call(batch)) {
        p->calls_out++;
        p->calls_last = batch->client;
    }
    return batch;
}

static void tasks_dispatch(struct pipeline *p)
{
    struct batch *batch;
    while (p->tasks_out < p->tasks_max && (batch = batch_next(p)) != NULL) {
        batch->owner = p;
        batch->task.run = pipeline_task;
        p->tasks_out++;
        /* Turns were taken in admission; short errands go first, since a job waits behind each. */
        enum sched_lane lane = batch->errand == BATCH_RUN ? SCHED_LANE_NORMAL : SCHED_LANE_HIGH;
        int err = sched_submit(p->scheduler, &batch->task, lane);
        assert(err == 0); /* a lane holds tasks_max */
        (void)err;
    }
}

void pipeline_batch_leave(struct pipeline *p, struct batch *batch)
{
    uint64_t now = clock_ns();
    for (struct job *job = batch->first; job != NULL; job = job->next)
        job->batched_ns = now;
    /* Another process is waited for by workers only. */
    if (batch->errand == BATCH_RUN && batch->first->wasm == NULL &&
        batch->estimate_ns <= p->limits.inline_max_ns) {
        p->inline_total++;
        pipeline_run_inline(p, batch);
        batch_finish(p, batch);
        return;
    }
    admission_queue(p->rooms.admission, batch);
    tasks_dispatch(p);
}

static void batch_return(struct pipeline *p, struct batch *batch)
{
    struct job *job = batch->first;
    p->tasks_out--;
    if (batch_is_call(batch))
        p->calls_out--;
    switch (batch->errand) {
    case BATCH_RUN:
        batch_finish(p, batch);
        break;
    case BATCH_DIGEST:
        batch_free(p->rooms.batcher, batch);
        pipeline_job_look_up(p, job);
        break;
    case BATCH_COPY:
        job->status = WIRE_OK;
        batch_free(p->rooms.batcher, batch);
        pipeline_job_finish(p, job, 0);
        break;
    }
}

static void close_batches(struct pipeline *p)
{
    uint64_t now = 0;
    struct batch *next;
    for (struct batch *b = batch_oldest(p->rooms.batcher); b != NULL; b = next) {
        next = b->next;
        enum batch_cause cause = BATCH_IDLE;
        if ((b->first->wasm != NULL || b->estimate_ns > p->limits.inline_max_ns) &&
            !sched_has_idle(p->scheduler)) {
            now = now == 0 ? clock_ns() : now;
            if (now < batch_deadline_ns(p->rooms.batcher))
                continue;
            cause = BATCH_AGE;
        }
        batch_close(p->rooms.batcher, b, cause);
        pipeline_batch_leave(p, b);
    }
}

static void age_timer_fired(uv_timer_t *timer)
{
    pipeline_flush(timer->data);
}

void pipeline_flush(struct pipeline *p)
{
    struct batch *batch;
    while ((batch = ring_mpmc_pop(p->finished)) != NULL)
        batch_return(p, batch);
    close_batches(p);
    tasks_dispatch(p);

    /* Batches still open wait for a busy worker; its end, or this timer, comes first. libuv counts
     * in milliseconds, so a batch may be that much older than batch_max_delay. */
    if (batch_oldest(p->rooms.batcher) != NULL && !uv_is_active((uv_handle_t *)&p->age_timer))
        uv_timer_start(&p->age_timer, age_timer_fired, 1, 0);
}

bool pipeline_may_sleep(struct pipeline *p)
{
    /* acq_rel: pairs with the exchange in hand_back(), which tells how. */
    atomic_exchange_explicit(&p->sleeping, true, memory_order_acq_rel);
    if (ring_mpmc_is_empty(p->finished))
        return true;
    pipeline_awake(p);
    return false;
}

void pipeline_awake(struct pipeline *p)
{
    /* relaxed: a worker that still sees true sends a wake-up too many, which is read and dropped */
    atomic_store_explicit(&p->sleeping, false, memory_order_relaxed);
}

static void wake_read(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct pipeline *p = poll->data;
    uint64_t count;
    ssize_t got = read(p->wake_fd, &count, sizeof(count));
    (void)got; /* the pass's flush takes in what was finished */
}

size_t pipeline_in_flight(const struct pipeline *p)
{
    return p->in_flight;
}

void pipeline_drain(struct pipeline *p)
{
    p->draining = true;
}

struct scheduler *pipeline_scheduler(struct pipeline *p)
{
    return p->scheduler;
}

uint64_t pipeline_inline_total(const struct pipeline *p)
{
    return p->inline_total;
}

bool pipeline_made_progress(struct pipeline *p)
{
    uint64_t steps = 0;
    for (unsigned i = 0; i < p->worker_count; i++)
        steps += atomic_load_explicit(&p->workers[i].steps, memory_order_relaxed);
    bool stuck = p->tasks_seen && p->tasks_out > 0 && steps == p->steps_seen;
    p->steps_seen = steps;
    p->tasks_seen = p->tasks_out > 0;
    return !stuck;
}

void pipeline_set_limits(struct pipeline *p, const struct pipeline_limits *limits)
{
    p->limits = *limits;
}

/* ---- life ---- */

static void pipeline_destroy(struct pipeline *p)
{
    sched_free(p->scheduler);
    if (p->workers != NULL) {
        for (unsigned i = 0; i < p->worker_count; i++)
            pool_local_free(p->workers[i].local);
        free(p->workers);
    }
    ring_mpmc_free(p->finished);
    if (p->wake_fd >= 0)
        close(p->wake_fd);
    free(p);
}

static void handle_closed(uv_handle_t *handle)
{
    struct pipeline *p = handle->data;
    if (--p->open_handles == 0)
        pipeline_destroy(p);
}

static int workers_new(struct pipeline *p)
{
    size_t bytes = p->worker_count * sizeof(*p->workers);
    p->workers = aligned_alloc(_Alignof(struct pipeline_worker), bytes);
    if (p->workers == NULL)
        return -ENOMEM;
    memset(p->workers, 0, bytes);
    for (unsigned i = 0; i < p->worker_count; i++) {
        int err = pool_local_new(&p->workers[i].local, p->rooms.pool);
        if (err < 0)
            return err;
    }
    return 0;
}

static int handles_start(struct pipeline *p)
{
    int err = uv_poll_init(p->rooms.loop, &p->wake_poll, p->wake_fd);
    if (err < 0)
        return err;
    p->wake_poll.data = p;
    p->open_handles++;
    err = uv_timer_init(p->rooms.loop, &p->age_timer);
    assert(err == 0); /* it only fills the handle */
    p->age_timer.data = p;
    p->open_handles++;
    err = uv_poll_start(&p->wake_poll, UV_READABLE, wake_read);
    /* Neither keeps the loop alive: the daemon decides when it ends. */
    uv_unref((uv_handle_t *)&p->wake_poll);
    uv_unref((uv_handle_t *)&p->age_timer);
    return err;
}

/* On the worker, whose niceness Linux keeps apart from the other threads'. What it starts, a
 * simdd-wasm, is as nice. */
static void worker_begin(void *user, unsigned worker)
{
    const struct pipeline *p = user;
    errno = 0; /* -1 may be what it has come to */
    if (nice((int)p->worker_nice) == -1 && errno != 0 && worker == 0)
        log_warn("workers are no nicer than the loop", "worker_nice=%u reason=%s", p->worker_nice,
                 strerror(errno));
}

int pipeline_new(struct pipeline **out, const struct pipeline_rooms *rooms,
                 const struct pipeline_limits *limits, const struct pipeline_crew *crew)
{
    struct pipeline *p = aligned_alloc(_Alignof(struct pipeline), sizeof(*p));
    if (p == NULL)
        return -ENOMEM;
    memset(p, 0, sizeof(*p));
    p->rooms = *rooms;
    p->limits = *limits;
    p->worker_count = crew->worker_count;
    p->worker_nice = crew->nice;
    p->tasks_max = (size_t)p->worker_count * TASKS_PER_WORKER;
    p->calls_end = &p->calls_waiting;
    p->calls_max = p->worker_count > 1 ? p->worker_count - 1 : 1;
    cost_init(&p->cost);
    cost_init(&p->wasm_cost);

    struct sched_config cfg = {
        .worker_count = p->worker_count,
        .injector_capacity = p->tasks_max,
        .spin_ns = crew->spin_ns,
        .thread_start = worker_begin,
        .user = p,
    };
    int err = 0;
    p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->wake_fd < 0)
        err = -errno;
    if (err == 0)
        err = digest_init(&p->digest);
    if (err == 0)
        err = ring_mpmc_new(&p->finished, p->tasks_max);
    if (err == 0)
        err = workers_new(p);
    if (err == 0)
        err = sched_new(&p->scheduler, &cfg);
    if (err == 0)
        err = handles_start(p);
    if (err < 0) {
        pipeline_free(p);
        return err;
    }
    *out = p;
    return 0;
}

void pipeline_free(struct pipeline *p)
{
    if (p == NULL)
        return;
    assert(p->in_flight == 0);
    if (p->open_handles == 0) {
        pipeline_destroy(p);
        return;
    }
    sched_free(p->scheduler); /* now: a worker must not wake a loop that has gone */
    p->scheduler = NULL;
    uv_close((uv_handle_t *)&p->wake_poll, handle_closed);
    if (p->open_handles > 1)
        uv_close((uv_handle_t *)&p->age_timer, handle_closed);
}
