/* A buffer lives until its last holder, whichever thread that is on, lets go. */
#include "config.h"

#include "daemon/buf.h"

#include <stdint.h>
#include <string.h>

#include <pthread.h>

#include "tests/suite.h"

static struct pool *pool;
static struct pool_local *local;

static void setup(void)
{
    ck_assert_int_eq(pool_new(&pool, (size_t)64 << 20, (size_t)16 << 20), 0);
    ck_assert_int_eq(pool_local_new(&local, pool), 0);
}

static void teardown(void)
{
    pool_local_free(local);
    pool_free(pool);
}

static size_t used_bytes(void)
{
    struct pool_stats s;
    pool_stats(pool, &s);
    return s.used_bytes;
}

START_TEST(a_new_buffer_has_one_holder_and_aligned_data)
{
    struct buf *b = buf_new(local, 1000);
    ck_assert_ptr_nonnull(b);
    ck_assert_uint_eq(b->bytes, 1000);
    ck_assert(buf_is_sole(b));
    ck_assert_uint_eq((uintptr_t)b->data % 64, 0);
    memset(b->data, 0xab, 1000);
    buf_put(local, b);
    ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

START_TEST(the_last_put_gives_the_block_back)
{
    struct buf *b = buf_new(local, 100000);
    ck_assert_ptr_eq(buf_get(b), b);
    ck_assert(!buf_is_sole(b));
    buf_put(local, b);
    ck_assert(buf_is_sole(b));
    ck_assert_uint_gt(used_bytes(), 100000);
    buf_put(local, b);
    ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

START_TEST(an_empty_buffer_is_a_buffer)
{
    struct buf *b = buf_new(local, 0);
    ck_assert_ptr_nonnull(b);
    buf_put(local, b);
    buf_put(local, NULL);
    ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

START_TEST(impossible_sizes_are_refused)
{
    ck_assert_ptr_null(buf_new(local, SIZE_MAX));
    ck_assert_ptr_null(buf_new(local, SIZE_MAX - 63));
    ck_assert_ptr_null(buf_new(local, SIZE_MAX - 64));
    ck_assert_ptr_null(buf_new(local, (size_t)65 << 20));
    ck_assert_uint_eq(used_bytes(), 0);
}
END_TEST

enum { THREADS = 4, BUFS = 2000, WORDS = 16 };
static struct buf *shared[BUFS];

/* Each holder writes its own words and drops its reference; the last gives the block back, and it
 * may be handed out again at once, so a write that came too late would be seen. */
static void *hold(void *arg)
{
    size_t who = (size_t)(uintptr_t)arg;
    struct pool_local *mine;
    ck_assert_int_eq(pool_local_new(&mine, pool), 0);
    for (size_t i = 0; i < BUFS; i++) {
        uint64_t value = i;
        for (size_t w = who; w < WORDS; w += THREADS)
            memcpy(shared[i]->data + w * sizeof value, &value, sizeof value);
        buf_put(mine, shared[i]);
        struct buf *own = buf_new(mine, WORDS * sizeof value);
        ck_assert_ptr_nonnull(own);
        memset(own->data, 0xff, WORDS * sizeof value);
        buf_put(mine, own);
    }
    pool_local_free(mine);
    return NULL;
}

START_TEST(holders_on_many_threads_let_go_once)
{
    for (size_t i = 0; i < BUFS; i++) {
        shared[i] = buf_new(local, WORDS * sizeof(uint64_t));
        ck_assert_ptr_nonnull(shared[i]);
        for (int k = 1; k < THREADS; k++)
            buf_get(shared[i]);
    }
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, hold, (void *)i), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    struct pool_stats s;
    pool_stats(pool, &s);
    ck_assert_uint_eq(s.used_bytes, 0);
    ck_assert_uint_eq(s.returned_total, BUFS + THREADS * BUFS);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buf");
    TCase *tc = tcase_create("buf");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_test(tc, a_new_buffer_has_one_holder_and_aligned_data);
    tcase_add_test(tc, the_last_put_gives_the_block_back);
    tcase_add_test(tc, an_empty_buffer_is_a_buffer);
    tcase_add_test(tc, impossible_sizes_are_refused);
    tcase_add_test(tc, holders_on_many_threads_let_go_once);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
