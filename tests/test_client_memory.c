/* Lent memory: blocks are recycled, arenas registered once and again after a break, jobs in them
 * copy nothing, and a daemon that takes no arenas is served all the same. */
#include "config.h"

#include "client/simdd.h"

#include <stdint.h>
#include <string.h>

#include "client_bed.h"
#include "suite.h"

enum { N = 100000 };

static float *block(struct bed *b, size_t n)
{
    int err = 1;
    float *p = simdd_alloc(b->s, n * sizeof(*p), &err);
    ck_assert_ptr_nonnull(p);
    ck_assert_int_eq(err, 0);
    ck_assert_uint_eq((uintptr_t)p % 4096, 0);
    return p;
}

/* Adds two blocks; returns the result's description. */
static struct simdd_result add(struct bed *b, const float *x, const float *y, float *z)
{
    struct simdd_job job;
    struct simdd_result result;
    simdd_job_zip(&job, SIMDD_ADD_F32, N, x, y, z);
    ck_assert_int_eq(simdd_call(b->s, &job, &result), 0);
    return result;
}

START_TEST(job_in_lent_memory_is_done_in_place)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    float *x = block(&b, N), *y = block(&b, N), *z = block(&b, N);
    bed_fill(x, N, 1);
    bed_fill(y, N, 2);
    ck_assert_int_eq(add(&b, x, y, z).in_arena, 1);
    bed_check_sum(x, y, z, N);
    memset(z, 0, N * sizeof(*z));
    ck_assert_int_eq(add(&b, x, y, z).in_arena, 1);
    bed_check_sum(x, y, z, N);
    ck_assert_uint_eq(fake_counts(b.fake)->arenas_added, 1);
    ck_assert_uint_eq(fake_counts(b.fake)->arena_jobs, 2);
    ck_assert_uint_eq(fake_counts(b.fake)->inline_results, 0);
    bed_close(&b);
}
END_TEST

START_TEST(result_outside_of_lent_memory_comes_back_in_the_answer)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    float *x = block(&b, N), *z = malloc(N * sizeof(*z));
    bed_fill(x, N, 1);
    ck_assert_int_eq(add(&b, x, x, z).in_arena, 1);
    bed_check_sum(x, x, z, N);
    ck_assert_uint_eq(fake_counts(b.fake)->inline_results, 1);
    free(z);
    bed_close(&b);
}
END_TEST

START_TEST(result_over_an_operand_in_lent_memory_is_right)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    float *x = block(&b, N), *y = block(&b, N);
    bed_fill(x, N, 1);
    bed_fill(y, N, 1);
    (void)add(&b, x, y, x);
    bed_check_sum(y, y, x, N);
    bed_close(&b);
}
END_TEST

START_TEST(large_operand_elsewhere_goes_inline)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    float *x = block(&b, N), *y = malloc(N * sizeof(*y)), *z = block(&b, N);
    bed_fill(x, N, 1);
    bed_fill(y, N, 2);
    ck_assert_int_eq(add(&b, x, y, z).in_arena, 0);
    bed_check_sum(x, y, z, N);
    free(y);
    bed_close(&b);
}
END_TEST

START_TEST(small_operand_elsewhere_is_copied_to_lent_memory)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    enum { M = 200, K = 300 };
    float *a = block(&b, M * K), *c = block(&b, M);
    float v[K];
    for (size_t i = 0; i < (size_t)M * K; i++)
        a[i] = 1.0f;
    for (size_t i = 0; i < K; i++)
        v[i] = 2.0f;
    struct simdd_job job;
    struct simdd_result result;
    simdd_job_matmul(&job, SIMDD_MATMUL_F32, M, 1, K, a, v, c);
    for (int round = 0; round < 3; round++) {
        ck_assert_int_eq(simdd_call(b.s, &job, &result), 0);
        ck_assert_int_eq(result.in_arena, 1);
        ck_assert(c[M - 1] == 600.0f);
        c[M - 1] = 0;
    }
    ck_assert_uint_eq(fake_counts(b.fake)->arenas_added, 1);
    bed_close(&b);
}
END_TEST

START_TEST(freed_block_is_the_next_of_its_size)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    void *x = simdd_alloc(b.s, 300000, NULL);
    void *y = simdd_alloc(b.s, 300000, NULL);
    ck_assert_ptr_ne(x, y);
    simdd_free(b.s, x);
    ck_assert_ptr_eq(simdd_alloc(b.s, 290000, NULL), x);
    bed_close(&b);
}
END_TEST

