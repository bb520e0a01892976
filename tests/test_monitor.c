/* The monitor: buckets, sums over threads, rates, the process. */
#include "config.h"

#include "monitor.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "protocol/wire.h"
#include "suite.h"

#define SECOND_NS UINT64_C(1000000000)

static struct monitor *monitor;
static struct snapshot snapshot; /* large, so not on the stack */

static void setup(void)
{
    ck_assert_int_eq(monitor_new(&monitor), 0);
}

static void teardown(void)
{
    monitor_free(monitor);
}

static void assert_near(double got, double want, double tolerance)
{
    ck_assert_msg(fabs(got - want) <= tolerance, "%g, not %g", got, want);
}

START_TEST(bucket_bounds_rise_and_are_inclusive_above)
{
    ck_assert_uint_eq(monitor_bucket_upper_ns(0), 64);
    ck_assert_uint_eq(monitor_bucket_upper_ns(MONITOR_BUCKETS - 1), UINT64_MAX);
    for (size_t b = 0; b + 1 < MONITOR_BUCKETS; b++) {
        uint64_t upper = monitor_bucket_upper_ns(b);
        ck_assert_uint_lt(upper, monitor_bucket_upper_ns(b + 1));
        ck_assert_uint_eq(monitor_bucket(upper), b);
        ck_assert_uint_eq(monitor_bucket(upper + 1), b + 1);
        if (b > 0 && b + 2 < MONITOR_BUCKETS)
            ck_assert_uint_le(4 * monitor_bucket_upper_ns(b + 1), 5 * upper);
    }
}
END_TEST

START_TEST(every_duration_has_a_bucket)
{
    const uint64_t extreme[] = {0, 1, 63, UINT64_C(1) << 53, INT64_MAX, UINT64_C(1) << 63,
                                UINT64_MAX - 1, UINT64_MAX};
    for (size_t i = 0; i < sizeof extreme / sizeof extreme[0]; i++) {
        size_t b = monitor_bucket(extreme[i]);
        ck_assert_uint_lt(b, MONITOR_BUCKETS);
        ck_assert_uint_le(extreme[i], monitor_bucket_upper_ns(b));
        ck_assert(b == 0 || extreme[i] > monitor_bucket_upper_ns(b - 1));
    }
    unsigned seed = (unsigned)clock_ns();
    printf("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 100000; i++) {
        uint64_t ns = ((uint64_t)rand() << 33 ^ (uint64_t)rand()) >> (rand() % 64);
        size_t b = monitor_bucket(ns);
        ck_assert_msg(ns <= monitor_bucket_upper_ns(b), "%" PRIu64, ns);
        ck_assert_msg(b == 0 || ns > monitor_bucket_upper_ns(b - 1), "%" PRIu64, ns);
    }
}
END_TEST

START_TEST(snapshot_shows_what_was_counted)
{
    struct monitor_thread *t = monitor_loop(monitor);
    monitor_add(t, MONITOR_read_bytes, 100);
    monitor_add(t, MONITOR_read_bytes, 23);
    monitor_bump(&t->op_jobs[KERN_OP_add_f32], 3);
    monitor_bump(&t->op_run_ns[KERN_OP_add_f32], 50);
    monitor_bump(&t->op_run_ns[KERN_OP_mix_u32], 70);
    monitor_bump(&t->op_work[KERN_OP_mix_u32], 4096);
    monitor_bump(&t->answers[WIRE_BAD_SHAPE], 2);
    monitor_observe(t, MONITOR_STAGE_run, 1000);
    monitor_observe(t, MONITOR_STAGE_run, 3000);
    monitor_snapshot(monitor, &snapshot);
    ck_assert_uint_eq(snapshot.counter[MONITOR_read_bytes], 123);
    ck_assert_uint_eq(snapshot.counter[MONITOR_written_bytes], 0);
    ck_assert_uint_eq(snapshot.op_jobs[KERN_OP_add_f32], 3);
    ck_assert_uint_eq(snapshot.op_work[KERN_OP_mix_u32], 4096);
    ck_assert_uint_eq(snapshot.run_ns, 120);
    ck_assert_uint_eq(snapshot.answers[WIRE_BAD_SHAPE], 2);
    ck_assert_uint_eq(snapshot.stage[MONITOR_STAGE_run].count, 2);
    ck_assert_uint_eq(snapshot.stage[MONITOR_STAGE_run].sum_ns, 4000);
    ck_assert_uint_eq(snapshot.stage[MONITOR_STAGE_run].bucket[monitor_bucket(1000)], 1);
    ck_assert_uint_eq(snapshot.stage[MONITOR_STAGE_write].count, 0);
}
END_TEST

