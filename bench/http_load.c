#include "config.h"

#include "bench/http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/tsv.h"
#include "clock.h"

enum { ANSWER_MAX_BYTES = 256 * 1024, SILENCE_MS = 10000 };

/* One connection, and the answer that it waits for. */
struct line {
    int fd;
    size_t have;        /* bytes of `answer` */
    size_t whole_bytes; /* of the answer, once its header is there; else 0 */
    size_t body_bytes;
    char answer[ANSWER_MAX_BYTES];
};

static int dial_port(const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int one = 1;
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tsv_check(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0,
              "port %s: %s", port, strerror(errno));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static void line_ask(struct line *l, const char *request, size_t bytes)
{
    l->have = l->whole_bytes = 0;
    tsv_check(send(l->fd, request, bytes, MSG_NOSIGNAL) == (ssize_t)bytes, "HTTP: no request sent");
}

/* The header is there: how long is the answer? */
static void line_measure(struct line *l)
{
    l->answer[l->have] = '\0';
    const char *end = strstr(l->answer, "\r\n\r\n");
    if (end == NULL)
        return;
    tsv_check(strncmp(l->answer, "HTTP/1.1 200 ", 13) == 0, "HTTP: %.40s", l->answer);
    const char *length = strcasestr(l->answer, "\r\nContent-Length:");
    tsv_check(length != NULL && length < end, "HTTP: no length");
    size_t header_bytes = (size_t)(end + 4 - l->answer);
    l->body_bytes = strtoul(length + 17, NULL, 10);
    l->whole_bytes = header_bytes + l->body_bytes;
    tsv_check(l->whole_bytes < ANSWER_MAX_BYTES, "HTTP: %zu bytes of body", l->body_bytes);
}

/* Reads what is there. Returns whether the answer is complete. */
static bool line_read(struct line *l)
{
    ssize_t n = recv(l->fd, l->answer + l->have, ANSWER_MAX_BYTES - 1 - l->have, 0);
    tsv_check(n > 0, "HTTP: the connection was closed");
    l->have += (size_t)n;
    if (l->whole_bytes == 0)
        line_measure(l);
    if (l->whole_bytes == 0 || l->have < l->whole_bytes)
        return false;
    tsv_check(l->have == l->whole_bytes && l->answer[l->whole_bytes - l->body_bytes] == '{',
              "HTTP: not the body that was expected");
    return true;
}

static struct line *line_new(const struct http_load *load, int epoll_fd)
{
    struct line *l = malloc(sizeof *l);
    tsv_check(l != NULL, "no memory");
    l->fd = dial_port(load->server->port);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = l};
    tsv_check(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, l->fd, &event) == 0, "no epoll");
    return l;
}

/* Keeps all lines busy until `seconds` are over. Returns requests per second. */
static double pump(const struct http_load *load, struct line *const *lines, int epoll_fd)
{
    char request[256];
    struct epoll_event events[HTTP_LOAD_MAX];
    int length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n",
                          load->target);
    uint64_t start_ns = clock_ns(), done = 0;
    uint64_t end_ns = start_ns + (uint64_t)(load->seconds * 1e9);
    for (unsigned i = 0; i < load->connections; i++)
        line_ask(lines[i], request, (size_t)length);
    for (unsigned open_count = load->connections; open_count > 0;) {
        int n = epoll_wait(epoll_fd, events, HTTP_LOAD_MAX, SILENCE_MS);
        tsv_check(n > 0, "HTTP: silence");
        bool is_over = clock_ns() >= end_ns;
        for (int i = 0; i < n; i++) {
            struct line *l = events[i].data.ptr;
            if (!line_read(l))
                continue;
            done++;
            if (is_over)
                open_count--;
            else
                line_ask(l, request, (size_t)length);
        }
    }
    return (double)done * 1e9 / (double)(clock_ns() - start_ns);
}

static double run(const struct http_load *load, size_t *body_bytes)
{
    struct line *lines[HTTP_LOAD_MAX];
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    tsv_check(epoll_fd >= 0 && load->connections <= HTTP_LOAD_MAX, "no epoll");
    for (unsigned i = 0; i < load->connections; i++)
        lines[i] = line_new(load, epoll_fd);
    site_pin(load->server->site);
    double rate = pump(load, lines, epoll_fd);
    site_unpin(load->server->site);
    *body_bytes = lines[0]->body_bytes;
    for (unsigned i = 0; i < load->connections; i++) {
        close(lines[i]->fd);
        free(lines[i]);
    }
    close(epoll_fd);
    return rate;
}

double http_load_rate(void *ctx)
{
    size_t body_bytes;
    return run(ctx, &body_bytes);
}

size_t http_load_body_bytes(const struct http_load *load)
{
    struct http_load one = *load;
    size_t body_bytes;
    one.connections = 1;
    one.seconds = 0;
    (void)run(&one, &body_bytes);
    return body_bytes;
}
