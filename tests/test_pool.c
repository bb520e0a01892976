/* The pool's promises: alignment, classes, reuse, bounds, and blocks that cross threads whole. */
#include "config.h"

#include "daemon/pool.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <sched.h>

#include "daemon/clock.h"
#include "tests/suite.h"

#define KIB ((size_t)1 << 10)
#define MIB ((size_t)1 << 20)

static struct pool *pool;
static struct pool_local *local;

static void setup(void)
{
    ck_assert_int_eq(pool_new(&pool, 256 * MIB, 64 * MIB), 0);
    ck_assert_int_eq(pool_local_new(&local, pool), 0);
}

static void teardown(void)
{
    pool_local_free(local);
    pool_free(pool);
}

static struct pool_stats stats(void)
{
    struct pool_stats s;
    pool_stats(pool, &s);
    return s;
}

/* xorshift64; the seed is printed by who starts it */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* SEED in the environment repeats a run. */
static uint64_t seed(void)
{
    const char *text = getenv("SEED");
    uint64_t s = text ? strtoull(text, NULL, 10) : clock_ns() | 1;
    printf("SEED=%llu\n", (unsigned long long)s);
    return s;
}

/* A pattern of the block's own, at its ends and once per 512 bytes. */
static void fill(uint8_t *block, size_t bytes, uint64_t id)
{
    for (size_t i = 0; i + sizeof id <= bytes; i += 512)
        memcpy(block + i, &id, sizeof id);
    if (bytes >= sizeof id)
        memcpy(block + bytes - sizeof id, &id, sizeof id);
}

static bool is_filled(const uint8_t *block, size_t bytes, uint64_t id)
{
    for (size_t i = 0; i + sizeof id <= bytes; i += 512) {
        if (memcmp(block + i, &id, sizeof id) != 0 && i + 2 * sizeof id <= bytes)
            return false;
    }
    return bytes < sizeof id || memcmp(block + bytes - sizeof id, &id, sizeof id) == 0;
}

static const size_t edge_sizes[] = {
    0,      1,       63,      64,          65,          256,         257,      1024,
    1025,   4096,    4097,    16384,       16385,       65536,       65537,    256 * KIB,
    MIB,    MIB + 1, 4 * MIB, 4 * MIB + 1, 5 * MIB + 3, 9 * MIB + 1, 17 * MIB,
};
enum { EDGE_COUNT = sizeof edge_sizes / sizeof edge_sizes[0] };

START_TEST(every_block_is_aligned_and_writable_to_its_last_byte)
{
    void *blocks[EDGE_COUNT];
    for (size_t i = 0; i < EDGE_COUNT; i++) {
        blocks[i] = pool_take(local, edge_sizes[i]);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 64, 0);
        fill(blocks[i], edge_sizes[i], i + 1);
    }
    for (size_t i = 0; i < EDGE_COUNT; i++) {
        ck_assert(is_filled(blocks[i], edge_sizes[i], i + 1));
        pool_give(local, blocks[i], edge_sizes[i]);
    }
    ck_assert_uint_eq(stats().used_bytes, 0);
}
END_TEST

START_TEST(blocks_have_the_sizes_of_their_classes)
{
    const size_t classes[] = {64,    256,       1024, 4096,   16384,
                              65536, 256 * KIB, MIB};
    size_t below = 0;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        ck_assert_uint_eq(pool_block_bytes(below + (i > 0)), classes[i]);
        ck_assert_uint_eq(pool_block_bytes(classes[i]), classes[i]);
        below = classes[i];
    }
    for (size_t bytes = MIB + 1; bytes < 300 * MIB; bytes += bytes / 7) {
        size_t block_bytes = pool_block_bytes(bytes);
        ck_assert_uint_ge(block_bytes, bytes);
        ck_assert_uint_le(block_bytes, bytes + bytes / 8);
        ck_assert_uint_eq(pool_block_bytes(block_bytes), block_bytes);
    }
}
END_TEST

START_TEST(used_bytes_count_whole_blocks)
{
    size_t want = 0;
    void *blocks[EDGE_COUNT];
    for (size_t i = 0; i < EDGE_COUNT; i++) {
        blocks[i] = pool_take(local, edge_sizes[i]);
        want += pool_block_bytes(edge_sizes[i]);
        ck_assert_uint_eq(stats().used_bytes, want);
        ck_assert_uint_ge(stats().held_bytes, want);
    }
    for (size_t i = 0; i < EDGE_COUNT; i++) {
        pool_give(local, blocks[i], edge_sizes[i]);
        want -= pool_block_bytes(edge_sizes[i]);
        ck_assert_uint_eq(stats().used_bytes, want);
    }
}
END_TEST

