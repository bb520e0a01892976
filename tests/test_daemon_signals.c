/* Signals at the whole daemon: the first that ends it drains, the second does not wait, SIGHUP
 * reads the configuration again, and a broken pipe ends nothing. */
#include "config.h"

#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "suite.h"

static struct bed bed;

static void setup(void)
{
    bed_make(&bed);
    bed_configure(&bed, NULL);
}

static void teardown(void)
{
    bed_remove(&bed);
}

/* Answers too large for any socket buffer: a drain waits until they are read. */
static void large_answer(struct job_case *k)
{
    uint64_t state = 1;
    struct wire_request h = client_request(WIRE_JOB, 0);
    h.op = KERN_OP_add_u8;
    h.arg[0] = 12 << 20;
    job_case_of(k, &h, &state);
}

/* Returns owned (free): the whole answer to GET `target`. */
static char *http_get(const char *target)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)bed.http_port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    char request[128], *answer = calloc(1, 65536);
    int n = snprintf(request, sizeof(request),
                     "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", target);
    client_send(fd, request, (size_t)n);
    for (size_t at = 0; at < 65535;) {
        ssize_t got = recv(fd, answer + at, 65535 - at, 0);
        if (got <= 0)
            break;
        at += (size_t)got;
    }
    close(fd);
    return answer;
}

static void expect_http(const char *target, const char *status)
{
    char *answer = http_get(target);
    ck_assert_msg(strncmp(answer + 9, status, 3) == 0, "%s: %.60s", target, answer);
    free(answer);
}

/* Returns when /readyz says 503. */
static void await_not_ready(void)
{
    for (double end = bed_now() + (double)BED_PATIENCE_S; bed_now() < end;) {
        char *answer = http_get("/readyz");
        bool refuses = strncmp(answer + 9, "503", 3) == 0;
        free(answer);
        if (refuses)
            return;
    }
    ck_abort_msg("readyz stays as it was");
}

START_TEST(sigterm_drains)
{
    static const char *const flags[] = {"--http", "127.0.0.1:0", "--workers", "2", NULL};
    enum { JOBS = 30 };
    struct job_case large, k[JOBS];
    uint64_t state = chance_seed();
    struct answer a;
    ck_assert(bed_start(&bed, flags));
    expect_http("/readyz", "200");
    large_answer(&large);
    int slow = client_open(&bed), busy = client_open(&bed), idle = client_open(&bed);
    client_expect_alive(idle);
    job_case_send(&large, slow, 1); /* its answer waits to be read */
    for (uint64_t i = 0; i < JOBS; i++) {
        job_case_product(&k[i], &state, (uint32_t)(1 + i));
        job_case_send(&k[i], busy, i);
    }
    bed_await(&bed, "jobs.accepted", JOBS + 1);

    kill(bed.pid, SIGTERM);
    await_not_ready();
    expect_http("/livez", "200");
    ck_assert(!bed_has_socket(&bed));
    client_expect_end(idle);
    for (unsigned i = 0; i < JOBS; i++) { /* every job that was accepted is answered */
        client_receive(busy, &a);
        ck_assert_uint_lt(a.h.id, JOBS);
        job_case_check(&k[a.h.id], &a);
        job_case_free(&k[a.h.id]);
    }
    client_expect_end(busy);
    client_receive(slow, &a);
    job_case_check(&large, &a);
    client_expect_end(slow);
    ck_assert_int_eq(bed_wait(&bed), 0);
    bed_expect_log(&bed, "drained");
    job_case_free(&large);
    close(slow);
    close(busy);
    close(idle);
}
END_TEST

