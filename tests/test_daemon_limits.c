/* Limits at the whole daemon: memory, quotas, connections, deadlines. Whoever is over one is told
 * so by name and can come again; others go on. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "suite.h"

static struct bed bed;

static const char *const one_worker[] = {"--workers", "1", NULL};

static void setup(void)
{
    bed = (struct bed){.pid = 0};
}

static void teardown(void)
{
    if (bed.pid > 0)
        bed_remove(&bed);
}

/* add_u8 on operands of so many bytes each: three times that with the result. */
static void sum_of(struct job_case *k, uint32_t bytes)
{
    uint64_t state = 1;
    struct wire_request h = client_request(WIRE_JOB, 0);
    h.op = KERN_OP_add_u8;
    h.flags = WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT;
    h.arg[0] = bytes;
    job_case_of(k, &h, &state);
}

/* Sends a job but for its last bytes: it is admitted, and holds its memory until they come. */
static int hold_job(struct job_case *k, uint64_t id)
{
    int fd = client_open(&bed);
    double accepted = bed_metric(&bed, "jobs.accepted");
    k->h.id = id;
    k->h.payload_bytes = k->shape.inline_bytes;
    client_send(fd, &k->h, sizeof(k->h));
    client_send(fd, k->payload, k->shape.inline_bytes - 8);
    bed_await(&bed, "jobs.accepted", accepted + 1);
    return fd;
}

static void finish_job(struct job_case *k, int fd)
{
    struct answer a;
    client_send(fd, k->payload + k->shape.inline_bytes - 8, 8);
    client_receive(fd, &a);
    job_case_check(k, &a);
    close(fd);
}

static void expect_overloaded(int fd, uint64_t id)
{
    struct answer a;
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OVERLOADED, "%s", wire_status_name(a.h.status));
    ck_assert_uint_eq(a.h.id, id);
    ck_assert_uint_gt(a.h.retry_after_us, 0);
    free(a.payload);
}

/* ---- memory ---- */

START_TEST(at_the_memory_limit_jobs_are_told_to_come_again_and_others_served)
{
    struct job_case large, other;
    bed_open(&bed, "[jobs]\njob_max_bytes = 16MiB\n[memory]\nmemory_max = 16MiB\n"
                   "[cache]\ncache_max = 0\n", NULL);
    sum_of(&large, 3 << 20);
    sum_of(&other, 2 << 20);
    int holder = hold_job(&large, 1);
    int fd = client_open(&bed);
    for (uint64_t id = 2; id < 12; id++) {
        job_case_send(&other, fd, id);
        expect_overloaded(fd, id);
        client_expect_service(&bed);
    }
    ck_assert_double_gt(bed_metric(&bed, "pool.refused"), 0);
    finish_job(&large, holder);
    job_case_round(&other, fd, 3);
    close(fd);
    bed_check_books(&bed);
    job_case_free(&large);
    job_case_free(&other);
    bed_close(&bed);
}
END_TEST

/* Jobs of these operand bytes, held one after the other until one is refused. Returns how many. */
static int hold_until_refused(struct job_case *k, int *fds, int max)
{
    for (int held = 0; held < max; held++) {
        int fd = client_open(&bed);
        k->h.id = 1;
        k->h.payload_bytes = k->shape.inline_bytes;
        double refused = bed_metric(&bed, "jobs.refused");
        double accepted = bed_metric(&bed, "jobs.accepted");
        client_send(fd, &k->h, sizeof(k->h));
        client_send(fd, k->payload, k->shape.inline_bytes - 8);
        while (bed_metric(&bed, "jobs.accepted") == accepted) {
            if (bed_metric(&bed, "jobs.refused") > refused) {
                close(fd);
                return held;
            }
        }
        fds[held] = fd;
    }
    ck_abort_msg("memory without end");
}

