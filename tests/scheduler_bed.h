/* What the suites of the scheduler share: tasks to give it, and waits. All of these are bounded far
 * above what any of them takes, so that a broken promise fails instead of hanging. */
#ifndef TESTS_SCHEDULER_BED_H
#define TESTS_SCHEDULER_BED_H

#include <semaphore.h>
#include <stdbool.h>
#include <stdint.h>

#include "scheduler.h"

/* Returns owned (sched_free): one with room for 4096 tasks in each lane. */
struct scheduler *scheduler_make(unsigned worker_count, uint64_t spin_ns);

/* Waits 20 s at most until *counter is at least n. True if it became so. */
bool patience(const _Atomic unsigned *counter, unsigned n);

/* The same, for all workers being parked. */
bool patience_parked(const struct scheduler *s);

/* ---- roots ---- */

/* A task that runs `body` on behalf of a test, and tells when it is done. */
struct root {
    struct sched_task task; /* first */
    void (*body)(struct sched_worker *w, void *ctx);
    void *ctx;
    sem_t done;
};

void root_submit(struct scheduler *s, struct root *r,
                 void (*body)(struct sched_worker *, void *), void *ctx);
void root_await(struct root *r);

/* root_submit(), then root_await(). */
void root_round(struct scheduler *s, void (*body)(struct sched_worker *, void *), void *ctx);

/* ---- tasks ---- */

/* Counts itself. */
struct tick {
    struct sched_task task; /* first */
    _Atomic unsigned *counter;
    _Atomic unsigned ran_count;
};

void tick_run(struct sched_worker *w, struct sched_task *task);

/* A root's body that holds its worker until the test opens it. */
struct gate {
    _Atomic unsigned entered, opened;
};

void gate_body(struct sched_worker *w, void *ctx);

/* fib(n), by a spawn of fib(n - 2) in each task. */
struct fib {
    struct sched_task task; /* first */
    unsigned n;
    unsigned long result;
};

void fib_run(struct sched_worker *w, struct sched_task *task);

#endif
