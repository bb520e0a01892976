/* The promises of ring.h: order, bounds, sizes, and every item once, also when indexes wrap. */
#include "config.h"

#include "suite.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>

#include "ring.h"
#include "ring_priv.h"

/* Items are numbers from 1 on, dressed as pointers. */
static void *item(size_t n)
{
    return (void *)(uintptr_t)n;
}

static size_t number(void *p)
{
    return (size_t)(uintptr_t)p;
}

static struct ring_spsc *spsc(size_t capacity, size_t first_index)
{
    struct ring_spsc *r = NULL;
    ck_assert_int_eq(ring_spsc_new_at(&r, capacity, first_index), 0);
    return r;
}

static struct ring_mpmc *mpmc(size_t capacity, size_t first_index)
{
    struct ring_mpmc *r = NULL;
    ck_assert_int_eq(ring_mpmc_new_at(&r, capacity, first_index), 0);
    return r;
}

START_TEST(new_refuses_capacity_zero_and_over_the_limit)
{
    struct ring_spsc *s = NULL;
    struct ring_mpmc *m = NULL;
    ck_assert_int_eq(ring_spsc_new(&s, 0), -EINVAL);
    ck_assert_int_eq(ring_mpmc_new(&m, 0), -EINVAL);
    ck_assert_int_eq(ring_spsc_new(&s, ((size_t)1 << 30) + 1), -EINVAL);
    ck_assert_int_eq(ring_mpmc_new(&m, ((size_t)1 << 30) + 1), -EINVAL);
    ck_assert_ptr_null(s);
    ck_assert_ptr_null(m);
    ring_spsc_free(NULL);
    ring_mpmc_free(NULL);
}
END_TEST

START_TEST(capacity_is_rounded_up_to_a_power_of_two_at_least_two)
{
    static const size_t asked[] = {1, 2, 3, 4, 5, 63, 64, 65};
    static const size_t given[] = {2, 2, 4, 4, 8, 64, 64, 128};
    for (size_t i = 0; i < sizeof asked / sizeof asked[0]; i++) {
        struct ring_spsc *s = NULL;
        struct ring_mpmc *m = NULL;
        ck_assert_int_eq(ring_spsc_new(&s, asked[i]), 0);
        ck_assert_int_eq(ring_mpmc_new(&m, asked[i]), 0);
        size_t in_spsc = 0, in_mpmc = 0;
        while (in_spsc < 1000 && ring_spsc_push(s, item(1)) == 0)
            in_spsc++;
        while (in_mpmc < 1000 && ring_mpmc_push(m, item(1)) == 0)
            in_mpmc++;
        ck_assert_uint_eq(in_spsc, given[i]);
        ck_assert_uint_eq(in_mpmc, given[i]);
        ring_spsc_free(s);
        ring_mpmc_free(m);
    }
}
END_TEST

/* Where indexes begin: at 0, and so that they wrap in a test's first, middle or last step. */
static const size_t starts[] = {0, SIZE_MAX, SIZE_MAX - 1, SIZE_MAX - 3,
                                SIZE_MAX - 4, SIZE_MAX / 2};
enum { START_COUNT = sizeof starts / sizeof starts[0] };

START_TEST(spsc_fills_drains_and_tells_its_size_at_each_step)
{
    struct ring_spsc *r = spsc(4, starts[_i]);
    for (size_t lap = 0; lap < 5; lap++) {
        ck_assert(ring_spsc_is_empty(r));
        ck_assert_ptr_null(ring_spsc_pop(r));
        for (size_t i = 1; i <= 4; i++) {
            ck_assert(!ring_spsc_is_full(r));
            ck_assert_int_eq(ring_spsc_push(r, item(10 * lap + i)), 0);
            ck_assert_uint_eq(ring_spsc_size(r), i);
            ck_assert(!ring_spsc_is_empty(r));
        }
        ck_assert(ring_spsc_is_full(r));
        ck_assert_int_eq(ring_spsc_push(r, item(99)), -ENOBUFS);
        ck_assert_uint_eq(ring_spsc_size(r), 4);
        for (size_t i = 1; i <= 4; i++) {
            ck_assert_uint_eq(number(ring_spsc_pop(r)), 10 * lap + i);
            ck_assert_uint_eq(ring_spsc_size(r), 4 - i);
        }
    }
    ring_spsc_free(r);
}
END_TEST

START_TEST(mpmc_fills_drains_and_tells_its_size_at_each_step)
{
    struct ring_mpmc *r = mpmc(4, starts[_i]);
    for (size_t lap = 0; lap < 5; lap++) {
        ck_assert(ring_mpmc_is_empty(r));
        ck_assert_ptr_null(ring_mpmc_pop(r));
        for (size_t i = 1; i <= 4; i++) {
            ck_assert(!ring_mpmc_is_full(r));
            ck_assert_int_eq(ring_mpmc_push(r, item(10 * lap + i)), 0);
            ck_assert_uint_eq(ring_mpmc_size(r), i);
            ck_assert(!ring_mpmc_is_empty(r));
        }
        ck_assert(ring_mpmc_is_full(r));
        ck_assert_int_eq(ring_mpmc_push(r, item(99)), -ENOBUFS);
        ck_assert_uint_eq(ring_mpmc_size(r), 4);
        for (size_t i = 1; i <= 4; i++) {
            ck_assert_uint_eq(number(ring_mpmc_pop(r)), 10 * lap + i);
            ck_assert_uint_eq(ring_mpmc_size(r), 4 - i);
        }
    }
    ring_mpmc_free(r);
}
END_TEST

