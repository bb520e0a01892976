/* The promises of injector.h: lanes in order, items of a lane in order, each once. */
#include "config.h"

#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include "injector.h"

static void *item(size_t n)
{
    return (void *)(uintptr_t)n;
}

static size_t number(void *p)
{
    return (size_t)(uintptr_t)p;
}

START_TEST(new_refuses_no_lanes_and_no_capacity)
{
    struct injector *q = NULL;
    ck_assert_int_eq(injector_new(&q, 0, 8), -EINVAL);
    ck_assert_int_eq(injector_new(&q, 3, 0), -EINVAL);
    ck_assert_ptr_null(q);
    injector_free(NULL);
}
END_TEST

START_TEST(pop_takes_the_first_lane_first_and_each_lane_in_order)
{
    struct injector *q = NULL;
    ck_assert_int_eq(injector_new(&q, 3, 8), 0);
    ck_assert(injector_is_empty(q));
    ck_assert_ptr_null(injector_pop(q));
    for (size_t i = 0; i < 4; i++) {
        for (unsigned lane = 3; lane-- > 0;)
            ck_assert_int_eq(injector_push(q, lane, item(1 + lane * 10 + i)), 0);
    }
    ck_assert_uint_eq(injector_size(q), 12);
    ck_assert_uint_eq(number(injector_pop(q)), 1);
    ck_assert_int_eq(injector_push(q, 0, item(9)), 0);
    static const size_t expected[] = {2, 3, 4, 9, 11, 12, 13, 14, 21, 22, 23, 24};
    for (size_t i = 0; i < 12; i++)
        ck_assert_uint_eq(number(injector_pop(q)), expected[i]);
    ck_assert(injector_is_empty(q));
    ck_assert_ptr_null(injector_pop(q));
    injector_free(q);
}
END_TEST

START_TEST(a_full_lane_refuses_and_the_others_do_not)
{
    struct injector *q = NULL;
    ck_assert_int_eq(injector_new(&q, 2, 2), 0);
    ck_assert_int_eq(injector_push(q, 1, item(1)), 0);
    ck_assert_int_eq(injector_push(q, 1, item(2)), 0);
    ck_assert_int_eq(injector_push(q, 1, item(3)), -ENOBUFS);
    ck_assert_int_eq(injector_push(q, 0, item(4)), 0);
    ck_assert_uint_eq(number(injector_pop(q)), 4);
    ck_assert_uint_eq(number(injector_pop(q)), 1);
    ck_assert_int_eq(injector_push(q, 1, item(3)), 0);
    injector_free(q); /* with items in it: nothing leaks */
}
END_TEST

enum { THREADS = 4, ITEMS = 4000 };

struct crowd {
    struct injector *q;
    _Atomic unsigned next_number;
    _Atomic size_t popped_count;
    _Atomic unsigned char seen[THREADS * ITEMS + 1];
};

static void *pusher(void *arg)
{
    struct crowd *c = arg;
    size_t base = atomic_fetch_add(&c->next_number, 1) * (size_t)ITEMS;
    for (size_t i = 1; i <= ITEMS; i++) {
        while (injector_push(c->q, (unsigned)(i % 3), item(base + i)) < 0)
            sched_yield();
    }
    return NULL;
}

static void *popper(void *arg)
{
    struct crowd *c = arg;
    while (atomic_load(&c->popped_count) < THREADS * ITEMS) {
        void *x = injector_pop(c->q);
        if (x == NULL) {
            sched_yield();
            continue;
        }
        atomic_fetch_add(&c->seen[number(x)], 1);
        atomic_fetch_add(&c->popped_count, 1);
    }
    return NULL;
}

START_TEST(each_item_leaves_once_between_many_threads)
{
    static struct crowd crowd;
    struct crowd *c = &crowd;
    ck_assert_int_eq(injector_new(&c->q, 3, 16), 0);
    pthread_t threads[2 * THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, pusher, c), 0);
        ck_assert_int_eq(pthread_create(&threads[THREADS + i], NULL, popper, c), 0);
    }
    for (size_t i = 0; i < 2 * THREADS; i++)
        pthread_join(threads[i], NULL);
    for (size_t n = 1; n <= THREADS * ITEMS; n++)
        ck_assert_uint_eq(atomic_load(&c->seen[n]), 1);
    ck_assert(injector_is_empty(c->q));
    injector_free(c->q);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("injector");
    TCase *tc = tcase_create("injector");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, new_refuses_no_lanes_and_no_capacity);
    tcase_add_test(tc, pop_takes_the_first_lane_first_and_each_lane_in_order);
    tcase_add_test(tc, a_full_lane_refuses_and_the_others_do_not);
    tcase_add_test(tc, each_item_leaves_once_between_many_threads);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
