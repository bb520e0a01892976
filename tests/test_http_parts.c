/* The pure parts of HTTP: the guard, the target, Accept, addresses. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "http.h"
#include "http_accept.h"
#include "http_guard.h"
#include "http_target.h"
#include "suite.h"

struct header {
    const char *name, *value;
};

/* The verdict on HTTP/`version` with up to four fields. */
static const char *verdict(const char *version, const struct header *headers, size_t count)
{
    struct http_guard g;
    http_guard_init(&g, version);
    for (size_t i = 0; i < count && headers[i].name != NULL; i++)
        http_guard_header(&g, headers[i].name, strlen(headers[i].name), headers[i].value,
                          strlen(headers[i].value));
    return http_guard_verdict(&g);
}

START_TEST(guard_refuses_what_two_readers_could_read_in_two_ways)
{
    static const struct {
        const char *version;
        struct header headers[4];
        const char *why; /* NULL: passes */
    } cases[] = {
        {"HTTP/1.1", {{"Host", "a"}}, NULL},
        {"HTTP/1.1", {{"host", " a:1\t"}}, NULL},
        {"HTTP/1.9", {{"Host", "a"}}, NULL},
        {"HTTP/1.0", {{NULL, NULL}}, NULL},
        {"HTTP/1.1", {{"Host", "a"}, {"Content-Length", "12"}}, NULL},
        {"HTTP/1.1", {{"Host", "a"}, {"Transfer-Encoding", "CHUNKED"}}, NULL},
        {"HTTP/1.1", {{"Host", "a"}, {"X", "caf\xc3\xa9\tau lait"}}, NULL},
        {"HTTP/1.1", {{NULL, NULL}}, "no Host"},
        {"HTTP/1.1", {{"Host", "a"}, {"HOST", "a"}}, "more than one Host"},
        {"HTTP/1.1", {{"Host", ""}}, "Host is no host"},
        {"HTTP/1.1", {{"Host", "a b"}}, "Host is no host"},
        {"HTTP/1.1",
         {{"Host", "a"}, {"Content-Length", "1"}, {"content-length", "1"}},
         "more than one Content-Length"},
        {"HTTP/1.1", {{"Host", "a"}, {"Content-Length", ""}}, "Content-Length is not a number"},
        {"HTTP/1.1", {{"Host", "a"}, {"Content-Length", "1,1"}}, "Content-Length is not a number"},
        {"HTTP/1.1",
         {{"Host", "a"}, {"Content-Length", "9999999999999999999"}},
         "Content-Length is not a number"},
        {"HTTP/1.1",
         {{"Host", "a"}, {"Content-Length", "1"}, {"Transfer-Encoding", "chunked"}},
         "both Content-Length and Transfer-Encoding"},
        {"HTTP/1.1",
         {{"Host", "a"}, {"Transfer-Encoding", "gzip, chunked"}},
         "a Transfer-Encoding other than chunked"},
        {"HTTP/1.1",
         {{"Host", "a"}, {"Transfer-Encoding", "chunked"}, {"Transfer-Encoding", "chunked"}},
         "more than one Transfer-Encoding"},
        {"HTTP/1.0", {{"Transfer-Encoding", "chunked"}}, "Transfer-Encoding in HTTP/1.0"},
        {"HTTP/1.1", {{"Host", "a"}, {"X", "a\rb"}}, "control character in a header field"},
        {"HTTP/1.1", {{"Host", "a"}, {"X", "a\x7f"}}, "control character in a header field"},
        {"HTTP/1.1", {{"Host", "a"}, {"X ", "a"}}, "bad character in the name of a header field"},
        {"HTTP/1.1", {{"Host", "a"}, {"", "a"}}, "bad character in the name of a header field"},
        {"HTTP/2.0", {{"Host", "a"}}, "not HTTP/1.1 and not HTTP/1.0"},
        {"HTTP/1.", {{"Host", "a"}}, "not HTTP/1.1 and not HTTP/1.0"},
        {"HTTP/1.11", {{"Host", "a"}}, "not HTTP/1.1 and not HTTP/1.0"},
        {"", {{"Host", "a"}}, "not HTTP/1.1 and not HTTP/1.0"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *why = verdict(cases[i].version, cases[i].headers, 4);
        const char *got = why != NULL ? why : "passes", *want = cases[i].why;
        want = want != NULL ? want : "passes";
        ck_assert_msg(strcmp(got, want) == 0, "case %zu: %s, not %s", i, got, want);
    }
}
END_TEST

START_TEST(guard_sees_a_nul_in_a_value)
{
    struct http_guard g;
    http_guard_init(&g, "HTTP/1.1");
    http_guard_header(&g, "Host", 4, "a", 1);
    http_guard_header(&g, "X", 1, "a\0b", 3);
    ck_assert_ptr_nonnull(http_guard_verdict(&g));
}
END_TEST

START_TEST(hosts_are_told_from_what_is_none)
{
    static const char *const good[] = {"a",     "a.b-c_d", "127.0.0.1:80", "a:", "a:65535",
                                       "[::1]", "[::1]:9", "%41",          "localhost"};
    static const char *const bad[] = {"",       ":",      ":80",     "a:65536", "a:1x", "a:000080",
                                      "a/b",    "a@b",    "a,b",     "a b",     "[",    "[]",
                                      "[::1",   "[g::]",  "[::1]x",  "a[b",     "a\\b", "\"a\"",
                                      "caf\xe9", "[::1%1]", "[127.0.0.1]"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        ck_assert_msg(http_host_is_valid(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(!http_host_is_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
}
END_TEST

START_TEST(targets_lead_to_routes)
{
    static const struct {
        const char *target;
        enum http_route route;
    } cases[] = {
        {"/", HTTP_ROUTE_ROOT},
        {"/?x", HTTP_ROUTE_ROOT},
        {"http://a", HTTP_ROUTE_ROOT},
        {"HTTP://a/", HTTP_ROUTE_ROOT},
        {"http://a?x", HTTP_ROUTE_ROOT},
        {"/metrics", HTTP_ROUTE_METRICS},
        {"/metrics?", HTTP_ROUTE_METRICS},
        {"http://[::1]:9464/metrics", HTTP_ROUTE_METRICS},
        {"/livez", HTTP_ROUTE_LIVEZ},
        {"/readyz", HTTP_ROUTE_READYZ},
        {"/metric", HTTP_ROUTE_UNKNOWN},
        {"/metricsx", HTTP_ROUTE_UNKNOWN},
        {"/%6detrics", HTTP_ROUTE_UNKNOWN},
        {"//", HTTP_ROUTE_UNKNOWN},
        {"/http://a/", HTTP_ROUTE_UNKNOWN},
        {"", HTTP_ROUTE_BAD},
        {"*", HTTP_ROUTE_BAD},
        {"metrics", HTTP_ROUTE_BAD},
        {"a:80", HTTP_ROUTE_BAD},
        {"https://a/", HTTP_ROUTE_BAD},
        {"http://", HTTP_ROUTE_BAD},
        {"http:///livez", HTTP_ROUTE_BAD},
        {"http://a@b/", HTTP_ROUTE_BAD},
        {"/a b", HTTP_ROUTE_BAD},
        {"/\t", HTTP_ROUTE_BAD},
        {"/#x", HTTP_ROUTE_BAD},
        {"/\xc3\xa9", HTTP_ROUTE_BAD},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_target t;
        http_target_parse(&t, cases[i].target, strlen(cases[i].target));
        ck_assert_msg(t.route == cases[i].route, "%s: %d", cases[i].target, t.route);
    }
}
END_TEST

START_TEST(the_query_names_a_form)
{
    static const struct {
        const char *target;
        bool has, bad;
        enum wire_metrics form;
    } cases[] = {
        {"/metrics", false, false, WIRE_METRICS_JSON},
        {"/metrics?format=json", true, false, WIRE_METRICS_JSON},
        {"/metrics?format=prometheus", true, false, WIRE_METRICS_PROMETHEUS},
        {"/metrics?a&b=c&&format=openmetrics&", true, false, WIRE_METRICS_OPENMETRICS},
        {"/metrics?format=json&format=prometheus", true, false, WIRE_METRICS_PROMETHEUS},
        {"/metrics?format", false, true, WIRE_METRICS_JSON},
        {"/metrics?format=", false, true, WIRE_METRICS_JSON},
        {"/metrics?format=JSON", false, true, WIRE_METRICS_JSON},
        {"/metrics?format=json=", false, true, WIRE_METRICS_JSON},
        {"/metrics?xformat=json", false, false, WIRE_METRICS_JSON},
        {"/metrics?Format=json", false, false, WIRE_METRICS_JSON},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct http_target t;
        http_target_parse(&t, cases[i].target, strlen(cases[i].target));
        ck_assert_msg(t.has_form == cases[i].has && t.has_bad_form == cases[i].bad, "%s",
                      cases[i].target);
        if (t.has_form)
            ck_assert_msg(t.form == cases[i].form, "%s", cases[i].target);
    }
}
END_TEST

#define J WIRE_METRICS_JSON
#define P WIRE_METRICS_PROMETHEUS
#define O WIRE_METRICS_OPENMETRICS

static const struct {
    const char *accept; /* NULL: no such field */
    enum wire_metrics want;
} accepts[] = {
    {NULL, J},
    {"", J},
    {"*/*", J},
    {"application/json", J},
    {"text/plain", P},
    {"TEXT/PLAIN", P},
    {"text/*", P},
    {"application/openmetrics-text", O},
    {"application/*", J},
    {"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", J},
    {"image/png", J},
    {"application/json, text/plain, */*", J},
    {"text/plain, */*", P},
    {"text/plain;q=0.5, application/json", J},
    {"text/plain, application/json;q=0.5", P},
    {"text/plain;q=0.5, */*;q=0.1", P},
    {"text/plain;q=0.1, */*;q=0.5", J},
    /* Prometheus 2, before and after it learned escaping; 3 */
    {"text/plain;version=0.0.4;q=1,*/*;q=0.1", P},
    {"application/openmetrics-text; version=0.0.1,text/plain;version=0.0.4;q=0.5,*/*;q=0.1", P},
    {"application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
     "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
     O},
    {"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
     "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-"
     "utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
     O},
    {"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;"
     "q=0.7,text/plain;version=0.0.4;q=0.3",
     P},
    /* q = 0 refuses; the most specific range decides */
    {"*/*;q=0", J},
    {"application/json;q=0, */*", O},
    {"application/json;q=0, text/plain", P},
    {"application/*;q=0, */*;q=0.5", P},
    {"application/*;q=0, application/json;q=0.1, text/plain;q=0.05", J},
    {"application/json;q=0", O},
    {"text/plain;version=0.0.4;q=0.9, text/plain;q=0.1, application/json;q=0.5", P},
    {"text/plain;version=9;q=1, application/json;q=0.5", J},
    {"application/json;version=9", J},
    /* blanks, quotes, letters' case, empty elements */
    {" text/plain ; q=0.9 , application/json ; q=0.8", P},
    {"text/plain;Q=0.9,application/json;Q=0.8", P},
    {"text/plain;version=\"0.0.4\"", P},
    {"text/plain;x=\"a,b;q=0\\\"\";q=0.9, application/json;q=0.8", P},
    {",,text/plain,,", P},
    {"text/plain;;q=0.9;, application/json;q=0.8", P},
    {"text/plain;q=1.000", P},
    {"text/plain;q=0.001", P},
    /* malformed ranges do not count, the others do */
    {"text/plain;q=abc", J},
    {"text/plain;q=", J},
    {"text/plain;q=1.5", J},
    {"text/plain;q=1.001", J},
    {"text/plain;q=-1", J},
    {"text/plain;q=0.1234", J},
    {"text/plain;q=.5", J},
    {"text/plain;q=1;q=x", J},
    {"text/plain;q", J},
    {"text/plain q=1", J},
    {"text/", J},
    {"/plain", J},
    {"text", J},
    {"*/plain", J},
    {"text/plain/x", J},
    {"text/plain;x=\"", J},
    {"text/plain;x=\"a, application/openmetrics-text", J},
    {"text/plain;q=x, application/openmetrics-text;q=0.1", O},
    {"text/pl\x01in", J},
    {"\xff\xfe", J},
};

START_TEST(accept_chooses_the_form)
{
    for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++) {
        struct http_accept a;
        http_accept_init(&a);
        if (accepts[i].accept != NULL)
            http_accept_add(&a, accepts[i].accept, strlen(accepts[i].accept));
        enum wire_metrics got = http_accept_best(&a);
        ck_assert_msg(got == accepts[i].want, "%d for %s", got,
                      accepts[i].accept != NULL ? accepts[i].accept : "(none)");
    }
}
END_TEST

START_TEST(accept_adds_up_over_fields)
{
    struct http_accept a;
    http_accept_init(&a);
    http_accept_add(&a, "application/json;q=0.5", 22);
    http_accept_add(&a, "text/plain", 10);
    ck_assert_int_eq(http_accept_best(&a), P);
    http_accept_add(&a, "application/openmetrics-text;version=1.0.0", 42);
    ck_assert_int_eq(http_accept_best(&a), O);
}
END_TEST

START_TEST(accept_reads_no_byte_beyond_its_length)
{
    const char text[] = "text/plain;q=0.9, application/openmetrics-text;version=\"1.0.0\"";
    for (size_t n = 0; n < sizeof text; n++) {
        char *exact = malloc(n + 1); /* a sanitizer or valgrind sees one byte more */
        memcpy(exact + 1, text, n);
        struct http_accept a;
        http_accept_init(&a);
        http_accept_add(&a, exact + 1, n);
        (void)http_accept_best(&a);
        free(exact);
    }
}
END_TEST

START_TEST(addresses_are_numbers_and_a_port)
{
    struct sockaddr_storage address;
    socklen_t bytes;
    ck_assert_int_eq(http_address_parse(&address, &bytes, "127.0.0.1:9464"), 0);
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&address;
    ck_assert_int_eq(v4->sin_family, AF_INET);
    ck_assert_uint_eq(ntohs(v4->sin_port), 9464);
    ck_assert_uint_eq(ntohl(v4->sin_addr.s_addr), INADDR_LOOPBACK);
    ck_assert_uint_eq(bytes, sizeof *v4);

    ck_assert_int_eq(http_address_parse(&address, &bytes, "[::1]:0"), 0);
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&address;
    ck_assert_int_eq(v6->sin6_family, AF_INET6);
    ck_assert_uint_eq(v6->sin6_port, 0);
    ck_assert_int_eq(memcmp(&v6->sin6_addr, &in6addr_loopback, sizeof in6addr_loopback), 0);

    static const char *const bad[] = {
        "",           ":",          ":80",           "127.0.0.1",       "127.0.0.1:",  "1.2.3:80",
        "localhost:1", "::1:80",    "[::1]",         "[::1]80",         "[::1:80",     "::1]:80",
        "[]:80",      "[127.0.0.1]:80", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
        "127.0.0.1: 80", "127.0.0.1:80 ", "127.0.0.1:0080000", "[:80", "256.0.0.1:80",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        ck_assert_msg(http_address_parse(&address, &bytes, bad[i]) == -EINVAL, "%s", bad[i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_parts");
    TCase *tc = tcase_create("parts");
    tcase_add_test(tc, guard_refuses_what_two_readers_could_read_in_two_ways);
    tcase_add_test(tc, guard_sees_a_nul_in_a_value);
    tcase_add_test(tc, hosts_are_told_from_what_is_none);
    tcase_add_test(tc, targets_lead_to_routes);
    tcase_add_test(tc, the_query_names_a_form);
    tcase_add_test(tc, accept_chooses_the_form);
    tcase_add_test(tc, accept_adds_up_over_fields);
    tcase_add_test(tc, accept_reads_no_byte_beyond_its_length);
    tcase_add_test(tc, addresses_are_numbers_and_a_port);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
