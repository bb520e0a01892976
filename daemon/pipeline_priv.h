/* What the files of the pipeline share:
 *   pipeline.c      life, batches to workers and back, sleeping and waking
 *   pipeline_job.c  one job's way: admitted, looked up, batched, finished
 *   pipeline_run.c  the workers' part: running, digesting, copying
 *   pipeline_wasm.c the same for jobs that run in simdd-wasm
 */
#ifndef DAEMON_PIPELINE_PRIV_H
#define DAEMON_PIPELINE_PRIV_H

#include <stdatomic.h>

#include "cost.h"
#include "digest.h"
#include "pipeline.h"
#include "ring.h"

/* What a job costs besides its kernel: call, plan, checks. */
enum { JOB_OVERHEAD_NS = 15 };

/* Another process adds wake-ups to a batch and about 1 us to a job, so a run that would be shorter
 * natively teaches nothing about the op. */
enum { WASM_TEACHES_NS = 200000 };

/* One worker's own: written by its thread. */
struct pipeline_worker {
    _Alignas(64) struct pool_local *local;
    _Atomic uint64_t steps; /* jobs and ranges run; the watchdog reads it */
};

struct pipeline {
    /* the loop */
    struct pipeline_rooms rooms;
    struct pipeline_limits limits;
    struct cost cost, wasm_cost;
    size_t in_flight;   /* jobs */
    size_t tasks_out;   /* batches in the scheduler or on their way back */
    size_t tasks_max;   /* more wait in admission, where turns are taken */
    size_t calls_out;   /* of these, calls of users' functions, and errands */
    size_t calls_max;   /* more wait here: one worker at least is free of them */
    struct batch *calls_waiting, **calls_end;
    struct client *calls_last; /* whose call left last */
    uint64_t inline_total;
    uint64_t steps_seen; /* at the last pipeline_made_progress() */
    bool tasks_seen;
    bool draining;
    unsigned open_handles;
    uv_timer_t age_timer;
    uv_poll_t wake_poll;

    /* fixed after pipeline_new() */
    struct scheduler *scheduler;
    struct ring_mpmc *finished; /* batches, from workers to the loop */
    struct digest digest;
    unsigned worker_count;
    unsigned worker_nice; /* workers read it as they start */
    int wake_fd;
    struct pipeline_worker *workers;

    /* shared */
    _Alignas(64) _Atomic bool sleeping; /* the loop blocks, or is about to */
};

/* ---- pipeline.c ---- */

/* A batch that is closed: runs it here if it is cheap, else queues it for a worker. */
void pipeline_batch_leave(struct pipeline *p, struct batch *batch);

/* ---- pipeline_job.c ---- */

/* The job's key is known: a hit ends it, a miss sends it on. */
void pipeline_job_look_up(struct pipeline *p, struct job *job);

/* An admitted job has its status: counts it, keeps its result, gives it back. */
void pipeline_job_finish(struct pipeline *p, struct job *job, uint64_t ran_ns);

/* ---- pipeline_run.c ---- */

/* The task of a batch: runs its errand, then hands it to the loop. On a worker. */
void pipeline_task(struct sched_worker *w, struct sched_task *task);

/* So many units of a phase that a range takes about range_ns, in steps that suit the kernel unless
 * those would take far too long. */
size_t pipeline_range_grain(const struct job *job, const struct kern_plan *plan, size_t units,
                            uint64_t range_ns);

/* The worker has run one more job or range. */
void pipeline_worker_step(struct pipeline_worker *me);

/* The gaps behind the rows of an inline result are zero, not what the memory held before. */
void pipeline_clear_gaps(struct job *job);

/* Runs a batch where it stands, on the loop. */
void pipeline_run_inline(struct pipeline *p, struct batch *batch);

/* ---- pipeline_wasm.c ---- */

void pipeline_run_wasm(struct pipeline *p, struct sched_worker *w, struct batch *batch);

#endif