START_TEST(a_block_taken_and_given_in_a_loop_is_reused)
{
    for (int i = 0; i < 10000; i++) {
        void *block = pool_take(local, 1024);
        ck_assert_ptr_nonnull(block);
        pool_give(local, block, 1024);
    }
    struct pool_stats s = stats();
    ck_assert_uint_eq(s.new_total + s.reused_total, 10000);
    ck_assert_uint_eq(s.returned_total, 10000);
    ck_assert(s.reuse_ratio >= 0.999);
}
END_TEST

START_TEST(large_blocks_are_reused)
{
    for (int i = 0; i < 1000; i++) {
        void *block = pool_take(local, 4 * MIB + 64);
        ck_assert_ptr_nonnull(block);
        pool_give(local, block, 4 * MIB + 64);
    }
    ck_assert_uint_eq(stats().new_total, 1);
    ck_assert_uint_eq(stats().reused_total, 999);
}
END_TEST

START_TEST(memory_of_a_burst_is_reused_by_the_next)
{
    static void *blocks[5000];
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5000; i++)
            ck_assert_ptr_nonnull(blocks[i] = pool_take(local, 1024));
        for (int i = 0; i < 5000; i++)
            pool_give(local, blocks[i], 1024);
    }
    /* 256: which spans are cut first may differ from round to round */
    ck_assert_uint_le(stats().new_total, 5000 + 256);
    ck_assert_uint_ge(stats().reused_total, 10000 - 256);
}
END_TEST

START_TEST(giving_null_is_fine)
{
    pool_give(local, NULL, 100);
    pool_local_free(NULL);
    pool_free(NULL);
    ck_assert_uint_eq(stats().returned_total, 0);
}
END_TEST

static void check_bound(size_t bytes, size_t max_bytes)
{
    static void *blocks[20000];
    size_t count = 0;
    pool_set_limits(pool, max_bytes, 64 * MIB);
    for (int round = 0; round < 2; round++) {
        for (count = 0; count < 20000; count++) {
            if (!(blocks[count] = pool_take(local, bytes)))
                break;
        }
        /* what the magazine of one class may hand out beyond the bound */
        ck_assert_uint_lt(count, 20000);
        ck_assert_uint_le(stats().used_bytes, max_bytes + MIB);
        ck_assert_uint_ge(stats().used_bytes + pool_block_bytes(bytes), max_bytes);
        ck_assert_uint_ge(stats().refused_total, 1);
        for (size_t i = 0; i < count; i++)
            pool_give(local, blocks[i], bytes);
        ck_assert_uint_eq(stats().used_bytes, 0);
    }
}

START_TEST(over_max_bytes_is_refused_until_blocks_come_back)
{
    check_bound(64, MIB);
    check_bound(1024, 8 * MIB);
    check_bound(65536, 16 * MIB);
    check_bound(256 * KIB, 16 * MIB);
    check_bound(5 * MIB, 64 * MIB);
}
END_TEST

START_TEST(the_bound_is_exact_for_large_blocks)
{
    pool_set_limits(pool, 8 * MIB, 64 * MIB);
    void *a = pool_take(local, 4 * MIB);
    void *b = pool_take(local, 4 * MIB);
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_nonnull(b);
    ck_assert_ptr_null(pool_take(local, 4 * MIB));
    ck_assert_ptr_null(pool_take(local, 256 * KIB));
    ck_assert_uint_eq(stats().refused_total, 2);
    pool_give(local, a, 4 * MIB);
    ck_assert_ptr_nonnull(a = pool_take(local, 256 * KIB));
    pool_give(local, a, 256 * KIB);
    pool_give(local, b, 4 * MIB);
}
END_TEST

START_TEST(free_blocks_of_another_local_do_not_count_against_the_bound)
{
    struct pool_local *other;
    ck_assert_int_eq(pool_local_new(&other, pool), 0);
    void *blocks[16];
    for (int i = 0; i < 16; i++)
        blocks[i] = pool_take(local, 65536);
    for (int i = 0; i < 16; i++)
        pool_give(local, blocks[i], 65536);
    pool_set_limits(pool, MIB, 64 * MIB);
    for (int i = 0; i < 16; i++)
        ck_assert_ptr_nonnull(blocks[i] = pool_take(other, 65536));
    ck_assert_ptr_null(pool_take(other, 65536));
    for (int i = 0; i < 16; i++)
        pool_give(other, blocks[i], 65536);
    pool_local_free(other);
}
END_TEST

