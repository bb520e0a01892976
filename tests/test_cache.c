/* The result cache's promises: the bytes that were put, the bound, the counts, no leak. */
#include "config.h"

#include "daemon/cache.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/clock.h"
#include "tests/suite.h"

#define MIB ((size_t)1 << 20)

static struct pool *pool;
static struct pool_local *local;
static struct cache *cache;

static void setup(void)
{
    ck_assert_int_eq(pool_new(&pool, 256 * MIB, 16 * MIB), 0);
    ck_assert_int_eq(pool_local_new(&local, pool), 0);
    ck_assert_int_eq(cache_new(&cache, MIB, local), 0);
}

/* Whatever a test did, nothing may be left: every reference is gone with the cache. */
static void teardown(void)
{
    cache_free(cache);
    struct pool_stats s;
    pool_stats(pool, &s);
    ck_assert_uint_eq(s.used_bytes, 0);
    pool_local_free(local);
    pool_free(pool);
}

static struct cache_stats stats(void)
{
    struct cache_stats s;
    cache_stats(cache, &s);
    return s;
}

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static struct cache_key key_of(uint64_t id)
{
    return (struct cache_key){.lo = mix(id), .hi = mix(~id)};
}

/* SEED in the environment repeats a run. */
static uint64_t seed(void)
{
    const char *text = getenv("SEED");
    uint64_t s = text ? strtoull(text, NULL, 10) : clock_ns();
    printf("SEED=%llu\n", (unsigned long long)s);
    return s;
}

static struct buf *value_of(uint64_t id, size_t bytes)
{
    struct buf *b = buf_new(local, bytes);
    if (!b)
        ck_abort_msg("no memory for a value");
    for (size_t i = 0; i < bytes; i++)
        b->data[i] = (uint8_t)(id * 31 + i);
    return b;
}

static void put(struct cache_key key, uint64_t id, size_t bytes)
{
    struct buf *b = value_of(id, bytes);
    if (cache_put(cache, key, b, bytes) != 0)
        ck_abort_msg("put failed");
    buf_put(local, b);
}

static bool is_value_of(const struct buf *b, uint64_t id, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        if (b->data[i] != (uint8_t)(id * 31 + i))
            return false;
    }
    return true;
}

/* True if the key hits; then its bytes must be those of `id`. (Check's macros write a line each
 * time they pass, so they stay out of loops over bytes.) */
static bool hits(struct cache_key key, uint64_t id, size_t bytes)
{
    size_t value_bytes = 0;
    struct buf *b = cache_get(cache, key, &value_bytes);
    if (!b)
        return false;
    if (value_bytes != bytes || !is_value_of(b, id, bytes))
        ck_abort_msg("wrong value for id %llu", (unsigned long long)id);
    buf_put(local, b);
    return true;
}

START_TEST(a_hit_gives_the_bytes_that_were_put)
{
    ck_assert(!hits(key_of(1), 1, 100));
    for (uint64_t id = 0; id < 100; id++)
        put(key_of(id), id, id * 7);
    for (uint64_t id = 0; id < 100; id++)
        ck_assert(hits(key_of(id), id, id * 7));
    ck_assert_uint_eq(stats().entry_count, 100);
}
END_TEST

START_TEST(a_value_may_be_shorter_than_its_buffer)
{
    struct buf *b = value_of(5, 1000);
    ck_assert_int_eq(cache_put(cache, key_of(5), b, 10), 0);
    buf_put(local, b);
    ck_assert(hits(key_of(5), 5, 10));
}
END_TEST

START_TEST(a_hit_outlives_its_eviction)
{
    put(key_of(1), 1, 5000);
    size_t bytes;
    struct buf *b = cache_get(cache, key_of(1), &bytes);
    ck_assert_ptr_nonnull(b);
    ck_assert(!buf_is_sole(b));
    cache_set_max(cache, 0);
    ck_assert_uint_eq(stats().entry_count, 0);
    ck_assert(buf_is_sole(b));
    ck_assert(is_value_of(b, 1, bytes));
    buf_put(local, b);
}
END_TEST

