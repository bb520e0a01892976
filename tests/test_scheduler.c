/* The promises of scheduler.h. Waits are bounded by patience(), far above what any of them takes,
 * so that a broken promise fails instead of hanging; no test asserts a time. */
#include "config.h"

#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "scheduler.h"

static struct scheduler *scheduler(unsigned worker_count, uint64_t spin_ns)
{
    struct sched_config cfg = {
        .worker_count = worker_count, .injector_capacity = 4096, .spin_ns = spin_ns};
    struct scheduler *s = NULL;
    ck_assert_int_eq(sched_new(&s, &cfg), 0);
    return s;
}

/* Waits 20 s at most until *counter is at least n. True if it became so. */
static bool patience(const _Atomic unsigned *counter, unsigned n)
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

/* The same, for all workers being parked. */
static bool patience_parked(const struct scheduler *s)
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

/* A task that runs `body` on behalf of a test, and tells when it is done. */
struct root {
    struct sched_task task; /* first */
    void (*body)(struct sched_worker *w, void *ctx);
    void *ctx;
    sem_t done;
};

static void root_run(struct sched_worker *w, struct sched_task *task)
{
    struct root *r = (struct root *)task;
    r->body(w, r->ctx);
    sem_post(&r->done);
}

static void root_submit(struct scheduler *s, struct root *r,
                        void (*body)(struct sched_worker *, void *), void *ctx)
{
    *r = (struct root){.task = {.run = root_run}, .body = body, .ctx = ctx};
    ck_assert_int_eq(sem_init(&r->done, 0, 0), 0);
    ck_assert_int_eq(sched_submit(s, &r->task, SCHED_LANE_NORMAL), 0);
}

static void root_await(struct root *r)
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

static void run_on(struct scheduler *s, void (*body)(struct sched_worker *, void *), void *ctx)
{
    struct root r;
    root_submit(s, &r, body, ctx);
    root_await(&r);
}

/* Counts itself. */
struct tick {
    struct sched_task task; /* first */
    _Atomic unsigned *counter;
    _Atomic unsigned ran_count;
};

static void tick_run(struct sched_worker *w, struct sched_task *task)
{
    (void)w;
    struct tick *t = (struct tick *)task;
    atomic_fetch_add(&t->ran_count, 1);
    atomic_fetch_add(t->counter, 1);
}

/* --- life --- */

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
        struct scheduler *s = scheduler(workers, 0);
        for (unsigned i = 0; i < 3000; i++) {
            ticks[i] = (struct tick){{tick_run, 0}, &counter, 0};
            ck_assert_int_eq(sched_submit(s, &ticks[i].task, (enum sched_lane)(i % 3)), 0);
        }
        sched_free(s);
        ck_assert_uint_eq(atomic_load(&counter), 3000);
    }
}
END_TEST

/* --- submitting --- */

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

/* A task that holds its worker until the test opens it. */
struct gate {
    _Atomic unsigned entered, opened;
};

static void gate_body(struct sched_worker *w, void *ctx)
{
    (void)w;
    struct gate *g = ctx;
    atomic_fetch_add(&g->entered, 1);
    patience(&g->opened, 1);
}

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
    struct scheduler *s = scheduler(1, 0);
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
    struct scheduler *s = scheduler(2, 0);
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

/* --- sleeping and waking --- */

