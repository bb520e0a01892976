/* The whole HTTP path: raw bytes into a real socket, the loop turned by hand, bytes back. */
#include "config.h"

#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "suite.h"

enum { REPLY_MAX = 65536, TURNS_MAX = 20000 };
#define GIVE_UP_NS UINT64_C(20000000000) /* a test that hangs fails; none asserts a time */

static uv_loop_t loop;
static struct monitor *monitor;
static struct http *http;

struct reply {
    int status;    /* 0: none came */
    bool closed;   /* the server closed afterwards */
    size_t body_bytes;
    char head[4096];
    char body[REPLY_MAX];
};

static void setup(void)
{
    int fd;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
    ck_assert_int_eq(monitor_new(&monitor), 0);
    monitor_set_sources(monitor, &(struct monitor_sources){.isa = "avx2", .version = "1.2.3"});
    ck_assert_int_eq(http_bind(&fd, "127.0.0.1:0"), 0);
    ck_assert_int_eq(http_start(&http, &loop, fd, monitor), 0);
}

static void teardown(void)
{
    http_stop(http);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&loop), 0);
    monitor_free(monitor);
}

static int client_connect(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_port(http)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

static void client_send(int fd, const char *text, size_t bytes)
{
    if (bytes > 0)
        ck_assert_int_eq(send(fd, text, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
}

static void turn(void)
{
    uv_run(&loop, UV_RUN_NOWAIT);
}

/* The value of a header field, or NULL. */
static const char *field(const struct reply *r, const char *name)
{
    static char value[512];
    for (const char *line = strstr(r->head, "\r\n"); line != NULL; line = strstr(line, "\r\n")) {
        line += 2;
        size_t bytes = strlen(name);
        if (strncasecmp(line, name, bytes) != 0 || line[bytes] != ':')
            continue;
        line += bytes + 1 + strspn(line + bytes + 1, " ");
        snprintf(value, sizeof value, "%.*s", (int)strcspn(line, "\r"), line);
        return value;
    }
    return NULL;
}

/* Receives at most `max` bytes, or fewer if the stream ends. */
static size_t client_receive(int fd, char *to, size_t max, bool *closed)
{
    size_t have = 0;
    uint64_t begin_ns = clock_ns();
    while (have < max && clock_ns() - begin_ns < GIVE_UP_NS) {
        turn();
        ssize_t n = recv(fd, to + have, max - have, MSG_DONTWAIT);
        if (n > 0) {
            have += (size_t)n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            *closed = true;
            return have;
        }
    }
    return have;
}

/* One reply off the connection. has_body: false after HEAD. */
static void reply_read(struct reply *r, int fd, bool has_body)
{
    memset(r, 0, sizeof *r);
    size_t have = 0;
    while (have < sizeof r->head - 1 && strstr(r->head, "\r\n\r\n") == NULL && !r->closed)
        have += client_receive(fd, r->head + have, 1, &r->closed);
    if (sscanf(r->head, "HTTP/1.%*d %d", &r->status) != 1)
        return;
    const char *length = field(r, "Content-Length");
    ck_assert_msg(length != NULL, "no length in %s", r->head);
    size_t want = (size_t)strtoul(length, NULL, 10);
    ck_assert_uint_lt(want, sizeof r->body);
    if (has_body)
        r->body_bytes = client_receive(fd, r->body, want, &r->closed);
    if (has_body)
        ck_assert_uint_eq(r->body_bytes, want);
}

/* True if the server ends the stream instead of waiting for more. */
static bool stream_ends(int fd)
{
    char byte;
    bool closed = false;
    for (int i = 0; i < TURNS_MAX && !closed; i++) {
        turn();
        ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
        closed = n == 0 || (n < 0 && errno == ECONNRESET);
        if (!closed && i % 100 == 99)
            usleep(1000);
    }
    return closed;
}

/* One request on a connection of its own. */
static void exchange_bytes(struct reply *r, const char *request, size_t bytes, bool has_body)
{
    int fd = client_connect();
    client_send(fd, request, bytes);
    reply_read(r, fd, has_body);
    close(fd);
    turn();
}

static void exchange(struct reply *r, const char *request)
{
    exchange_bytes(r, request, strlen(request), strncmp(request, "HEAD", 4) != 0);
}

static struct reply reply; /* large, so not on the stack */

START_TEST(livez_says_ok)
{
    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
    ck_assert_str_eq(reply.body, "ok\n");
}
END_TEST

START_TEST(readyz_follows_set_ready)
{
    const char *request = "GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n";
    exchange(&reply, request);
    ck_assert_int_eq(reply.status, 503);
    http_set_ready(http, true);
    exchange(&reply, request);
    ck_assert_int_eq(reply.status, 200);
    http_set_ready(http, false);
    exchange(&reply, request);
    ck_assert_int_eq(reply.status, 503);
}
END_TEST

START_TEST(root_lists_the_paths)
{
    exchange(&reply, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
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
        exchange(&reply, request);
        ck_assert_msg(reply.status == 404, "%s: %d", paths[i], reply.status);
    }
}
END_TEST

START_TEST(absolute_target_is_served)
{
    exchange(&reply, "GET http://a:80/livez HTTP/1.1\r\nHost: a\r\n\r\n");
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
        exchange(&reply, requests[i]);
        ck_assert_str_eq(field(&reply, "Cache-Control"), "no-store");
        ck_assert_str_eq(field(&reply, "Vary"), "Accept");
        ck_assert_str_eq(field(&reply, "X-Content-Type-Options"), "nosniff");
        ck_assert_ptr_nonnull(field(&reply, "Content-Type"));
    }
}
END_TEST

START_TEST(head_has_the_headers_of_get_and_no_body)
{
    const char *const paths[] = {"/", "/livez", "/readyz", "/none", "/metrics?format=prometheus"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        char request[128], get_type[64], get_length[32];
        snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", paths[i]);
        exchange(&reply, request);
        int get_status = reply.status;
        snprintf(get_type, sizeof get_type, "%s", field(&reply, "Content-Type"));
        snprintf(get_length, sizeof get_length, "%s", field(&reply, "Content-Length"));

        snprintf(request, sizeof request,
                 "HEAD %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", paths[i]);
        int fd = client_connect();
        client_send(fd, request, strlen(request));
        reply_read(&reply, fd, false);
        bool closed = false;
        ck_assert_uint_eq(client_receive(fd, reply.body, 1, &closed), 0);
        ck_assert(closed);
        close(fd);
        ck_assert_int_eq(reply.status, get_status);
        ck_assert_str_eq(field(&reply, "Content-Type"), get_type);
        if (i < 4) /* a snapshot may have grown by a digit meanwhile */
            ck_assert_str_eq(field(&reply, "Content-Length"), get_length);
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
        exchange(&reply, request);
        ck_assert_msg(reply.status == 405, "%s: %d", methods[i], reply.status);
        ck_assert_str_eq(field(&reply, "Allow"), "GET, HEAD");
    }
}
END_TEST

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
        int fd = client_connect();
        client_send(fd, requests[i], strlen(requests[i]));
        reply_read(&reply, fd, true);
        /* libmicrohttpd itself refuses some: it may close without a word, but never serve. */
        bool refused = reply.status == 400 || reply.status == 505 || reply.status == 0;
        ck_assert_msg(refused, "%d for %s", reply.status, requests[i]);
        ck_assert_msg(stream_ends(fd), "left open after %s", requests[i]);
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
        exchange(&reply, requests[i]);
        ck_assert_msg(reply.status == 200, "%d for %s", reply.status, requests[i]);
    }
}
END_TEST

