/* A bare epoll server for requests of megabytes: takes in REQUEST_BYTES, answers with ANSWER_FILE.
 *
 *     echo_large SOCKET REQUEST_BYTES ANSWER_FILE
 *
 * What comes in is dropped, so it stays in one buffer and in the caches: whoever has to keep an
 * operand writes it to memory on top of this. Socket buffers are of 2 MiB. Only the request's id
 * (8 bytes at 8) is taken over into the answer.
 */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { BUFFER_BYTES = 256 * 1024, SOCKET_BYTES = 2 << 20, ID_AT = 8, ID_BYTES = 8, IDS = 1024 };

struct echo {
    size_t request_bytes, answer_bytes;
    char *answer; /* owned */
    char *buffer; /* owned */
    int epoll_fd;
};

struct peer {
    int fd;
    bool wants_out;
    size_t in_at;  /* within a request */
    size_t out_at; /* within an answer */
    char ids[IDS][ID_BYTES]; /* a ring: of requests not yet answered */
    size_t taken_count, answered_count;
};

/* Returns false at the connection's end. */
static bool peer_read(const struct echo *e, struct peer *p)
{
    ssize_t n = recv(p->fd, e->buffer, BUFFER_BYTES, MSG_DONTWAIT);
    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    for (size_t at = 0; at < (size_t)n;) {
        size_t left = (size_t)n - at, missing = e->request_bytes - p->in_at;
        size_t part = left < missing ? left : missing;
        for (size_t i = 0; i < part && p->in_at + i < ID_AT + ID_BYTES; i++) {
            if (p->in_at + i >= ID_AT)
                p->ids[p->taken_count % IDS][p->in_at + i - ID_AT] = e->buffer[at + i];
        }
        at += part;
        p->in_at += part;
        if (p->in_at == e->request_bytes) {
            p->in_at = 0;
            p->taken_count++;
        }
    }
    return true;
}

static bool peer_write(struct echo *e, struct peer *p)
{
    while (p->answered_count < p->taken_count) {
        memcpy(e->answer + ID_AT, p->ids[p->answered_count % IDS], ID_BYTES);
        ssize_t n = send(p->fd, e->answer + p->out_at, e->answer_bytes - p->out_at,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0)
            return errno == EAGAIN;
        p->out_at += (size_t)n;
        if (p->out_at < e->answer_bytes)
            continue;
        p->out_at = 0;
        p->answered_count++;
    }
    return true;
}

static void peer_turn(struct echo *e, struct peer *p, uint32_t events)
{
    bool alive = (events & ~(uint32_t)EPOLLOUT) == 0 || peer_read(e, p);
    alive = alive && peer_write(e, p);
    if (!alive) {
        close(p->fd);
        free(p);
        return;
    }
    bool wants_out = p->answered_count < p->taken_count;
    if (wants_out == p->wants_out)
        return;
    struct epoll_event event = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0u), .data.ptr = p};
    (void)epoll_ctl(e->epoll_fd, EPOLL_CTL_MOD, p->fd, &event);
    p->wants_out = wants_out;
}

static void accept_peer(const struct echo *e, int listener)
{
    int bytes = SOCKET_BYTES;
    struct peer *p = calloc(1, sizeof *p);
    if (p == NULL || (p->fd = accept(listener, NULL, NULL)) < 0)
        abort();
    /* root may go over the system's limit */
    if (setsockopt(p->fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof bytes) < 0)
        (void)setsockopt(p->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
    (void)epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, p->fd, &event);
}

static int listen_on(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 128) < 0)
        return -1;
    return fd;
}

/* Returns whether the arguments make sense. */
static bool load(struct echo *e, const char *request_bytes, const char *answer_path)
{
    struct stat st;
    FILE *f = fopen(answer_path, "r");
    if (f == NULL || fstat(fileno(f), &st) < 0)
        return false;
    e->request_bytes = strtoul(request_bytes, NULL, 10);
    e->answer_bytes = (size_t)st.st_size;
    e->answer = malloc(e->answer_bytes + 1);
    e->buffer = malloc(BUFFER_BYTES);
    bool is_read = e->answer != NULL && fread(e->answer, e->answer_bytes, 1, f) == 1;
    fclose(f);
    return is_read && e->buffer != NULL && e->request_bytes >= ID_AT + ID_BYTES &&
           e->answer_bytes >= ID_AT + ID_BYTES;
}

int main(int argc, char **argv)
{
    struct echo e = {.epoll_fd = epoll_create1(0)};
    int listener = argc == 4 && load(&e, argv[2], argv[3]) ? listen_on(argv[1]) : -1;
    struct epoll_event event = {.events = EPOLLIN};
    if (listener < 0 || epoll_ctl(e.epoll_fd, EPOLL_CTL_ADD, listener, &event) < 0) {
        fprintf(stderr, "usage: echo_large SOCKET REQUEST_BYTES ANSWER_FILE\n");
        return 64;
    }
    for (;;) {
        if (epoll_wait(e.epoll_fd, &event, 1, -1) < 1)
            continue;
        if (event.data.ptr == NULL)
            accept_peer(&e, listener);
        else
            peer_turn(&e, event.data.ptr, event.events);
    }
}
