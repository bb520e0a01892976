/* The promises of deque.h: newest first for the owner, oldest first for thieves, private is
 * private, and each item goes once, also over the last one and when indexes wrap. */
#include "config.h"

#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include "deque.h"

static void *item(size_t n)
{
    return (void *)(uintptr_t)n;
}

static size_t number(void *p)
{
    return (size_t)(uintptr_t)p;
}

static const size_t starts[] = {0, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 3,
                                SIZE_MAX - 6, SIZE_MAX / 2};
enum { START_COUNT = sizeof starts / sizeof starts[0] };

static void publish_all(struct deque *d)
{
    while (deque_has_private(d))
        deque_publish(d);
}

START_TEST(init_refuses_capacity_zero_and_over_the_limit)
{
    struct deque d;
    ck_assert_int_eq(deque_init(&d, 0), -EINVAL);
    ck_assert_int_eq(deque_init(&d, ((size_t)1 << 30) + 1), -EINVAL);
}
END_TEST

START_TEST(owner_takes_newest_first_private_or_public)
{
    for (size_t published = 0; published <= 3; published++) {
        struct deque d;
        ck_assert_int_eq(deque_init_at(&d, 8, starts[_i]), 0);
        for (size_t lap = 0; lap < 5; lap++) {
            for (size_t n = 1; n <= 8; n++)
                ck_assert(deque_push(&d, item(n)));
            for (size_t i = 0; i < published; i++)
                deque_publish(&d);
            for (size_t n = 8; n >= 1; n--)
                ck_assert_uint_eq(number(deque_take(&d)), n);
            ck_assert_ptr_null(deque_take(&d));
            ck_assert_ptr_null(deque_take(&d));
        }
        deque_fini(&d);
    }
}
END_TEST

START_TEST(thieves_take_oldest_first)
{
    struct deque d;
    ck_assert_int_eq(deque_init_at(&d, 8, starts[_i]), 0);
    for (size_t lap = 0; lap < 5; lap++) {
        for (size_t n = 1; n <= 8; n++)
            ck_assert(deque_push(&d, item(n)));
        publish_all(&d);
        for (size_t n = 1; n <= 8; n++)
            ck_assert_uint_eq(number(deque_steal(&d)), n);
        ck_assert_ptr_null(deque_steal(&d));
        ck_assert_ptr_null(deque_take(&d));
    }
    deque_fini(&d);
}
END_TEST

START_TEST(private_items_are_not_stolen_until_published)
{
    struct deque d;
    ck_assert_int_eq(deque_init_at(&d, 8, starts[_i]), 0);
    for (size_t n = 1; n <= 4; n++)
        ck_assert(deque_push(&d, item(n)));
    ck_assert(deque_public_is_empty(&d));
    ck_assert(!deque_has_public(&d));
    ck_assert_ptr_null(deque_steal(&d));
    deque_publish(&d); /* the older half: 1 and 2 */
    ck_assert(!deque_public_is_empty(&d));
    ck_assert(deque_has_public(&d));
    ck_assert(deque_has_private(&d));
    ck_assert_uint_eq(number(deque_steal(&d)), 1);
    ck_assert_uint_eq(number(deque_steal(&d)), 2);
    ck_assert_ptr_null(deque_steal(&d));
    ck_assert(deque_public_is_empty(&d));
    ck_assert(!deque_has_public(&d));
    ck_assert_uint_eq(number(deque_take(&d)), 4);
    ck_assert_uint_eq(number(deque_take(&d)), 3);
    ck_assert_ptr_null(deque_take(&d));
    deque_fini(&d);
}
END_TEST

