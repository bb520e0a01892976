/* sched_for(): ranges cover each index once, are shared with whoever is hungry, and nest. No test
 * asserts a time. */
#include "config.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "scheduler_bed.h"
#include "suite.h"

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
    root_round(s, cover_body, &c);
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
    struct scheduler *s = scheduler_make(workers[_i], 5000);
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
    struct scheduler *s = scheduler_make(1, 0);
    struct walk x = {0, 8, true};
    root_round(s, walk_body, &x);
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
    struct scheduler *s = scheduler_make(4, 0);
    for (unsigned round = 0; round < 20; round++) {
        struct team t = {.count = 0};
        ck_assert(patience_parked(s));
        root_round(s, team_body, &t);
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
    struct scheduler *s = scheduler_make(workers[_i], 5000);
    for (unsigned round = 1; round <= 10; round++) {
        root_round(s, nested_body, rows);
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
    struct scheduler *s = scheduler_make(4, 5000);
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

int main(void)
{
    Suite *suite = suite_create("scheduler, ranges");
    TCase *ranges = tcase_create("ranges");
    tcase_add_loop_test(ranges, for_covers_each_index_once_in_ranges_of_at_least_grain, 0, 3);
    tcase_add_test(ranges, for_without_thieves_goes_in_order_in_steps_of_grain);
    tcase_add_test(ranges, for_is_shared_with_every_hungry_worker);
    tcase_add_loop_test(ranges, loops_nest_with_each_other_and_with_spawns, 0, 3);
    tcase_add_test(ranges, many_jobs_with_loops_at_once_all_come_out_right);
    tcase_set_timeout(ranges, 120);
    suite_add_tcase(suite, ranges);
    return suite_run(suite);
}
