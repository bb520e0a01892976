/* The printed forms: grammar, names, units, and that all three say the same. */
#include "config.h"

#include "metrics.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "exposition.h"
#include "suite.h"

static struct snapshot snapshot; /* these are large, so not on the stack */
static struct exposition prometheus, openmetrics;
static json_t *json;

/* A snapshot in which no two numbers are alike. */
static void fill(size_t clients)
{
    struct snapshot *s = &snapshot;
    uint64_t n = 1000;
    memset(s, 0, sizeof *s);
    for (size_t i = 0; i < MONITOR_COUNTER_COUNT; i++)
        s->counter[i] = n++;
    for (size_t i = 1; i < KERN_OP_END; i++) {
        s->op_jobs[i] = n++;
        s->op_run_ns[i] = n++ * 1000001;
        s->op_work[i] = n++;
        s->run_ns += s->op_run_ns[i];
    }
    for (size_t i = 0; i < MONITOR_STATUS_MAX; i++)
        s->answers[i] = n++;
    for (size_t i = 0; i < MONITOR_STAGE_COUNT; i++)
        for (size_t b = 0; b < MONITOR_BUCKETS; b++) {
            s->stage[i].bucket[b] = i + b % 3;
            s->stage[i].count += s->stage[i].bucket[b];
            s->stage[i].sum_ns += s->stage[i].bucket[b] * 1000003;
        }
    s->uptime_seconds = 12.5;
    s->is_ready = true;
    s->rate = 1.25;
    s->rate_1s = 2.25;
    s->rate_10s = 3.25;
    s->rate_60s = 4.25;
    s->jobs_in_flight = n++;
    s->process.resident_bytes = n++;
    s->process.virtual_bytes = n++;
    s->process.open_fds = n++;
    s->process.max_fds = n++;
    s->process.cpu_ns = 1500000000;
    s->process.start_time_seconds = 1.7e9;
    s->cache = (struct cache_stats){.hits_total = 30, .misses_total = 10, .bypasses_total = 2,
                                    .lookups_total = 42, .hit_ratio = 0.75};
    s->pool = (struct pool_stats){.new_total = 1, .reused_total = 9, .reuse_ratio = 0.9};
    s->batch.jobs_total = 300;
    s->batch.batches_total = 100;
    s->scheduler.worker_count = 2;
    s->scheduler.busy_ns = UINT64_C(1234567890123);
    s->client_count = clients;
    s->client_rows = clients < MONITOR_CLIENT_ROWS ? clients : MONITOR_CLIENT_ROWS;
    for (size_t i = 0; i < s->client_rows; i++)
        s->clients[i] = (struct client_stats){.uid = 1000 + (uid_t)i, .jobs_total = n++};
    s->other_clients.jobs_total = 77;
    s->isa = "avx2";
    s->version = "1.2.3";
}

static void print_all(void)
{
    size_t bytes;
    char *text = metrics_print(&snapshot, WIRE_METRICS_PROMETHEUS, &bytes);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(bytes, strlen(text));
    exposition_read(&prometheus, text, false);
    free(text);

    text = metrics_print(&snapshot, WIRE_METRICS_OPENMETRICS, &bytes);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(bytes, strlen(text));
    exposition_read(&openmetrics, text, true);
    free(text);

    json_error_t error;
    text = metrics_print(&snapshot, WIRE_METRICS_JSON, &bytes);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(bytes, strlen(text));
    json_decref(json);
    json = json_loadb(text, bytes, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(json != NULL, "%s", error.text);
    free(text);
}

static void setup(void)
{
    fill(3);
    print_all();
}

static void teardown(void)
{
    json_decref(json);
    json = NULL;
}

/* A member by its path; fails the test if it is missing. */
static const json_t *at(const char *path)
{
    const json_t *object = json;
    for (const char *p = path; *p != '\0';) {
        char name[64];
        size_t n = strcspn(p, ".");
        ck_assert_uint_lt(n, sizeof name);
        memcpy(name, p, n);
        name[n] = '\0';
        object = json_object_get(object, name);
        ck_assert_msg(object != NULL, "no %s", path);
        p += n + (p[n] == '.');
    }
    return object;
}

static void assert_value(const char *series, double want)
{
    double p = exposition_value(&prometheus, series), o = exposition_value(&openmetrics, series);
    ck_assert_msg(fabs(p - want) <= 1e-12 * fabs(want), "%s is %.17g, not %.17g", series, p, want);
    ck_assert_msg(fabs(o - want) <= 1e-12 * fabs(want), "%s is %.17g, not %.17g", series, o, want);
}

START_TEST(text_follows_the_grammar)
{
    ck_assert_msg(prometheus.error[0] == '\0', "%s", prometheus.error);
    ck_assert_msg(openmetrics.error[0] == '\0', "%s", openmetrics.error);
    ck_assert_uint_gt(prometheus.series_count, 200);
    ck_assert_uint_eq(prometheus.series_count, openmetrics.series_count);
}
END_TEST

START_TEST(text_follows_the_grammar_with_any_number_of_clients)
{
    const size_t counts[] = {0, 1, MONITOR_CLIENT_ROWS, MONITOR_CLIENT_ROWS + 1, 100000};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        fill(counts[i]);
        print_all();
        ck_assert_msg(prometheus.error[0] == '\0', "%s", prometheus.error);
        ck_assert_msg(openmetrics.error[0] == '\0', "%s", openmetrics.error);
        assert_value("simdd_clients", (double)counts[i]);
    }
}
END_TEST