START_TEST(push_when_full_refuses_until_a_thief_or_the_owner_makes_room)
{
    struct deque d;
    ck_assert_int_eq(deque_init_at(&d, 4, starts[_i]), 0);
    for (size_t n = 1; n <= 4; n++)
        ck_assert(deque_push(&d, item(n)));
    ck_assert(!deque_push(&d, item(5)));
    publish_all(&d);
    ck_assert(!deque_push(&d, item(5)));
    ck_assert_uint_eq(number(deque_steal(&d)), 1);
    ck_assert(deque_push(&d, item(5)));
    ck_assert(!deque_push(&d, item(6)));
    ck_assert_uint_eq(number(deque_take(&d)), 5);
    ck_assert_uint_eq(number(deque_take(&d)), 4);
    ck_assert(deque_push(&d, item(6)));
    ck_assert_uint_eq(number(deque_take(&d)), 6);
    ck_assert_uint_eq(number(deque_take(&d)), 3);
    ck_assert_uint_eq(number(deque_take(&d)), 2);
    ck_assert_ptr_null(deque_take(&d));
    deque_fini(&d);
}
END_TEST

/* The last LEFT items are for the thieves alone, however late they come. */
enum { THIEVES = 5, ITEMS = 20000, LEFT = 50 };

struct heist {
    struct deque d;
    _Atomic unsigned char seen[ITEMS + 1];
    _Atomic size_t gone_count;
    _Atomic size_t stolen_count;
};

static void note(struct heist *h, void *x)
{
    atomic_fetch_add(&h->seen[number(x)], 1);
    atomic_fetch_add(&h->gone_count, 1);
}

static void *thief(void *arg)
{
    struct heist *h = arg;
    unsigned failed_count = 0;
    while (atomic_load(&h->gone_count) < ITEMS) {
        void *x = deque_steal(&h->d);
        if (x == NULL) {
            if (++failed_count % 64 == 0)
                sched_yield(); /* rarely: the race is with a thief who is already there */
            continue;
        }
        atomic_fetch_add(&h->stolen_count, 1);
        note(h, x);
    }
    return NULL;
}

/* burst 1 makes every take a race over the last item; larger ones mix private and public. */
START_TEST(each_item_goes_once_between_the_owner_and_many_thieves)
{
    static const size_t bursts[] = {1, 2, 3, 7};
    static struct heist heist;
    struct heist *h = &heist;
    ck_assert_int_eq(deque_init_at(&h->d, 4, SIZE_MAX - ITEMS / 2), 0);
    pthread_t threads[THIEVES];
    for (size_t i = 0; i < THIEVES; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, thief, h), 0);
    for (size_t n = 1; n <= ITEMS;) {
        for (size_t i = 0; i < bursts[_i] && n <= ITEMS; i++) {
            if (deque_push(&h->d, item(n)))
                n++;
            if (n % 3 != 0 || bursts[_i] == 1 || n > ITEMS - LEFT)
                deque_publish(&h->d);
        }
        if (n % 64 == 0 || n > ITEMS - LEFT)
            sched_yield(); /* thieves need a turn where there are few CPUs */
        void *x = n > ITEMS - LEFT ? NULL : deque_take(&h->d);
        if (x != NULL)
            note(h, x);
    }
    publish_all(&h->d);
    for (size_t i = 0; i < THIEVES; i++)
        pthread_join(threads[i], NULL);
    for (size_t n = 1; n <= ITEMS; n++)
        ck_assert_msg(atomic_load(&h->seen[n]) == 1, "item %zu went %d times", n,
                      atomic_load(&h->seen[n]));
    ck_assert_uint_ge(atomic_load(&h->stolen_count), LEFT);
    deque_fini(&h->d);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deque");
    TCase *tc = tcase_create("deque");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, init_refuses_capacity_zero_and_over_the_limit);
    tcase_add_loop_test(tc, owner_takes_newest_first_private_or_public, 0, START_COUNT);
    tcase_add_loop_test(tc, thieves_take_oldest_first, 0, START_COUNT);
    tcase_add_loop_test(tc, private_items_are_not_stolen_until_published, 0, START_COUNT);
    tcase_add_loop_test(tc, push_when_full_refuses_until_a_thief_or_the_owner_makes_room, 0,
                        START_COUNT);
    tcase_add_loop_test(tc, each_item_goes_once_between_the_owner_and_many_thieves, 0, 4);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