START_TEST(accepted_jobs_are_done_failed_cancelled_or_in_flight)
{
    struct monitor_thread *t = monitor_loop(monitor);
    monitor_add(t, MONITOR_jobs_accepted, 100);
    monitor_add(t, MONITOR_jobs_done, 50);
    monitor_add(t, MONITOR_jobs_failed, 20);
    monitor_add(t, MONITOR_jobs_cancelled, 5);
    monitor_add(t, MONITOR_jobs_refused, 999); /* never accepted */
    monitor_snapshot(monitor, &snapshot);
    ck_assert_uint_eq(snapshot.jobs_in_flight, 25);
}
END_TEST

START_TEST(a_snapshot_without_sources_is_whole)
{
    monitor_snapshot(monitor, &snapshot);
    ck_assert_str_eq(snapshot.isa, "");
    ck_assert_str_eq(snapshot.version, "");
    ck_assert_uint_eq(snapshot.client_count, 0);
    ck_assert_uint_eq(snapshot.pool.max_bytes, 0);
}
END_TEST

START_TEST(a_snapshot_tells_whether_jobs_are_taken)
{
    monitor_snapshot(monitor, &snapshot);
    ck_assert(!snapshot.is_ready);
    monitor_set_ready(monitor, true);
    monitor_snapshot(monitor, &snapshot);
    ck_assert(snapshot.is_ready);
    monitor_set_ready(monitor, false);
    monitor_snapshot(monitor, &snapshot);
    ck_assert(!snapshot.is_ready);
}
END_TEST

enum { COUNTS = 100000, THREADS = 4 };

static void *count(void *arg)
{
    struct monitor_thread *t = arg;
    for (uint64_t i = 0; i < COUNTS; i++) {
        monitor_add(t, MONITOR_jobs_done, 1);
        monitor_observe(t, MONITOR_STAGE_total, i);
    }
    return NULL;
}

START_TEST(threads_are_added_up_while_they_count)
{
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        struct monitor_thread *t = monitor_thread_add(monitor);
        ck_assert_ptr_nonnull(t);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, count, t), 0);
    }
    uint64_t before = 0;
    for (int i = 0; i < 100; i++) { /* the reader may lag, but never goes back */
        monitor_snapshot(monitor, &snapshot);
        ck_assert_uint_ge(snapshot.counter[MONITOR_jobs_done], before);
        before = snapshot.counter[MONITOR_jobs_done];
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    monitor_snapshot(monitor, &snapshot);
    ck_assert_uint_eq(snapshot.counter[MONITOR_jobs_done], (uint64_t)THREADS * COUNTS);
    ck_assert_uint_eq(snapshot.stage[MONITOR_STAGE_total].count, (uint64_t)THREADS * COUNTS);
    ck_assert_uint_eq(snapshot.stage[MONITOR_STAGE_total].sum_ns,
                      THREADS * (UINT64_C(1) * COUNTS * (COUNTS - 1) / 2));
}
END_TEST

/* The monitor's clock starts in monitor_new(), a little before this. */
static uint64_t start_ns(void)
{
    uint64_t now_ns = clock_ns();
    monitor_snapshot_at(monitor, &snapshot, now_ns);
    return now_ns - (uint64_t)(snapshot.uptime_seconds * 1e9);
}

