/* The promises of scheduler.h to those outside: its workers' life, what is submitted, and sleeping
 * and waking. No test asserts a time. */
#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "scheduler_bed.h"
#include "suite.h"

/* ---- life ---- */

START_TEST(new_refuses_no_workers_and_no_lanes)
{
    struct scheduler *s = NULL;
    struct sched_config cfg = {.worker_count = 0, .injector_capacity = 16};
    ck_assert_int_eq(sched_new(&s, &cfg), -EINVAL);
    cfg = (struct sched_config){.worker_count = 1, .injector_capacity = 0};
    ck_assert_int_eq(sched_new(&s, &cfg), -EINVAL);
    cfg = (struct sched_config){.worker_count = 1000000, .injector_capacity = 16};
    ck_assert_int_eq(sched_new(&s, &cfg), -EINVAL);
    ck_assert_ptr_null(s);
    sched_free(NULL);
}
END_TEST

struct roll {
    _Atomic unsigned started[4], stopped[4];
    _Atomic unsigned bad_count;
};

static void roll_start(void *user, unsigned worker)
{
    struct roll *r = user;
    char name[16] = "", expected[16];
    snprintf(expected, sizeof expected, "simdd-w%u", worker);
    for (unsigned i = 0; i < 20000 && strcmp(name, expected) != 0; i++) {
        pthread_getname_np(pthread_self(), name, sizeof name); /* set by the creator, soon */
        sched_yield();
    }
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    if (strcmp(name, expected) != 0 || !sigismember(&blocked, SIGTERM) ||
        !sigismember(&blocked, SIGHUP))
        atomic_fetch_add(&r->bad_count, 1);
    atomic_fetch_add(&r->started[worker], 1);
}

static void roll_stop(void *user, unsigned worker)
{
    struct roll *r = user;
    if (atomic_load(&r->started[worker]) != 1)
        atomic_fetch_add(&r->bad_count, 1);
    atomic_fetch_add(&r->stopped[worker], 1);
}

START_TEST(workers_are_named_deaf_to_signals_and_greeted_once)
{
    static struct roll r;
    struct sched_config cfg = {.worker_count = 4, .injector_capacity = 16,
                               .thread_start = roll_start, .thread_stop = roll_stop, .user = &r};
    struct scheduler *s = NULL;
    ck_assert_int_eq(sched_new(&s, &cfg), 0);
    sched_free(s);
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_eq(atomic_load(&r.started[i]), 1);
        ck_assert_uint_eq(atomic_load(&r.stopped[i]), 1);
    }
    ck_assert_uint_eq(atomic_load(&r.bad_count), 0);
    sigset_t blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    ck_assert(!sigismember(&blocked, SIGTERM));
}
END_TEST

START_TEST(free_runs_all_that_was_submitted)
{
    static struct tick ticks[3000];
    _Atomic unsigned counter = 0;
    for (unsigned workers = 1; workers <= 4; workers += 3) {
        atomic_store(&counter, 0);
        struct scheduler *s = scheduler_make(workers, 0);
        for (unsigned i = 0; i < 3000; i++) {
            ticks[i] = (struct tick){{tick_run, 0}, &counter, 0};
            ck_assert_int_eq(sched_submit(s, &ticks[i].task, (enum sched_lane)(i % 3)), 0);
        }
        sched_free(s);
        ck_assert_uint_eq(atomic_load(&counter), 3000);
    }
}
END_TEST

struct whoami {
    struct scheduler *scheduler;
    unsigned index;
};

static void whoami_body(struct sched_worker *w, void *ctx)
{
    struct whoami *x = ctx;
    x->scheduler = sched_worker_scheduler(w);
    x->index = sched_worker_index(w);
}

START_TEST(a_worker_knows_its_scheduler_and_number)
{
    struct scheduler *s = scheduler_make(3, 0);
    struct whoami x = {NULL, 99};
    root_round(s, whoami_body, &x);
    ck_assert_ptr_eq(x.scheduler, s);
    ck_assert_uint_lt(x.index, 3);
    sched_free(s);
}
END_TEST

/* ---- submitting ---- */

enum { SUBMITTERS = 4, TICKS = 2500 };

struct submitter {
    struct scheduler *s;
    struct tick ticks[TICKS];
};

static void *submit_all(void *arg)
{
    struct submitter *sub = arg;
    for (unsigned i = 0; i < TICKS; i++) {
        while (sched_submit(sub->s, &sub->ticks[i].task, (enum sched_lane)(i % 3)) < 0)
            sched_yield();
    }
    return NULL;
}

