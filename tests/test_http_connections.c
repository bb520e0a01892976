/* HTTP: connections that stay, idle, flood, stall, leave, or find no descriptor. */
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "http_bed.h"
#include "suite.h"

static struct http_bed bed;
static struct reply reply;

static void setup(void)
{
    bed_open(&bed);
}

static void teardown(void)
{
    bed_close(&bed);
}

START_TEST(a_connection_serves_many_requests)
{
    const char *request = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = client_open(&bed);
    for (int i = 0; i < 100; i++) {
        client_send(fd, request, strlen(request));
        reply_read(&bed, &reply, fd, true);
        ck_assert_int_eq(reply.status, 200);
        ck_assert(!reply.closed);
        ck_assert_ptr_null(reply_field(&reply, "Connection"));
    }
    ck_assert_uint_eq(http_connection_count(bed.http), 1);
    close(fd);
}
END_TEST

START_TEST(close_is_honoured)
{
    const char *request = "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    int fd = client_open(&bed);
    client_send(fd, request, strlen(request));
    reply_read(&bed, &reply, fd, true);
    ck_assert_int_eq(reply.status, 200);
    ck_assert(client_sees_end(&bed, fd));
    close(fd);
}
END_TEST

START_TEST(pipelined_requests_are_answered_in_order)
{
    static const char requests[] = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /none HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
                                   "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    const int want[] = {200, 404, 503, 200};
    int fd = client_open(&bed);
    client_send(fd, requests, sizeof requests - 1);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        reply_read(&bed, &reply, fd, true);
        ck_assert_int_eq(reply.status, want[i]);
    }
    close(fd);
}
END_TEST

START_TEST(a_request_in_single_bytes_is_served)
{
    const char *request = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = client_open(&bed);
    for (const char *p = request; *p != '\0'; p++) {
        client_send(fd, p, 1);
        bed_turn(&bed);
    }
    reply_read(&bed, &reply, fd, true);
    ck_assert_int_eq(reply.status, 200);
    close(fd);
}
END_TEST

