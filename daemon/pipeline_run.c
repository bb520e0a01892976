/* The workers' part of the pipeline: running, digesting and copying.
 *
 * A job estimated above split_min is run range by range, each offered to the other workers; between
 * two ranges it stops if its client has gone or its deadline has passed, so it is split even where
 * there is but one worker. Any other job runs through on the worker that took its batch. Each
 * worker has scratch memory of its own for each job that it runs ranges of, since one that waits
 * for its thieves may run another job's range meanwhile. It keeps it until the job is over: what
 * it has packed for one range serves the next.
 */
#include "config.h"

#include "pipeline_priv.h"

#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

/* A range worth handing over: well above the cost of a steal. And how long a kernel's step may
 * take, since a job can stop only between ranges. */
enum { RANGE_NS = 100000, STEP_MAX_NS = 10000000 };

struct split_scratch {
    void *memory;       /* owned: plan->scratch_bytes; NULL: none yet */
    uint32_t phase_end; /* 1 + the phase that memory was last used in */
};

/* One job being run by several workers. */
struct split {
    struct pipeline *p;
    struct job *job;
    const struct kern_plan *plan;
    void *shared;
    uint32_t phase;
    struct split_scratch *scratch; /* by worker; each touches its own alone while the job runs */
    /* any worker */
    _Atomic uint32_t status;  /* a failure, if there was one */
    _Atomic uint64_t busy_ns; /* sum over all ranges */
};

