/* libsimdd against a daemon that breaks, refuses and babbles: every job completes exactly once. */
#include "config.h"

#include "client/simdd.h"

#include <errno.h>
#include <string.h>

#include "client_bed.h"
#include "suite.h"

/* One action for certain jobs, counted over all connections; the rest is answered. */
struct script {
    enum fake_action action;
    unsigned from, to; /* indexes, to exclusive */
    unsigned step;     /* every so many of them; 0: all */
};

static enum fake_action scripted(void *user, const struct wire_request *h, unsigned index)
{
    const struct script *s = user;
    if (h->type != WIRE_JOB || index < s->from || index >= s->to)
        return FAKE_ANSWER;
    return s->step == 0 || index % s->step == 0 ? s->action : FAKE_ANSWER;
}

static struct bed_jobs jobs;
static struct bed_tag tags[BED_JOBS_MAX];

/* Runs 300 jobs against the script; each must be right, once. */
static void expect_all_right(struct script script)
{
    struct bed b;
    bed_open(&b, scripted, &script);
    bed_submit(b.s, &jobs, tags, 300);
    ck_assert_int_eq(simdd_wait(b.s), 0);
    bed_check(&jobs, 300, 0);
    bed_close(&b);
}

START_TEST(jobs_survive_connections_that_break)
{
    expect_all_right((struct script){FAKE_BREAK, 10, 200, 95});
}
END_TEST

START_TEST(jobs_survive_a_break_inside_an_answer)
{
    expect_all_right((struct script){FAKE_BREAK_HALF, 10, 200, 95});
}
END_TEST

START_TEST(jobs_survive_an_answer_with_a_bad_magic)
{
    expect_all_right((struct script){FAKE_BAD_MAGIC, 10, 200, 95});
}
END_TEST

START_TEST(jobs_survive_an_answer_to_nobody)
{
    expect_all_right((struct script){FAKE_BAD_ID, 10, 200, 95});
}
END_TEST

START_TEST(jobs_survive_an_answer_of_the_wrong_size)
{
    expect_all_right((struct script){FAKE_BAD_SIZE, 10, 200, 95});
}
END_TEST

START_TEST(jobs_turned_away_as_overloaded_come_again)
{
    expect_all_right((struct script){FAKE_OVERLOADED, 10, 300, 3});
}
END_TEST

START_TEST(jobs_turned_away_by_a_draining_daemon_come_again)
{
    expect_all_right((struct script){FAKE_DRAINING, 10, 300, 3});
}
END_TEST

START_TEST(jobs_complete_once_whatever_bit_of_an_answer_is_wrong)
{
    struct script script = {FAKE_NOISE, 0, 600, 0};
    struct bed b;
    bed_open(&b, scripted, &script);
    /* Each break resends many; the noise is over after so many jobs, not so many breaks. */
    ck_assert_int_eq(simdd_set(b.s, SIMDD_OPT_RESENDS, 1000), 0);
    ck_assert_int_eq(simdd_set(b.s, SIMDD_OPT_RECONNECTS, 1000), 0);
    ck_assert_int_eq(simdd_set(b.s, SIMDD_OPT_RECONNECT_US, 1), 0);
    bed_submit(b.s, &jobs, tags, 20);
    ck_assert_int_eq(simdd_wait(b.s), 0);
    ck_assert_uint_eq(jobs.total, 20);
    for (unsigned i = 0; i < 20; i++)
        ck_assert_uint_eq(jobs.completed[i], 1);
    ck_assert_int_eq(simdd_ping(b.s), 0);
    bed_close(&b);
}
END_TEST

