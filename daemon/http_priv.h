/* What http.c (connections) and http_answer.c (requests) share. */
#ifndef DAEMON_HTTP_PRIV_H
#define DAEMON_HTTP_PRIV_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

#include "http.h"
#include "http_accept.h"
#include "http_mhd.h"

/* An open connection. */
struct http_peer {
    bool used;
    int fd;            /* libmicrohttpd's */
    uint64_t since_ms; /* it was opened, or its last answer had been written */
};

/* A printed snapshot, kept for a moment. */
struct http_body {
    struct MHD_Response *response; /* NULL: none */
    uint64_t printed_ms;
};

struct http {
    uv_loop_t *loop;
    struct monitor *monitor;
    int listen_fd;
    bool is_ready;
    unsigned handles_open; /* of the three below; the last to close frees all */
    uv_poll_t listen_poll;
    uv_poll_t mhd_poll; /* started with libmicrohttpd */
    uv_timer_t timer;

    struct mhd mhd;
    struct MHD_Daemon *daemon; /* NULL until the first connection */
    struct http_body bodies[HTTP_FORM_COUNT];

    uint64_t patience_ms;
    uint64_t swept_ms;
    bool is_accepting; /* false for a while when descriptors run out */
    unsigned peer_count;
    struct http_peer peers[HTTP_CONNECTIONS_MAX];
};

/* libmicrohttpd's callbacks; `user` is the struct http. */
void *http_request_begin(void *user, const char *target, struct MHD_Connection *connection);
enum MHD_Result http_request_answer(void *user, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *body, size_t *body_bytes, void **request);
void http_request_end(void *user, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode why);

/* Drops bodies printed before `before_ms`. Returns whether any are left. */
bool http_bodies_drop(struct http *h, uint64_t before_ms);

#endif