START_TEST(each_submitted_task_runs_once_from_many_threads)
{
    static const unsigned workers[] = {1, 2, 7};
    static struct submitter subs[SUBMITTERS];
    _Atomic unsigned counter = 0;
    struct sched_config cfg = {
        .worker_count = workers[_i], .injector_capacity = 64, .spin_ns = 10000};
    struct scheduler *s = NULL;
    ck_assert_int_eq(sched_new(&s, &cfg), 0);
    pthread_t threads[SUBMITTERS];
    for (unsigned t = 0; t < SUBMITTERS; t++) {
        subs[t].s = s;
        for (unsigned i = 0; i < TICKS; i++)
            subs[t].ticks[i] = (struct tick){{tick_run, 0}, &counter, 0};
        ck_assert_int_eq(pthread_create(&threads[t], NULL, submit_all, &subs[t]), 0);
    }
    for (unsigned t = 0; t < SUBMITTERS; t++)
        pthread_join(threads[t], NULL);
    ck_assert(patience(&counter, SUBMITTERS * TICKS));
    sched_free(s);
    for (unsigned t = 0; t < SUBMITTERS; t++) {
        for (unsigned i = 0; i < TICKS; i++)
            ck_assert_uint_eq(atomic_load(&subs[t].ticks[i].ran_count), 1);
    }
}
END_TEST

struct entry {
    struct sched_task task; /* first */
    unsigned number;
    _Atomic unsigned *next;
    unsigned *order; /* one worker: written by one thread */
};

static void entry_run(struct sched_worker *w, struct sched_task *task)
{
    (void)w;
    struct entry *e = (struct entry *)task;
    e->order[atomic_fetch_add(e->next, 1)] = e->number;
}

START_TEST(one_worker_runs_lanes_by_priority_and_each_in_order)
{
    struct scheduler *s = scheduler_make(1, 0);
    static struct gate g;
    struct root r;
    root_submit(s, &r, gate_body, &g);
    ck_assert(patience(&g.entered, 1));
    struct entry entries[12];
    unsigned order[12];
    _Atomic unsigned next = 0;
    for (unsigned i = 0; i < 12; i++) {
        enum sched_lane lane = (enum sched_lane)(2 - i % 3);
        entries[i] = (struct entry){{entry_run, 0}, (unsigned)lane * 4 + i / 3, &next, order};
        ck_assert_int_eq(sched_submit(s, &entries[i].task, lane), 0);
    }
    atomic_store(&g.opened, 1);
    ck_assert(patience(&next, 12));
    root_await(&r);
    sched_free(s);
    for (unsigned i = 0; i < 12; i++)
        ck_assert_uint_eq(order[i], i);
}
END_TEST

START_TEST(a_full_lane_refuses_and_the_caller_keeps_the_task)
{
    struct sched_config cfg = {.worker_count = 1, .injector_capacity = 4};
    struct scheduler *s = NULL;
    ck_assert_int_eq(sched_new(&s, &cfg), 0);
    static struct gate g;
    struct root r;
    root_submit(s, &r, gate_body, &g);
    ck_assert(patience(&g.entered, 1));
    _Atomic unsigned counter = 0;
    struct tick ticks[6];
    for (unsigned i = 0; i < 6; i++)
        ticks[i] = (struct tick){{tick_run, 0}, &counter, 0};
    for (unsigned i = 0; i < 4; i++)
        ck_assert_int_eq(sched_submit(s, &ticks[i].task, SCHED_LANE_LOW), 0);
    ck_assert_int_eq(sched_submit(s, &ticks[4].task, SCHED_LANE_LOW), -ENOBUFS);
    ck_assert_int_eq(sched_submit(s, &ticks[5].task, SCHED_LANE_HIGH), 0);
    atomic_store(&g.opened, 1);
    root_await(&r);
    sched_free(s);
    ck_assert_uint_eq(atomic_load(&counter), 5);
    ck_assert_uint_eq(atomic_load(&ticks[4].ran_count), 0);
}
END_TEST

static void own_run(struct sched_worker *w, struct sched_task *task)
{
    (void)w;
    _Atomic unsigned *counter = ((struct tick *)task)->counter;
    free(task); /* its last act: nobody may touch it afterwards */
    atomic_fetch_add(counter, 1);
}

START_TEST(a_submitted_task_may_free_itself)
{
    struct scheduler *s = scheduler_make(2, 0);
    _Atomic unsigned counter = 0;
    for (unsigned i = 0; i < 500; i++) {
        struct tick *t = malloc(sizeof *t);
        ck_assert_ptr_nonnull(t);
        *t = (struct tick){{own_run, 0}, &counter, 0};
        ck_assert_int_eq(sched_submit(s, &t->task, SCHED_LANE_NORMAL), 0);
    }
    ck_assert(patience(&counter, 500));
    sched_free(s);
}
END_TEST

/* ---- sleeping and waking ---- */

