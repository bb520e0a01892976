/* libsimdd against a daemon that behaves: calls, many in flight, refusals, names. */
#include "config.h"

#include "client/simdd.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>

#include "client_bed.h"
#include "suite.h"

START_TEST(call_of_each_element_type_gives_the_sum)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    float xf[3] = {1, 2, 3}, yf[3] = {4, 5, 6}, zf[3];
    int32_t xi[2] = {INT32_MAX, 5}, yi[2] = {1, -7}, zi[2];
    uint8_t xu[5] = {1, 2, 3, 4, 250}, yu[5] = {1, 1, 1, 1, 10}, zu[5];
    struct simdd_job job;
    simdd_job_zip(&job, SIMDD_ADD_F32, 3, xf, yf, zf);
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), 0);
    bed_check_sum(xf, yf, zf, 3);
    simdd_job_zip(&job, SIMDD_ADD_I32, 2, xi, yi, zi);
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), 0);
    ck_assert_int_eq(zi[0], INT32_MIN);
    ck_assert_int_eq(zi[1], -2);
    simdd_job_zip(&job, SIMDD_ADD_U8, 5, xu, yu, zu);
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), 0);
    ck_assert_uint_eq(zu[3], 5);
    ck_assert_uint_eq(zu[4], 255);
    bed_close(&b);
}
END_TEST

START_TEST(result_may_be_an_operand)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    float x[5] = {1, 2, 3, 4, 5}, y[5] = {10, 20, 30, 40, 50};
    struct simdd_job job;
    simdd_job_zip(&job, SIMDD_ADD_F32, 5, x, y, x);
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), 0);
    for (int i = 0; i < 5; i++)
        ck_assert(x[i] == 11.0f * (float)(i + 1));
    bed_close(&b);
}
END_TEST

START_TEST(matmul_leaves_the_gaps_of_c_alone)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    const float a[4] = {1, 2, 3, 4}, m[4] = {1, 0, 0, 1};
    float c[6] = {0, 0, 77, 0, 0, 88};
    struct simdd_job job;
    simdd_job_matmul(&job, SIMDD_MATMUL_F32, 2, 2, 2, a, m, c);
    job.u.matmul.ldc = 3;
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), 0);
    const float want[6] = {1, 2, 77, 3, 4, 88};
    ck_assert_mem_eq(c, want, sizeof(want));
    bed_close(&b);
}
END_TEST

START_TEST(matmul_adds_beta_times_c)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    const int32_t a[2] = {2, 3}, m[2] = {5, 7};
    int32_t c[1] = {100};
    struct simdd_job job;
    simdd_job_matmul(&job, SIMDD_MATMUL_I32, 1, 1, 2, a, m, c);
    job.u.matmul.beta.i32 = 2;
    job.in[2] = c;
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), 0);
    ck_assert_int_eq(c[0], 2 * 5 + 3 * 7 + 200);
    bed_close(&b);
}
END_TEST

START_TEST(hash_of_many_messages_gives_one_hash_each)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    const uint64_t offsets[3] = {0, 1, 1};
    uint64_t out[2] = {0, 0};
    struct simdd_job job;
    simdd_job_hash(&job, SIMDD_HASH_FNV1A_64, "a", 1, out);
    job.in[1] = offsets;
    job.u.hash.count = 2;
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), 0);
    ck_assert_uint_eq(out[0], 0xaf63dc4c8601ec8cu); /* published: FNV-1a of "a" and of "" */
    ck_assert_uint_eq(out[1], 0xcbf29ce484222325u);
    bed_close(&b);
}
END_TEST

START_TEST(megabytes_travel_both_ways_at_once)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    enum { N = 400000, JOBS = 6 };
    float *x = malloc(N * sizeof(*x)), *y = malloc(N * sizeof(*y));
    float *z = calloc((size_t)N * JOBS, sizeof(*z));
    bed_fill(x, N, 1);
    bed_fill(y, N, 5);
    for (size_t i = 0; i < JOBS; i++) {
        struct simdd_job job;
        simdd_job_zip(&job, SIMDD_ADD_F32, N, x, y, z + i * N);
        ck_assert_int_eq(simdd_submit(b.s, &job, NULL, NULL), 0);
    }
    ck_assert_int_eq(simdd_wait(b.s), 0);
    for (size_t i = 0; i < JOBS; i++)
        bed_check_sum(x, y, z + i * N, N);
    free(x);
    free(y);
    free(z);
    bed_close(&b);
}
END_TEST

static enum fake_action hold_most(void *user, const struct wire_request *h, unsigned index)
{
    (void)user;
    (void)h;
    return index % 50 != 49 ? FAKE_HOLD : FAKE_ANSWER;
}

