/* The pipeline with real rooms and no socket: every job ends once, with the right bits. */
#include "config.h"

#include "pipeline_priv.h"

#include <string.h>
#include <unistd.h>

#include <uv.h>

#include "clock.h"
#include "suite.h"

static uv_loop_t loop;
static uv_prepare_t prepare;
static uv_check_t check;
static struct pool *pool;
static struct pool_local *local;
static struct admission *admission;
static struct client *client;
static struct cache *cache;
static struct batcher *batcher;
static struct monitor *monitor;
static struct backend native;
static struct pipeline *pipeline;
static _Atomic bool gone;

/* What the last finished job looked like. */
static struct {
    unsigned count;
    unsigned by_status[MONITOR_STATUS_MAX];
    bool cached;
    uint8_t result[1 << 17];
    size_t result_bytes;
} ended;

static void before_block(uv_prepare_t *handle)
{
    (void)handle;
    do
        pipeline_flush(pipeline);
    while (!pipeline_may_sleep(pipeline));
    if (pipeline_in_flight(pipeline) == 0)
        uv_stop(&loop); /* nothing would end the wait */
}

static void after_block(uv_check_t *handle)
{
    (void)handle;
    pipeline_awake(pipeline);
    pipeline_flush(pipeline);
}

static void start(unsigned workers, struct pipeline_limits limits)
{
    const struct admission_limits admission_limits = {1000000, 1u << 30, 0, 0, 10};
    const struct batch_limits batch_limits = {64, 1u << 20, 200000};
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(pool_new(&pool, (size_t)1 << 30, 1 << 20), 0);
    ck_assert_int_eq(pool_local_new(&local, pool), 0);
    ck_assert_int_eq(admission_new(&admission, &admission_limits), 0);
    client = admission_connect(admission, 1000);
    ck_assert_int_eq(cache_new(&cache, 1 << 24, local), 0);
    ck_assert_int_eq(batcher_new(&batcher, &batch_limits, local), 0);
    ck_assert_int_eq(monitor_new(&monitor), 0);
    backend_native_init(&native, KERN_ISA_COUNT);
    struct pipeline_rooms rooms = {
        .loop = &loop,
        .pool = pool,
        .local = local,
        .admission = admission,
        .cache = cache,
        .batcher = batcher,
        .native = &native,
        .monitor = monitor,
    };
    const struct pipeline_crew crew = {.worker_count = workers, .spin_ns = 1000};
    ck_assert_int_eq(pipeline_new(&pipeline, &rooms, &limits, &crew), 0);
    uv_prepare_init(&loop, &prepare);
    uv_check_init(&loop, &check);
    uv_prepare_start(&prepare, before_block);
    uv_check_start(&check, after_block);
    memset(&ended, 0, sizeof(ended));
    atomic_store_explicit(&gone, false, memory_order_relaxed);
}

static void stop(void)
{
    uv_close((uv_handle_t *)&prepare, NULL);
    uv_close((uv_handle_t *)&check, NULL);
    pipeline_free(pipeline);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    batcher_free(batcher);
    cache_free(cache);
    admission_free(admission);
    monitor_free(monitor);
    pool_local_free(local);
    pool_free(pool);
}

static const struct pipeline_limits all_inline = {UINT64_MAX, UINT64_MAX};
static const struct pipeline_limits all_to_workers = {0, UINT64_MAX};
static const struct pipeline_limits all_split = {0, 0};

static void job_ended(struct job *job)
{
    ended.count++;
    ended.by_status[job->status]++;
    ended.cached = job->cached;
    ended.result_bytes = job->out_bytes;
    if (job->status == WIRE_OK && job->out_bytes <= sizeof(ended.result))
        memcpy(ended.result, job->out_buf->data, job->out_bytes);
    job_free(local, job);
}

/* A job on `payload` (inline operands as the wire has them). */
static struct job *make(const struct wire_request *h, const void *payload)
{
    struct shape shape;
    const char *field;
    ck_assert_int_eq(shape_check(&shape, h, SIZE_MAX, &field), WIRE_OK);
    struct buf *buf = buf_new(local, shape.inline_bytes);
    memcpy(buf->data, payload, shape.inline_bytes);
    struct job *job = job_new(local);
    job_set_shape(job, &shape, h);
    job_set_inline(job, buf, buf->data);
    buf_put(local, buf);
    job->done = job_ended;
    job->gone = &gone;
    job->client = client;
    job->arrived_ns = clock_ns();
    return job;
}

