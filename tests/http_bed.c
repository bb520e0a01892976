/* A server and its client in one process. */
#include "config.h"

#include "http_bed.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <check.h>

#include "clock.h"

#define GIVE_UP_NS UINT64_C(20000000000)

void bed_open(struct http_bed *b)
{
    int fd;
    ck_assert_int_eq(uv_loop_init(&b->loop), 0);
    ck_assert_int_eq(monitor_new(&b->monitor), 0);
    monitor_set_sources(b->monitor, &(struct monitor_sources){.isa = "avx2", .version = "1.2.3"});
    ck_assert_int_eq(http_bind(&fd, "127.0.0.1:0"), 0);
    ck_assert_int_eq(http_start(&b->http, &b->loop, fd, b->monitor), 0);
}

void bed_close(struct http_bed *b)
{
    http_stop(b->http);
    uv_run(&b->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&b->loop), 0);
    monitor_free(b->monitor);
}

void bed_turn(struct http_bed *b)
{
    uv_run(&b->loop, UV_RUN_NOWAIT);
}

/* ---- a client ---- */

int client_open(const struct http_bed *b)
{
    struct sockaddr_in to = {.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)http_port(b->http)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    return fd;
}

void client_send(int fd, const char *text, size_t bytes)
{
    if (bytes > 0)
        ck_assert_int_eq(send(fd, text, bytes, MSG_NOSIGNAL), (ssize_t)bytes);
}

size_t client_receive(struct http_bed *b, int fd, char *to, size_t max, bool *closed)
{
    size_t have = 0;
    uint64_t begin_ns = clock_ns();
    while (have < max && clock_ns() - begin_ns < GIVE_UP_NS) {
        bed_turn(b);
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

bool client_sees_end(struct http_bed *b, int fd)
{
    char byte;
    bool closed = false;
    for (int i = 0; i < TURNS_MAX && !closed; i++) {
        bed_turn(b);
        ssize_t n = recv(fd, &byte, 1, MSG_DONTWAIT);
        closed = n == 0 || (n < 0 && errno == ECONNRESET);
        if (!closed && i % 100 == 99)
            usleep(1000);
    }
    return closed;
}

/* ---- replies ---- */

void reply_read(struct http_bed *b, struct reply *r, int fd, bool has_body)
{
    memset(r, 0, sizeof *r);
    size_t have = 0;
    while (have < sizeof r->head - 1 && strstr(r->head, "\r\n\r\n") == NULL && !r->closed)
        have += client_receive(b, fd, r->head + have, 1, &r->closed);
    if (sscanf(r->head, "HTTP/1.%*d %d", &r->status) != 1)
        return;
    const char *length = reply_field(r, "Content-Length");
    ck_assert_msg(length != NULL, "no length in %s", r->head);
    size_t want = (size_t)strtoul(length, NULL, 10);
    ck_assert_uint_lt(want, sizeof r->body);
    if (has_body)
        r->body_bytes = client_receive(b, fd, r->body, want, &r->closed);
    if (has_body)
        ck_assert_uint_eq(r->body_bytes, want);
}

const char *reply_field(const struct reply *r, const char *name)
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

void exchange_bytes(struct http_bed *b, struct reply *r, const char *request, size_t bytes,
                    bool has_body)
{
    int fd = client_open(b);
    client_send(fd, request, bytes);
    reply_read(b, r, fd, has_body);
    close(fd);
    bed_turn(b);
}

void exchange(struct http_bed *b, struct reply *r, const char *request)
{
    exchange_bytes(b, r, request, strlen(request), strncmp(request, "HEAD", 4) != 0);
}
