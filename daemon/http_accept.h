/* Which form of the metrics an Accept header asks for. Pure. */
#ifndef DAEMON_HTTP_ACCEPT_H
#define DAEMON_HTTP_ACCEPT_H

#include <stddef.h>

#include "protocol/wire.h"

enum { HTTP_FORM_COUNT = WIRE_METRICS_OPENMETRICS + 1 };

struct http_accept {
    struct {
        int specificity; /* of the range that decides; 0: none matched */
        int q;           /* in thousandths */
    } form[HTTP_FORM_COUNT];
};

/* No Accept header yet. */
void http_accept_init(struct http_accept *a);

/* One Accept field; call it for each. A media range that is malformed, or whose q is, counts as
 * not sent. */
void http_accept_add(struct http_accept *a, const char *value, size_t value_bytes);

/**
 * The form with the highest q, as its most specific range gives it (RFC 9110, 12.5.1); among
 * equals the one that is named more closely, then JSON. There is always an answer, since a scraper
 * has more use for a form that it did not ask for than for a 406.
 */
enum wire_metrics http_accept_best(const struct http_accept *a);

#endif