START_TEST(the_cache_takes_a_reference_of_its_own)
{
    struct buf *b = value_of(1, 64);
    ck_assert_int_eq(cache_put(cache, key_of(1), b, 64), 0);
    ck_assert(!buf_is_sole(b));
    cache_set_max(cache, 0);
    ck_assert(buf_is_sole(b));
    buf_put(local, b);
}
END_TEST

START_TEST(the_bound_holds_under_random_load)
{
    uint64_t random = seed();
    size_t max_bytes = MIB;
    for (int step = 0; step < 20000; step++) {
        random = mix(random);
        uint64_t id = (random >> 8) % 3000;
        size_t bytes = mix(id) % ((id & 7) == 0 ? 20000 : 900);
        if ((random & 255) == 0) {
            max_bytes = random >> 40 & (2 * MIB - 1);
            cache_set_max(cache, max_bytes);
        } else if (!hits(key_of(id), id, bytes) || (random & 3) == 0) {
            put(key_of(id), id, bytes);
        }
        struct cache_stats s = stats();
        if (s.used_bytes > max_bytes || s.max_bytes != max_bytes)
            ck_abort_msg("%zu bytes used of %zu", s.used_bytes, max_bytes);
        if (s.hits_total + s.misses_total + s.bypasses_total != s.lookups_total ||
            s.inserted_total - s.evicted_total != s.entry_count)
            ck_abort_msg("the counts do not add up in step %d", step);
    }
    struct pool_stats held;
    pool_stats(pool, &held);
    /* the table's own blocks come on top of what values and entries were charged */
    ck_assert_uint_le(held.used_bytes, stats().used_bytes + 16384);
}
END_TEST

START_TEST(used_bytes_cover_what_values_occupy)
{
    size_t values = 0;
    for (uint64_t id = 0; id < 10; id++) {
        put(key_of(id), id, id * 1000);
        values += pool_block_bytes(BUF_HEADER_BYTES + id * 1000);
    }
    ck_assert_uint_ge(stats().used_bytes, values);
    ck_assert_uint_le(stats().used_bytes, values + 10 * 200);
}
END_TEST

START_TEST(lookups_are_counted_by_outcome)
{
    put(key_of(1), 1, 10);
    ck_assert(hits(key_of(1), 1, 10));
    ck_assert(hits(key_of(1), 1, 10));
    ck_assert(hits(key_of(1), 1, 10));
    ck_assert(!hits(key_of(2), 2, 10));
    cache_bypass(cache);
    cache_bypass(cache);
    struct cache_stats s = stats();
    ck_assert_uint_eq(s.hits_total, 3);
    ck_assert_uint_eq(s.misses_total, 1);
    ck_assert_uint_eq(s.bypasses_total, 2);
    ck_assert_uint_eq(s.lookups_total, 6);
    ck_assert(s.hit_ratio == 0.75);
    ck_assert_uint_eq(s.inserted_total, 1);
}
END_TEST

/* Gets the id, and puts it where it is missing, as the pipeline does. */
static bool ask(uint64_t id)
{
    if (hits(key_of(id), id, 100))
        return true;
    put(key_of(id), id, 100);
    return false;
}

START_TEST(what_fits_is_found_again)
{
    unsigned found = 0;
    for (unsigned i = 0; i < 200 * 50; i++)
        found += ask(i % 200);
    ck_assert_uint_eq(found, 200 * 50 - 200);
}
END_TEST

START_TEST(a_repeated_set_survives_a_scan)
{
    /* 1 MiB holds about 2,900 of these; the scan is ten times that. */
    for (unsigned i = 0; i < 1000 * 5; i++)
        ask(i % 1000);
    for (uint64_t id = 100000; id < 130000; id++)
        ask(id);
    unsigned found = 0;
    for (unsigned i = 0; i < 1000; i++)
        found += hits(key_of(i), i, 100);
    ck_assert_uint_ge(found, 950);
}
END_TEST

