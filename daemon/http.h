/* HTTP for people and monitors, on the loop's thread: /metrics, /livez, /readyz.
 *
 * libmicrohttpd parses and writes; it has no thread and no listening socket of its own. It is
 * loaded when the first connection comes: a daemon that nobody scrapes pays neither the start-up
 * time nor the memory of it and of the TLS library that it brings along.
 */
#ifndef DAEMON_HTTP_H
#define DAEMON_HTTP_H

#include <stdbool.h>
#include <stdint.h>

#include <sys/socket.h>
#include <uv.h>

#include "monitor.h"

struct http;

/* "ADDR:PORT", "[V6]:PORT" -> a socket address; numbers only, no names. -EINVAL: not of that
 * form. */
int http_address_parse(struct sockaddr_storage *out, socklen_t *out_bytes, const char *addr_port);

/* The same -> listening, non-blocking socket. -EINVAL, or what the kernel said. */
int http_bind(int *fd, const char *addr_port);

/* Serves on a listening socket. Takes fd on success. Borrows the monitor. */
int http_start(struct http **out, uv_loop_t *loop, int fd, struct monitor *monitor);

/* What /readyz says; false at first. */
void http_set_ready(struct http *h, bool ready);

/* How long a connection may be idle, or take over one request and its answer; 30 s at first. A
 * single byte now and then does not extend it. */
void http_set_patience(struct http *h, uint64_t patience_ms);

/* Port it listens on (0 asks the kernel for one). */
int http_port(const struct http *h);

/* Open connections; never more than HTTP_CONNECTIONS_MAX: one more and the one that has been
 * silent for longest is closed. */
enum { HTTP_CONNECTIONS_MAX = 64 };
unsigned http_connection_count(const struct http *h);

/* Run the loop once after. NULL is fine. */
void http_stop(struct http *h);

#endif
