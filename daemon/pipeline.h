/* How a job walks: admission, cache, batch, scheduler or the loop itself, and back.
 *
 * This room joins the others and decides two things: whether a batch is so small that waking a
 * worker would cost more than running it here, and whether a result is worth looking up. Thread:
 * the loop, except for the tasks that it hands to workers.
 */
#ifndef DAEMON_PIPELINE_H
#define DAEMON_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <uv.h>

#include "admission.h"
#include "backend.h"
#include "batch.h"
#include "cache.h"
#include "job.h"
#include "monitor.h"
#include "scheduler.h"

struct pipeline;
struct wasm;

struct pipeline_limits {
    uint64_t inline_max_ns; /* a batch estimated below this runs on the loop */
    uint64_t split_min_ns;  /* a job estimated above this is offered to several workers */
};

/* Everything is borrowed and must outlive the pipeline. */
struct pipeline_rooms {
    uv_loop_t *loop;
    struct pool *pool;
    struct pool_local *local; /* the loop's */
    struct admission *admission;
    struct cache *cache;
    struct batcher *batcher;
    struct backend *native;
    struct monitor *monitor;
    struct wasm *wasm;          /* NULL: not built, or turned off */
    enum wire_backend backend;  /* of jobs that leave the choice to us */
};

struct pipeline_crew {
    unsigned worker_count;
    uint64_t spin_ns; /* a worker that runs dry looks this long before it sleeps */
    unsigned nice;    /* added to the niceness of each worker */
};

/* Creates the workers too; the scheduler belongs to the pipeline. */
int pipeline_new(struct pipeline **out, const struct pipeline_rooms *rooms,
                 const struct pipeline_limits *limits, const struct pipeline_crew *crew);

/* Ends the workers. All jobs must be done: see pipeline_in_flight(). Its handles close as the loop
 * runs on, and its memory goes with the last of them. NULL is fine. */
void pipeline_free(struct pipeline *p);

void pipeline_set_limits(struct pipeline *p, const struct pipeline_limits *limits);

/**
 * Decides which backend a job runs on, before any memory is taken for its operands. The job has
 * its client, and its shape, call or errand.
 * WIRE_OK, NO_BACKEND, TOO_BIG (over what a window holds) or OVERLOADED.
 */
enum wire_status pipeline_route(struct pipeline *p, struct job *job);

/**
 * Counts a job in and takes memory for its result. The job has its shape, and arenas if it uses
 * any; its operands may still be on their way.
 * On WIRE_OK the caller must call pipeline_submit() or pipeline_fail(). Otherwise the job is
 * refused (SHUTTING_DOWN, OVERLOADED with job->retry_after_us) and still the caller's.
 */
enum wire_status pipeline_admit(struct pipeline *p, struct job *job);

/* Takes an admitted job whose operands are all there. job->done is called once, on the loop,
 * perhaps before this returns. */
void pipeline_submit(struct pipeline *p, struct job *job);

/* Takes an admitted job that cannot go on; job->done is called with this status. */
void pipeline_fail(struct pipeline *p, struct job *job, enum wire_status status);

/* Nothing more is to be read now: runs or hands out what waits, and takes in what workers have
 * finished. Called once per loop pass. */
void pipeline_flush(struct pipeline *p);

/* The loop is about to block. Returns false if workers have finished something meanwhile: then
 * flush again first. After true, a worker that finishes wakes the loop. */
bool pipeline_may_sleep(struct pipeline *p);

/* The loop is awake: workers need not wake it. */
void pipeline_awake(struct pipeline *p);

/* Jobs submitted and not done. */
size_t pipeline_in_flight(const struct pipeline *p);

/* From now on new jobs are answered SHUTTING_DOWN. */
void pipeline_drain(struct pipeline *p);

struct scheduler *pipeline_scheduler(struct pipeline *p);

/* Batches that ran on the loop instead of a worker. */
uint64_t pipeline_inline_total(const struct pipeline *p);

/* False if tasks were out at the last call, still are, and no worker finished anything in between:
 * the watchdog's question. */
bool pipeline_made_progress(struct pipeline *p);

#endif