static void submit(struct job *job)
{
    ck_assert_int_eq(pipeline_admit(pipeline, job), WIRE_OK);
    pipeline_submit(pipeline, job);
}

/* Runs the loop until nothing is in flight. */
static void finish(void)
{
    uv_timer_t patience;
    uv_timer_init(&loop, &patience);
    uv_timer_start(&patience, (uv_timer_cb)abort, 60000, 0);
    while (pipeline_in_flight(pipeline) > 0)
        uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&patience, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
}

static const struct wire_request add4 = {.op = KERN_OP_add_f32, .arg = {4}};
static const float add4_in[8] = {1, 2, 3, 4, 10, 20, 30, 40};
static const float add4_out[4] = {11, 22, 33, 44};

static void expect_add4(void)
{
    ck_assert_uint_eq(ended.result_bytes, sizeof(add4_out));
    ck_assert_mem_eq(ended.result, add4_out, sizeof(add4_out));
}

START_TEST(a_small_batch_runs_on_the_loop)
{
    start(2, all_inline);
    for (int i = 0; i < 10; i++)
        submit(make(&add4, add4_in));
    pipeline_flush(pipeline);
    ck_assert_uint_eq(ended.count, 10); /* without the loop having run */
    ck_assert_uint_eq(pipeline_inline_total(pipeline), 1);
    expect_add4();
    stop();
}
END_TEST

START_TEST(a_batch_over_the_limit_runs_on_a_worker)
{
    start(2, all_to_workers);
    for (int i = 0; i < 1000; i++)
        submit(make(&add4, add4_in));
    finish();
    ck_assert_uint_eq(ended.by_status[WIRE_OK], 1000);
    ck_assert_uint_eq(pipeline_inline_total(pipeline), 0);
    expect_add4();
    stop();
}
END_TEST

/* Small; and with several blocks of k and of rows, so that workers come back to the rows that they
 * have packed, of the same block and of another. */
static const struct {
    uint32_t m, n, k;
} split_shapes[] = {{130, 130, 130}, {100, 90, 3100}};

START_TEST(a_split_job_gives_the_same_bits)
{
    enum { TIMES = 20, IN_MAX = 190 * 3100, OUT_MAX = 130 * 130 };
    static float in[IN_MAX], want[OUT_MAX];
    const uint32_t m = split_shapes[_i].m, n = split_shapes[_i].n, k = split_shapes[_i].k;
    const struct wire_request h = {.op = KERN_OP_matmul_f32,
                                   .arg = {m, n, k, 0, 0, 0, 0x3f800000, 0}};
    for (size_t i = 0; i < IN_MAX; i++)
        in[i] = (float)((i * 2654435761u) % 1000) / 333.0f;
    struct kern_args args = {.in = {in, in + (size_t)m * k}, .out = want};
    args.u.matmul = (struct kern_matmul){
        .m = m, .n = n, .k = k, .lda = k, .ldb = n, .ldc = n, .alpha = {.f32 = 1}};
    start(3, all_split);
    /* The reference needs no memory of its own. */
    kern_run(kern_table_ref(native.table->fused), KERN_OP_matmul_f32, &args, NULL, NULL);
    for (unsigned i = 1; i <= TIMES; i++) {
        struct job *job = make(&h, in);
        job->cache_mode = WIRE_CACHE_NEVER;
        submit(job);
        finish();
        ck_assert_uint_eq(ended.by_status[WIRE_OK], i);
        ck_assert_uint_eq(ended.result_bytes, (size_t)m * n * sizeof(*want));
        ck_assert_mem_eq(ended.result, want, ended.result_bytes);
    }
    stop();
}
END_TEST

