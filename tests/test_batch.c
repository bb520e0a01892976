/* The batch processor: what travels together, and when it leaves. */
#include "config.h"

#include "batch.h"

#include "suite.h"

static struct pool *pool;
static struct pool_local *local;
static struct batcher *batcher;
static struct job jobs[64];

static void setup(void)
{
    const struct batch_limits limits = {.max_jobs = 4, .max_bytes = 1000, .max_delay_ns = 500};
    ck_assert_int_eq(pool_new(&pool, 1 << 24, 0), 0);
    ck_assert_int_eq(pool_local_new(&local, pool), 0);
    ck_assert_int_eq(batcher_new(&batcher, &limits, local), 0);
    for (size_t i = 0; i < 64; i++)
        jobs[i] = (struct job){.op = KERN_OP_add_f32, .total_bytes = 10, .estimate_ns = 7,
                               .arrived_ns = 100 + i};
}

static void teardown(void)
{
    for (struct batch *b; (b = batch_oldest(batcher)) != NULL;) {
        batch_close(batcher, b, BATCH_IDLE);
        batch_free(batcher, b);
    }
    batcher_free(batcher);
    pool_local_free(local);
    pool_free(pool);
}

static struct batch *add(struct job *job)
{
    struct batch *full;
    ck_assert_int_eq(batch_add(batcher, job, &full), 0);
    return full;
}

START_TEST(a_batch_leaves_when_full_by_count)
{
    for (int i = 0; i < 3; i++)
        ck_assert_ptr_null(add(&jobs[i]));
    struct batch *full = add(&jobs[3]);
    ck_assert_ptr_nonnull(full);
    ck_assert_uint_eq(full->count, 4);
    ck_assert_uint_eq(full->bytes, 40);
    ck_assert_uint_eq(full->estimate_ns, 28);
    ck_assert_uint_eq(full->oldest_ns, 100);
    struct job *at = full->first;
    for (int i = 0; i < 4; i++, at = at->next)
        ck_assert_ptr_eq(at, &jobs[i]);
    ck_assert_ptr_null(at);
    ck_assert_ptr_null(batch_oldest(batcher));
    batch_free(batcher, full);
}
END_TEST

START_TEST(a_batch_leaves_when_full_by_bytes)
{
    jobs[1].total_bytes = 990;
    ck_assert_ptr_null(add(&jobs[0]));
    struct batch *full = add(&jobs[1]);
    ck_assert_ptr_nonnull(full);
    ck_assert_uint_eq(full->count, 2);
    batch_free(batcher, full);
}
END_TEST

START_TEST(jobs_of_another_op_client_backend_or_priority_travel_apart)
{
    jobs[1].op = KERN_OP_mul_f32;
    jobs[2].client = (struct client *)&jobs[60];
    jobs[3].backend = WIRE_BACKEND_WASM;
    jobs[4].priority = WIRE_PRIORITY_HIGH;
    for (int i = 0; i < 6; i++)
        ck_assert_ptr_null(add(&jobs[i]));
    size_t open = 0;
    for (const struct batch *b = batch_oldest(batcher); b != NULL; b = b->next, open++)
        ck_assert_uint_eq(b->count, open == 0 ? 2 : 1); /* jobs 0 and 5 are of one kind */
    ck_assert_uint_eq(open, 5);
}
END_TEST

START_TEST(open_batches_stand_by_age_and_any_can_be_closed)
{
    for (int i = 0; i < 3; i++) {
        jobs[i].op = (uint8_t)(KERN_OP_add_f32 + i);
        ck_assert_ptr_null(add(&jobs[i]));
    }
    ck_assert_uint_eq(batch_deadline_ns(batcher), 600);
    struct batch *middle = batch_oldest(batcher)->next;
    batch_close(batcher, middle, BATCH_AGE);
    ck_assert_ptr_eq(middle->first, &jobs[1]);
    batch_free(batcher, middle);
    ck_assert_ptr_eq(batch_oldest(batcher)->first, &jobs[0]);
    ck_assert_ptr_eq(batch_oldest(batcher)->next->first, &jobs[2]);
    ck_assert_ptr_null(batch_oldest(batcher)->next->next);
}
END_TEST

START_TEST(nothing_open_has_no_deadline)
{
    ck_assert_uint_eq(batch_deadline_ns(batcher), UINT64_MAX);
}
END_TEST

START_TEST(statistics_tell_why_batches_left)
{
    struct batch_stats s;
    for (int i = 0; i < 4; i++)
        if (i < 3)
            ck_assert_ptr_null(add(&jobs[i]));
        else
            batch_free(batcher, add(&jobs[i]));
    ck_assert_ptr_null(add(&jobs[4]));
    batch_stats(batcher, &s);
    ck_assert_uint_eq(s.open_jobs, 1);
    struct batch *b = batch_oldest(batcher);
    batch_close(batcher, b, BATCH_IDLE);
    batch_free(batcher, b);
    b = batch_of_one(batcher, &jobs[5], BATCH_RUN);
    batch_free(batcher, b);
    b = batch_of_one(batcher, &jobs[5], BATCH_DIGEST);
    batch_free(batcher, b);
    batch_stats(batcher, &s);
    ck_assert_uint_eq(s.open_jobs, 0);
    ck_assert_uint_eq(s.jobs_total, 6);
    ck_assert_uint_eq(s.bytes_total, 60);
    ck_assert_uint_eq(s.batches_total, 3);
    ck_assert_uint_eq(s.closed_total[BATCH_FULL_JOBS], 1);
    ck_assert_uint_eq(s.closed_total[BATCH_IDLE], 1);
    ck_assert_uint_eq(s.closed_total[BATCH_LARGE], 1);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("batch");
    TCase *t = tcase_create("batch");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, a_batch_leaves_when_full_by_count);
    tcase_add_test(t, a_batch_leaves_when_full_by_bytes);
    tcase_add_test(t, jobs_of_another_op_client_backend_or_priority_travel_apart);
    tcase_add_test(t, open_batches_stand_by_age_and_any_can_be_closed);
    tcase_add_test(t, nothing_open_has_no_deadline);
    tcase_add_test(t, statistics_tell_why_batches_left);
    suite_add_tcase(s, t);
    return suite_run(s);
}