void pipeline_worker_step(struct pipeline_worker *me)
{
    /* relaxed: only this worker writes it, and the watchdog may see it late */
    atomic_store_explicit(&me->steps,
                          atomic_load_explicit(&me->steps, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

/* WIRE_OK, or why the job need not run any more. */
static enum wire_status job_stop_status(const struct job *job, uint64_t now_ns)
{
    if (job_is_gone(job))
        return WIRE_CANCELLED;
    return job->deadline_ns != 0 && now_ns > job->deadline_ns ? WIRE_DEADLINE_EXCEEDED : WIRE_OK;
}

static void split_range(struct sched_worker *w, void *ctx, size_t begin, size_t end)
{
    struct split *split = ctx;
    struct pipeline *p = split->p;
    unsigned index = sched_worker_index(w);
    struct pipeline_worker *me = &p->workers[index];

    pipeline_worker_step(me);
    /* relaxed, here and below: a late look costs one range more; sched_for() orders the end. */
    if (atomic_load_explicit(&split->status, memory_order_relaxed) != WIRE_OK)
        return;
    uint64_t start_ns = clock_ns();
    enum wire_status stop = job_stop_status(split->job, start_ns);
    if (stop != WIRE_OK) {
        atomic_store_explicit(&split->status, (uint32_t)stop, memory_order_relaxed);
        return;
    }
    struct split_scratch *scratch = &split->scratch[index];
    if (split->plan->scratch_bytes > 0 && scratch->memory == NULL) {
        scratch->memory = pool_take(me->local, split->plan->scratch_bytes);
        if (scratch->memory == NULL) {
            atomic_store_explicit(&split->status, WIRE_OVERLOADED, memory_order_relaxed);
            return;
        }
    }
    struct kern_part part = {.phase = split->phase,
                             .begin = begin,
                             .end = end,
                             .shared = split->shared,
                             .scratch = scratch->memory,
                             .kept = scratch->phase_end == split->phase + 1};
    scratch->phase_end = split->phase + 1;
    enum wire_status status = p->rooms.native->run(p->rooms.native, index,
                                                   (enum kern_op)split->job->op,
                                                   &split->job->args, &part);
    atomic_fetch_add_explicit(&split->busy_ns, clock_ns() - start_ns, memory_order_relaxed);
    if (status != WIRE_OK)
        atomic_store_explicit(&split->status, (uint32_t)status, memory_order_relaxed);
}

size_t pipeline_range_grain(const struct job *job, const struct kern_plan *plan, size_t units,
                            uint64_t range_ns)
{
    uint64_t phase_ns = job->estimate_ns / plan->phase_count + 1;
    uint64_t step = plan->range_units;
    while (step > 1 && step * phase_ns / units > STEP_MAX_NS)
        step /= 2;
    uint64_t grain = (uint64_t)units * range_ns / phase_ns;
    grain = grain < step ? step : grain / step * step;
    return grain > units ? units : (size_t)grain;
}

static enum wire_status run_split(struct pipeline *p, struct sched_worker *w, struct job *job,
                                  const struct kern_plan *plan, void *shared)
{
    enum kern_op op = (enum kern_op)job->op;
    struct split split = {.p = p, .job = job, .plan = plan, .shared = shared};
    struct pool_local *local = p->workers[sched_worker_index(w)].local;
    const size_t scratch_bytes = p->worker_count * sizeof(*split.scratch);
    split.scratch = pool_take(local, scratch_bytes);
    if (split.scratch == NULL)
        return WIRE_OVERLOADED;
    memset(split.scratch, 0, scratch_bytes);
    for (uint32_t phase = 0; phase < plan->phase_count; phase++) {
        split.phase = phase;
        size_t units = kern_phase_units(op, p->rooms.native->isa, &job->args, phase);
        sched_for(w, units, pipeline_range_grain(job, plan, units, RANGE_NS), split_range, &split);
        if (atomic_load_explicit(&split.status, memory_order_relaxed) != WIRE_OK)
            break;
    }
    /* What others took is given here: sched_for() ordered all that they did before this. */
    for (unsigned i = 0; i < p->worker_count; i++)
        pool_give(local, split.scratch[i].memory, plan->scratch_bytes);
    pool_give(local, split.scratch, scratch_bytes);
    job->busy_ns = atomic_load_explicit(&split.busy_ns, memory_order_relaxed);
    return (enum wire_status)atomic_load_explicit(&split.status, memory_order_relaxed);
}

static enum wire_status run_whole(struct pipeline *p, unsigned worker, struct job *job,
                                  const struct kern_plan *plan, void *shared, void *scratch)
{
    enum kern_op op = (enum kern_op)job->op;
    struct backend *b = p->rooms.native;
    for (uint32_t phase = 0; phase < plan->phase_count; phase++) {
        struct kern_part part = {.phase = phase,
                                 .end = kern_phase_units(op, b->isa, &job->args, phase),
                                 .shared = shared,
                                 .scratch = scratch};
        enum wire_status status = b->run(b, worker, op, &job->args, &part);
        if (status != WIRE_OK)
            return status;
    }
    return WIRE_OK;
}

void pipeline_clear_gaps(struct job *job)
{
    if (job->info->family == KERN_matmul && job->arenas[KERN_IN_MAX] == NULL &&
        job->args.u.matmul.ldc != job->args.u.matmul.n)
        memset(job->args.out, 0, job->out_bytes);
}

/* The copy that the cache keeps of a result that lies in an arena. Without memory for it the
 * result is just not kept. */
static void keep_copy(struct pool_local *local, struct job *job)
{
    if (!job->keyed || job->arenas[KERN_IN_MAX] == NULL)
        return;
    job->out_buf = job_result_new(local, job);
    if (job->out_buf != NULL)
        memcpy(job->out_buf->data, job->args.out, job->out_bytes);
}

/* w: NULL on the loop. */
static enum wire_status run_job(struct pipeline *p, struct sched_worker *w,
                                struct pool_local *local, struct job *job)
{
    enum wire_status status = job_stop_status(job, job->deadline_ns != 0 ? clock_ns() : 0);
    if (status != WIRE_OK)
        return status;

    struct kern_plan plan;
    kern_plan(&plan, (enum kern_op)job->op, p->rooms.native->isa, &job->args);
    pipeline_clear_gaps(job);

    status = WIRE_OVERLOADED; /* for lack of memory: somebody's job must end first */
    void *shared = NULL, *scratch = NULL;
    bool split = w != NULL && job->split;
    if (plan.shared_bytes > 0 && (shared = pool_take(local, plan.shared_bytes)) == NULL)
        goto out;
    if (split) {
        status = run_split(p, w, job, &plan, shared);
    } else {
        if (plan.scratch_bytes > 0 && (scratch = pool_take(local, plan.scratch_bytes)) == NULL)
            goto out;
        status = run_whole(p, w == NULL ? 0 : sched_worker_index(w), job, &plan, shared, scratch);
    }
    if (status == WIRE_OK)
        keep_copy(local, job);
out:
    pool_give(local, scratch, plan.scratch_bytes);
    pool_give(local, shared, plan.shared_bytes);
    return status;
}

static void run_jobs(struct pipeline *p, struct sched_worker *w, struct pool_local *local,
                     struct batch *batch)
{
    for (struct job *job = batch->first; job != NULL; job = job->next)
        job->status = (uint16_t)run_job(p, w, local, job);
}

void pipeline_run_inline(struct pipeline *p, struct batch *batch)
{
    batch->started_ns = clock_ns();
    run_jobs(p, NULL, p->rooms.local, batch);
    batch->ended_ns = clock_ns();
}

/* Hands a batch back. Only the first worker that finds the loop asleep pays for waking it. */
static void hand_back(struct pipeline *p, struct batch *batch)
{
    /* The ring holds tasks_max batches, and no more are ever out. */
    while (ring_mpmc_push(p->finished, batch) < 0)
        ;
    /* acq_rel: the push above is visible to whoever sees this exchange. Pairs with the exchange in
     * pipeline_may_sleep(): in their one order, either the loop's comes later and it finds the
     * batch in the ring, or ours does and we find it asleep. */
    if (atomic_exchange_explicit(&p->sleeping, false, memory_order_acq_rel)) {
        uint64_t one = 1;
        ssize_t wrote = write(p->wake_fd, &one, sizeof(one));
        (void)wrote; /* fails only when the counter is at its end, and then the loop wakes too */
    }
}

void pipeline_task(struct sched_worker *w, struct sched_task *task)
{
    struct batch *batch = (struct batch *)task;
    struct pipeline *p = batch->owner;
    struct pipeline_worker *me = &p->workers[sched_worker_index(w)];
    struct job *job = batch->first;

    pipeline_worker_step(me);
    batch->started_ns = clock_ns();
    switch (batch->errand) {
    case BATCH_RUN:
        if (job->wasm != NULL)
            pipeline_run_wasm(p, w, batch);
        else
            run_jobs(p, w, me->local, batch);
        break;
    case BATCH_DIGEST:
        job->key = digest_job(&p->digest, client_uid(job->client), job);
        break;
    case BATCH_COPY:
        memcpy(job->args.out, job->out_buf->data, job->out_bytes);
        break;
    }
    batch->ended_ns = clock_ns();
    hand_back(p, batch);
}