/* One job that the daemon always treats so; what it ends with. */
static int end_of(enum fake_action action, unsigned *sent, struct simdd_result *result)
{
    struct script script = {action, 0, UINT32_MAX, 0};
    struct bed b;
    bed_open(&b, scripted, &script);
    ck_assert_int_eq(simdd_set(b.s, SIMDD_OPT_OVERLOAD_RETRIES, 4), 0);
    float x = 1, z = 0;
    struct simdd_job job;
    simdd_job_zip(&job, SIMDD_ADD_F32, 1, &x, &x, &z);
    int status = simdd_call(b.s, &job, result);
    *sent = fake_counts(b.fake)->jobs;
    ck_assert_str_ne(simdd_last_error(b.s), "");
    ck_assert_int_eq(simdd_ping(b.s), 0); /* the handle is as good as new */
    bed_close(&b);
    return status;
}

START_TEST(job_that_always_breaks_the_connection_is_given_up)
{
    unsigned sent;
    struct simdd_result result;
    ck_assert_int_eq(end_of(FAKE_BREAK, &sent, &result), -ECONNRESET);
    ck_assert_uint_eq(sent, 4); /* once, and SIMDD_OPT_RESENDS times again */
    ck_assert_uint_eq(result.sent_count, 4);
}
END_TEST

START_TEST(job_that_is_always_answered_with_garbage_is_given_up)
{
    unsigned sent;
    struct simdd_result result;
    ck_assert_int_eq(end_of(FAKE_BAD_MAGIC, &sent, &result), -EPROTO);
    ck_assert_uint_eq(sent, 4);
}
END_TEST

START_TEST(job_that_is_always_turned_away_ends_as_overloaded)
{
    unsigned sent;
    struct simdd_result result;
    ck_assert_int_eq(end_of(FAKE_OVERLOADED, &sent, &result), SIMDD_OVERLOADED);
    ck_assert_uint_eq(sent, 5); /* once, and SIMDD_OPT_OVERLOAD_RETRIES times again */
}
END_TEST

START_TEST(daemon_of_another_version_is_not_asked_again)
{
    unsigned sent;
    struct simdd_result result;
    ck_assert_int_eq(end_of(FAKE_BAD_VERSION, &sent, &result), SIMDD_BAD_VERSION);
    ck_assert_uint_eq(sent, 1);
}
END_TEST

START_TEST(break_inside_an_answer_spoils_no_operand)
{
    struct script script = {FAKE_BREAK_HALF, 0, 2, 0};
    struct bed b;
    bed_open(&b, scripted, &script);
    enum { N = 100000 };
    float *x = malloc(N * sizeof(*x)), *y = malloc(N * sizeof(*y)), *x0 = malloc(N * sizeof(*x));
    bed_fill(x, N, 3);
    bed_fill(y, N, 9);
    memcpy(x0, x, N * sizeof(*x));
    struct simdd_job job;
    simdd_job_zip(&job, SIMDD_ADD_F32, N, x, y, x);
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), 0);
    bed_check_sum(x0, y, x, N);
    free(x);
    free(y);
    free(x0);
    bed_close(&b);
}
END_TEST

START_TEST(refusal_before_the_payload_is_sent_keeps_the_stream)
{
    struct script script = {FAKE_REFUSE_EARLY, 0, 1, 0};
    struct bed b;
    bed_open(&b, scripted, &script);
    enum { N = 2000000 };
    float *x = calloc(N, sizeof(*x)), *z = calloc(N, sizeof(*z));
    struct simdd_job job;
    simdd_job_zip(&job, SIMDD_ADD_F32, N, x, x, z);
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), SIMDD_BAD_SHAPE);
    ck_assert_int_eq(simdd_call(b.s, &job, NULL), 0);
    ck_assert_uint_eq(fake_counts(b.fake)->connections, 1);
    free(x);
    free(z);
    bed_close(&b);
}
END_TEST