START_TEST(a_range_is_as_long_as_asked_in_whole_steps)
{
    const struct kern_plan plan = {.phase_count = 2, .range_units = 8};
    const struct job job = {.estimate_ns = 20000000}; /* 10 ms a phase */
    ck_assert_uint_eq(pipeline_range_grain(&job, &plan, 1000, 100000), 8); /* of 10 units */
    ck_assert_uint_eq(pipeline_range_grain(&job, &plan, 1000, 200000), 16);
    ck_assert_uint_eq(pipeline_range_grain(&job, &plan, 100, 100000), 8); /* a unit takes as long */
    ck_assert_uint_eq(pipeline_range_grain(&job, &plan, 1000, 100000000), 1000);
    const struct job small = {.estimate_ns = 200000};
    ck_assert_uint_eq(pipeline_range_grain(&small, &plan, 5, 100000), 5);
    const struct job slow = {.estimate_ns = 20000000000}; /* 10 s a phase */
    ck_assert_uint_eq(pipeline_range_grain(&slow, &plan, 5000, 100000), 4); /* 8 take 16 ms */
    ck_assert_uint_eq(pipeline_range_grain(&slow, &plan, 500, 100000), 1);
}
END_TEST

START_TEST(a_repeated_job_is_answered_from_the_cache)
{
    start(2, all_inline);
    for (int i = 0; i < 3; i++) {
        struct job *job = make(&add4, add4_in);
        job->cache_mode = WIRE_CACHE_ALWAYS;
        submit(job);
        finish();
        ck_assert_int_eq(ended.cached, i > 0);
        expect_add4();
    }
    struct cache_stats s;
    cache_stats(cache, &s);
    ck_assert_uint_eq(s.hits_total, 2);
    ck_assert_uint_eq(s.misses_total, 1);
    stop();
}
END_TEST

START_TEST(the_cache_never_crosses_users)
{
    start(1, all_inline);
    for (uid_t uid = 1000; uid < 1003; uid++) {
        struct job *job = make(&add4, add4_in);
        job->client = admission_connect(admission, uid);
        job->cache_mode = WIRE_CACHE_ALWAYS;
        submit(job);
        finish();
        ck_assert(!ended.cached);
    }
    stop();
}
END_TEST

START_TEST(a_parameter_that_differs_is_another_result)
{
    start(1, all_inline);
    struct wire_request h = {.op = KERN_OP_matmul_f32,
                             .arg = {2, 2, 2, 0, 0, 0, 0x3f800000, 0},
                             .flags = WIRE_CACHE_ALWAYS << WIRE_F_CACHE_SHIFT};
    submit(make(&h, add4_in));
    finish();
    h.flags |= WIRE_F_TRANS_A;
    submit(make(&h, add4_in));
    finish();
    ck_assert(!ended.cached);
    h.arg[6] = 0x40000000;
    submit(make(&h, add4_in));
    finish();
    ck_assert(!ended.cached);
    submit(make(&h, add4_in));
    finish();
    ck_assert(ended.cached);
    stop();
}
END_TEST

START_TEST(cache_never_means_a_bypass)
{
    start(1, all_inline);
    for (int i = 0; i < 2; i++) {
        struct job *job = make(&add4, add4_in);
        job->cache_mode = WIRE_CACHE_NEVER;
        submit(job);
        finish();
        ck_assert(!ended.cached);
    }
    struct cache_stats s;
    cache_stats(cache, &s);
    ck_assert_uint_eq(s.bypasses_total, 2);
    ck_assert_uint_eq(s.hits_total + s.misses_total + s.bypasses_total, s.lookups_total);
    stop();
}
END_TEST

START_TEST(a_failing_job_fails_alone)
{
    start(1, all_inline);
    for (int i = 0; i < 10; i++) {
        struct job *job = make(&add4, add4_in);
        if (i == 5)
            job->deadline_ns = 1; /* long gone */
        submit(job);
    }
    finish();
    ck_assert_uint_eq(ended.by_status[WIRE_OK], 9);
    ck_assert_uint_eq(ended.by_status[WIRE_DEADLINE_EXCEEDED], 1);
    stop();
}
END_TEST

START_TEST(jobs_of_a_client_that_left_are_cancelled)
{
    start(2, all_to_workers);
    atomic_store_explicit(&gone, true, memory_order_relaxed);
    for (int i = 0; i < 100; i++)
        submit(make(&add4, add4_in));
    finish();
    ck_assert_uint_eq(ended.by_status[WIRE_CANCELLED], 100);
    stop();
}
END_TEST