START_TEST(a_payload_still_on_its_way_does_not_hold_up_a_drain)
{
    struct job_case large;
    struct answer a;
    ck_assert(bed_start(&bed, NULL));
    large_answer(&large);
    int fd = client_open(&bed);
    large.h.payload_bytes = large.shape.inline_bytes;
    client_send(fd, &large.h, sizeof(large.h));
    client_send(fd, large.payload, 1000000);
    bed_await(&bed, "jobs.accepted", 1);
    kill(bed.pid, SIGTERM);
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.status, WIRE_SHUTTING_DOWN);
    free(a.payload);
    client_expect_end(fd);
    ck_assert_int_eq(bed_wait(&bed), 0);
    close(fd);
    job_case_free(&large);
}
END_TEST

START_TEST(a_drain_has_an_end)
{
    struct job_case large;
    bed_configure(&bed, "[jobs]\ndrain_max = 50ms\n");
    ck_assert(bed_start(&bed, NULL));
    large_answer(&large);
    int fd = client_open(&bed);
    job_case_send(&large, fd, 1); /* never read */
    bed_await(&bed, "jobs.done", 1);
    ck_assert_int_eq(bed_stop(&bed), 0);
    bed_expect_log(&bed, "drain cut short");
    close(fd);
    job_case_free(&large);
}
END_TEST

START_TEST(a_drain_that_is_cut_short_stops_running_jobs)
{
    static const char *const flags[] = {"--workers", "1", NULL};
    struct job_case endless;
    bed_configure(&bed, "[jobs]\ndrain_max = 50ms\n");
    ck_assert(bed_start(&bed, flags));
    job_case_endless(&endless);
    int fd = client_open(&bed);
    job_case_send(&endless, fd, 1);
    job_case_send(&endless, fd, 2);
    bed_await(&bed, "jobs.in_flight", 2);
    ck_assert_int_eq(bed_stop(&bed), 0);
    bed_expect_log(&bed, "drain cut short");
    close(fd);
    job_case_free(&endless);
}
END_TEST

START_TEST(a_second_signal_exits_at_once)
{
    static const int seconds[] = {SIGTERM, SIGINT};
    static const char *const flags[] = {"--http", "127.0.0.1:0", NULL};
    struct job_case large;
    ck_assert(bed_start(&bed, flags));
    large_answer(&large);
    int fd = client_open(&bed);
    job_case_send(&large, fd, 1);
    bed_await(&bed, "jobs.done", 1);
    kill(bed.pid, SIGTERM);
    await_not_ready();
    kill(bed.pid, seconds[_i]);
    ck_assert_int_eq(bed_wait(&bed), 75);
    bed_expect_log(&bed, "second signal");
    close(fd);
    job_case_free(&large);
}
END_TEST

START_TEST(sigint_drains_too)
{
    ck_assert(bed_start(&bed, NULL));
    kill(bed.pid, SIGINT);
    ck_assert_int_eq(bed_wait(&bed), 0);
    ck_assert(!bed_has_socket(&bed));
}
END_TEST

START_TEST(sighup_applies_a_good_file_and_keeps_the_old_for_a_bad_one)
{
    struct job_case k;
    uint64_t state = 1;
    bed_configure(&bed, "[jobs]\njob_max_bytes = 1MiB\n");
    ck_assert(bed_start(&bed, NULL));
    job_case_product(&k, &state, 64);
    int fd = client_open(&bed);
    job_case_round(&k, fd, 1);

    bed_configure(&bed, "[jobs]\njob_max_bytes = 8KiB\n");
    kill(bed.pid, SIGHUP);
    bed_await(&bed, "config.reloads_ok", 1);
    job_case_send(&k, fd, 2);
    client_expect_error(fd, 2, WIRE_TOO_BIG, "payload_bytes");

    bed_configure(&bed, "[jobs]\njob_max_bytes = 1MiB\nnonsense = 1\n");
    kill(bed.pid, SIGHUP);
    bed_await(&bed, "config.reloads_error", 1);
    char where[128];
    (void)snprintf(where, sizeof(where), "%s:3: unknown key 'nonsense'", bed.config);
    bed_expect_log(&bed, where);
    job_case_send(&k, fd, 3);
    client_expect_error(fd, 3, WIRE_TOO_BIG, "payload_bytes");

    unlink(bed.config);
    kill(bed.pid, SIGHUP);
    bed_await(&bed, "config.reloads_error", 2);

    bed_configure(&bed, "[jobs]\njob_max_bytes = 1MiB\n[scheduler]\nworkers = 7\n");
    kill(bed.pid, SIGHUP);
    bed_await(&bed, "config.reloads_ok", 2);
    bed_expect_log(&bed, "parameters_that_need_a_restart=1");
    job_case_round(&k, fd, 4);
    close(fd);
    job_case_free(&k);
    ck_assert_int_eq(bed_stop(&bed), 0);
}
END_TEST