START_TEST(a_submit_to_sleeping_workers_is_never_lost)
{
    static const unsigned workers[] = {1, 2, 4, 2};
    static const uint64_t spins[] = {0, 0, 0, 30000};
    struct scheduler *s = scheduler(workers[_i], spins[_i]);
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
    struct scheduler *s = scheduler(4, 0);
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

START_TEST(idle_workers_park_and_do_not_poll)
{
    struct scheduler *s = scheduler(3, 20000);
    _Atomic unsigned counter = 0;
    struct tick t = {{tick_run, 0}, &counter, 0};
    ck_assert_int_eq(sched_submit(s, &t.task, SCHED_LANE_NORMAL), 0);
    ck_assert(patience(&counter, 1));
    ck_assert(patience_parked(s));
    struct sched_stats before, after;
    sched_stats(s, &before);
    nanosleep(&(struct timespec){0, 50000000}, NULL);
    sched_stats(s, &after);
    ck_assert_uint_eq(before.parked_total, after.parked_total);
    ck_assert_uint_eq(before.woken_total, after.woken_total);
    ck_assert_uint_eq(after.parked, 3);
    sched_free(s);
}
END_TEST

START_TEST(has_idle_tells_whether_a_worker_waits)
{
    struct scheduler *s = scheduler(2, 0);
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

/* --- fork and join --- */

struct fib {
    struct sched_task task; /* first */
    unsigned n;
    unsigned long result;
};

static void fib_run(struct sched_worker *w, struct sched_task *task)
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

static void fib_body(struct sched_worker *w, void *ctx)
{
    fib_run(w, ctx);
}

START_TEST(fib_by_spawn_and_join_is_right_and_its_tasks_add_up)
{
    static const unsigned workers[] = {1, 2, 4, 9};
    struct scheduler *s = scheduler(workers[_i], 10000);
    for (unsigned round = 0; round < 5; round++) {
        struct fib f = {{fib_run, 0}, 17, 0};
        run_on(s, fib_body, &f);
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
    struct scheduler *s = scheduler(workers[_i], 0);
    for (unsigned i = 0; i < BROOD; i++)
        ticks[i] = (struct tick){{tick_run, 0}, &counter, 0};
    run_on(s, brood_body, ticks);
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
    struct scheduler *s = scheduler(2, 0);
    for (unsigned round = 0; round < 50; round++) {
        struct host h = {.guest = {.task = {guest_run, 0}}};
        if (round % 2 == 0)
            ck_assert(patience_parked(s));
        run_on(s, host_body, &h);
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
    struct scheduler *s = scheduler(2, 0);
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
    struct scheduler *s = scheduler(2, 0);
    for (unsigned round = 0; round < 20; round++) {
        struct helped h = {.task = {helped_run, 0}, .s = s};
        run_on(s, helped_body, &h);
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
    struct scheduler *s = scheduler(2, 0);
    static struct strict x;
    x = (struct strict){.task = {strict_run, 0}, .s = s};
    run_on(s, strict_body, &x);
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
    struct scheduler *s = scheduler(2, 0);
    for (unsigned i = 0; i < LINKS; i++)
        chain[i] = (struct chain){{chain_run, 0}, chain, i, 0};
    run_on(s, chain_body, chain);
    for (unsigned i = 0; i < LINKS; i++)
        ck_assert_uint_eq(atomic_load(&chain[i].entered), 1);
    sched_free(s);
}
END_TEST

/* --- ranges --- */

struct cover {
    size_t count, grain;
    unsigned spin; /* more for later indexes: uneven work */
    _Atomic unsigned char *seen;
    _Atomic unsigned bad_count;
};

static void cover_range(struct sched_worker *w, void *ctx, size_t begin, size_t end)
{
    (void)w;
    struct cover *c = ctx;
    size_t grain = c->grain != 0 ? c->grain : 1;
    bool is_last = end == c->count;
    if (begin >= end || end > c->count || begin % grain != 0)
        atomic_fetch_add(&c->bad_count, 1);
    else if (!is_last && end - begin < grain)
        atomic_fetch_add(&c->bad_count, 1);
    else if (c->count >= grain && (end - begin < grain || end - begin >= 2 * grain))
        atomic_fetch_add(&c->bad_count, 1);
    for (size_t i = begin; i < end; i++) {
        for (volatile unsigned j = 0; j < c->spin * (i % 64); j++)
            continue;
        atomic_fetch_add_explicit(&c->seen[i], 1, memory_order_relaxed);
    }
}

static void cover_body(struct sched_worker *w, void *ctx)
{
    struct cover *c = ctx;
    sched_for(w, c->count, c->grain, cover_range, c);
}

static void check_cover(struct scheduler *s, size_t count, size_t grain, unsigned spin)
{
    struct cover c = {.count = count, .grain = grain, .spin = spin};
    c.seen = calloc(count + 1, sizeof c.seen[0]);
    ck_assert_ptr_nonnull(c.seen);
    run_on(s, cover_body, &c);
    for (size_t i = 0; i < count; i++)
        ck_assert_msg(atomic_load(&c.seen[i]) == 1, "count %zu grain %zu: index %zu ran %d times",
                      count, grain, i, atomic_load(&c.seen[i]));
    ck_assert_uint_eq(atomic_load(&c.bad_count), 0);
    free(c.seen);
}

START_TEST(for_covers_each_index_once_in_ranges_of_at_least_grain)
{
    static const unsigned workers[] = {1, 2, 5};
    static const size_t counts[] = {0, 1, 2, 3, 7, 8, 9, 64, 100, 1000, 1001};
    static const size_t grains[] = {0, 1, 2, 3, 8, 63, 64, 1000, 1001, SIZE_MAX};
    struct scheduler *s = scheduler(workers[_i], 5000);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        for (size_t j = 0; j < sizeof grains / sizeof grains[0]; j++)
            check_cover(s, counts[i], grains[j], 0);
    }
    check_cover(s, 2000, 3, 20);
    check_cover(s, 640, 1, 50);
    sched_free(s);
}
END_TEST

struct walk {
    size_t next, grain;
    bool is_in_order;
};

static void walk_range(struct sched_worker *w, void *ctx, size_t begin, size_t end)
{
    (void)w;
    struct walk *x = ctx;
    x->is_in_order = x->is_in_order && begin == x->next && end - begin == x->grain;
    x->next = end;
}

static void walk_body(struct sched_worker *w, void *ctx)
{
    sched_for(w, 800, 8, walk_range, ctx);
}

START_TEST(for_without_thieves_goes_in_order_in_steps_of_grain)
{
    struct scheduler *s = scheduler(1, 0);
    struct walk x = {0, 8, true};
    run_on(s, walk_body, &x);
    ck_assert(x.is_in_order);
    ck_assert_uint_eq(x.next, 800);
    struct sched_stats stats;
    sched_stats(s, &stats);
    ck_assert_uint_eq(stats.split_total, 0);
    sched_free(s);
}
END_TEST

/* Each worker that takes part waits for the others, once. */
struct team {
    _Atomic unsigned joined[4];
    _Atomic unsigned count;
    _Atomic unsigned missed_count;
};

static void team_range(struct sched_worker *w, void *ctx, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    struct team *t = ctx;
    if (atomic_exchange(&t->joined[sched_worker_index(w)], 1) == 0) {
        atomic_fetch_add(&t->count, 1);
        if (!patience(&t->count, 4))
            atomic_fetch_add(&t->missed_count, 1);
    }
}

static void team_body(struct sched_worker *w, void *ctx)
{
    sched_for(w, 64, 1, team_range, ctx);
}

START_TEST(for_is_shared_with_every_hungry_worker)
{
    struct scheduler *s = scheduler(4, 0);
    for (unsigned round = 0; round < 20; round++) {
        struct team t = {.count = 0};
        ck_assert(patience_parked(s));
        run_on(s, team_body, &t);
        ck_assert_uint_eq(atomic_load(&t.count), 4);
        ck_assert_uint_eq(atomic_load(&t.missed_count), 0);
    }
    ck_assert(patience_parked(s));
    struct sched_stats stats;
    sched_stats(s, &stats);
    ck_assert_uint_ge(stats.split_total, 20 * 3);
    ck_assert_uint_ge(stats.stolen_total, 20 * 3);
    ck_assert_uint_eq(stats.executed_total, 20 + stats.split_total);
    sched_free(s);
}
END_TEST

enum { OUTER = 24, INNER = 90 };

static void inner_range(struct sched_worker *w, void *ctx, size_t begin, size_t end)
{
    (void)w;
    _Atomic unsigned char *row = ctx;
    for (size_t i = begin; i < end; i++) {
        for (volatile unsigned j = 0; j < 100; j++)
            continue;
        atomic_fetch_add_explicit(&row[i], 1, memory_order_relaxed);
    }
}

static void outer_range(struct sched_worker *w, void *ctx, size_t begin, size_t end)
{
    _Atomic unsigned char(*rows)[INNER] = ctx;
    for (size_t i = begin; i < end; i++) {
        struct fib f = {{fib_run, 0}, 6, 0};
        sched_spawn(w, &f.task);
        sched_for(w, INNER, 4, inner_range, rows[i]);
        sched_join(w, &f.task);
        if (f.result != 8)
            atomic_store(&rows[i][0], 99);
    }
}

static void nested_body(struct sched_worker *w, void *ctx)
{
    sched_for(w, OUTER, 1, outer_range, ctx);
}

START_TEST(loops_nest_with_each_other_and_with_spawns)
{
    static const unsigned workers[] = {1, 2, 6};
    static _Atomic unsigned char rows[OUTER][INNER];
    struct scheduler *s = scheduler(workers[_i], 5000);
    for (unsigned round = 1; round <= 10; round++) {
        run_on(s, nested_body, rows);
        for (unsigned i = 0; i < OUTER; i++) {
            for (unsigned j = 0; j < INNER; j++)
                ck_assert_uint_eq(atomic_load(&rows[i][j]), round);
        }
    }
    sched_free(s);
}
END_TEST

START_TEST(many_jobs_with_loops_at_once_all_come_out_right)
{
    enum { JOBS = 24 };
    struct scheduler *s = scheduler(4, 5000);
    for (unsigned round = 0; round < 10; round++) {
        struct root roots[JOBS];
        struct cover covers[JOBS];
        for (unsigned i = 0; i < JOBS; i++) {
            covers[i] = (struct cover){.count = 50 * i, .grain = 1 + i % 7, .spin = 4};
            covers[i].seen = calloc(50 * i + 1, sizeof covers[i].seen[0]);
            root_submit(s, &roots[i], cover_body, &covers[i]);
        }
        for (unsigned i = 0; i < JOBS; i++) {
            root_await(&roots[i]);
            for (size_t j = 0; j < covers[i].count; j++)
                ck_assert_uint_eq(atomic_load(&covers[i].seen[j]), 1);
            ck_assert_uint_eq(atomic_load(&covers[i].bad_count), 0);
            free(covers[i].seen);
        }
    }
    ck_assert(patience_parked(s));
    struct sched_stats stats;
    sched_stats(s, &stats);
    ck_assert_uint_eq(stats.executed_total, 10 * JOBS + stats.split_total);
    sched_free(s);
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
    struct scheduler *s = scheduler(3, 0);
    struct whoami x = {NULL, 99};
    run_on(s, whoami_body, &x);
    ck_assert_ptr_eq(x.scheduler, s);
    ck_assert_uint_lt(x.index, 3);
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
    TCase *fork = tcase_create("fork and join");
    tcase_add_loop_test(fork, fib_by_spawn_and_join_is_right_and_its_tasks_add_up, 0, 4);
    tcase_add_loop_test(fork, more_spawns_than_fit_still_run_once_each, 0, 2);
    tcase_add_test(fork, a_spawned_task_is_stolen_while_its_spawner_is_busy);
    tcase_add_test(fork, a_worker_that_falls_idle_finds_what_was_spawned_before);
    tcase_add_test(fork, a_worker_that_sleeps_in_join_wakes_to_help_and_for_its_task);
    tcase_add_test(fork, a_join_does_not_run_submitted_tasks);
    tcase_add_test(fork, a_long_chain_of_thefts_ends);
    TCase *ranges = tcase_create("ranges");
    tcase_add_loop_test(ranges, for_covers_each_index_once_in_ranges_of_at_least_grain, 0, 3);
    tcase_add_test(ranges, for_without_thieves_goes_in_order_in_steps_of_grain);
    tcase_add_test(ranges, for_is_shared_with_every_hungry_worker);
    tcase_add_loop_test(ranges, loops_nest_with_each_other_and_with_spawns, 0, 3);
    tcase_add_test(ranges, many_jobs_with_loops_at_once_all_come_out_right);
    TCase *all[] = {life, submit, park, fork, ranges};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        tcase_set_timeout(all[i], 120);
        suite_add_tcase(suite, all[i]);
    }
    return suite_run(suite);
}
