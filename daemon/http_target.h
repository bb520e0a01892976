/* The target of a request, "/metrics?format=json", read. Pure. */
#ifndef DAEMON_HTTP_TARGET_H
#define DAEMON_HTTP_TARGET_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/wire.h"

enum http_route {
    HTTP_ROUTE_BAD, /* no target that RFC 9112 allows a GET */
    HTTP_ROUTE_UNKNOWN,
    HTTP_ROUTE_ROOT,
    HTTP_ROUTE_METRICS,
    HTTP_ROUTE_LIVEZ,
    HTTP_ROUTE_READYZ
};

struct http_target {
    enum http_route route;
    bool has_form;        /* ?format= says which */
    bool has_bad_form;    /* ?format= says something else */
    enum wire_metrics form;
};

/* Origin form (/path?query) or absolute form (http://host/path?query), as sent. A path matches
 * only as we spell it: no dots, no percent signs. */
void http_target_parse(struct http_target *out, const char *target, size_t target_bytes);

#endif
