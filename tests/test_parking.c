/* The promises of parking.h: nobody sleeps through work, nobody is woken in vain. */
#include "config.h"

#include "suite.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>

#include "parking.h"

/* One thread that sits down once, or again and again, and takes what it finds. */
struct sleeper {
    struct parking *p;
    unsigned seat;
    enum parking_kind kind;
    _Atomic unsigned woken_count;
};

static void *sleep_once(void *arg)
{
    struct sleeper *s = arg;
    parking_enter(s->p, s->kind);
    parking_prepare(s->p, s->seat, s->kind);
    parking_wait(s->p, s->seat);
    atomic_fetch_add(&s->woken_count, 1);
    parking_leave(s->p, s->kind);
    return NULL;
}

/* Up to 10 s. */
static void await_parked(const struct parking *p, unsigned count)
{
    for (unsigned i = 0; i < 10000 && parking_parked(p) != count; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
    ck_assert_uint_eq(parking_parked(p), count);
}

START_TEST(wake_one_wakes_nobody_when_nobody_is_parked)
{
    struct parking p;
    ck_assert_int_eq(parking_init(&p, 2), 0);
    ck_assert(!parking_is_hungry(&p));
    ck_assert(!parking_wake_one(&p, PARKING_WAIT));
    parking_wake_seat(&p, 1);
    parking_wake_all(&p);
    ck_assert_uint_eq(parking_parked(&p), 0);
    ck_assert_uint_eq(atomic_load(&p.woken_total), 0);
    parking_fini(&p);
}
END_TEST

START_TEST(wake_one_prefers_the_idle_and_spares_those_who_only_wait)
{
    struct parking p;
    ck_assert_int_eq(parking_init(&p, 3), 0);
    struct sleeper s[3];
    pthread_t threads[3];
    for (unsigned i = 0; i < 3; i++) {
        s[i] = (struct sleeper){&p, i, (enum parking_kind)(2 - i), 0}; /* the idle one sits last */
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sleep_once, &s[i]), 0);
    }
    await_parked(&p, 3);
    ck_assert(parking_wake_one(&p, PARKING_JOIN));
    pthread_join(threads[2], NULL);
    ck_assert(!parking_wake_one(&p, PARKING_IDLE));
    ck_assert(parking_wake_one(&p, PARKING_JOIN));
    pthread_join(threads[1], NULL);
    ck_assert(!parking_is_hungry(&p));
    ck_assert(!parking_wake_one(&p, PARKING_JOIN));
    ck_assert_uint_eq(parking_parked(&p), 1);
    parking_wake_seat(&p, 1);
    ck_assert_uint_eq(parking_parked(&p), 1);
    parking_wake_seat(&p, 0);
    pthread_join(threads[0], NULL);
    ck_assert_uint_eq(atomic_load(&p.woken_total), 3);
    parking_fini(&p);
}
END_TEST

START_TEST(wake_one_leaves_sleepers_alone_while_another_searches)
{
    struct parking p;
    ck_assert_int_eq(parking_init(&p, 2), 0);
    struct sleeper s = {&p, 0, PARKING_IDLE, 0};
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, sleep_once, &s), 0);
    await_parked(&p, 1);
    parking_enter(&p, PARKING_IDLE);
    ck_assert(!parking_wake_one(&p, PARKING_IDLE));
    ck_assert(parking_leave(&p, PARKING_IDLE)); /* the last: it must look after the work */
    ck_assert(parking_wake_one(&p, PARKING_IDLE));
    pthread_join(thread, NULL);
    parking_fini(&p);
}
END_TEST

START_TEST(leave_tells_the_last_who_searched)
{
    struct parking p;
    ck_assert_int_eq(parking_init(&p, 2), 0);
    parking_enter(&p, PARKING_IDLE);
    parking_enter(&p, PARKING_IDLE);
    ck_assert(parking_crowd(&p, PARKING_IDLE) != 0);
    ck_assert(parking_crowd(&p, PARKING_JOIN) == 0);
    ck_assert(!parking_leave(&p, PARKING_IDLE));
    ck_assert(parking_leave(&p, PARKING_IDLE));
    ck_assert(parking_crowd(&p, PARKING_IDLE) == 0);
    parking_fini(&p);
}
END_TEST

