/* The scheduler: N workers, each with a Chase-Lev deque, one lock-free injector with three
 * priority lanes, parking without lost wake-ups.
 *
 * Work is a struct sched_task that the submitter embeds in its own struct; nothing is allocated
 * per task. A running task may split: sched_for() offers ranges to hungry workers and runs the
 * rest itself; sched_spawn()/sched_join() are the general fork and join.
 */
#ifndef DAEMON_SCHEDULER_H
#define DAEMON_SCHEDULER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scheduler;
struct sched_worker;
struct sched_task;

/* Runs on worker `w`. After it returns the scheduler does not touch a submitted task again, so it
 * may hand the memory that holds it to another thread as its last act. */
typedef void sched_task_fn(struct sched_worker *w, struct sched_task *task);

struct sched_task {
    sched_task_fn *run;
    _Atomic uint32_t done; /* spawned tasks only: 1 when run has returned, else who waits for it */
};

enum sched_lane { SCHED_LANE_HIGH, SCHED_LANE_NORMAL, SCHED_LANE_LOW, SCHED_LANE_COUNT };

struct sched_config {
    unsigned worker_count;    /* 1..4096 */
    size_t injector_capacity; /* tasks per lane that may wait; rounded up to a power of two */
    uint64_t spin_ns;         /* a worker that runs dry looks this long before it parks */
    void (*thread_start)(void *user, unsigned worker); /* may be NULL; on the worker, before work */
    void (*thread_stop)(void *user, unsigned worker);
    void *user;
};

struct sched_stats {
    uint64_t executed_total; /* tasks run, spawned ones and ranges too */
    uint64_t stolen_total;
    uint64_t split_total;    /* ranges halved for a hungry worker */
    uint64_t parked_total;
    uint64_t woken_total;    /* futex wake-ups sent */
    uint64_t busy_ns;        /* time workers spent inside tasks, summed */
    unsigned worker_count;
    unsigned parked;         /* now */
};

/* Creates and starts the workers. -EINVAL, -ENOMEM, -EAGAIN (no more threads): then nothing runs
 * and nothing is left. */
int sched_new(struct scheduler **out, const struct sched_config *cfg);

/* Runs what was submitted, then ends the workers and frees all. NULL is fine. */
void sched_free(struct scheduler *s);

/* Queues the task. Thread: any but a worker in a task. 0, or -ENOBUFS when the lane is full; then
 * the caller still owns it. */
int sched_submit(struct scheduler *s, struct sched_task *task, enum sched_lane lane);

/* True if a worker waits for work, spinning or parked. A hint. Thread: any. */
bool sched_has_idle(const struct scheduler *s);

unsigned sched_worker_index(const struct sched_worker *w);
struct scheduler *sched_worker_scheduler(const struct sched_worker *w);

/* Offers `task` to thieves; the caller must join it, in reverse order of spawning. The task's
 * memory may be on the caller's stack. When the deque is full the task runs at once. */
void sched_spawn(struct sched_worker *w, struct sched_task *task);

/* Returns when `task` has run: takes it back and runs it here if nobody stole it, else runs other
 * work until the thief is done. */
void sched_join(struct sched_worker *w, struct sched_task *task);

typedef void sched_range_fn(struct sched_worker *w, void *ctx, size_t begin, size_t end);

/**
 * Runs fn over [0, count) in ranges of at least `grain`, on this worker and on any that are
 * hungry; returns when all of it has run. A range is halved only while someone is hungry
 * (lazy splitting: Tzannes, Caragea, Barua, Vishkin 2010), so with no thief fn is called in
 * steps of `grain` by the caller alone, in order.
 * Each call's begin is a multiple of `grain`; it spans `grain` indexes, or, at the end, up to
 * twice as many less one. A grain of 0 is 1; a count below `grain` is one call; 0 is none.
 */
void sched_for(struct sched_worker *w, size_t count, size_t grain, sched_range_fn *fn, void *ctx);

/* Thread: any. */
void sched_stats(const struct scheduler *s, struct sched_stats *out);

#endif