START_TEST(handle_outlives_its_daemon)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    ck_assert_int_eq(simdd_set(b.s, SIMDD_OPT_RECONNECTS, 3), 0);
    ck_assert_int_eq(simdd_ping(b.s), 0);
    fake_stop(b.fake);
    bed_submit(b.s, &jobs, tags, 100);
    ck_assert_int_eq(simdd_wait(b.s), 0);
    bed_check(&jobs, 100, -ENOENT); /* the socket is gone */

    ck_assert_int_eq(fake_start(&b.fake, b.path, NULL, NULL), 0);
    memset(&jobs, 0, sizeof(jobs));
    bed_submit(b.s, &jobs, tags, 100);
    ck_assert_int_eq(simdd_wait(b.s), 0);
    bed_check(&jobs, 100, 0);
    bed_close(&b);
}
END_TEST

START_TEST(idle_connection_that_ended_is_replaced)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    fake_stop(b.fake);
    ck_assert_int_eq(fake_start(&b.fake, b.path, NULL, NULL), 0);
    ck_assert_int_eq(simdd_process(b.s, 0), 0); /* nothing in flight: no error */
    ck_assert_int_eq(simdd_ping(b.s), 0);
    bed_close(&b);
}
END_TEST

START_TEST(close_completes_what_is_in_flight)
{
    struct script script = {FAKE_SILENT, 0, UINT32_MAX, 2};
    struct bed b;
    bed_open(&b, scripted, &script);
    bed_submit(b.s, &jobs, tags, 40);
    while (jobs.total < 20)
        ck_assert_int_ge(simdd_process(b.s, 1000), 0);
    simdd_close(b.s);
    b.s = NULL;
    ck_assert_uint_eq(jobs.total, 40);
    for (unsigned i = 0; i < 40; i++) {
        ck_assert_uint_eq(jobs.completed[i], 1);
        ck_assert_int_eq(jobs.status[i], i % 2 == 0 ? -ECANCELED : 0);
    }
    bed_close(&b);
}
END_TEST

START_TEST(wait_with_a_timeout_returns_without_an_answer)
{
    struct script script = {FAKE_SILENT, 0, UINT32_MAX, 0};
    struct bed b;
    bed_open(&b, scripted, &script);
    bed_submit(b.s, &jobs, tags, 1);
    ck_assert_int_eq(simdd_process(b.s, 0), 0);
    ck_assert_int_eq(simdd_process(b.s, 5), 0);
    ck_assert_uint_eq(simdd_in_flight(b.s), 1);
    bed_close(&b);
}
END_TEST

static void reset(void)
{
    memset(&jobs, 0, sizeof(jobs));
}

int main(void)
{
    Suite *suite = suite_create("client_breaks");
    TCase *tc = tcase_create("breaks");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, reset, NULL);
    tcase_add_test(tc, jobs_survive_connections_that_break);
    tcase_add_test(tc, jobs_survive_a_break_inside_an_answer);
    tcase_add_test(tc, jobs_survive_an_answer_with_a_bad_magic);
    tcase_add_test(tc, jobs_survive_an_answer_to_nobody);
    tcase_add_test(tc, jobs_survive_an_answer_of_the_wrong_size);
    tcase_add_test(tc, jobs_turned_away_as_overloaded_come_again);
    tcase_add_test(tc, jobs_turned_away_by_a_draining_daemon_come_again);
    tcase_add_test(tc, jobs_complete_once_whatever_bit_of_an_answer_is_wrong);
    tcase_add_test(tc, job_that_always_breaks_the_connection_is_given_up);
    tcase_add_test(tc, job_that_is_always_answered_with_garbage_is_given_up);
    tcase_add_test(tc, job_that_is_always_turned_away_ends_as_overloaded);
    tcase_add_test(tc, daemon_of_another_version_is_not_asked_again);
    tcase_add_test(tc, break_inside_an_answer_spoils_no_operand);
    tcase_add_test(tc, refusal_before_the_payload_is_sent_keeps_the_stream);
    tcase_add_test(tc, handle_outlives_its_daemon);
    tcase_add_test(tc, idle_connection_that_ended_is_replaced);
    tcase_add_test(tc, close_completes_what_is_in_flight);
    tcase_add_test(tc, wait_with_a_timeout_returns_without_an_answer);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