START_TEST(a_body_that_never_ends_is_cut_off)
{
    char chunk[4096 + 16];
    int fd = client_connect();
    const char *request = "GET /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    client_send(fd, request, strlen(request));
    int n = snprintf(chunk, sizeof chunk, "1000\r\n");
    memset(chunk + n, 'x', 4096);
    memcpy(chunk + n + 4096, "\r\n", 2);
    bool cut = false;
    for (int i = 0; i < 100 && !cut; i++) { /* 400 KiB */
        cut = send(fd, chunk, (size_t)n + 4098, MSG_NOSIGNAL) < 0;
        for (int k = 0; k < 10; k++)
            turn();
    }
    ck_assert(cut || stream_ends(fd));
    close(fd);

    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n");
    ck_assert_int_eq(reply.status, 413);
}
END_TEST

static void metrics_as(const char *header, const char *query, const char *want_type)
{
    char request[1024];
    snprintf(request, sizeof request, "GET /metrics%s HTTP/1.1\r\nHost: a\r\n%s%s\r\n", query,
             header, header[0] != '\0' ? "\r\n" : "");
    exchange(&reply, request);
    ck_assert_int_eq(reply.status, 200);
    ck_assert_msg(strncmp(field(&reply, "Content-Type"), want_type, strlen(want_type)) == 0,
                  "%s for [%s] %s", field(&reply, "Content-Type"), header, query);
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
    exchange(&reply, "GET /metrics?format=xml HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 400);
    ck_assert_ptr_nonnull(strstr(reply.body, "openmetrics"));
}
END_TEST

START_TEST(metrics_are_fresh_after_a_moment)
{
    metrics_as("", "?format=prometheus", "text/plain");
    ck_assert_ptr_nonnull(strstr(reply.body, "\nsimdd_jobs_done_total 0\n"));
    monitor_add(monitor_loop(monitor), MONITOR_jobs_done, 7);
    usleep(20000);
    turn(); /* the loop's clock moves */
    metrics_as("", "?format=prometheus", "text/plain");
    ck_assert_ptr_nonnull(strstr(reply.body, "\nsimdd_jobs_done_total 7\n"));
}
END_TEST

START_TEST(requests_are_counted)
{
    struct snapshot *s = malloc(sizeof *s);
    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange(&reply, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange(&reply, "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange(&reply, "PUT /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    monitor_snapshot(monitor, s);
    ck_assert_uint_eq(s->counter[MONITOR_http_requests], 5);
    free(s);
}
END_TEST

START_TEST(a_connection_serves_many_requests)
{
    const char *request = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = client_connect();
    for (int i = 0; i < 100; i++) {
        client_send(fd, request, strlen(request));
        reply_read(&reply, fd, true);
        ck_assert_int_eq(reply.status, 200);
        ck_assert(!reply.closed);
        ck_assert_ptr_null(field(&reply, "Connection"));
    }
    ck_assert_uint_eq(http_connection_count(http), 1);
    close(fd);
}
END_TEST

START_TEST(close_is_honoured)
{
    const char *request = "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    int fd = client_connect();
    client_send(fd, request, strlen(request));
    reply_read(&reply, fd, true);
    ck_assert_int_eq(reply.status, 200);
    ck_assert(stream_ends(fd));
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
    int fd = client_connect();
    client_send(fd, requests, sizeof requests - 1);
    for (size_t i = 0; i < sizeof want / sizeof want[0]; i++) {
        reply_read(&reply, fd, true);
        ck_assert_int_eq(reply.status, want[i]);
    }
    close(fd);
}
END_TEST

START_TEST(a_request_in_single_bytes_is_served)
{
    const char *request = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = client_connect();
    for (const char *p = request; *p != '\0'; p++) {
        client_send(fd, p, 1);
        turn();
    }
    reply_read(&reply, fd, true);
    ck_assert_int_eq(reply.status, 200);
    close(fd);
}
END_TEST

START_TEST(a_slow_request_is_dropped_though_bytes_come)
{
    http_set_patience(http, 100);
    int fd = client_connect();
    const char *begin = "GET /livez HTTP/1.1\r\nHost: a\r\nX: ";
    client_send(fd, begin, strlen(begin));
    bool dropped = false;
    for (int i = 0; i < 2000 && !dropped; i++) { /* one more byte each 5 ms */
        char byte;
        usleep(5000);
        dropped = send(fd, "x", 1, MSG_NOSIGNAL) < 0;
        turn();
        ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
        dropped = dropped || n == 0 || (n < 0 && errno == ECONNRESET);
    }
    ck_assert(dropped);
    close(fd);
    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

START_TEST(an_idle_connection_is_dropped)
{
    http_set_patience(http, 50);
    int silent = client_connect(), used = client_connect();
    const char *request = "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n";
    client_send(used, request, strlen(request));
    reply_read(&reply, used, true);
    ck_assert(stream_ends(silent));
    ck_assert(stream_ends(used));
    ck_assert_uint_eq(http_connection_count(http), 0);
    close(silent);
    close(used);
}
END_TEST

START_TEST(silent_connections_cannot_shut_others_out)
{
    enum { FLOOD = HTTP_CONNECTIONS_MAX + 40 };
    int fds[FLOOD];
    for (int i = 0; i < FLOOD; i++) {
        fds[i] = client_connect();
        client_send(fds[i], "GET /", 5);
        turn();
        ck_assert_uint_le(http_connection_count(http), HTTP_CONNECTIONS_MAX);
    }
    for (int i = 0; i < 3; i++) {
        exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
        ck_assert_int_eq(reply.status, 200);
    }
    for (int i = 0; i < FLOOD; i++)
        close(fds[i]);
}
END_TEST

START_TEST(a_client_that_takes_no_answers_is_dropped)
{
    static const char request[] = "GET /metrics?format=prometheus HTTP/1.1\r\nHost: a\r\n\r\n";
    int fd = client_connect();
    for (int i = 0; i < 2000; i++) { /* some 40 MB of answers */
        (void)send(fd, request, sizeof request - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        turn();
    }
    ck_assert_uint_eq(http_connection_count(http), 1);
    http_set_patience(http, 100); /* only now, however long the flood took */
    for (int i = 0; i < TURNS_MAX && http_connection_count(http) > 0; i++) {
        usleep(1000);
        turn();
    }
    ck_assert_uint_eq(http_connection_count(http), 0);
    close(fd);
    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
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
        int fd = client_connect();
        client_send(fd, bytes, n);
        turn();
        turn();
        close(fd);
        turn();
    }
    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

START_TEST(headers_beyond_all_measure_are_refused)
{
    static char request[32768];
    int n = snprintf(request, sizeof request, "GET /livez HTTP/1.1\r\nHost: a\r\nX: ");
    memset(request + n, 'x', sizeof request - (size_t)n);
    memcpy(request + sizeof request - 4, "\r\n\r\n", 4);
    exchange_bytes(&reply, request, sizeof request, true);
    ck_assert_int_ne(reply.status, 200);
    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

START_TEST(a_client_that_leaves_mid_request_leaves_nothing)
{
    const char *request = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
    for (size_t bytes = 0; bytes <= strlen(request); bytes++) {
        int fd = client_connect();
        turn();
        client_send(fd, request, bytes);
        turn();
        close(fd);
        turn();
    }
    for (int i = 0; i < 1000 && http_connection_count(http) > 0; i++)
        turn();
    ck_assert_uint_eq(http_connection_count(http), 0);
}
END_TEST

START_TEST(it_recovers_when_descriptors_run_out)
{
    struct rlimit limit, tight;
    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    http_set_patience(http, 100); /* so that the pause is short */
    int fd = client_connect();
    int next = dup(fd);
    close(next);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    tight = limit;
    tight.rlim_cur = (rlim_t)next; /* no descriptor can be opened now */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    for (int i = 0; i < 100; i++)
        turn();
    ck_assert_uint_eq(http_connection_count(http), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    close(fd); /* it waits in the backlog, though valgrind's accept4() has lost it */
    exchange(&reply, "GET /livez HTTP/1.1\r\nHost: a\r\n\r\n");
    ck_assert_int_eq(reply.status, 200);
}
END_TEST

START_TEST(stop_with_open_connections_closes_them)
{
    int fd = client_connect();
    client_send(fd, "GET /met", 8);
    turn();
    turn();
    http_stop(http);
    http = NULL;
    uv_run(&loop, UV_RUN_DEFAULT);
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
    snprintf(address, sizeof address, "127.0.0.1:%d", http_port(http));
    ck_assert_int_eq(http_bind(&fd, address), -EADDRINUSE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http");
    TCase *answers = tcase_create("answers");
    tcase_add_checked_fixture(answers, setup, teardown);
    tcase_set_timeout(answers, 60);
    tcase_add_test(answers, livez_says_ok);
    tcase_add_test(answers, readyz_follows_set_ready);
    tcase_add_test(answers, root_lists_the_paths);
    tcase_add_test(answers, unknown_path_is_404);
    tcase_add_test(answers, absolute_target_is_served);
    tcase_add_test(answers, every_reply_has_the_headers);
    tcase_add_test(answers, head_has_the_headers_of_get_and_no_body);
    tcase_add_test(answers, other_methods_are_405_with_allow);
    tcase_add_test(answers, metrics_come_in_the_form_that_is_asked_for);
    tcase_add_test(answers, format_overrides_accept);
    tcase_add_test(answers, metrics_are_fresh_after_a_moment);
    tcase_add_test(answers, requests_are_counted);
    suite_add_tcase(suite, answers);

    TCase *guard = tcase_create("guard");
    tcase_add_checked_fixture(guard, setup, teardown);
    tcase_set_timeout(guard, 60);
    tcase_add_test(guard, guarded_requests_are_400_and_close);
    tcase_add_test(guard, plain_requests_pass_the_guard);
    tcase_add_test(guard, a_body_that_never_ends_is_cut_off);
    tcase_add_test(guard, garbage_harms_nobody);
    tcase_add_test(guard, headers_beyond_all_measure_are_refused);
    suite_add_tcase(suite, guard);

    TCase *life = tcase_create("connections");
    tcase_add_checked_fixture(life, setup, teardown);
    tcase_set_timeout(life, 60);
    tcase_add_test(life, a_connection_serves_many_requests);
    tcase_add_test(life, close_is_honoured);
    tcase_add_test(life, pipelined_requests_are_answered_in_order);
    tcase_add_test(life, a_request_in_single_bytes_is_served);
    tcase_add_test(life, a_slow_request_is_dropped_though_bytes_come);
    tcase_add_test(life, an_idle_connection_is_dropped);
    tcase_add_test(life, silent_connections_cannot_shut_others_out);
    tcase_add_test(life, a_client_that_takes_no_answers_is_dropped);
    tcase_add_test(life, a_client_that_leaves_mid_request_leaves_nothing);
    tcase_add_test(life, it_recovers_when_descriptors_run_out);
    tcase_add_test(life, stop_with_open_connections_closes_them);
    tcase_add_test(life, bind_takes_addresses_of_both_families);
    tcase_add_test(life, bind_refuses_a_port_in_use);
    suite_add_tcase(suite, life);
    return suite_run(suite);
}
