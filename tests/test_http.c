/* HTTP: what is answered to whom, over a real socket. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

START_TEST(livez_says_ok)
{
    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body, "ok\n");
}
END_TEST

START_TEST(readyz_follows_set_ready)
{
    const char *request = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n";
    exchange(&bed, &reply, request);
    ck_assert_int_eq(reply.status, 503);
    http_set_ready(bed.http, true);
    exchange(&bed, &reply, request);
    ck_assert_int_eq(reply.status, 200);
    http_set_ready(bed.http, false);
    exchange(&bed, &reply, request);
    ck_assert_int_eq(reply.status, 503);
}
END_TEST

START_TEST(root_lists_the_paths)
{
    exchange(&bed, &reply, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_ptr_nonnull(strstr(reply.body, "/metrics"));
    ck_assert_ptr_nonnull(strstr(reply.body, "/readyz"));
}
END_TEST

START_TEST(unknown_path_is_404)
{
    const char *const paths[] = {"/metric", "/metrics/", "/METRICS", "/../metrics", "//", "/%00"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char request[128];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        exchange(&bed, &reply, request);
        ck_assert_msg(reply.status == 404, "%s: %d", paths[i], reply.status);
    }
}
END_TEST

START_TEST(absolute_target_is_served)
{
    exchange(&bed, &reply, "GET http://a:80/livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

START_TEST(every_reply_has_the_headers)
{
    const char *const requests[] = {
        "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n", "GET /none HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n", "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        exchange(&bed, &reply, requests[i]);
        ck_assert_str_eq(reply_field(&reply, "Cache-Control"), "no-store");
        ck_assert_str_eq(reply_field(&reply, "Vary"), "Accept");
        ck_assert_str_eq(reply_field(&reply, "X-Content-Type-Options"), "nosniff");
        ck_assert_ptr_nonnull(reply_field(&reply, "Content-Type"));
    }
}
END_TEST

START_TEST(head_has_the_headers_of_get_and_no_body)
{
    const char *const paths[] = {"/", "/livez", "/readyz", "/none", "/metrics?format=prometheus"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char request[128], get_type[64], get_length[32];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        exchange(&bed, &reply, request);
        int get_status = reply.status;
        snprintf(get_type, sizeof get_type, "%s", reply_field(&reply, "Content-Type"));
        snprintf(get_length, sizeof get_length, "%s", reply_field(&reply, "Content-Length"));

        snprintf(request, sizeof request,
                 "HEAD %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", paths[i]);
        int fd = client_open(&bed);
        client_send(fd, request, strlen(request));
        reply_read(&bed, &reply, fd, false);
        bool closed = false;
        ck_assert_uint_eq(client_receive(&bed, fd, reply.body, 1, &closed), 0);
        ck_assert(closed);
        close(fd);
        ck_assert_int_eq(reply.status, get_status);
        ck_assert_str_eq(reply_field(&reply, "Content-Type"), get_type);
        if (i < 4) /* a snapshot may have grown by a digit meanwhile */
            ck_assert_str_eq(reply_field(&reply, "Content-Length"), get_length);
    }
}
END_TEST

START_TEST(other_methods_are_405_with_allow)
{
    const char *const methods[] = {"POST",  "PUT",   "DELETE", "OPTIONS",
                                   "TRACE", "PATCH", "get",    "X"};
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char request[128];
        snprintf(request, sizeof request, "%s /metrics HTTP/1.1\r\nHost: a\r\n\r\n", methods[i]);
        exchange(&bed, &reply, request);
        ck_assert_msg(reply.status == 405, "%s: %d", methods[i], reply.status);
        ck_assert_str_eq(reply_field(&reply, "Allow"), "GET, HEAD");
    }
}
END_TEST

static void metrics_as(const char *header, const char *query, const char *want_type)
{
    char request[1024];
    snprintf(request, sizeof request, "GET /metrics%s HTTP/1.1\r\nHost: a\r\n%s%s\r\n", query,
             header, header[0] != '\0' ? "\r\n" : "");
    exchange(&bed, &reply, request);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_msg(strncmp(reply_field(&reply, "Content-Type"), want_type, strlen(want_type)) == 0,
                  "%s for [%s] %s", reply_field(&reply, "Content-Type"), header, query);
}

START_TEST(metrics_come_in_the_form_that_is_asked_for)
{
    const char *prometheus = "text/plain; version=0.0.4; charset=utf-8";
    const char *openmetrics = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    metrics_as("", "", "application/json");
    ck_assert_int_eq(reply.body[0], '{');
    metrics_as("Accept: text/plain", "", prometheus);
    ck_assert_int_eq(strncmp(reply.body, "# HELP ", 7), 0);
    metrics_as("Accept: application/openmetrics-text", "", openmetrics);
    ck_assert_str_eq(reply.body + reply.body_bytes - 6, "# EOF\n");
    metrics_as("Accept: application/openmetrics-text;version=1.0.0,application/openmetrics-text;"
               "version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
               "", openmetrics);
    metrics_as("Accept: image/png\r\nAccept: text/plain;q=0.5", "", prometheus);
    metrics_as("Accept: image/png", "", "application/json");
}
END_TEST

START_TEST(format_overrides_accept)
{
    metrics_as("Accept: text/plain", "?format=json", "application/json");
    metrics_as("Accept: application/json", "?format=prometheus", "text/plain; version=0.0.4");
    metrics_as("", "?a=b&format=openmetrics&c", "application/openmetrics-text; version=1.0.0");
    exchange(&bed, &reply, "GET /metrics?format=xml HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 400);
    ck_assert_ptr_nonnull(strstr(reply.body, "openmetrics"));
}
END_TEST

START_TEST(metrics_are_fresh_after_a_moment)
{
    metrics_as("", "?format=prometheus", "text/plain");
    ck_assert_ptr_nonnull(strstr(reply.body, "\nsimdd_jobs_done_total 0\n"));
    monitor_add(monitor_loop(bed.monitor), MONITOR_jobs_done, 7);
    usleep(20000);
    bed_turn(&bed); /* the loop's clock moves */
    metrics_as("", "?format=prometheus", "text/plain");
    ck_assert_ptr_nonnull(strstr(reply.body, "\nsimdd_jobs_done_total 7\n"));
}
END_TEST

START_TEST(requests_are_counted)
{
    struct snapshot *s = malloc(sizeof *s);
    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange(&bed, &reply, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange(&bed, &reply, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange(&bed, &reply, "PUT /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange(&bed, &reply, "GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    monitor_snapshot(bed.monitor, s);
    ck_assert_uint_eq(s->counter[MONITOR_http_requests], 5);
    free(s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http");
    TCase *tests = tcase_create("answers");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, livez_says_ok);
    tcase_add_test(tests, readyz_follows_set_ready);
    tcase_add_test(tests, root_lists_the_paths);
    tcase_add_test(tests, unknown_path_is_404);
    tcase_add_test(tests, absolute_target_is_served);
    tcase_add_test(tests, every_reply_has_the_headers);
    tcase_add_test(tests, head_has_the_headers_of_get_and_no_body);
    tcase_add_test(tests, other_methods_are_405_with_allow);
    tcase_add_test(tests, metrics_come_in_the_form_that_is_asked_for);
    tcase_add_test(tests, format_overrides_accept);
    tcase_add_test(tests, metrics_are_fresh_after_a_moment);
    tcase_add_test(tests, requests_are_counted);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