START_TEST(an_empty_snapshot_prints)
{
    memset(&snapshot, 0, sizeof snapshot);
    snapshot.isa = snapshot.version = "";
    print_all();
    ck_assert_msg(prometheus.error[0] == '\0', "%s", prometheus.error);
    ck_assert_msg(openmetrics.error[0] == '\0', "%s", openmetrics.error);
    ck_assert(json_is_object(json));
}
END_TEST

START_TEST(the_largest_numbers_print)
{
    memset(snapshot.counter, 0xff, sizeof snapshot.counter);
    memset(snapshot.op_run_ns, 0xff, sizeof snapshot.op_run_ns);
    snapshot.cache.hit_ratio = NAN;
    print_all();
    ck_assert_msg(prometheus.error[0] == '\0', "%s", prometheus.error);
    assert_value("simdd_read_bytes_total", 18446744073709551615.);
    assert_value("simdd_op_run_seconds_total{op=\"add_f32\"}", 18446744073.709551615);
    ck_assert_int_eq(json_integer_value(at("connections.read_bytes")), INT64_MAX);
}
END_TEST

START_TEST(json_has_each_promised_name_with_its_type)
{
    static const struct {
        const char *path;
        json_type type;
    } promised[] = {
        {"version", JSON_STRING},
        {"uptime_seconds", JSON_REAL},
        {"ready", JSON_INTEGER},
        {"operation_count", JSON_INTEGER},
        {"average_operation_time_ns", JSON_REAL},
        {"operations_per_second", JSON_REAL},
        {"operations_per_second_1s", JSON_REAL},
        {"operations_per_second_10s", JSON_REAL},
        {"operations_per_second_60s", JSON_REAL},
        {"memory_usage_bytes", JSON_INTEGER},
        {"cache_hit_ratio", JSON_REAL},
        {"cache_hits", JSON_INTEGER},
        {"cache_misses", JSON_INTEGER},
        {"jobs.accepted", JSON_INTEGER},
        {"jobs.in_flight", JSON_INTEGER},
        {"connections.open", JSON_INTEGER},
        {"arenas.open", JSON_INTEGER},
        {"http.requests", JSON_INTEGER},
        {"config.reloads_ok", JSON_INTEGER},
        {"answers.ok", JSON_INTEGER},
        {"answers.internal", JSON_INTEGER},
        {"batch.jobs", JSON_INTEGER},
        {"batch.closed.idle", JSON_INTEGER},
        {"batch.mean_jobs", JSON_REAL},
        {"scheduler.workers", JSON_INTEGER},
        {"scheduler.busy_ns", JSON_INTEGER},
        {"pool.new", JSON_INTEGER},
        {"pool.reuse_ratio", JSON_REAL},
        {"cache.lookups", JSON_INTEGER},
        {"cache.hit_ratio", JSON_REAL},
        {"backends.native.isa", JSON_STRING},
        {"clients.count", JSON_INTEGER},
        {"clients.by_uid.1000.jobs", JSON_INTEGER},
        {"ops.add_f32.jobs", JSON_INTEGER},
        {"ops.mix_u32.run_ns", JSON_INTEGER},
        {"process.open_fds", JSON_INTEGER},
    };
    for (size_t i = 0; i < sizeof promised / sizeof promised[0]; i++)
        ck_assert_msg(json_typeof(at(promised[i].path)) == promised[i].type, "%s",
                      promised[i].path);
    const char *stages[] = {"batch", "queue", "run", "write", "total"};
    const char *members[] = {"mean_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns"};
    for (size_t i = 0; i < 5; i++) {
        char path[64];
        snprintf(path, sizeof path, "latency.%s.count", stages[i]);
        ck_assert(json_is_integer(at(path)));
        for (size_t k = 0; k < 5; k++) {
            snprintf(path, sizeof path, "latency.%s.%s", stages[i], members[k]);
            ck_assert(json_is_real(at(path)));
        }
    }
}
END_TEST