START_TEST(a_slow_request_is_dropped_though_bytes_come)
{
    http_set_patience(bed.http, 100);
    int fd = client_open(&bed);
    const char *begin = "GET /livez HTTP/1.1\r\nHost: a\r\nX: ";
    client_send(fd, begin, strlen(begin));
    bool dropped = false;
    for (int i = 0; i < 2000 && !dropped; i++) { /* one more byte each 5 ms */
        char byte;
        usleep(5000);
        dropped = send(fd, "x", 1, MSG_NOSIGNAL) < 0;
        bed_turn(&bed);
        ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
        dropped = dropped || n == 0 || (n < 0 && errno == ECONNRESET);
    }
    ck_assert(dropped);
    close(fd);
    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

START_TEST(an_idle_connection_is_dropped)
{
    http_set_patience(bed.http, 50);
    int silent = client_open(&bed), used = client_open(&bed);
    const char *request = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    client_send(used, request, strlen(request));
    reply_read(&bed, &reply, used, true);
    ck_assert(client_sees_end(&bed, silent));
    ck_assert(client_sees_end(&bed, used));
    ck_assert_uint_eq(http_connection_count(bed.http), 0);
    close(silent);
    close(used);
}
END_TEST

START_TEST(silent_connections_cannot_shut_others_out)
{
    enum { FLOOD = HTTP_CONNECTIONS_MAX + 40 };
    int fds[FLOOD];
    for (int i = 0; i < FLOOD; i++) {
        fds[i] = client_open(&bed);
        client_send(fds[i], "GET /", 5);
        bed_turn(&bed);
        ck_assert_uint_le(http_connection_count(bed.http), HTTP_CONNECTIONS_MAX);
    }
    for (int i = 0; i < 3; i++) {
        exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        ck_assert_int_eq(reply.status, 200);
    }
    for (int i = 0; i < FLOOD; i++)
        close(fds[i]);
}
END_TEST

START_TEST(a_client_that_takes_no_answers_is_dropped)
{
    static const char request[] = "GET /metrics?format=prometheus HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = client_open(&bed);
    for (int i = 0; i < 2000; i++) { /* some 40 MB of answers */
        (void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        bed_turn(&bed);
    }
    ck_assert_uint_eq(http_connection_count(bed.http), 1);
    http_set_patience(bed.http, 100); /* only now, however long the flood took */
    for (int i = 0; i < TURNS_MAX && http_connection_count(bed.http) > 0; i++) {
        usleep(1000);
        bed_turn(&bed);
    }
    ck_assert_uint_eq(http_connection_count(bed.http), 0);
    close(fd);
    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

START_TEST(a_client_that_leaves_mid_request_leaves_nothing)
{
    const char *request = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    for (size_t bytes = 0; bytes <= strlen(request); bytes++) {
        int fd = client_open(&bed);
        bed_turn(&bed);
        client_send(fd, request, bytes);
        bed_turn(&bed);
        close(fd);
        bed_turn(&bed);
    }
    for (int i = 0; i < 1000 && http_connection_count(bed.http) > 0; i++)
        bed_turn(&bed);
    ck_assert_uint_eq(http_connection_count(bed.http), 0);
}
END_TEST

START_TEST(it_recovers_when_descriptors_run_out)
{
    struct rlimit limit, tight;
    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    http_set_patience(bed.http, 100); /* so that the pause is short */
    int fd = client_open(&bed);
    int next = dup(fd);
    close(next);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    tight.rlim_cur = (rlim_t)next; /* no descriptor can be opened now */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (int i = 0; i < 100; i++)
        bed_turn(&bed);
    ck_assert_uint_eq(http_connection_count(bed.http), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    close(fd); /* it waits in the backlog, though valgrind's accept4() has lost it */
    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

START_TEST(stop_with_open_connections_closes_them)
{
    int fd = client_open(&bed);
    client_send(fd, "GET /met", 8);
    bed_turn(&bed);
    bed_turn(&bed);
    http_stop(bed.http);
    bed.http = NULL;
    uv_run(&bed.loop, UV_RUN_DEFAULT);
    char byte;
    ck_assert_int_le(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
    close(fd);
}
END_TEST

START_TEST(bind_takes_addresses_of_both_families)
{
    int fd;
    ck_assert_int_eq(http_bind(&fd, "127.0.0.1:0"), 0);
    close(fd);
    int err = http_bind(&fd, "[::1]:0"); /* a host may have no IPv6 */
    ck_assert(err == 0 || err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT);
    if (err == 0)
        close(fd);
}
END_TEST

START_TEST(bind_refuses_a_port_in_use)
{
    char address[32];
    int fd;
    snprintf(address, sizeof address, "127.0.0.1:%d", http_port(bed.http));
    ck_assert_int_eq(http_bind(&fd, address), -EADDRINUSE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http, connections");
    TCase *tests = tcase_create("connections");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_connection_serves_many_requests);
    tcase_add_test(tests, close_is_honoured);
    tcase_add_test(tests, pipelined_requests_are_answered_in_order);
    tcase_add_test(tests, a_request_in_single_bytes_is_served);
    tcase_add_test(tests, a_slow_request_is_dropped_though_bytes_come);
    tcase_add_test(tests, an_idle_connection_is_dropped);
    tcase_add_test(tests, silent_connections_cannot_shut_others_out);
    tcase_add_test(tests, a_client_that_takes_no_answers_is_dropped);
    tcase_add_test(tests, a_client_that_leaves_mid_request_leaves_nothing);
    tcase_add_test(tests, it_recovers_when_descriptors_run_out);
    tcase_add_test(tests, stop_with_open_connections_closes_them);
    tcase_add_test(tests, bind_takes_addresses_of_both_families);
    tcase_add_test(tests, bind_refuses_a_port_in_use);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