START_TEST(cancel_leaves_the_worker_searching)
{
    struct parking p;
    ck_assert_int_eq(parking_init(&p, 1), 0);
    parking_enter(&p, PARKING_JOIN);
    parking_prepare(&p, 0, PARKING_JOIN);
    ck_assert_uint_eq(parking_parked(&p), 1);
    parking_cancel(&p, 0, PARKING_JOIN);
    ck_assert_uint_eq(parking_parked(&p), 0);
    ck_assert(!parking_wake_one(&p, PARKING_JOIN));
    ck_assert(parking_leave(&p, PARKING_JOIN));
    parking_fini(&p);
}
END_TEST

START_TEST(wake_all_wakes_every_kind)
{
    struct parking p;
    ck_assert_int_eq(parking_init(&p, 6), 0);
    struct sleeper s[6];
    pthread_t threads[6];
    for (unsigned i = 0; i < 6; i++) {
        s[i] = (struct sleeper){&p, i, (enum parking_kind)(i % 3), 0};
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sleep_once, &s[i]), 0);
    }
    await_parked(&p, 6);
    parking_wake_all(&p);
    for (unsigned i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(parking_parked(&p), 0);
    parking_fini(&p);
}
END_TEST

/* Work that is a number: makers add one and wake, takers take one or sleep. Were one wake-up
 * lost, a taker would sleep beside work; with no further maker the test would never end. */
enum { TAKERS = 4, MAKERS = 3, ROUNDS = 4000 };

struct market {
    struct parking p;
    _Atomic unsigned work;
    _Atomic unsigned taken_count;
    _Atomic unsigned next_seat;
};

static bool take(struct market *m)
{
    /* relaxed: that this is enough is what the test proves. */
    unsigned work = atomic_load_explicit(&m->work, memory_order_relaxed);
    while (work > 0) {
        if (atomic_compare_exchange_weak_explicit(&m->work, &work, work - 1, memory_order_relaxed,
                                                  memory_order_relaxed))
            return true;
    }
    return false;
}

static void *taker(void *arg)
{
    struct market *m = arg;
    unsigned seat = atomic_fetch_add(&m->next_seat, 1);
    while (atomic_load(&m->taken_count) < MAKERS * ROUNDS) {
        parking_enter(&m->p, PARKING_IDLE);
        bool has_taken;
        while (!(has_taken = take(m)) && atomic_load(&m->taken_count) < MAKERS * ROUNDS) {
            parking_prepare(&m->p, seat, PARKING_IDLE);
            if ((has_taken = take(m)) || atomic_load(&m->taken_count) >= MAKERS * ROUNDS) {
                parking_cancel(&m->p, seat, PARKING_IDLE);
                break;
            }
            parking_wait(&m->p, seat);
        }
        if (parking_leave(&m->p, PARKING_IDLE) && atomic_load(&m->work) > 0)
            parking_wake_one(&m->p, PARKING_IDLE);
        if (has_taken && atomic_fetch_add(&m->taken_count, 1) + 1 == MAKERS * ROUNDS)
            parking_wake_all(&m->p);
    }
    return NULL;
}

static void *maker(void *arg)
{
    struct market *m = arg;
    for (unsigned i = 0; i < ROUNDS; i++) {
        atomic_fetch_add_explicit(&m->work, 1, memory_order_relaxed);
        parking_wake_one(&m->p, PARKING_IDLE);
        if (i % 8 == 0)
            sched_yield(); /* so that takers run dry and sleep */
    }
    return NULL;
}