START_TEST(a_submit_to_sleeping_workers_is_never_lost)
{
    static const unsigned workers[] = {1, 2, 4, 2};
    static const uint64_t spins[] = {0, 0, 0, 30000};
    struct scheduler *s = scheduler_make(workers[_i], spins[_i]);
    _Atomic unsigned counter = 0;
    struct tick t = {{tick_run, 0}, &counter, 0};
    for (unsigned round = 1; round <= 2000; round++) {
        ck_assert_int_eq(sched_submit(s, &t.task, SCHED_LANE_NORMAL), 0);
        ck_assert_msg(patience(&counter, round), "round %u was never run", round);
        /* Vary when the next one comes: at once, while the worker goes to sleep, asleep. */
        for (volatile unsigned i = 0; i < round * 7 % 1000; i++)
            continue;
        if (round % 500 == 0)
            ck_assert(patience_parked(s));
    }
    sched_free(s);
}
END_TEST

static void meet_body(struct sched_worker *w, void *ctx)
{
    (void)w;
    _Atomic unsigned *here = ctx;
    atomic_fetch_add(here, 1);
    patience(here, 4);
}

START_TEST(a_burst_wakes_as_many_workers_as_it_needs)
{
    struct scheduler *s = scheduler_make(4, 0);
    for (unsigned round = 0; round < 20; round++) {
        _Atomic unsigned here = 0; /* each of the four tasks waits for the other three */
        struct root roots[4];
        if (round % 2 == 0)
            ck_assert(patience_parked(s));
        for (unsigned i = 0; i < 4; i++)
            root_submit(s, &roots[i], meet_body, &here);
        for (unsigned i = 0; i < 4; i++)
            root_await(&roots[i]);
    }
    sched_free(s);
}
END_TEST

/* A worker is parked a moment before it is counted, so the first looks may see it move; one that
 * polls would move for ever. */
START_TEST(idle_workers_park_and_do_not_poll)
{
    enum { LOOKS = 40 };
    struct scheduler *s = scheduler_make(3, 20000);
    _Atomic unsigned counter = 0;
    struct tick t = {{tick_run, 0}, &counter, 0};
    ck_assert_int_eq(sched_submit(s, &t.task, SCHED_LANE_NORMAL), 0);
    ck_assert(patience(&counter, 1));
    ck_assert(patience_parked(s));
    struct sched_stats before, after;
    sched_stats(s, &after);
    unsigned look = 0;
    do {
        before = after;
        nanosleep(&(struct timespec){0, 50000000}, NULL);
        sched_stats(s, &after);
    } while (before.parked_total != after.parked_total && ++look < LOOKS);
    ck_assert_uint_eq(before.parked_total, after.parked_total);
    ck_assert_uint_eq(before.woken_total, after.woken_total);
    ck_assert_uint_eq(after.parked, 3);
    sched_free(s);
}
END_TEST

START_TEST(has_idle_tells_whether_a_worker_waits)
{
    struct scheduler *s = scheduler_make(2, 0);
    static struct gate g;
    struct root r[2];
    ck_assert(patience_parked(s));
    ck_assert(sched_has_idle(s));
    for (unsigned i = 0; i < 2; i++)
        root_submit(s, &r[i], gate_body, &g);
    ck_assert(patience(&g.entered, 2));
    ck_assert(!sched_has_idle(s));
    atomic_store(&g.opened, 1);
    for (unsigned i = 0; i < 2; i++)
        root_await(&r[i]);
    ck_assert(patience_parked(s));
    ck_assert(sched_has_idle(s));
    sched_free(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler");
    TCase *life = tcase_create("life");
    tcase_add_test(life, new_refuses_no_workers_and_no_lanes);
    tcase_add_test(life, workers_are_named_deaf_to_signals_and_greeted_once);
    tcase_add_test(life, free_runs_all_that_was_submitted);
    tcase_add_test(life, a_worker_knows_its_scheduler_and_number);
    TCase *submit = tcase_create("submit");
    tcase_add_loop_test(submit, each_submitted_task_runs_once_from_many_threads, 0, 3);
    tcase_add_test(submit, one_worker_runs_lanes_by_priority_and_each_in_order);
    tcase_add_test(submit, a_full_lane_refuses_and_the_caller_keeps_the_task);
    tcase_add_test(submit, a_submitted_task_may_free_itself);
    TCase *park = tcase_create("sleep");
    tcase_add_loop_test(park, a_submit_to_sleeping_workers_is_never_lost, 0, 4);
    tcase_add_test(park, a_burst_wakes_as_many_workers_as_it_needs);
    tcase_add_test(park, idle_workers_park_and_do_not_poll);
    tcase_add_test(park, has_idle_tells_whether_a_worker_waits);
    TCase *all[] = {life, submit, park};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        tcase_set_timeout(all[i], 120);
        suite_add_tcase(suite, all[i]);
    }
    return suite_run(suite);
}
