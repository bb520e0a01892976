/* A snapshot in words: JSON, Prometheus text, OpenMetrics text. metrics_json.c, metrics_text.c. */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stddef.h>

#include "monitor.h"
#include "protocol/wire.h"

/* Each returns owned (free), terminated, *bytes long without the terminator; NULL: out of memory. */
char *metrics_json(const struct snapshot *s, size_t *bytes);
char *metrics_prometheus(const struct snapshot *s, size_t *bytes);
char *metrics_openmetrics(const struct snapshot *s, size_t *bytes);

char *metrics_print(const struct snapshot *s, enum wire_metrics form, size_t *bytes);

/* The Content-Type of a form. */
const char *metrics_content_type(enum wire_metrics form);

#endif