START_TEST(blocks_of_all_sizes_do_not_overlap)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    enum { COUNT = 300 };
    static uint8_t *p[COUNT];
    static size_t bytes[COUNT];
    unsigned seed = 20240607;
    for (int round = 0; round < 3; round++) {
        for (unsigned i = 0; i < COUNT; i++) {
            if (p[i] != NULL && i % 2 == 0)
                continue;
            simdd_free(b.s, p[i]);
            seed = seed * 1664525u + 1013904223u;
            bytes[i] = 1 + (seed >> 8) % (i % 16 == 0 ? 400000u : 20000u);
            p[i] = simdd_alloc(b.s, bytes[i], NULL);
            ck_assert_ptr_nonnull(p[i]);
            memset(p[i], (int)(i & 0xff), bytes[i]);
        }
        for (unsigned i = 0; i < COUNT; i++) {
            ck_assert_uint_eq(p[i][0], i & 0xff);
            ck_assert_uint_eq(p[i][bytes[i] - 1], i & 0xff);
        }
    }
    bed_close(&b);
}
END_TEST

START_TEST(freed_memory_above_the_limit_goes_back)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    ck_assert_int_eq(simdd_set(b.s, SIMDD_OPT_ARENA_KEEP_BYTES, 40u << 20), 0);
    void *x = simdd_alloc(b.s, 30u << 20, NULL), *y = simdd_alloc(b.s, 30u << 20, NULL);
    simdd_free(b.s, x);
    simdd_free(b.s, y);
    ck_assert_int_eq(simdd_ping(b.s), 0); /* so that the daemon has read all before */
    ck_assert_uint_eq(fake_counts(b.fake)->arenas_added, 2);
    ck_assert_uint_eq(fake_counts(b.fake)->arenas_dropped, 1);
    ck_assert_ptr_eq(simdd_alloc(b.s, 30u << 20, NULL), x);
    bed_close(&b);
}
END_TEST

START_TEST(absurd_size_is_refused)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    int err = 0;
    ck_assert_ptr_null(simdd_alloc(b.s, SIZE_MAX, &err));
    ck_assert_int_lt(err, 0);
    ck_assert_ptr_null(simdd_alloc(b.s, SIZE_MAX / 2, NULL));
    ck_assert_str_ne(simdd_last_error(b.s), "");
    simdd_free(b.s, NULL);
    bed_close(&b);
}
END_TEST

static enum fake_action break_once(void *user, const struct wire_request *h, unsigned index)
{
    (void)user;
    return h->type == WIRE_JOB && index == 1 ? FAKE_BREAK : FAKE_ANSWER;
}

START_TEST(arenas_are_lent_again_after_a_break)
{
    struct bed b;
    bed_open(&b, break_once, NULL);
    float *x = block(&b, N), *z = block(&b, N);
    void *own = simdd_alloc(b.s, 20u << 20, NULL); /* an arena of its own */
    bed_fill(x, N, 1);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(add(&b, x, x, z).in_arena, 1);
    bed_check_sum(x, x, z, N);
    ck_assert_uint_eq(fake_counts(b.fake)->connections, 2);
    ck_assert_uint_eq(fake_counts(b.fake)->arenas_added, 4);
    simdd_free(b.s, own);
    bed_close(&b);
}
END_TEST

static enum fake_action no_arenas(void *user, const struct wire_request *h, unsigned index)
{
    (void)user;
    (void)index;
    return h->type == WIRE_ARENA_ADD ? FAKE_OVERLOADED : FAKE_ANSWER;
}

START_TEST(daemon_without_arenas_gets_the_bytes)
{
    struct bed b;
    bed_open(&b, no_arenas, NULL);
    float *x = block(&b, N), *z = block(&b, N);
    bed_fill(x, N, 1);
    for (int i = 0; i < 3; i++) {
        memset(z, 0, N * sizeof(*z));
        ck_assert_int_eq(add(&b, x, x, z).in_arena, 0);
        bed_check_sum(x, x, z, N);
    }
    ck_assert_uint_eq(fake_counts(b.fake)->arenas_added, 1);
    bed_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_memory");
    TCase *tc = tcase_create("memory");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, freed_block_is_the_next_of_its_size);
    tcase_add_test(tc, blocks_of_all_sizes_do_not_overlap);
    tcase_add_test(tc, absurd_size_is_refused);
    tcase_add_test(tc, freed_memory_above_the_limit_goes_back);
    tcase_add_test(tc, job_in_lent_memory_is_done_in_place);
    tcase_add_test(tc, result_outside_of_lent_memory_comes_back_in_the_answer);
    tcase_add_test(tc, result_over_an_operand_in_lent_memory_is_right);
    tcase_add_test(tc, large_operand_elsewhere_goes_inline);
    tcase_add_test(tc, small_operand_elsewhere_is_copied_to_lent_memory);
    tcase_add_test(tc, arenas_are_lent_again_after_a_break);
    tcase_add_test(tc, daemon_without_arenas_gets_the_bytes);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