START_TEST(json_tells_the_snapshots_numbers)
{
    ck_assert_int_eq(json_integer_value(at("operation_count")),
                     (json_int_t)snapshot.counter[MONITOR_jobs_done]);
    double mean = (double)snapshot.run_ns / (double)snapshot.counter[MONITOR_jobs_done];
    ck_assert(fabs(json_real_value(at("average_operation_time_ns")) / mean - 1) < 1e-9);
    ck_assert(fabs(json_real_value(at("operations_per_second_10s")) - 3.25) < 1e-9);
    ck_assert_int_eq(json_integer_value(at("memory_usage_bytes")),
                     (json_int_t)snapshot.process.resident_bytes);
    ck_assert(fabs(json_real_value(at("cache_hit_ratio")) - 0.75) < 1e-9);
    ck_assert(fabs(json_real_value(at("batch.mean_jobs")) - 3) < 1e-9);
    ck_assert_str_eq(json_string_value(at("backends.native.isa")), "avx2");
    ck_assert(json_real_value(at("latency.run.p50_ns")) <=
              json_real_value(at("latency.run.p99_ns")));
}
END_TEST

START_TEST(counters_and_their_labels_reach_the_text)
{
#define COUNTER(name, family, labels, json, help)                                                  \
    assert_value(labels[0] != '\0' ? family "{" labels "}" : family,                               \
                 (double)snapshot.counter[MONITOR_##name]);
#include "counters.def"
#undef COUNTER
#define OP(id, name, family, in, out, tolerance, ps, help)                                         \
    assert_value("simdd_op_jobs_total{op=\"" #name "\"}", (double)snapshot.op_jobs[id]);
#include "kernels/ops.def"
#undef OP
#define STATUS(code, upper, name, sentence)                                                        \
    assert_value("simdd_answers_total{status=\"" name "\"}", (double)snapshot.answers[code]);
#include "protocol/status.def"
#undef STATUS
}
END_TEST

START_TEST(text_is_in_base_units)
{
    assert_value("process_cpu_seconds_total", 1.5);
    assert_value("simdd_scheduler_busy_seconds_total", 1234.567890123);
    assert_value("simdd_uptime_seconds", 12.5);
    assert_value("simdd_ready", 1);
    assert_value("simdd_cache_hit_ratio", 0.75);
    assert_value("simdd_job_seconds_sum",
                 (double)snapshot.stage[MONITOR_STAGE_total].sum_ns * 1e-9);
    assert_value("simdd_build_info{version=\"1.2.3\",isa=\"avx2\"}", 1);
}
END_TEST

START_TEST(shown_buckets_are_sums_of_fine_ones)
{
    const struct snapshot_stage *run = &snapshot.stage[MONITOR_STAGE_run];
    for (unsigned log2 = 8; log2 <= 34; log2 += 2) {
        uint64_t count = 0;
        for (size_t b = 0; b < MONITOR_BUCKETS; b++)
            if (monitor_bucket_upper_ns(b) <= UINT64_C(1) << log2)
                count += run->bucket[b];
        char series[128];
        snprintf(series, sizeof series,
                 "simdd_job_stage_seconds_bucket{stage=\"run\",le=\"%.12g\"}",
                 (double)(UINT64_C(1) << log2) / 1e9);
        assert_value(series, (double)count);
    }
    assert_value("simdd_job_stage_seconds_count{stage=\"run\"}", (double)run->count);
}
END_TEST

START_TEST(uids_are_capped_and_the_rest_are_other)
{
    ck_assert(isnan(exposition_value(&prometheus, "simdd_client_jobs_total{uid=\"other\"}")));
    fill(MONITOR_CLIENT_ROWS + 5);
    print_all();
    assert_value("simdd_client_jobs_total{uid=\"other\"}", 77);
    ck_assert_int_eq(json_integer_value(at("clients.by_uid.other.jobs")), 77);
    size_t rows = 0;
    for (size_t i = 0; i < prometheus.series_count; i++)
        rows += strncmp(prometheus.series[i].name, "simdd_client_jobs_total{", 24) == 0;
    ck_assert_uint_eq(rows, MONITOR_CLIENT_ROWS + 1);
}
END_TEST

START_TEST(content_types_are_those_of_the_forms)
{
    ck_assert_str_eq(metrics_content_type(WIRE_METRICS_JSON), "application/json");
    ck_assert_str_eq(metrics_content_type(WIRE_METRICS_PROMETHEUS),
                     "text/plain; version=0.0.4; charset=utf-8");
    ck_assert_str_eq(metrics_content_type(WIRE_METRICS_OPENMETRICS),
                     "application/openmetrics-text; version=1.0.0; charset=utf-8");
}
END_TEST

/* With the real rooms behind it: what they promise of their numbers holds in the printed form. */
START_TEST(cache_hits_misses_and_bypasses_are_lookups)
{
    struct monitor *monitor;
    struct pool *pool;
    struct pool_local *local;
    struct cache *cache;
    ck_assert_int_eq(monitor_new(&monitor), 0);
    ck_assert_int_eq(pool_new(&pool, 1 << 24, 1 << 20), 0);
    ck_assert_int_eq(pool_local_new(&local, pool), 0);
    ck_assert_int_eq(cache_new(&cache, 1 << 20, local), 0);
    monitor_set_sources(monitor, &(struct monitor_sources){.pool = pool, .cache = cache});
    for (uint64_t i = 0; i < 100; i++) {
        struct cache_key key = {.lo = i % 30 * 77, .hi = i % 30};
        size_t bytes;
        struct buf *hit = cache_get(cache, key, &bytes);
        if (hit == NULL) {
            hit = buf_new(local, 100);
            ck_assert_int_eq(cache_put(cache, key, hit, 100), 0);
        }
        buf_put(local, hit);
        if (i % 7 == 0)
            cache_bypass(cache);
    }
    monitor_snapshot(monitor, &snapshot);
    print_all();
    double hits = exposition_value(&prometheus, "simdd_cache_hits_total");
    double misses = exposition_value(&prometheus, "simdd_cache_misses_total");
    double bypasses = exposition_value(&prometheus, "simdd_cache_bypasses_total");
    ck_assert(hits > 0 && misses >= 30 && bypasses > 0);
    assert_value("simdd_cache_lookups_total", hits + misses + bypasses);
    ck_assert(exposition_value(&prometheus, "simdd_pool_used_bytes") > 0);
    cache_free(cache);
    pool_local_free(local);
    pool_free(pool);
    monitor_free(monitor);
}
END_TEST

START_TEST(clients_without_a_row_are_summed)
{
    enum { CLIENTS = MONITOR_CLIENT_ROWS + 4 };
    struct monitor *monitor;
    struct admission *admission;
    struct client *clients[CLIENTS];
    const struct admission_limits limits = {1000, 1 << 20, 1 << 20, 10, 10};
    uint32_t retry_us;
    ck_assert_int_eq(monitor_new(&monitor), 0);
    ck_assert_int_eq(admission_new(&admission, &limits), 0);
    monitor_set_sources(monitor, &(struct monitor_sources){.admission = admission});
    for (unsigned i = 0; i < CLIENTS; i++) { /* uid i has i + 1 jobs: the last are the busiest */
        clients[i] = admission_connect(admission, i);
        for (unsigned k = 0; k <= i; k++)
            ck_assert_int_eq(admission_enter(admission, clients[i], 64, &retry_us), WIRE_OK);
    }
    monitor_snapshot(monitor, &snapshot);
    print_all();
    assert_value("simdd_clients", CLIENTS);
    assert_value("simdd_client_jobs_total{uid=\"19\"}", 20);
    assert_value("simdd_client_jobs_total{uid=\"4\"}", 5);
    ck_assert(isnan(exposition_value(&prometheus, "simdd_client_jobs_total{uid=\"3\"}")));
    assert_value("simdd_client_jobs_total{uid=\"other\"}", 1 + 2 + 3 + 4);
    assert_value("simdd_client_connections{uid=\"other\"}", 4);
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned k = 0; k <= i; k++)
            admission_leave(admission, clients[i], 64, 10);
        admission_disconnect(admission, clients[i]);
    }
    admission_free(admission);
    monitor_free(monitor);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("metrics");
    TCase *tc = tcase_create("forms");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, text_follows_the_grammar);
    tcase_add_test(tc, text_follows_the_grammar_with_any_number_of_clients);
    tcase_add_test(tc, an_empty_snapshot_prints);
    tcase_add_test(tc, the_largest_numbers_print);
    tcase_add_test(tc, json_has_each_promised_name_with_its_type);
    tcase_add_test(tc, json_tells_the_snapshots_numbers);
    tcase_add_test(tc, counters_and_their_labels_reach_the_text);
    tcase_add_test(tc, text_is_in_base_units);
    tcase_add_test(tc, shown_buckets_are_sums_of_fine_ones);
    tcase_add_test(tc, uids_are_capped_and_the_rest_are_other);
    tcase_add_test(tc, content_types_are_those_of_the_forms);
    tcase_add_test(tc, clients_without_a_row_are_summed);
    tcase_add_test(tc, cache_hits_misses_and_bypasses_are_lookups);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
