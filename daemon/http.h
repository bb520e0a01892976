/* HTTP for people and monitors: libmicrohttpd on the loop's thread. /metrics, /livez, /readyz. */
#ifndef DAEMON_HTTP_H
#define DAEMON_HTTP_H

#include <stdbool.h>

#include <uv.h>

#include "monitor.h"

struct http;

/* "ADDR:PORT", "[V6]:PORT" -> listening, non-blocking socket. -EINVAL: not of that form. */
int http_bind(int *fd, const char *addr_port);

/* Serves on a listening socket. Takes fd on success. Borrows the monitor. */
int http_start(struct http **out, uv_loop_t *loop, int fd, struct monitor *monitor);

/* What /readyz says; false at first. */
void http_set_ready(struct http *h, bool ready);

/* Port it listens on (0 asks the kernel for one). */
int http_port(const struct http *h);

/* Run the loop once after. NULL is fine. */
void http_stop(struct http *h);

#endif