START_TEST(answers_out_of_order_reach_their_own_jobs)
{
    static struct bed_jobs jobs;
    static struct bed_tag tags[BED_JOBS_MAX];
    struct bed b;
    bed_open(&b, hold_most, NULL);
    bed_submit(b.s, &jobs, tags, 500);
    ck_assert_uint_eq(simdd_in_flight(b.s), 500);
    ck_assert_int_eq(simdd_wait(b.s), 0);
    bed_check(&jobs, 500, 0);
    ck_assert_uint_eq(simdd_in_flight(b.s), 0);
    bed_close(&b);
}
END_TEST

START_TEST(take_hands_out_each_job_without_callback_once)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    float x[8], y[8] = {0}, z[8];
    bool seen[8] = {false};
    for (uint32_t i = 0; i < 8; i++) {
        struct simdd_job job;
        x[i] = (float)i;
        simdd_job_zip(&job, SIMDD_ADD_F32, 1, &x[i], &y[i], &z[i]);
        ck_assert_int_eq(simdd_submit(b.s, &job, NULL, &seen[i]), 0);
    }
    struct simdd_result result;
    ck_assert_int_eq(simdd_take(b.s, &result), 0);
    ck_assert_int_eq(simdd_wait(b.s), 0);
    for (int i = 0; i < 8; i++) {
        ck_assert_int_eq(simdd_take(b.s, &result), 1);
        ck_assert_int_eq(result.status, 0);
        ck_assert_str_eq(result.isa, "scalar");
        ck_assert(!*(bool *)result.arg);
        *(bool *)result.arg = true;
    }
    ck_assert_int_eq(simdd_take(b.s, &result), 0);
    bed_close(&b);
}
END_TEST

START_TEST(own_event_loop_needs_one_descriptor)
{
    static struct bed_jobs jobs;
    static struct bed_tag tags[BED_JOBS_MAX];
    struct bed b;
    bed_open(&b, NULL, NULL);
    bed_submit(b.s, &jobs, tags, 200);
    ck_assert_int_eq(simdd_flush(b.s), 0);
    for (int round = 0; jobs.total < 200 && round < 10000; round++) {
        struct pollfd p = {.fd = simdd_fd(b.s), .events = POLLIN};
        ck_assert_int_eq(poll(&p, 1, 5000), 1);
        ck_assert_int_ge(simdd_process(b.s, 0), 0);
    }
    bed_check(&jobs, 200, 0);
    bed_close(&b);
}
END_TEST

struct chain {
    float x, y, z;
    unsigned left;
    int nested;
};

static void chain_done(struct simdd *s, const struct simdd_result *result)
{
    struct chain *chain = result->arg;
    chain->nested = simdd_process(s, 0);
    if (chain->left-- == 0)
        return;
    struct simdd_job job;
    chain->x = chain->z;
    simdd_job_zip(&job, SIMDD_ADD_F32, 1, &chain->x, &chain->y, &chain->z);
    ck_assert_int_eq(simdd_submit(s, &job, chain_done, chain), 0);
}

START_TEST(callback_may_submit_but_not_process)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    struct chain chain = {.x = 0, .y = 1, .left = 20};
    struct simdd_job job;
    simdd_job_zip(&job, SIMDD_ADD_F32, 1, &chain.x, &chain.y, &chain.z);
    ck_assert_int_eq(simdd_submit(b.s, &job, chain_done, &chain), 0);
    ck_assert_int_eq(simdd_wait(b.s), 0);
    ck_assert(chain.z == 21.0f);
    ck_assert_int_eq(chain.nested, -EBUSY);
    bed_close(&b);
}
END_TEST

START_TEST(impossible_job_is_refused_at_submission_by_field)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    float x[9] = {0}, z[9];
    struct simdd_job job;
    simdd_job_conv2d(&job, SIMDD_CONV2D_F32, 3, 3, 1, x, 2, 3, x, z);
    ck_assert_int_eq(simdd_submit(b.s, &job, NULL, NULL), SIMDD_BAD_SHAPE);
    ck_assert_ptr_nonnull(strstr(simdd_last_error(b.s), "r: "));
    simdd_job_zip(&job, 999, 1, x, x, z);
    ck_assert_int_eq(simdd_submit(b.s, &job, NULL, NULL), SIMDD_BAD_OP);
    simdd_job_zip(&job, SIMDD_ADD_F32, 9, x, NULL, z);
    ck_assert_int_eq(simdd_submit(b.s, &job, NULL, NULL), -EINVAL);
    ck_assert_uint_eq(simdd_in_flight(b.s), 0);
    struct simdd_result result;
    ck_assert_int_eq(simdd_call(b.s, &job, &result), -EINVAL);
    ck_assert_int_eq(result.status, -EINVAL);
    ck_assert_uint_eq(fake_counts(b.fake)->jobs, 0);
    bed_close(&b);
}
END_TEST

