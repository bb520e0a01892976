/* Tasks for the suites of the scheduler, and their waits. */
#include "config.h"

#include "scheduler_bed.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include <check.h>

struct scheduler *scheduler_make(unsigned worker_count, uint64_t spin_ns)
{
    struct sched_config cfg = {
        .worker_count = worker_count, .injector_capacity = 4096, .spin_ns = spin_ns};
    struct scheduler *s = NULL;
    ck_assert_int_eq(sched_new(&s, &cfg), 0);
    return s;
}

bool patience(const _Atomic unsigned *counter, unsigned n)
{
    for (unsigned i = 0; i < 200000; i++) {
        if (atomic_load(counter) >= n)
            return true;
        if (i < 100)
            sched_yield();
        else
            nanosleep(&(struct timespec){0, 100000}, NULL);
    }
    return false;
}

bool patience_parked(const struct scheduler *s)
{
    struct sched_stats stats;
    for (unsigned i = 0; i < 20000; i++) {
        sched_stats(s, &stats);
        if (stats.parked == stats.worker_count)
            return true;
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    return false;
}

/* ---- roots ---- */

static void root_run(struct sched_worker *w, struct sched_task *task)
{
    struct root *r = (struct root *)task;
    r->body(w, r->ctx);
    sem_post(&r->done);
}

void root_submit(struct scheduler *s, struct root *r,
                        void (*body)(struct sched_worker *, void *), void *ctx)
{
    *r = (struct root){.task = {.run = root_run}, .body = body, .ctx = ctx};
    ck_assert_int_eq(sem_init(&r->done, 0, 0), 0);
    ck_assert_int_eq(sched_submit(s, &r->task, SCHED_LANE_NORMAL), 0);
}

void root_await(struct root *r)
{
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += 60;
    int err;
    while ((err = sem_timedwait(&r->done, &limit)) != 0 && errno == EINTR)
        continue;
    ck_assert_msg(err == 0, "the task was never finished");
    sem_destroy(&r->done);
}

void root_round(struct scheduler *s, void (*body)(struct sched_worker *, void *), void *ctx)
{
    struct root r;
    root_submit(s, &r, body, ctx);
    root_await(&r);
}

/* ---- tasks ---- */

void tick_run(struct sched_worker *w, struct sched_task *task)
{
    (void)w;
    struct tick *t = (struct tick *)task;
    atomic_fetch_add(&t->ran_count, 1);
    atomic_fetch_add(t->counter, 1);
}

void gate_body(struct sched_worker *w, void *ctx)
{
    (void)w;
    struct gate *g = ctx;
    atomic_fetch_add(&g->entered, 1);
    patience(&g->opened, 1);
}

void fib_run(struct sched_worker *w, struct sched_task *task)
{
    struct fib *f = (struct fib *)task;
    if (f->n < 2) {
        f->result = f->n;
        return;
    }
    struct fib a = {{fib_run, 0}, f->n - 1, 0};
    struct fib b = {{fib_run, 0}, f->n - 2, 0};
    sched_spawn(w, &b.task);
    fib_run(w, &a.task);
    sched_join(w, &b.task);
    f->result = a.result + b.result;
}
