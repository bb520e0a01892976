/* sched_spawn() and sched_join(): each task runs once, is stolen while its spawner is busy, and a
 * worker that waits in a join helps with what it may. No test asserts a time. */
#include "config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#include "scheduler_bed.h"
#include "suite.h"

static void fib_body(struct sched_worker *w, void *ctx)
{
    fib_run(w, ctx);
}

START_TEST(fib_by_spawn_and_join_is_right_and_its_tasks_add_up)
{
    static const unsigned workers[] = {1, 2, 4, 9};
    struct scheduler *s = scheduler_make(workers[_i], 10000);
    for (unsigned round = 0; round < 5; round++) {
        struct fib f = {{fib_run, 0}, 17, 0};
        root_round(s, fib_body, &f);
        ck_assert_uint_eq(f.result, 1597);
    }
    ck_assert(patience_parked(s)); /* counters are final */
    struct sched_stats stats;
    sched_stats(s, &stats);
    /* fib(n) spawns fib(n + 1) - 1 tasks; and the roots. */
    ck_assert_uint_eq(stats.executed_total, 5 * (2583 + 1));
    ck_assert_uint_eq(stats.split_total, 0);
    ck_assert_uint_eq(stats.worker_count, workers[_i]);
    ck_assert_uint_gt(stats.busy_ns, 0);
    if (workers[_i] == 1)
        ck_assert_uint_eq(stats.stolen_total, 0);
    sched_free(s);
}
END_TEST

enum { BROOD = 3000 }; /* more than a deque holds */

static void brood_body(struct sched_worker *w, void *ctx)
{
    struct tick *ticks = ctx;
    for (unsigned i = 0; i < BROOD; i++)
        sched_spawn(w, &ticks[i].task);
    for (unsigned i = BROOD; i-- > 0;)
        sched_join(w, &ticks[i].task);
}

START_TEST(more_spawns_than_fit_still_run_once_each)
{
    static const unsigned workers[] = {1, 3};
    static struct tick ticks[BROOD];
    _Atomic unsigned counter = 0;
    struct scheduler *s = scheduler_make(workers[_i], 0);
    for (unsigned i = 0; i < BROOD; i++)
        ticks[i] = (struct tick){{tick_run, 0}, &counter, 0};
    root_round(s, brood_body, ticks);
    ck_assert_uint_eq(atomic_load(&counter), BROOD);
    for (unsigned i = 0; i < BROOD; i++)
        ck_assert_uint_eq(atomic_load(&ticks[i].ran_count), 1);
    sched_free(s);
}
END_TEST

/* A spawned task that marks its coming, waits for leave, and may share a loop before. */
struct guest {
    struct sched_task task; /* first */
    _Atomic unsigned entered, may_leave;
    unsigned worker;
};

static void guest_run(struct sched_worker *w, struct sched_task *task)
{
    struct guest *g = (struct guest *)task;
    g->worker = sched_worker_index(w);
    atomic_store(&g->entered, 1);
    patience(&g->may_leave, 1);
}

struct host {
    struct guest guest;
    bool was_stolen;
};

/* Does not join, and so takes nothing back, before the guest has come. */
static void host_body(struct sched_worker *w, void *ctx)
{
    struct host *h = ctx;
    sched_spawn(w, &h->guest.task);
    h->was_stolen = patience(&h->guest.entered, 1);
    atomic_store(&h->guest.may_leave, 1);
    sched_join(w, &h->guest.task);
    h->was_stolen = h->was_stolen && h->guest.worker != sched_worker_index(w);
}

START_TEST(a_spawned_task_is_stolen_while_its_spawner_is_busy)
{
    struct scheduler *s = scheduler_make(2, 0);
    for (unsigned round = 0; round < 50; round++) {
        struct host h = {.guest = {.task = {guest_run, 0}}};
        if (round % 2 == 0)
            ck_assert(patience_parked(s));
        root_round(s, host_body, &h);
        ck_assert(h.was_stolen);
    }
    sched_free(s);
}
END_TEST

/* The other worker is held by a gate while the spawn happens, and comes free later: a spawn that
 * nobody was hungry for must be found too. */
struct late {
    struct host host;
    struct gate *gate;
};

static void late_body(struct sched_worker *w, void *ctx)
{
    struct late *l = ctx;
    sched_spawn(w, &l->host.guest.task);
    atomic_store(&l->gate->opened, 1);
    l->host.was_stolen = patience(&l->host.guest.entered, 1);
    atomic_store(&l->host.guest.may_leave, 1);
    sched_join(w, &l->host.guest.task);
}

START_TEST(a_worker_that_falls_idle_finds_what_was_spawned_before)
{
    struct scheduler *s = scheduler_make(2, 0);
    for (unsigned round = 0; round < 20; round++) {
        struct gate g = {0, 0};
        struct late l = {.host = {.guest = {.task = {guest_run, 0}}}, .gate = &g};
        struct root held, spawner;
        root_submit(s, &held, gate_body, &g);
        ck_assert(patience(&g.entered, 1));
        root_submit(s, &spawner, late_body, &l);
        root_await(&spawner);
        root_await(&held);
        ck_assert(l.host.was_stolen);
    }
    sched_free(s);
}
END_TEST

/* The guest waits until its joiner can only be asleep or helping, then needs the joiner's help. */
struct helped {
    struct sched_task task; /* first */
    struct scheduler *s;
    _Atomic unsigned entered, met_count, missed_count;
    bool joiner_slept;
};