START_TEST(a_young_process_divides_by_its_age)
{
    uint64_t begin_ns = start_ns();
    monitor_add(monitor_loop(monitor), MONITOR_jobs_done, 100);
    monitor_snapshot_at(monitor, &snapshot, begin_ns + SECOND_NS / 2);
    assert_near(snapshot.uptime_seconds, 0.5, 1e-6);
    assert_near(snapshot.rate, 200, 0.1);
    assert_near(snapshot.rate_1s, 200, 0.1);
    assert_near(snapshot.rate_60s, 200, 0.1);
}
END_TEST

START_TEST(no_time_and_no_jobs_give_no_rate)
{
    monitor_snapshot_at(monitor, &snapshot, 0);
    assert_near(snapshot.rate, 0, 0);
    assert_near(snapshot.rate_1s, 0, 0);
    monitor_snapshot_at(monitor, &snapshot, start_ns() + 100 * SECOND_NS);
    assert_near(snapshot.rate, 0, 0);
    assert_near(snapshot.rate_60s, 0, 0);
}
END_TEST

START_TEST(windows_forget)
{
    /* 10 jobs a second for 100 s, then 1000 a second for 5 s, then silence. */
    uint64_t begin_ns = start_ns(), now_ns = begin_ns;
    for (int i = 0; i < 105; i++) {
        monitor_add(monitor_loop(monitor), MONITOR_jobs_done, i < 100 ? 10 : 1000);
        now_ns += SECOND_NS;
        monitor_tick(monitor, now_ns);
    }
    monitor_snapshot_at(monitor, &snapshot, now_ns);
    assert_near(snapshot.rate_1s, 1000, 1);
    assert_near(snapshot.rate_10s, (5 * 10 + 5 * 1000) / 10., 1);
    assert_near(snapshot.rate_60s, (55 * 10 + 5 * 1000) / 60., 1);
    assert_near(snapshot.rate, 6000 / 105., 0.1);

    for (int i = 0; i < 20; i++)
        monitor_tick(monitor, now_ns += SECOND_NS);
    monitor_snapshot_at(monitor, &snapshot, now_ns);
    assert_near(snapshot.rate_1s, 0, 0.01);
    assert_near(snapshot.rate_10s, 0, 0.01);
    assert_near(snapshot.rate_60s, (35 * 10 + 5 * 1000) / 60., 1);
}
END_TEST

START_TEST(a_window_that_begins_between_samples_is_interpolated)
{
    uint64_t begin_ns = start_ns();
    monitor_tick(monitor, begin_ns + SECOND_NS);
    monitor_add(monitor_loop(monitor), MONITOR_jobs_done, 100);
    monitor_tick(monitor, begin_ns + 2 * SECOND_NS);
    /* Half of the window lies in the second with the jobs. */
    monitor_snapshot_at(monitor, &snapshot, begin_ns + 5 * SECOND_NS / 2);
    assert_near(snapshot.rate_1s, 50, 0.1);
    assert_near(snapshot.rate_10s, 40, 0.1);
}
END_TEST

START_TEST(late_lost_and_early_ticks_do_not_bend_the_rate)
{
    uint64_t begin_ns = start_ns(), now_ns = begin_ns;
    for (int i = 0; i < 2000; i++) { /* 100 jobs a second; ticks at odd times */
        uint64_t step_ns = SECOND_NS / 10 * (uint64_t)(1 + i % 7);
        now_ns += step_ns;
        monitor_add(monitor_loop(monitor), MONITOR_jobs_done, 10 * (uint64_t)(1 + i % 7));
        if (i % 5 != 0)
            monitor_tick(monitor, now_ns);
    }
    monitor_snapshot_at(monitor, &snapshot, now_ns);
    assert_near(snapshot.rate_1s, 100, 1);
    assert_near(snapshot.rate_10s, 100, 1);
    assert_near(snapshot.rate_60s, 100, 1);
}
END_TEST