START_TEST(sizes_that_no_machine_has_are_refused)
{
    ck_assert_ptr_null(pool_take(local, SIZE_MAX));
    ck_assert_ptr_null(pool_take(local, SIZE_MAX - 63));
    ck_assert_ptr_null(pool_take(local, SIZE_MAX / 2 + 1));
    pool_set_limits(pool, SIZE_MAX, 64 * MIB);
    ck_assert_ptr_null(pool_take(local, SIZE_MAX));
    ck_assert_ptr_null(pool_take(local, (size_t)1 << 60));
    ck_assert_uint_eq(stats().used_bytes, 0);
    ck_assert_uint_eq(stats().refused_total, 5);
}
END_TEST

/* Takes `total` bytes in blocks of `bytes` and gives all back; what is held then is returned. */
static size_t held_after_burst(size_t bytes, size_t total)
{
    static void *blocks[40000];
    size_t count = total / pool_block_bytes(bytes);
    ck_assert_uint_le(count, 40000);
    for (size_t i = 0; i < count; i++) {
        ck_assert_ptr_nonnull(blocks[i] = pool_take(local, bytes));
        *(char *)blocks[i] = 1;
    }
    ck_assert_uint_ge(stats().held_bytes, total);
    for (size_t i = 0; i < count; i++)
        pool_give(local, blocks[i], bytes);
    return stats().held_bytes;
}

START_TEST(free_memory_beyond_keep_bytes_goes_back)
{
    const size_t sizes[] = {64, 1024, 4096, 16384, 65536, 256 * KIB, 4 * MIB};
    /* 1 MiB: the magazine's; 256 KiB: spans partly held by it, and headers */
    const size_t slack = MIB + 256 * KIB;
    size_t total = 32 * MIB;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t bytes = sizes[i];
        size_t burst = bytes == 64 ? 2 * MIB : total;
        pool_set_limits(pool, 256 * MIB, 64 * MIB);
        ck_assert_uint_ge(held_after_burst(bytes, burst), burst);
        pool_set_limits(pool, 256 * MIB, 8 * MIB);
        ck_assert_uint_le(stats().held_bytes, 8 * MIB + slack);
        ck_assert_uint_le(held_after_burst(bytes, burst), 8 * MIB + slack);
        pool_set_limits(pool, 256 * MIB, 0);
        ck_assert_uint_le(stats().held_bytes, 2 * slack);
        pool_local_free(local);
        ck_assert_uint_eq(stats().held_bytes, 0);
        ck_assert_int_eq(pool_local_new(&local, pool), 0);
    }
}
END_TEST

START_TEST(an_idle_pool_holds_nothing)
{
    ck_assert_uint_eq(stats().held_bytes, 0);
    ck_assert_uint_eq(stats().new_total, 0);
    ck_assert(stats().reuse_ratio == 0.0);
}
END_TEST

START_TEST(locals_that_end_leave_their_blocks_and_counts)
{
    void *block = NULL;
    for (int i = 0; i < 100; i++) {
        struct pool_local *l;
        ck_assert_int_eq(pool_local_new(&l, pool), 0);
        void *next = pool_take(l, 4096);
        ck_assert_ptr_nonnull(next);
        pool_give(l, block, 4096);
        block = next;
        pool_local_free(l);
    }
    struct pool_stats s = stats();
    ck_assert_uint_eq(s.new_total + s.reused_total, 100);
    ck_assert_uint_eq(s.returned_total, 99);
    ck_assert_uint_eq(s.used_bytes, 4096);
    pool_give(local, block, 4096);
    ck_assert_uint_eq(stats().used_bytes, 0);
}
END_TEST

START_TEST(random_sizes_never_overlap)
{
    enum { LIVE = 500, STEPS = 20000 };
    static struct {
        uint8_t *block;
        size_t bytes;
        uint64_t id;
    } live[LIVE];
    uint64_t random = seed();
    for (uint64_t step = 1; step <= STEPS; step++) {
        size_t i = next_random(&random) % LIVE;
        if (live[i].block)
            ck_assert(is_filled(live[i].block, live[i].bytes, live[i].id));
        pool_give(local, live[i].block, live[i].bytes);
        size_t limit = (size_t)64 << (next_random(&random) % 12);
        live[i].bytes = 8 + next_random(&random) % limit;
        live[i].id = step;
        live[i].block = pool_take(local, live[i].bytes);
        ck_assert_ptr_nonnull(live[i].block);
        fill(live[i].block, live[i].bytes, step);
    }
    struct pool_stats s = stats();
    uint64_t count = 0;
    size_t used = 0;
    for (size_t i = 0; i < LIVE; i++) {
        count += live[i].block != NULL;
        used += live[i].block ? pool_block_bytes(live[i].bytes) : 0;
        if (live[i].block)
            ck_assert(is_filled(live[i].block, live[i].bytes, live[i].id));
        pool_give(local, live[i].block, live[i].bytes);
    }
    ck_assert_uint_eq(s.new_total + s.reused_total - s.returned_total, count);
    ck_assert_uint_eq(s.used_bytes, used);
    ck_assert_uint_eq(stats().used_bytes, 0);
}
END_TEST

