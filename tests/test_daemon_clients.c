/* Clients that misbehave with their connections: never read, leave at the wrong time, come in
 * thousands. The daemon's memory stays bounded, others are served, and whoever reads in the end
 * gets every answer. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "suite.h"

/* One worker; small limits, so that they are reached soon. See main(). */
enum { OUT_MAX_BYTES = 256 * 1024, JOBS_MAX = 64, SENT_MAX = 64 << 20 };

static struct bed bed;

/* ---- who never reads ---- */

/* Sends what fits now. */
static size_t send_now(int fd, const uint8_t *p, size_t n)
{
    ssize_t sent = send(fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    ck_assert_msg(sent > 0 || errno == EAGAIN, "send: %s", strerror(errno));
    return sent > 0 ? (size_t)sent : 0;
}

static bool is_writable_soon(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    return poll(&p, 1, 200) == 1;
}

/* Sends the same frame over and over until the daemon has stopped reading; returns how many bytes
 * went. The last frame may be cut off. */
static size_t send_until_stalled(int fd, const uint8_t *frame, size_t n)
{
    double stalls = bed_metric(&bed, "connections.read_stalls");
    size_t sent = 0;
    for (int blocked = 0; blocked < 3;) {
        size_t at = sent % n;
        size_t now = send_now(fd, frame + at, n - at);
        sent += now;
        ck_assert_msg(sent < SENT_MAX, "the daemon reads on");
        if (now > 0 || is_writable_soon(fd))
            blocked = 0;
        else if (bed_metric(&bed, "connections.read_stalls") > stalls)
            blocked++;
    }
    return sent;
}

/* Receives `count` answers of a job, while the rest of its last frame is sent. */
static void receive_all(int fd, struct job_case *k, size_t count, const uint8_t *rest, size_t n)
{
    for (size_t i = 0; i < count; i++) {
        struct answer a;
        struct pollfd p = {.fd = fd};
        while (n > 0 && (p.revents & POLLIN) == 0) {
            p.events = POLLIN | POLLOUT;
            ck_assert_int_eq(poll(&p, 1, 1000 * BED_PATIENCE_S), 1);
            size_t now = send_now(fd, rest, n);
            rest += now;
            n -= now;
        }
        client_receive(fd, &a);
        ck_assert_uint_eq(a.h.id, 21);
        job_case_check(k, &a);
    }
}

/* Jobs whose answers weigh: so many bytes of floats each. */
static void never_read(uint32_t elements)
{
    uint64_t state = 1;
    struct wire_request h = client_request(WIRE_JOB, 21);
    struct job_case k;
    h.op = KERN_OP_mul_f32;
    h.arg[0] = elements;
    job_case_of(&k, &h, &state);
    k.h.payload_bytes = k.shape.inline_bytes;
    size_t n = sizeof(k.h) + k.shape.inline_bytes;
    uint8_t *frame = malloc(n);
    ck_assert_ptr_nonnull(frame);
    memcpy(frame, &k.h, sizeof(k.h));
    memcpy(frame + sizeof(k.h), k.payload, k.shape.inline_bytes);

    client_expect_service(&bed);
    double used = bed_metric(&bed, "pool.used_bytes");
    int fd = client_open(&bed);
    size_t sent = send_until_stalled(fd, frame, n);
    /* what may wait, what is in flight, and what one read brings */
    double bound = (double)(OUT_MAX_BYTES + JOBS_MAX * k.shape.total_bytes + (1 << 20));
    ck_assert_double_le(bed_metric(&bed, "pool.used_bytes") - used, 2 * bound);
    for (int i = 0; i < 10; i++)
        client_expect_service(&bed);

    size_t frames = (sent + n - 1) / n;
    receive_all(fd, &k, frames, frame + (n - (frames * n - sent)) % n, frames * n - sent);
    client_expect_alive(fd);
    close(fd);
    free(frame);
    job_case_free(&k);
    bed_await_idle(&bed);
}

START_TEST(a_client_that_never_reads_is_not_read_and_later_gets_every_answer)
{
    static const uint32_t elements[] = {2, 1000, 3000, 100000};
    never_read(elements[_i]);
}
END_TEST

START_TEST(metrics_asked_for_without_end_are_bounded)
{
    struct wire_request h = client_request(WIRE_METRICS, 21);
    static struct wire_request many[1024];
    for (size_t i = 0; i < 1024; i++)
        many[i] = h;
    client_expect_service(&bed);
    double used = bed_metric(&bed, "pool.used_bytes");
    int fd = client_open(&bed);
    size_t sent = send_until_stalled(fd, (uint8_t *)many, sizeof(many));
    /* a text of 17 KiB takes a block of 64 KiB */
    ck_assert_double_le(bed_metric(&bed, "pool.used_bytes") - used, 6.0 * (double)OUT_MAX_BYTES);
    client_expect_service(&bed);
    for (size_t i = 0; i < sent / sizeof(h); i++) {
        struct answer a;
        client_receive(fd, &a);
        ck_assert_uint_eq(a.h.id, 21);
        ck_assert(a.h.status == WIRE_OK || a.h.status == WIRE_OVERLOADED);
        free(a.payload);
    }
    close(fd);
}
END_TEST

START_TEST(connections_that_never_read_share_their_users_quota)
{
    enum { CONNECTIONS = 40, ANSWERS = 10 };
    int fds[CONNECTIONS];
    uint64_t state = 1;
    struct wire_request h = client_request(WIRE_JOB, 21);
    struct job_case k;
    h.op = KERN_OP_matmul_i32; /* a column times a row: 4 kB ask for 900 kB */
    h.arg[0] = h.arg[1] = 470;
    h.arg[2] = h.arg[6] = 1;
    job_case_of(&k, &h, &state);
    client_expect_service(&bed);
    double used = bed_metric(&bed, "pool.used_bytes");
    for (int i = 0; i < CONNECTIONS; i++) {
        fds[i] = client_open(&bed);
        for (int n = 0; n < ANSWERS; n++)
            job_case_send(&k, fds[i], 21);
        client_expect_service(&bed);
    }
    /* 400 answers would take 350 MB; client_bytes_max is 64 MiB, and the pool rounds up */
    ck_assert_double_le(bed_metric(&bed, "pool.used_bytes") - used, 96 << 20);
    for (int i = 0; i < CONNECTIONS; i++) {
        for (int n = 0; n < ANSWERS; n++) {
            struct answer a;
            client_receive(fds[i], &a);
            if (a.h.status == WIRE_OVERLOADED)
                ck_assert_uint_gt(a.h.retry_after_us, 0);
            else
                ck_assert_uint_eq(a.h.status, WIRE_OK);
            free(a.payload);
        }
        close(fds[i]);
    }
    bed_await_idle(&bed);
    int fd = client_open(&bed); /* all of it was given back */
    job_case_round(&k, fd, 1);
    close(fd);
    job_case_free(&k);
}
END_TEST

/* ---- who leaves ---- */

/* An endless job and some behind it; how its client leaves is the caller's. */
static int send_endless(unsigned behind)
{
    uint64_t state = 2;
    struct job_case endless, product;
    int fd = client_open(&bed);
    job_case_endless(&endless);
    job_case_product(&product, &state, 64);
    job_case_send(&endless, fd, 1);
    for (unsigned i = 0; i < behind; i++)
        job_case_send(&product, fd, 2 + i);
    job_case_free(&endless);
    job_case_free(&product);
    bed_await(&bed, "jobs.in_flight", 1 + behind);
    return fd;
}

START_TEST(a_client_that_leaves_takes_its_jobs_with_it)
{
    double cancelled = bed_metric(&bed, "jobs.cancelled"), done = bed_metric(&bed, "jobs.done");
    int fd = send_endless(20);
    close(fd);
    bed_await(&bed, "jobs.in_flight", 0); /* the endless one stopped, or this takes minutes */
    ck_assert_double_eq(bed_metric(&bed, "jobs.cancelled"), cancelled + 21);
    ck_assert_double_eq(bed_metric(&bed, "jobs.done"), done);
    client_expect_service(&bed);
}
END_TEST

START_TEST(a_client_that_leaves_after_a_half_close_takes_its_jobs_with_it)
{
    double cancelled = bed_metric(&bed, "jobs.cancelled");
    int fd = send_endless(5);
    shutdown(fd, SHUT_WR);
    bed_await(&bed, "jobs.in_flight", 6); /* still wanted */
    close(fd);
    bed_await(&bed, "jobs.in_flight", 0);
    ck_assert_double_eq(bed_metric(&bed, "jobs.cancelled"), cancelled + 6);
}
END_TEST

START_TEST(a_client_that_leaves_while_it_is_not_read_takes_its_jobs_with_it)
{
    int fd = send_endless(JOBS_MAX - 1); /* that many: the daemon reads no more */
    struct wire_request ping = client_request(WIRE_PING, 1);
    client_send_frame(fd, &ping, NULL, 0);
    if (_i == 1)
        shutdown(fd, SHUT_WR);
    client_expect_service(&bed);
    ck_assert_double_eq(bed_metric(&bed, "jobs.in_flight"), JOBS_MAX);
    close(fd);
    bed_await(&bed, "jobs.in_flight", 0);
    bed_await_idle(&bed);
}
END_TEST

START_TEST(a_half_close_while_it_is_not_read_loses_nothing)
{
    enum { MORE = 4 }; /* so few that the socket takes them, if it is told to */
    const int buffer = 1 << 20;
    uint64_t state = 4;
    struct wire_request h = client_request(WIRE_JOB, 0);
    struct job_case k;
    struct answer a;
    int blocker = send_endless(0);
    int fd = client_open(&bed);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    h.op = KERN_OP_hash_fast;
    h.arg[1] = 40000; /* for a worker, which is busy */
    job_case_of(&k, &h, &state);
    for (unsigned i = 0; i < JOBS_MAX + MORE; i++)
        job_case_send(&k, fd, i);
    shutdown(fd, SHUT_WR);
    bed_await(&bed, "connections.open", 3);
    ck_assert_double_lt(bed_metric(&bed, "jobs.in_flight"), 1 + JOBS_MAX + MORE);
    close(blocker);
    for (unsigned i = 0; i < JOBS_MAX + MORE; i++) {
        client_receive(fd, &a);
        ck_assert_uint_lt(a.h.id, JOBS_MAX + MORE);
        job_case_check(&k, &a);
    }
    client_expect_end(fd);
    close(fd);
    job_case_free(&k);
}
END_TEST

START_TEST(clients_that_leave_before_their_answers_harm_nobody)
{
    uint64_t state = chance_seed();
    for (unsigned i = 0; i < bed_scaled(150); i++) {
        struct job_case k;
        int fd = client_open(&bed);
        for (uint64_t n = chance_below(&state, 8); n > 0; n--) {
            job_case_random(&k, &state, 30000);
            job_case_send(&k, fd, n);
            job_case_free(&k);
        }
        if (chance_below(&state, 3) == 0) { /* a reset instead of an end */
            struct wire_request ping = client_request(WIRE_PING, 1);
            client_send_frame(fd, &ping, NULL, 0);
            struct pollfd p = {.fd = fd, .events = POLLIN};
            poll(&p, 1, 1000 * BED_PATIENCE_S);
        }
        close(fd);
    }
    client_expect_service(&bed);
    bed_await_idle(&bed);
}
END_TEST

/* ---- who comes in thousands ---- */

static unsigned connections_possible(void)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    unsigned room = limit.rlim_max > 1000000 ? 1000000 : (unsigned)limit.rlim_max - 200;
    unsigned want = bed_scaled(10000);
    return want < room ? want : room;
}

