/* What the three files of the scheduler share: scheduler.c (life and top-level work),
 * scheduler_wait.c (looking, spinning, parking), scheduler_fork.c (spawn, join, ranges). */
#ifndef DAEMON_SCHEDULER_PRIV_H
#define DAEMON_SCHEDULER_PRIV_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "deque.h"
#include "injector.h"
#include "parking.h"
#include "scheduler.h"

/* Values of sched_task.done. A worker that goes to sleep for a task leaves its number there, so
 * that the thief wakes it, and nobody else. */
enum { SCHED_TASK_OPEN = 0, SCHED_TASK_DONE = 1, SCHED_TASK_WAITER = 2 /* + index */ };

struct sched_worker {
    struct deque deque;

    /* This worker only. */
    struct scheduler *scheduler;
    unsigned index;
    unsigned join_depth;   /* stolen tasks that run on this stack, one inside the other */
    uint64_t spin_ns;      /* how long the next spin may last */
    uint64_t random_state; /* never 0 */
    pthread_t thread;

    /* Written by this worker, read by anyone. */
    _Alignas(64) _Atomic uint64_t executed_total;
    _Atomic uint64_t stolen_total;
    _Atomic uint64_t split_total;
    _Atomic uint64_t parked_total;
    _Atomic uint64_t busy_ns;
};

struct scheduler {
    /* Read-only once the workers run. */
    struct sched_worker *workers;
    unsigned worker_count;
    unsigned started_count;
    unsigned spinners_max;
    uint64_t spin_ns;
    void (*thread_start)(void *user, unsigned worker);
    void (*thread_stop)(void *user, unsigned worker);
    void *user;
    struct injector *injector;

    struct parking parking;

    /* Written by workers that wait, and once by sched_free(). */
    _Alignas(64) _Atomic unsigned spinner_count;
    _Atomic bool stopping;
};

/* Work that was found, and whether somebody will join it. */
struct sched_found {
    struct sched_task *task; /* NULL: none */
    bool is_stolen;
};

/* Looks once, without waiting. */
struct sched_found sched_look(struct sched_worker *w);

/* Waits until there is something to run, and returns it; or returns none when `joined` is done.
 * With joined NULL: when the scheduler stops and all that was submitted has been taken. */
struct sched_found sched_await(struct sched_worker *w, struct sched_task *joined);

/* Runs it, and tells who joins it. */
void sched_run(struct sched_worker *w, struct sched_found found);

/* Only the worker itself writes, so a load and a store do: no locked instruction.
 * relaxed: counters order nothing; the reader may lag. */
static inline void sched_count(_Atomic uint64_t *counter, uint64_t n)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

#endif