START_TEST(a_draining_pipeline_refuses_new_jobs_and_ends_old_ones)
{
    start(2, all_to_workers);
    for (int i = 0; i < 100; i++)
        submit(make(&add4, add4_in));
    pipeline_drain(pipeline);
    struct job *late = make(&add4, add4_in);
    ck_assert_int_eq(pipeline_admit(pipeline, late), WIRE_SHUTTING_DOWN);
    job_free(local, late);
    finish();
    ck_assert_uint_eq(ended.by_status[WIRE_OK], 100);
    stop();
}
END_TEST

START_TEST(a_backend_that_is_not_there_is_said_so)
{
    start(1, all_inline);
    struct job *job = make(&add4, add4_in);
    job->backend = WIRE_BACKEND_WASM;
    ck_assert_int_eq(pipeline_route(pipeline, job), WIRE_NO_BACKEND);
    job_free(local, job);
    stop();
}
END_TEST

START_TEST(without_memory_a_job_is_refused_and_the_next_one_served)
{
    start(1, all_inline);
    pool_set_limits(pool, 1, 0);
    struct wire_request big = {.op = KERN_OP_mix_u32, .arg = {1 << 20}};
    struct shape shape;
    const char *field;
    ck_assert_int_eq(shape_check(&shape, &big, SIZE_MAX, &field), WIRE_OK);
    pool_set_limits(pool, (size_t)1 << 30, 0);
    struct job *job = job_new(local);
    job_set_shape(job, &shape, &big);
    job->client = client;
    job->done = job_ended;
    job->gone = &gone;
    pool_set_limits(pool, 4096, 0);
    ck_assert_int_eq(pipeline_admit(pipeline, job), WIRE_OVERLOADED);
    ck_assert_uint_gt(job->retry_after_us, 0);
    job_free(local, job);
    pool_set_limits(pool, (size_t)1 << 30, 0);
    submit(make(&add4, add4_in));
    finish();
    expect_add4();
    stop();
}
END_TEST

START_TEST(the_books_balance)
{
    start(2, all_to_workers);
    for (int i = 0; i < 300; i++) {
        struct job *job = make(&add4, add4_in);
        if (i % 3 == 0)
            job->deadline_ns = 1;
        submit(job);
    }
    finish();
    struct monitor_thread *t = monitor_loop(monitor);
    ck_assert_uint_eq(t->counter[MONITOR_jobs_accepted], 300);
    ck_assert_uint_eq(t->counter[MONITOR_jobs_done], 200);
    ck_assert_uint_eq(t->counter[MONITOR_jobs_failed], 100);
    ck_assert_uint_eq(t->op_jobs[KERN_OP_add_f32], 200);
    ck_assert_uint_eq(pipeline_in_flight(pipeline), 0);
    stop();
}
END_TEST

int main(void)
{
    Suite *s = suite_create("pipeline");
    TCase *t = tcase_create("pipeline");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, a_small_batch_runs_on_the_loop);
    tcase_add_test(t, a_batch_over_the_limit_runs_on_a_worker);
    tcase_add_loop_test(t, a_split_job_gives_the_same_bits, 0,
                        sizeof(split_shapes) / sizeof(split_shapes[0]));
    tcase_add_test(t, a_range_is_as_long_as_asked_in_whole_steps);
    tcase_add_test(t, a_repeated_job_is_answered_from_the_cache);
    tcase_add_test(t, the_cache_never_crosses_users);
    tcase_add_test(t, a_parameter_that_differs_is_another_result);
    tcase_add_test(t, cache_never_means_a_bypass);
    tcase_add_test(t, a_failing_job_fails_alone);
    tcase_add_test(t, jobs_of_a_client_that_left_are_cancelled);
    tcase_add_test(t, a_draining_pipeline_refuses_new_jobs_and_ends_old_ones);
    tcase_add_test(t, a_backend_that_is_not_there_is_said_so);
    tcase_add_test(t, without_memory_a_job_is_refused_and_the_next_one_served);
    tcase_add_test(t, the_books_balance);
    suite_add_tcase(s, t);
    return suite_run(s);
}