/* In a child, since a client that sends without reading may have to wait. */
static void send_and_shrink(int fd, struct job_case *k, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        job_case_send(&k[i], fd, i);
        if (i != count / 2)
            continue;
        bed_configure(&bed, "[socket]\nconnections_max = 3\nout_max_bytes = 64KiB\n"
                            "connection_jobs_max = 1\n[cache]\ncache_max = 0\n"
                            "[batch]\nbatch_max_jobs = 1\nbatch_max_delay = 0\n"
                            "inline_max = 0\n[memory]\nmemory_keep = 0\n"
                            "[scheduler]\nsplit_min = 1us\n");
        kill(bed.pid, SIGHUP);
    }
    _exit(0);
}

START_TEST(sighup_may_shrink_every_limit_under_load)
{
    uint64_t state = chance_seed();
    struct answer a;
    enum { JOBS = 60 };
    struct job_case k[JOBS];
    ck_assert(bed_start(&bed, NULL));
    int fd = client_open(&bed);
    for (uint64_t i = 0; i < JOBS; i++) {
        job_case_random(&k[i], &state, 20000);
        k[i].h.flags |= WIRE_CACHE_ALWAYS << WIRE_F_CACHE_SHIFT;
    }
    fflush(NULL);
    pid_t sender = fork();
    if (sender == 0)
        send_and_shrink(fd, k, JOBS);
    for (unsigned i = 0; i < JOBS; i++) {
        client_receive(fd, &a);
        ck_assert_uint_lt(a.h.id, JOBS);
        job_case_check(&k[a.h.id], &a);
        job_case_free(&k[a.h.id]);
    }
    waitpid(sender, NULL, 0);
    bed_await(&bed, "config.reloads_ok", 1);
    close(fd);
    ck_assert_int_eq(bed_stop(&bed), 0);
}
END_TEST

START_TEST(broken_pipes_do_not_end_it)
{
    struct job_case large;
    ck_assert(bed_start(&bed, NULL));
    large_answer(&large);
    for (unsigned i = 0; i < bed_scaled(10); i++) {
        int fd = client_open(&bed);
        job_case_send(&large, fd, 1);
        close(fd); /* before, while or after it is written */
    }
    client_expect_service(&bed);
    job_case_free(&large);
    ck_assert_int_eq(bed_stop(&bed), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("daemon, signals");
    TCase *t = tcase_create("signals");
    tcase_set_timeout(t, 2 * BED_PATIENCE_S);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, sigterm_drains);
    tcase_add_test(t, a_payload_still_on_its_way_does_not_hold_up_a_drain);
    tcase_add_test(t, a_drain_has_an_end);
    tcase_add_test(t, a_drain_that_is_cut_short_stops_running_jobs);
    tcase_add_loop_test(t, a_second_signal_exits_at_once, 0, 2);
    tcase_add_test(t, sigint_drains_too);
    tcase_add_test(t, sighup_applies_a_good_file_and_keeps_the_old_for_a_bad_one);
    tcase_add_test(t, sighup_may_shrink_every_limit_under_load);
    tcase_add_test(t, broken_pipes_do_not_end_it);
    suite_add_tcase(s, t);
    return suite_run(s);
}