START_TEST(clients_that_are_there_stay_when_all_memory_is_taken)
{
    enum { CLIENTS = 50, HOLDERS = 2000 };
    static const uint32_t sizes[] = {1 << 20, 100000, 30000, 9000};
    static int holders[4][HOLDERS];
    int fds[CLIENTS], held[4];
    struct job_case large[4], small;
    bed_open(&bed, "[jobs]\njob_max_bytes = 16MiB\n[memory]\nmemory_max = 16MiB\n"
                   "[cache]\ncache_max = 0\n", NULL);
    sum_of(&small, 8000);
    for (int i = 0; i < CLIENTS; i++)
        fds[i] = client_open(&bed);
    for (int i = 0; i < 4; i++) {
        sum_of(&large[i], sizes[i]);
        held[i] = hold_until_refused(&large[i], holders[i], HOLDERS);
    }
    small.h.id = 9;
    small.h.payload_bytes = small.shape.inline_bytes;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < CLIENTS; i++) { /* in two pieces: something is kept */
            client_send(fds[i], &small.h, sizeof(small.h));
            client_send(fds[i], small.payload, 1000);
        }
        for (int i = 0; i < CLIENTS; i++)
            client_send(fds[i], small.payload + 1000, small.shape.inline_bytes - 1000);
        for (int i = 0; i < CLIENTS; i++) {
            struct answer a;
            client_receive(fds[i], &a);
            ck_assert(a.h.status == WIRE_OK || a.h.status == WIRE_OVERLOADED);
            free(a.payload);
        }
    }
    for (int i = 0; i < 4; i++) {
        while (held[i] > 0)
            finish_job(&large[i], holders[i][--held[i]]);
        job_case_free(&large[i]);
    }
    for (int i = 0; i < CLIENTS; i++) {
        job_case_round(&small, fds[i], 1);
        close(fds[i]);
    }
    bed_check_books(&bed);
    job_case_free(&small);
    bed_close(&bed);
}
END_TEST

/* ---- quotas ---- */

START_TEST(over_its_byte_quota_a_client_is_told_to_come_again)
{
    struct job_case k, tiny;
    bed_open(&bed, "[jobs]\njob_max_bytes = 1MiB\nclient_bytes_max = 1MiB\n", NULL);
    sum_of(&k, 300000); /* 900 kB with its result */
    sum_of(&tiny, 1000);
    int holder = hold_job(&k, 1);
    int fd = client_open(&bed);
    job_case_send(&k, fd, 2);
    expect_overloaded(fd, 2);
    job_case_round(&tiny, fd, 3); /* for that much there is room */
    finish_job(&k, holder);
    job_case_round(&k, fd, 4);
    ck_assert_double_ge(bed_metric(&bed, "jobs.refused"), 1);
    close(fd);
    bed_check_books(&bed);
    job_case_free(&k);
    job_case_free(&tiny);
    bed_close(&bed);
}
END_TEST

START_TEST(over_its_job_quota_a_client_is_told_to_come_again)
{
    struct job_case k, tiny;
    bed_open(&bed, "[jobs]\nclient_jobs_max = 2\n", NULL);
    sum_of(&k, 30000);
    sum_of(&tiny, 10);
    int first = hold_job(&k, 1), second = hold_job(&k, 2);
    int fd = client_open(&bed);
    job_case_send(&tiny, fd, 3);
    expect_overloaded(fd, 3);
    finish_job(&k, first);
    job_case_round(&tiny, fd, 4);
    finish_job(&k, second);
    close(fd);
    bed_check_books(&bed);
    job_case_free(&k);
    job_case_free(&tiny);
    bed_close(&bed);
}
END_TEST

START_TEST(with_one_job_at_a_time_a_pipeline_still_flows)
{
    struct job_case k;
    struct answer a;
    bed_open(&bed, "[socket]\nconnection_jobs_max = 1\n", NULL);
    sum_of(&k, 100000); /* more than one read brings */
    int fd = client_open(&bed);
    pid_t sender = fork(); /* sending all of it blocks until answers are read */
    if (sender == 0) {
        for (uint64_t id = 0; id < 20; id++)
            job_case_send(&k, fd, id);
        _exit(0);
    }
    for (uint64_t id = 0; id < 20; id++) {
        client_receive(fd, &a);
        job_case_check(&k, &a);
    }
    close(fd);
    job_case_free(&k);
    bed_close(&bed);
}
END_TEST