START_TEST(what_comes_back_soon_after_its_eviction_stays)
{
    for (unsigned i = 0; i < 1000 * 5; i++) /* fills main, so that the small queue is short */
        ask(i % 1000);
    for (uint64_t id = 100000; id < 102500; id++)
        ask(id);
    unsigned found = 0;
    for (uint64_t id = 100000; id < 100200; id++) /* evicted, remembered */
        found += ask(id);
    ck_assert_uint_le(found, 100);
    for (uint64_t id = 200000; id < 202000; id++)
        ask(id);
    found = 0;
    for (uint64_t id = 100000; id < 100200; id++)
        found += hits(key_of(id), id, 100);
    ck_assert_uint_ge(found, 150);
}
END_TEST

START_TEST(an_existing_entry_is_replaced)
{
    put(key_of(1), 1, 100);
    size_t used = stats().used_bytes;
    put(key_of(1), 2, 100);
    ck_assert(hits(key_of(1), 2, 100));
    ck_assert_uint_eq(stats().entry_count, 1);
    ck_assert_uint_eq(stats().used_bytes, used);
    put(key_of(1), 3, 10000);
    ck_assert(hits(key_of(1), 3, 10000));
    ck_assert_uint_gt(stats().used_bytes, used);
    put(key_of(1), 4, 0);
    ck_assert(hits(key_of(1), 4, 0));
    ck_assert_uint_le(stats().used_bytes, used);
    struct buf *b = value_of(5, 100); /* twice the same buffer */
    ck_assert_int_eq(cache_put(cache, key_of(1), b, 100), 0);
    ck_assert_int_eq(cache_put(cache, key_of(1), b, 50), 0);
    ck_assert(hits(key_of(1), 5, 50));
    buf_put(local, b);
}
END_TEST

START_TEST(a_value_over_a_quarter_is_not_kept)
{
    put(key_of(1), 1, MIB / 4 + 1);
    ck_assert(!hits(key_of(1), 1, MIB / 4 + 1));
    ck_assert_uint_eq(stats().entry_count, 0);
    put(key_of(2), 2, 60000); /* a block of 64 KiB */
    ck_assert(hits(key_of(2), 2, 60000));
    put(key_of(2), 3, MIB / 2); /* nor is what it would replace: that is out of date */
    ck_assert(!hits(key_of(2), 3, MIB / 2));
    ck_assert_uint_eq(stats().used_bytes, 0);
}
END_TEST

START_TEST(a_cache_of_size_0_is_off)
{
    cache_set_max(cache, 0);
    put(key_of(1), 1, 0);
    put(key_of(2), 2, 100);
    ck_assert(!hits(key_of(1), 1, 0));
    ck_assert(!hits(key_of(2), 2, 100));
    ck_assert_uint_eq(stats().misses_total, 2);
    ck_assert_uint_eq(stats().used_bytes, 0);
    cache_set_max(cache, MIB);
    put(key_of(1), 1, 100);
    ck_assert(hits(key_of(1), 1, 100));
}
END_TEST

START_TEST(a_smaller_bound_evicts_down_to_it)
{
    for (uint64_t id = 0; id < 2000; id++)
        put(key_of(id), id, 100);
    ck_assert_uint_gt(stats().used_bytes, MIB / 2);
    cache_set_max(cache, MIB / 8);
    ck_assert_uint_le(stats().used_bytes, MIB / 8);
    ck_assert_uint_gt(stats().entry_count, 100);
    for (uint64_t id = 0; id < 2000; id++)
        hits(key_of(id), id, 100); /* what is there is right */
}
END_TEST

