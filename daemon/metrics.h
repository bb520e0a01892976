/* A snapshot in words: JSON, Prometheus text, OpenMetrics text.
 *
 * metrics.def lists the metrics; metrics_each() walks them, and metrics_json.c and metrics_text.c
 * print what it finds. Pure functions over a snapshot. Thread: any.
 */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stddef.h>
#include <stdint.h>

#include "monitor.h"
#include "protocol/wire.h"

/* Each returns owned (free), terminated, *bytes long without the terminator; NULL: out of
 * memory. */
char *metrics_json(const struct snapshot *s, size_t *bytes);
char *metrics_prometheus(const struct snapshot *s, size_t *bytes);
char *metrics_openmetrics(const struct snapshot *s, size_t *bytes);

char *metrics_print(const struct snapshot *s, enum wire_metrics form, size_t *bytes);

/* The Content-Type of a form. */
const char *metrics_content_type(enum wire_metrics form);

enum metric_kind {
    METRIC_COUNTER,
    METRIC_COUNTER_NS, /* nanoseconds here, seconds in the text forms */
    METRIC_GAUGE,
    METRIC_REAL,
    METRIC_HISTOGRAM,
    METRIC_INFO /* constantly 1; what counts are its labels */
};

/* One row with its value. Strings are valid during the call that shows it. */
struct metric {
    enum metric_kind kind;
    const char *family; /* "": not in the text forms */
    const char *labels; /* name="value",...; "" for none */
    const char *json;   /* members joined by '.'; "": not in the JSON form */
    const char *help;
    union {
        uint64_t whole;                         /* COUNTER, COUNTER_NS, GAUGE */
        double real;                            /* REAL */
        const struct snapshot_stage *histogram; /* HISTOGRAM */
    } value;
};

typedef void metric_fn(void *user, const struct metric *metric);

/* Shows every row to `fn`, in the order of the table: rows of one family together. */
void metrics_each(const struct snapshot *s, metric_fn *fn, void *user);

#endif