static enum fake_action refuse(void *user, const struct wire_request *h, unsigned index)
{
    (void)user;
    (void)h;
    return index % 2 == 0 ? FAKE_REFUSE : FAKE_ANSWER;
}

START_TEST(refusal_carries_the_daemons_own_sentence)
{
    struct bed b;
    bed_open(&b, refuse, NULL);
    float x = 1, z = -1;
    struct simdd_job job;
    struct simdd_result result;
    simdd_job_zip(&job, SIMDD_ADD_F32, 1, &x, &x, &z);
    ck_assert_int_eq(simdd_call(b.s, &job, &result), SIMDD_BAD_SHAPE);
    ck_assert_str_eq(result.reason, "k: the fake says no");
    ck_assert_str_eq(simdd_last_error(b.s), "k: the fake says no");
    ck_assert(z == -1.0f);
    ck_assert_int_eq(simdd_call(b.s, &job, &result), 0); /* the connection lives on */
    ck_assert(z == 2.0f);
    bed_close(&b);
}
END_TEST

START_TEST(connect_says_why_it_cannot)
{
    struct simdd *s = (struct simdd *)1;
    ck_assert_int_eq(simdd_connect(&s, "/nonexistent/simdd.sock"), -ENOENT);
    ck_assert_ptr_null(s);
    char path[300];
    memset(path, 'x', sizeof(path) - 1);
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(simdd_connect(&s, path), -ENAMETOOLONG);
}
END_TEST

START_TEST(connect_finds_the_socket_in_the_environment)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    ck_assert_int_eq(setenv("SIMDD_SOCKET", b.path, 1), 0);
    struct simdd *s;
    ck_assert_int_eq(simdd_connect(&s, NULL), 0);
    ck_assert_int_eq(simdd_ping(s), 0);
    simdd_close(s);
    bed_close(&b);
}
END_TEST

START_TEST(metrics_come_as_owned_text)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    char *text = NULL;
    ck_assert_int_eq(simdd_metrics(b.s, SIMDD_METRICS_JSON, &text), 0);
    ck_assert_ptr_nonnull(strstr(text, "\"operation_count\": 7}"));
    free(text);
    bed_close(&b);
}
END_TEST

START_TEST(statuses_and_ops_have_names)
{
    ck_assert_str_eq(simdd_status_name(SIMDD_OVERLOADED), "overloaded");
    ck_assert_str_eq(simdd_status_name(-ECONNREFUSED), "ECONNREFUSED");
    ck_assert_str_eq(simdd_strerror(0), "done");
    ck_assert_str_eq(simdd_strerror(-ENOENT), "No such file or directory");
    ck_assert_str_eq(simdd_strerror(9999), "unknown status");
    ck_assert_uint_eq(simdd_op_find("matmul_u8"), SIMDD_MATMUL_U8);
    ck_assert_uint_eq(simdd_op_find("matmul_u"), 0);
    ck_assert_uint_eq(simdd_op_find(""), 0);
    ck_assert_str_eq(simdd_op_name(SIMDD_MIX_U32), "mix_u32");
    ck_assert_ptr_null(simdd_op_name(0));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tc = tcase_create("calls");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, statuses_and_ops_have_names);
    tcase_add_test(tc, connect_says_why_it_cannot);
    tcase_add_test(tc, connect_finds_the_socket_in_the_environment);
    tcase_add_test(tc, call_of_each_element_type_gives_the_sum);
    tcase_add_test(tc, result_may_be_an_operand);
    tcase_add_test(tc, matmul_leaves_the_gaps_of_c_alone);
    tcase_add_test(tc, matmul_adds_beta_times_c);
    tcase_add_test(tc, hash_of_many_messages_gives_one_hash_each);
    tcase_add_test(tc, metrics_come_as_owned_text);
    tcase_add_test(tc, impossible_job_is_refused_at_submission_by_field);
    tcase_add_test(tc, refusal_carries_the_daemons_own_sentence);
    tcase_add_test(tc, answers_out_of_order_reach_their_own_jobs);
    tcase_add_test(tc, take_hands_out_each_job_without_callback_once);
    tcase_add_test(tc, own_event_loop_needs_one_descriptor);
    tcase_add_test(tc, callback_may_submit_but_not_process);
    tcase_add_test(tc, megabytes_travel_both_ways_at_once);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
