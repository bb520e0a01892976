/* What a request must not look like, by RFC 9112, where libmicrohttpd is too kind. Pure. */
#ifndef DAEMON_HTTP_GUARD_H
#define DAEMON_HTTP_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_guard {
    const char *refusal; /* the first reason found */
    bool is_http_10;
    unsigned host_count, length_count, encoding_count;
    uint64_t content_length;
};

/* version: "HTTP/1.1" as it came. */
void http_guard_init(struct http_guard *g, const char *version);

/* One header field. Blanks round the value are no part of it. */
void http_guard_header(struct http_guard *g, const char *name, size_t name_bytes,
                       const char *value, size_t value_bytes);

/* After all fields: NULL if the request may be served, else why not, one line. */
const char *http_guard_verdict(const struct http_guard *g);

/* HOST, HOST:PORT, [V6], [V6]:PORT. */
bool http_host_is_valid(const char *host, size_t host_bytes);

#endif