START_TEST(no_wake_up_is_lost_between_makers_and_takers)
{
    static struct market market;
    struct market *m = &market;
    ck_assert_int_eq(parking_init(&m->p, TAKERS), 0);
    pthread_t threads[TAKERS + MAKERS];
    for (unsigned i = 0; i < TAKERS + MAKERS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, i < TAKERS ? taker : maker, m), 0);
    for (unsigned i = 0; i < TAKERS + MAKERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_uint_eq(atomic_load(&m->work), 0);
    ck_assert_uint_eq(atomic_load(&m->taken_count), MAKERS * ROUNDS);
    ck_assert_uint_eq(parking_parked(&m->p), 0);
    ck_assert(parking_crowd(&m->p, PARKING_IDLE) == 0);
    parking_fini(&m->p);
}
END_TEST

/* The hardest case for a wake-up: work is one plain store, made the moment the taker found none. */
struct litmus {
    struct parking p;
    _Atomic unsigned work; /* 1: there is some; 2: the end */
    _Atomic unsigned lost_count;
};

static void *litmus_taker(void *arg)
{
    struct litmus *m = arg;
    unsigned work = 0;
    parking_enter(&m->p, PARKING_IDLE);
    for (unsigned round = 0; work != 2; round++) {
        for (volatile unsigned i = 0; i < round % 509; i++)
            continue; /* meet the maker at each step of falling asleep */
        parking_prepare(&m->p, 0, PARKING_IDLE);
        work = atomic_load_explicit(&m->work, memory_order_relaxed);
        if (work == 0) {
            parking_wait(&m->p, 0);
            work = atomic_load_explicit(&m->work, memory_order_relaxed);
        } else {
            parking_cancel(&m->p, 0, PARKING_IDLE);
        }
        if (work == 1)
            atomic_store_explicit(&m->work, 0, memory_order_release);
    }
    parking_leave(&m->p, PARKING_IDLE);
    return NULL;
}

/* The taker is counted as searching until it is parked, and then wake_one spares it: so wait until
 * it has taken the work. One that sleeps beside it sleeps for ever; one that has no CPU on a busy
 * machine comes back, so patience is long. */
static bool is_taken(struct litmus *m)
{
    time_t give_up = time(NULL) + 60;
    for (unsigned i = 1; atomic_load_explicit(&m->work, memory_order_acquire) != 0; i++) {
        if (i % 256 != 0)
            continue;
        sched_yield();
        if (time(NULL) > give_up)
            return false;
    }
    return true;
}

START_TEST(a_plain_store_before_wake_one_is_never_slept_through)
{
    static struct litmus litmus;
    struct litmus *m = &litmus;
    ck_assert_int_eq(parking_init(&m->p, 1), 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, litmus_taker, m), 0);
    for (unsigned i = 0; i < 10000; i++) {
        for (volatile unsigned j = 0; j < i % 131; j++)
            continue;
        atomic_store_explicit(&m->work, 1, memory_order_relaxed);
        parking_wake_one(&m->p, PARKING_IDLE);
        ck_assert_msg(is_taken(m), "round %u was slept through", i);
    }
    atomic_store(&m->work, 2);
    parking_wake_one(&m->p, PARKING_IDLE);
    pthread_join(thread, NULL);
    parking_fini(&m->p);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("parking");
    TCase *tc = tcase_create("parking");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, wake_one_wakes_nobody_when_nobody_is_parked);
    tcase_add_test(tc, wake_one_prefers_the_idle_and_spares_those_who_only_wait);
    tcase_add_test(tc, wake_one_leaves_sleepers_alone_while_another_searches);
    tcase_add_test(tc, leave_tells_the_last_who_searched);
    tcase_add_test(tc, cancel_leaves_the_worker_searching);
    tcase_add_test(tc, wake_all_wakes_every_kind);
    tcase_add_test(tc, a_plain_store_before_wake_one_is_never_slept_through);
    tcase_add_test(tc, no_wake_up_is_lost_between_makers_and_takers);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