START_TEST(lines_that_never_end_are_held_to_their_users_quota)
{
    enum { CONNECTIONS = 30, LINE = 900000 };
    static char line[LINE];
    int fds[CONNECTIONS];
    bed_open(&bed, "[jobs]\njob_max_bytes = 4MiB\nclient_bytes_max = 4MiB\n", NULL);
    memset(line, ' ', LINE);
    line[0] = '{';
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = client_open(&bed);
        for (size_t at = 0; at < LINE;) { /* the daemon may have had enough */
            ssize_t sent = send(fds[i], line + at, LINE - at, MSG_NOSIGNAL);
            if (sent < 0)
                break;
            at += (size_t)sent;
        }
    }
    client_expect_service(&bed);
    /* 30 lines in buffers that double would take 60 MB */
    ck_assert_double_le(bed_metric(&bed, "pool.used_bytes"), 20 << 20);
    char *said = client_read_line(fds[CONNECTIONS - 1]);
    ck_assert_ptr_nonnull(strstr(said, "\"overloaded\""));
    free(said);
    for (int i = 0; i < CONNECTIONS; i++)
        close(fds[i]);
    bed_check_books(&bed);
    bed_close(&bed);
}
END_TEST

/* ---- connections ---- */

START_TEST(over_the_limit_connections_are_closed_at_once_and_counted)
{
    static const char *const configs[] = {"[socket]\nconnections_max = 6\n",
                                          "[socket]\nclient_connections_max = 6\n"};
    int fds[6];
    bed_open(&bed, configs[_i], NULL);
    for (int i = 0; i < 6; i++) {
        fds[i] = client_open(&bed);
        client_expect_alive(fds[i]);
    }
    for (int i = 0; i < 5; i++) {
        int over = client_open(&bed);
        client_expect_end(over);
        close(over);
    }
    for (int i = 0; i < 6; i++) {
        client_expect_alive(fds[i]);
        shutdown(fds[i], SHUT_WR);
        client_expect_end(fds[i]); /* its place is free */
        close(fds[i]);
    }
    bed_await(&bed, "connections.refused", 5);
    bed_await(&bed, "connections.open", 1);
    bed_close(&bed);
}
END_TEST

/* ---- deadlines ---- */

START_TEST(a_job_that_waits_beyond_its_deadline_says_so)
{
    struct job_case endless, k;
    uint64_t state = 1;
    bed_open(&bed, NULL, one_worker);
    job_case_endless(&endless);
    job_case_product(&k, &state, 64);
    int blocker = client_open(&bed), fd = client_open(&bed);
    job_case_send(&endless, blocker, 1);
    bed_await(&bed, "jobs.in_flight", 1);
    k.h.deadline_us = 1;
    job_case_send(&k, fd, 2);
    k.h.deadline_us = UINT32_MAX;
    job_case_send(&k, fd, 3);
    bed_await(&bed, "jobs.in_flight", 3);
    close(blocker);
    client_expect_error(fd, 2, WIRE_DEADLINE_EXCEEDED, NULL);
    struct answer a;
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.id, 3);
    job_case_check(&k, &a);
    close(fd);
    bed_check_books(&bed);
    ck_assert_double_eq(bed_metric(&bed, "jobs.failed"), 1);
    job_case_free(&endless);
    job_case_free(&k);
    bed_close(&bed);
}
END_TEST

START_TEST(a_job_that_runs_beyond_its_deadline_is_stopped)
{
    struct job_case endless;
    bed_open(&bed, NULL, one_worker);
    job_case_endless(&endless);
    endless.h.deadline_us = 50000;
    int fd = client_open(&bed);
    job_case_send(&endless, fd, 1);
    client_expect_error(fd, 1, WIRE_DEADLINE_EXCEEDED, NULL);
    client_expect_alive(fd);
    close(fd);
    bed_check_books(&bed);
    job_case_free(&endless);
    bed_close(&bed);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("daemon, limits");
    TCase *t = tcase_create("limits");
    tcase_set_timeout(t, 2 * BED_PATIENCE_S);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, at_the_memory_limit_jobs_are_told_to_come_again_and_others_served);
    tcase_add_test(t, clients_that_are_there_stay_when_all_memory_is_taken);
    tcase_add_test(t, over_its_byte_quota_a_client_is_told_to_come_again);
    tcase_add_test(t, over_its_job_quota_a_client_is_told_to_come_again);
    tcase_add_test(t, with_one_job_at_a_time_a_pipeline_still_flows);
    tcase_add_test(t, lines_that_never_end_are_held_to_their_users_quota);
    tcase_add_loop_test(t, over_the_limit_connections_are_closed_at_once_and_counted, 0, 2);
    tcase_add_test(t, a_job_that_waits_beyond_its_deadline_says_so);
    tcase_add_test(t, a_job_that_runs_beyond_its_deadline_is_stopped);
    suite_add_tcase(s, t);
    return suite_run(s);
}