/* In a child, since a process may only have so many descriptors: all connect, then all ask, then
 * all must be answered. Then they stay, idle, until the child is killed. */
static void hold_connections(unsigned count, int told)
{
    int *fds = calloc(count, sizeof(*fds));
    ck_assert_ptr_nonnull(fds);
    const uint32_t operands[4] = {1, 2, 3, 4};
    struct wire_request h = client_request(WIRE_JOB, 0);
    h.op = KERN_OP_add_i32;
    h.arg[0] = 2;
    for (unsigned i = 0; i < count; i++)
        fds[i] = client_open(&bed);
    for (unsigned i = 0; i < count; i++) {
        h.id = i;
        client_send_frame(fds[i], &h, operands, sizeof(operands));
    }
    for (unsigned i = 0; i < count; i++)
        client_expect_ok(fds[i], i);
    (void)!write(told, "", 1);
    for (;;)
        pause();
}

START_TEST(ten_thousand_connections_are_served_and_cost_little)
{
    unsigned count = connections_possible();
    int told[2];
    char byte;
    client_expect_service(&bed);
    bed_await_idle(&bed);
    double resident = bed_metric(&bed, "process.resident_bytes");
    double used = bed_metric(&bed, "pool.used_bytes");
    ck_assert_int_eq(pipe(told), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        close(told[0]);
        hold_connections(count, told[1]);
    }
    close(told[1]);
    ck_assert_msg(read(told[0], &byte, 1) == 1, "not all were answered");
    ck_assert_double_eq(bed_metric(&bed, "connections.open"), count + 1);
    double each = (bed_metric(&bed, "process.resident_bytes") - resident - (4 << 20)) / count;
    if (!BED_SANITIZED) /* else it is mostly the sanitizer's */
        ck_assert_msg(each < 4096, "%.0f bytes for each of %u connections", each, count);
    ck_assert_double_le(bed_metric(&bed, "pool.used_bytes"), used + (1 << 20));
    client_expect_service(&bed);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(told[0]);
    bed_await_idle(&bed);
    client_expect_service(&bed);
}
END_TEST