START_TEST(quantiles_lie_in_their_buckets)
{
    struct monitor_thread *t = monitor_loop(monitor);
    for (uint64_t ns = 1; ns <= 100000; ns++)
        monitor_observe(t, MONITOR_STAGE_run, ns);
    monitor_snapshot(monitor, &snapshot);
    const struct snapshot_stage *run = &snapshot.stage[MONITOR_STAGE_run];
    const double qs[] = {0.01, 0.5, 0.9, 0.99, 0.999, 1.0};
    for (size_t i = 0; i < sizeof qs / sizeof qs[0]; i++) /* evenly spread: nearly exact */
        assert_near(snapshot_quantile_ns(run, qs[i]), qs[i] * 100000, 0.15 * qs[i] * 100000);
    assert_near(snapshot_quantile_ns(&snapshot.stage[MONITOR_STAGE_write], 0.5), 0, 0);
}
END_TEST

START_TEST(the_last_buckets_quantile_is_its_lower_bound)
{
    monitor_observe(monitor_loop(monitor), MONITOR_STAGE_run, UINT64_MAX);
    monitor_snapshot(monitor, &snapshot);
    assert_near(snapshot_quantile_ns(&snapshot.stage[MONITOR_STAGE_run], 0.5),
                (double)monitor_bucket_upper_ns(MONITOR_BUCKETS - 2), 0);
}
END_TEST

START_TEST(the_process_is_seen)
{
    monitor_snapshot(monitor, &snapshot);
    const struct snapshot_process before = snapshot.process;
    ck_assert_uint_gt(before.resident_bytes, 100000);
    ck_assert_uint_ge(before.virtual_bytes, before.resident_bytes);
    ck_assert_uint_gt(before.cpu_ns, 0);
    ck_assert_uint_ge(before.open_fds, 3);
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_uint_eq(before.max_fds, limit.rlim_cur);

    int fds[5];
    for (int i = 0; i < 5; i++)
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    monitor_snapshot(monitor, &snapshot);
    ck_assert_uint_eq(snapshot.process.open_fds, before.open_fds + 5);
    for (int i = 0; i < 5; i++)
        close(fds[i]);
}
END_TEST

START_TEST(the_start_time_is_a_past_time_and_stays)
{
    monitor_snapshot(monitor, &snapshot);
    double start = snapshot.process.start_time_seconds;
    ck_assert(start <= (double)time(NULL) + 1);
    ck_assert(start > (double)time(NULL) - 3600); /* this test is no hour old */
    monitor_snapshot(monitor, &snapshot);
    assert_near(snapshot.process.start_time_seconds, start, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("monitor");
    TCase *tc = tcase_create("monitor");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, bucket_bounds_rise_and_are_inclusive_above);
    tcase_add_test(tc, every_duration_has_a_bucket);
    tcase_add_test(tc, snapshot_shows_what_was_counted);
    tcase_add_test(tc, accepted_jobs_are_done_failed_cancelled_or_in_flight);
    tcase_add_test(tc, a_snapshot_without_sources_is_whole);
    tcase_add_test(tc, a_snapshot_tells_whether_jobs_are_taken);
    tcase_add_test(tc, threads_are_added_up_while_they_count);
    tcase_add_test(tc, a_young_process_divides_by_its_age);
    tcase_add_test(tc, no_time_and_no_jobs_give_no_rate);
    tcase_add_test(tc, windows_forget);
    tcase_add_test(tc, a_window_that_begins_between_samples_is_interpolated);
    tcase_add_test(tc, late_lost_and_early_ticks_do_not_bend_the_rate);
    tcase_add_test(tc, quantiles_lie_in_their_buckets);
    tcase_add_test(tc, the_last_buckets_quantile_is_its_lower_bound);
    tcase_add_test(tc, the_process_is_seen);
    tcase_add_test(tc, the_start_time_is_a_past_time_and_stays);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
