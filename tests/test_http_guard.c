/* HTTP: bytes that are no request, or one that two readers could read in two ways, harm nobody. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
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

#define CHUNKED "Transfer-Encoding: chunked\r\n"

START_TEST(guarded_requests_are_400_and_close)
{
    const char *const requests[] = {
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: user@a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\na",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\na",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\na",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n" CHUNKED "\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n" CHUNKED CHUNKED "\r\n0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x01z\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\x7fz\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX\x02: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX Y: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX(Y): a\r\n\r\n",
        "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET livez HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a b/ HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http:///livez HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.10\r\nHost: a\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        int fd = client_open(&bed);
        client_send(fd, requests[i], strlen(requests[i]));
        reply_read(&bed, &reply, fd, true);
        /* libmicrohttpd itself refuses some: it may close without a word, but never serve. */
        bool refused = reply.status == 400 || reply.status == 505 || reply.status == 0;
        ck_assert_msg(refused, "%d for %s", reply.status, requests[i]);
        ck_assert_msg(client_sees_end(&bed, fd), "left open after %s", requests[i]);
        close(fd);
    }
}
END_TEST

START_TEST(plain_requests_pass_the_guard)
{
    const char *const requests[] = {
        "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: a.example.org:9464\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: [::1]:9464\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHOST:\ta \r\nX:\r\n\r\n",
        "GET /livez HTTP/1.0\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
        "GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
        "GET /livez?x=1&format=xml HTTP/1.1\r\nHost: a\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        exchange(&bed, &reply, requests[i]);
        ck_assert_msg(reply.status == 200, "%d for %s", reply.status, requests[i]);
    }
}
END_TEST

START_TEST(a_body_that_never_ends_is_cut_off)
{
    char chunk[4096 + 16];
    int fd = client_open(&bed);
    const char *request = "GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client_send(fd, request, strlen(request));
    int n = snprintf(chunk, sizeof chunk, "1000\r\n");
    memset(chunk + n, 'x', 4096);
    memcpy(chunk + n + 4096, "\r\n", 2);
    bool cut = false;
    for (int i = 0; i < 100 && !cut; i++) { /* 400 KiB */
        cut = send(fd, chunk, (size_t)n + 4098, MSG_NOSIGNAL) < 0;
        for (int k = 0; k < 10; k++)
            bed_turn(&bed);
    }
    ck_assert(cut || client_sees_end(&bed, fd));
    close(fd);

    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n");
    ck_assert_int_eq(reply.status, 413);
}
END_TEST

START_TEST(garbage_harms_nobody)
{
    unsigned seed = (unsigned)clock_ns();
    printf("seed %u\n", seed);
    srand(seed);
    for (int i = 0; i < 200; i++) {
        char bytes[512];
        size_t n = (size_t)rand() % sizeof bytes;
        for (size_t k = 0; k < n; k++)
            bytes[k] = i % 2 ? (char)rand() : "GET /HTP1.\r\n: a\x80"[rand() % 15];
        int fd = client_open(&bed);
        client_send(fd, bytes, n);
        bed_turn(&bed);
        bed_turn(&bed);
        close(fd);
        bed_turn(&bed);
    }
    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

START_TEST(headers_beyond_all_measure_are_refused)
{
    static char request[32768];
    int n = snprintf(request, sizeof request, "GET /livez HTTP/1.1\r\nHost: a\r\nX: ");
    memset(request + n, 'x', sizeof request - (size_t)n);
    memcpy(request + sizeof request - 4, "\r\n\r\n", 4);
    exchange_bytes(&bed, &reply, request, sizeof request, true);
    ck_assert_int_ne(reply.status, 200);
    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http, guard");
    TCase *tests = tcase_create("guard");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, guarded_requests_are_400_and_close);
    tcase_add_test(tests, plain_requests_pass_the_guard);
    tcase_add_test(tests, a_body_that_never_ends_is_cut_off);
    tcase_add_test(tests, garbage_harms_nobody);
    tcase_add_test(tests, headers_beyond_all_measure_are_refused);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