START_TEST(the_books_balance)
{
    bed_check_books(&bed);
}
END_TEST

static int run(void)
{
    Suite *s = suite_create("daemon, clients");
    TCase *t = tcase_create("clients");
    tcase_set_timeout(t, 2 * BED_PATIENCE_S);
    tcase_add_loop_test(t, a_client_that_never_reads_is_not_read_and_later_gets_every_answer, 0,
                        4);
    tcase_add_test(t, metrics_asked_for_without_end_are_bounded);
    tcase_add_test(t, connections_that_never_read_share_their_users_quota);
    tcase_add_test(t, a_client_that_leaves_takes_its_jobs_with_it);
    tcase_add_test(t, a_client_that_leaves_after_a_half_close_takes_its_jobs_with_it);
    tcase_add_loop_test(t, a_client_that_leaves_while_it_is_not_read_takes_its_jobs_with_it, 0, 2);
    tcase_add_test(t, a_half_close_while_it_is_not_read_loses_nothing);
    tcase_add_test(t, clients_that_leave_before_their_answers_harm_nobody);
    tcase_add_test(t, ten_thousand_connections_are_served_and_cost_little);
    tcase_add_test(t, the_books_balance);
    suite_add_tcase(s, t);
    return suite_run(s);
}

int main(void)
{
    static const char *const flags[] = {"--workers", "1", NULL};
    return bed_suite(&bed,
                     "[socket]\n"
                     "out_max_bytes = 256KiB\n"
                     "connection_jobs_max = 64\n"
                     "[jobs]\n"
                     "job_max_bytes = 32MiB\n"
                     "client_bytes_max = 64MiB\n",
                     flags, run);
}