/* The digest is trusted to be uniform for speed, never for being right. */
START_TEST(keys_that_share_half_their_bits_are_told_apart)
{
    enum { COUNT = 300 };
    struct cache_key keys[4 * COUNT];
    for (uint64_t i = 0; i < COUNT; i++) {
        keys[4 * i] = (struct cache_key){.lo = 7, .hi = i};
        keys[4 * i + 1] = (struct cache_key){.lo = i + 1000, .hi = 7};
        keys[4 * i + 2] = (struct cache_key){.lo = i << 40, .hi = (i << 40) ^ 99}; /* lo ^ hi */
        keys[4 * i + 3] = (struct cache_key){.lo = i << 48, .hi = ~(i << 48)};
    }
    for (uint64_t i = 0; i < 4 * COUNT; i++)
        put(keys[i], i, 8);
    for (uint64_t i = 0; i < 4 * COUNT; i++)
        ck_assert(hits(keys[i], i, 8));
    cache_set_max(cache, MIB / 16); /* most leave through crowded buckets */
    unsigned found = 0;
    for (uint64_t i = 0; i < 4 * COUNT; i++)
        found += hits(keys[i], i, 8);
    ck_assert_uint_eq(found, stats().entry_count);
}
END_TEST

START_TEST(growing_and_shrinking_loses_nothing)
{
    enum { COUNT = 20000 };
    cache_set_max(cache, 64 * MIB);
    for (int round = 0; round < 2; round++) {
        for (uint64_t id = 0; id < COUNT; id++) {
            put(key_of(id), id, 8);
            if (!hits(key_of(id / 2), id / 2, 8))
                ck_abort_msg("lost %llu while growing", (unsigned long long)id / 2);
        }
        ck_assert_uint_eq(stats().entry_count, COUNT);
        unsigned found = 0;
        for (uint64_t id = 0; id < COUNT; id++)
            found += hits(key_of(id), id, 8);
        ck_assert_uint_eq(found, COUNT);
        cache_set_max(cache, 100000);
        found = 0;
        for (uint64_t id = 0; id < COUNT; id++)
            found += hits(key_of(id), id, 8);
        ck_assert_uint_eq(found, stats().entry_count);
        cache_set_max(cache, 64 * MIB);
    }
}
END_TEST

START_TEST(without_memory_for_an_entry_the_cache_stays_whole)
{
    for (uint64_t id = 0; id < 100; id++)
        put(key_of(id), id, 100);
    struct buf *b = value_of(1000, 100);
    size_t used = stats().used_bytes;
    pool_set_limits(pool, 0, 0);
    int err = 0;
    uint64_t id = 1000; /* a few more may still come from the magazine */
    while (err == 0 && id < 2000)
        err = cache_put(cache, key_of(id++), b, 100);
    ck_assert_int_eq(err, -ENOMEM);
    ck_assert_uint_ge(stats().used_bytes, used);
    ck_assert(!hits(key_of(id - 1), 1000, 100));
    for (id = 0; id < 100; id++)
        ck_assert(hits(key_of(id), id, 100));
    pool_set_limits(pool, 256 * MIB, 16 * MIB);
    ck_assert_int_eq(cache_put(cache, key_of(5000), b, 100), 0);
    ck_assert(hits(key_of(5000), 1000, 100));
    buf_put(local, b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cache");
    TCase *tc = tcase_create("cache");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_hit_gives_the_bytes_that_were_put);
    tcase_add_test(tc, a_value_may_be_shorter_than_its_buffer);
    tcase_add_test(tc, a_hit_outlives_its_eviction);
    tcase_add_test(tc, the_cache_takes_a_reference_of_its_own);
    tcase_add_test(tc, the_bound_holds_under_random_load);
    tcase_add_test(tc, used_bytes_cover_what_values_occupy);
    tcase_add_test(tc, lookups_are_counted_by_outcome);
    tcase_add_test(tc, what_fits_is_found_again);
    tcase_add_test(tc, a_repeated_set_survives_a_scan);
    tcase_add_test(tc, what_comes_back_soon_after_its_eviction_stays);
    tcase_add_test(tc, an_existing_entry_is_replaced);
    tcase_add_test(tc, a_value_over_a_quarter_is_not_kept);
    tcase_add_test(tc, a_cache_of_size_0_is_off);
    tcase_add_test(tc, a_smaller_bound_evicts_down_to_it);
    tcase_add_test(tc, keys_that_share_half_their_bits_are_told_apart);
    tcase_add_test(tc, growing_and_shrinking_loses_nothing);
    tcase_add_test(tc, without_memory_for_an_entry_the_cache_stays_whole);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