/* Blocks travel from takers to givers through a small table of slots. */
enum { THREADS = 4, SLOTS = 64, HANDOVERS = 8000 };

struct message {
    uint64_t id;
    size_t bytes;
};

static _Atomic(struct message *) slots[SLOTS];

/* Swaps blocks of its own for those of others, and gives back what it got. */
static void *exchange(void *arg)
{
    uint64_t random = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15u;
    struct pool_local *mine;
    ck_assert_int_eq(pool_local_new(&mine, pool), 0);
    for (uint64_t i = 0; i < HANDOVERS; i++) {
        size_t bytes = sizeof(struct message) + 8 + next_random(&random) % (64u << (2 * (i % 7)));
        struct message *out = pool_take(mine, bytes);
        ck_assert_ptr_nonnull(out);
        *out = (struct message){.id = next_random(&random), .bytes = bytes};
        fill((uint8_t *)(out + 1), bytes - sizeof *out, out->id);
        /* acq_rel: release publishes what we filled, acquire sees what another did; pairs with
         * itself on the other threads */
        struct message *in = atomic_exchange_explicit(&slots[next_random(&random) % SLOTS], out,
                                                      memory_order_acq_rel);
        if (!in)
            continue;
        ck_assert(is_filled((uint8_t *)(in + 1), in->bytes - sizeof *in, in->id));
        in->id = 0;
        pool_give(mine, in, in->bytes);
    }
    pool_local_free(mine);
    return NULL;
}

START_TEST(blocks_given_back_on_other_threads_stay_whole)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, exchange, (void *)(i + 1)), 0);
    /* Stats are asked for meanwhile: never negative, never beyond what slots and threads hold. */
    for (int i = 0; i < 200; i++) {
        struct pool_stats s = stats();
        ck_assert_uint_le(s.used_bytes, (SLOTS + 2 * THREADS) * 256 * KIB);
        ck_assert_uint_le(s.returned_total, s.new_total + s.reused_total);
        sched_yield();
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < SLOTS; i++) {
        /* relaxed: the threads are joined */
        struct message *m = atomic_load_explicit(&slots[i], memory_order_relaxed);
        if (m)
            pool_give(local, m, m->bytes);
    }
    struct pool_stats s = stats();
    ck_assert_uint_eq(s.used_bytes, 0);
    ck_assert_uint_eq(s.new_total + s.reused_total, THREADS * HANDOVERS);
    ck_assert_uint_eq(s.returned_total, THREADS * HANDOVERS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pool");
    TCase *tc = tcase_create("pool");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, every_block_is_aligned_and_writable_to_its_last_byte);
    tcase_add_test(tc, blocks_have_the_sizes_of_their_classes);
    tcase_add_test(tc, used_bytes_count_whole_blocks);
    tcase_add_test(tc, a_block_taken_and_given_in_a_loop_is_reused);
    tcase_add_test(tc, large_blocks_are_reused);
    tcase_add_test(tc, memory_of_a_burst_is_reused_by_the_next);
    tcase_add_test(tc, giving_null_is_fine);
    tcase_add_test(tc, over_max_bytes_is_refused_until_blocks_come_back);
    tcase_add_test(tc, the_bound_is_exact_for_large_blocks);
    tcase_add_test(tc, free_blocks_of_another_local_do_not_count_against_the_bound);
    tcase_add_test(tc, sizes_that_no_machine_has_are_refused);
    tcase_add_test(tc, free_memory_beyond_keep_bytes_goes_back);
    tcase_add_test(tc, an_idle_pool_holds_nothing);
    tcase_add_test(tc, locals_that_end_leave_their_blocks_and_counts);
    tcase_add_test(tc, random_sizes_never_overlap);
    tcase_add_test(tc, blocks_given_back_on_other_threads_stay_whole);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