static void meeting_range(struct sched_worker *w, void *ctx, size_t begin, size_t end)
{
    (void)w;
    (void)begin;
    (void)end;
    struct helped *h = ctx;
    atomic_fetch_add(&h->met_count, 1);
    if (!patience(&h->met_count, 2))
        atomic_fetch_add(&h->missed_count, 1);
}

static void helped_run(struct sched_worker *w, struct sched_task *task)
{
    struct helped *h = (struct helped *)task;
    atomic_store(&h->entered, 1);
    struct sched_stats stats = {0};
    for (unsigned i = 0; i < 20000 && stats.parked == 0; i++) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        sched_stats(h->s, &stats);
    }
    h->joiner_slept = stats.parked == 1;
    sched_for(w, 2, 1, meeting_range, h);
}

static void helped_body(struct sched_worker *w, void *ctx)
{
    struct helped *h = ctx;
    sched_spawn(w, &h->task);
    patience(&h->entered, 1); /* stolen */
    sched_join(w, &h->task);
}

START_TEST(a_worker_that_sleeps_in_join_wakes_to_help_and_for_its_task)
{
    struct scheduler *s = scheduler_make(2, 0);
    for (unsigned round = 0; round < 20; round++) {
        struct helped h = {.task = {helped_run, 0}, .s = s};
        root_round(s, helped_body, &h);
        ck_assert(h.joiner_slept);
        ck_assert_uint_eq(atomic_load(&h.missed_count), 0);
    }
    sched_free(s);
}
END_TEST

/* One worker joins, the other holds the joined task: a submitted task finds nobody. */
struct strict {
    struct sched_task task; /* first */
    struct scheduler *s;
    struct tick other;
    _Atomic unsigned entered, other_count, bait_count;
    bool ran_bait, ran_other;
};

static void strict_run(struct sched_worker *w, struct sched_task *task)
{
    struct strict *x = (struct strict *)task;
    atomic_store(&x->entered, 1);
    struct sched_stats stats = {0};
    for (unsigned i = 0; i < 20000 && stats.parked == 0; i++) {
        nanosleep(&(struct timespec){0, 1000000}, NULL);
        sched_stats(x->s, &stats);
    }
    /* A test's shortcut: submitting is not for tasks, but this one waits for nothing by it. */
    x->other = (struct tick){{tick_run, 0}, &x->other_count, 0};
    sched_submit(x->s, &x->other.task, SCHED_LANE_HIGH);
    struct tick bait = {{tick_run, 0}, &x->bait_count, 0}; /* brings the joiner back to look */
    sched_spawn(w, &bait.task);
    x->ran_bait = patience(&x->bait_count, 1);
    sched_join(w, &bait.task);
    x->ran_other = atomic_load(&x->other_count) != 0;
}

static void strict_body(struct sched_worker *w, void *ctx)
{
    struct strict *x = ctx;
    sched_spawn(w, &x->task);
    patience(&x->entered, 1);
    sched_join(w, &x->task);
}

START_TEST(a_join_does_not_run_submitted_tasks)
{
    struct scheduler *s = scheduler_make(2, 0);
    static struct strict x;
    x = (struct strict){.task = {strict_run, 0}, .s = s};
    root_round(s, strict_body, &x);
    ck_assert(x.ran_bait);
    ck_assert(!x.ran_other);
    ck_assert(patience(&x.other_count, 1));
    sched_free(s);
}
END_TEST

/* Each link is stolen, if it can be, by the worker that waits in the join of the link before: so
 * both workers' stacks grow by a stolen task per link, until the scheduler lets no more on. */
enum { LINKS = 80 };

struct chain {
    struct sched_task task; /* first */
    struct chain *all;
    unsigned number;
    _Atomic unsigned entered;
};

static void chain_run(struct sched_worker *w, struct sched_task *task)
{
    struct chain *c = (struct chain *)task;
    atomic_fetch_add(&c->entered, 1);
    if (c->number + 1 == LINKS)
        return;
    struct chain *next = &c->all[c->number + 1];
    sched_spawn(w, &next->task);
    for (unsigned i = 0; i < 50 && atomic_load(&next->entered) == 0; i++)
        nanosleep(&(struct timespec){0, 20000}, NULL);
    sched_join(w, &next->task);
}

static void chain_body(struct sched_worker *w, void *ctx)
{
    struct chain *first = ctx;
    chain_run(w, &first->task);
}

START_TEST(a_long_chain_of_thefts_ends)
{
    static struct chain chain[LINKS];
    struct scheduler *s = scheduler_make(2, 0);
    for (unsigned i = 0; i < LINKS; i++)
        chain[i] = (struct chain){{chain_run, 0}, chain, i, 0};
    root_round(s, chain_body, chain);
    for (unsigned i = 0; i < LINKS; i++)
        ck_assert_uint_eq(atomic_load(&chain[i].entered), 1);
    sched_free(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler, fork and join");
    TCase *fork = tcase_create("fork and join");
    tcase_add_loop_test(fork, fib_by_spawn_and_join_is_right_and_its_tasks_add_up, 0, 4);
    tcase_add_loop_test(fork, more_spawns_than_fit_still_run_once_each, 0, 2);
    tcase_add_test(fork, a_spawned_task_is_stolen_while_its_spawner_is_busy);
    tcase_add_test(fork, a_worker_that_falls_idle_finds_what_was_spawned_before);
    tcase_add_test(fork, a_worker_that_sleeps_in_join_wakes_to_help_and_for_its_task);
    tcase_add_test(fork, a_join_does_not_run_submitted_tasks);
    tcase_add_test(fork, a_long_chain_of_thefts_ends);
    tcase_set_timeout(fork, 120);
    suite_add_tcase(suite, fork);
    return suite_run(suite);
}