/* A ring of each kind behind one face, so that one test serves both. */
struct pipe {
    struct ring_spsc *spsc;
    struct ring_mpmc *mpmc;
    size_t capacity;
    size_t item_count;            /* per producer */
    unsigned producer_count;
    _Atomic unsigned next_number; /* gives each thread its own */
    _Atomic size_t popped_count;
    _Atomic unsigned char *seen;  /* per item: how often it came out */
    _Atomic size_t disorder_count;
    _Atomic size_t bad_size_count;
};

static int pipe_push(struct pipe *p, void *x)
{
    return p->spsc != NULL ? ring_spsc_push(p->spsc, x) : ring_mpmc_push(p->mpmc, x);
}

static void *pipe_pop(struct pipe *p)
{
    return p->spsc != NULL ? ring_spsc_pop(p->spsc) : ring_mpmc_pop(p->mpmc);
}

/* All orders here are seq_cst: a test need not be quick. */
static void *producer(void *arg)
{
    struct pipe *p = arg;
    size_t base = atomic_fetch_add(&p->next_number, 1) * p->item_count;
    for (size_t i = 1; i <= p->item_count; i++) {
        while (pipe_push(p, item(base + i)) < 0)
            sched_yield();
    }
    return NULL;
}

static void *consumer(void *arg)
{
    struct pipe *p = arg;
    size_t total = p->item_count * p->producer_count;
    size_t newest[8] = {0}; /* per producer: numbers of one producer only grow, for each consumer */
    while (atomic_load(&p->popped_count) < total) {
        size_t size = p->spsc != NULL ? ring_spsc_size(p->spsc) : ring_mpmc_size(p->mpmc);
        if (size > p->capacity)
            atomic_fetch_add(&p->bad_size_count, 1);
        void *x = pipe_pop(p);
        if (x == NULL) {
            sched_yield();
            continue;
        }
        size_t n = number(x);
        size_t from = (n - 1) / p->item_count;
        if (n <= newest[from])
            atomic_fetch_add(&p->disorder_count, 1);
        newest[from] = n;
        atomic_fetch_add(&p->seen[n - 1], 1);
        atomic_fetch_add(&p->popped_count, 1);
    }
    return NULL;
}

static void pipe_run(struct pipe *p, unsigned producer_count, unsigned consumer_count)
{
    pthread_t threads[16];
    size_t total = p->item_count * producer_count;
    p->producer_count = producer_count;
    p->seen = calloc(total, sizeof p->seen[0]);
    ck_assert_ptr_nonnull(p->seen);
    for (unsigned i = 0; i < producer_count; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, producer, p), 0);
    for (unsigned i = 0; i < consumer_count; i++)
        ck_assert_int_eq(pthread_create(&threads[producer_count + i], NULL, consumer, p), 0);
    for (unsigned i = 0; i < producer_count + consumer_count; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < total; i++)
        ck_assert_msg(atomic_load(&p->seen[i]) == 1, "item %zu came out %d times", i,
                      atomic_load(&p->seen[i]));
    ck_assert_uint_eq(atomic_load(&p->disorder_count), 0);
    ck_assert_uint_eq(atomic_load(&p->bad_size_count), 0);
    ck_assert_ptr_null(pipe_pop(p));
    free(p->seen);
}

START_TEST(spsc_delivers_each_item_once_in_order_between_two_threads)
{
    static const size_t capacities[] = {2, 8, 1024};
    struct pipe p = {.capacity = capacities[_i], .item_count = 30000};
    p.spsc = spsc(p.capacity, SIZE_MAX - 10000);
    pipe_run(&p, 1, 1);
    ring_spsc_free(p.spsc);
}
END_TEST

START_TEST(mpmc_delivers_each_item_once_between_many_threads)
{
    static const size_t capacities[] = {2, 8, 1024};
    struct pipe p = {.capacity = capacities[_i], .item_count = 5000};
    p.mpmc = mpmc(p.capacity, SIZE_MAX - 10000);
    pipe_run(&p, 6, 6);
    ring_mpmc_free(p.mpmc);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ring");
    TCase *tc = tcase_create("ring");
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, new_refuses_capacity_zero_and_over_the_limit);
    tcase_add_test(tc, capacity_is_rounded_up_to_a_power_of_two_at_least_two);
    tcase_add_loop_test(tc, spsc_fills_drains_and_tells_its_size_at_each_step, 0, START_COUNT);
    tcase_add_loop_test(tc, mpmc_fills_drains_and_tells_its_size_at_each_step, 0, START_COUNT);
    tcase_add_loop_test(tc, spsc_delivers_each_item_once_in_order_between_two_threads, 0, 3);
    tcase_add_loop_test(tc, mpmc_delivers_each_item_once_between_many_threads, 0, 3);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
