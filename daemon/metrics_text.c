/* The two text forms, which differ in little: OpenMetrics names a counter's family without its
 * _total, calls an info an info, and ends in "# EOF".
 *
 * Histograms are counted in fine buckets and shown in few: powers of four from 256 ns to 17 s. All
 * of these are upper bounds of fine buckets, so the shown counts are exact.
 */
#include "config.h"

#include "metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOUND_FIRST_LOG2 = 8, BOUND_LAST_LOG2 = 34, BOUND_STEP_LOG2 = 2, FAMILY_MAX = 64 };

struct writer {
    FILE *out;
    bool open_metrics;
    char family[FAMILY_MAX]; /* of the row before */
};

/* Nanoseconds as seconds, exactly. */
static void print_seconds(FILE *out, uint64_t ns)
{
    fprintf(out, "%" PRIu64, ns / 1000000000u);
    if (ns % 1000000000u == 0)
        return;
    char fraction[16];
    int end = snprintf(fraction, sizeof fraction, "%09" PRIu64, ns % 1000000000u);
    while (fraction[end - 1] == '0')
        end--;
    fprintf(out, ".%.*s", end, fraction);
}

/* The shortest decimal that reads back as the same number, as Prometheus itself writes them. */
static void print_real(FILE *out, double value)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
}

static const char *type_name(const struct writer *w, enum metric_kind kind)
{
    switch (kind) {
    case METRIC_COUNTER:
    case METRIC_COUNTER_NS:
        return "counter";
    case METRIC_HISTOGRAM:
        return "histogram";
    case METRIC_INFO:
        return w->open_metrics ? "info" : "gauge";
    case METRIC_GAUGE:
    case METRIC_REAL:
        break;
    }
    return "gauge";
}

/* Length of the family's name as HELP and TYPE show it. */
static int shown_length(const struct writer *w, const struct metric *metric)
{
    size_t length = strlen(metric->family), cut = 0;
    bool counter = metric->kind == METRIC_COUNTER || metric->kind == METRIC_COUNTER_NS;
    if (w->open_metrics && counter)
        cut = strlen("_total");
    else if (w->open_metrics && metric->kind == METRIC_INFO)
        cut = strlen("_info");
    return (int)(length - cut);
}

static void print_head(struct writer *w, const struct metric *metric)
{
    if (strcmp(w->family, metric->family) == 0)
        return;
    snprintf(w->family, sizeof w->family, "%s", metric->family);
    int length = shown_length(w, metric);
    fprintf(w->out, "# HELP %.*s %s\n", length, metric->family, metric->help);
    fprintf(w->out, "# TYPE %.*s %s\n", length, metric->family, type_name(w, metric->kind));
}

/* "family_suffix{labels} ", up to the value. */
static void print_name(struct writer *w, const struct metric *metric, const char *suffix)
{
    fputs(metric->family, w->out);
    fputs(suffix, w->out);
    if (metric->labels[0] != '\0')
        fprintf(w->out, "{%s}", metric->labels);
    fputc(' ', w->out);
}

static void print_bucket(struct writer *w, const struct metric *metric, uint64_t upper_ns,
                         uint64_t count)
{
    const char *comma = metric->labels[0] != '\0' ? "," : "";
    fprintf(w->out, "%s_bucket{%s%sle=\"", metric->family, metric->labels, comma);
    if (upper_ns == UINT64_MAX)
        fputs("+Inf", w->out);
    else
        print_real(w->out, (double)upper_ns / 1e9);
    fprintf(w->out, "\"} %" PRIu64 "\n", count);
}

static void print_histogram(struct writer *w, const struct metric *metric)
{
    const struct snapshot_stage *h = metric->value.histogram;
    uint64_t count = 0;
    size_t b = 0;
    for (unsigned log2 = BOUND_FIRST_LOG2; log2 <= BOUND_LAST_LOG2; log2 += BOUND_STEP_LOG2) {
        uint64_t upper_ns = UINT64_C(1) << log2;
        for (; monitor_bucket_upper_ns(b) <= upper_ns; b++)
            count += h->bucket[b];
        print_bucket(w, metric, upper_ns, count);
    }
    print_bucket(w, metric, UINT64_MAX, h->count);
    print_name(w, metric, "_sum");
    print_seconds(w->out, h->sum_ns);
    fputc('\n', w->out);
    print_name(w, metric, "_count");
    fprintf(w->out, "%" PRIu64 "\n", h->count);
}

static void print_metric(void *user, const struct metric *metric)
{
    struct writer *w = user;
    if (metric->family[0] == '\0')
        return;
    print_head(w, metric);
    if (metric->kind == METRIC_HISTOGRAM) {
        print_histogram(w, metric);
        return;
    }
    print_name(w, metric, "");
    if (metric->kind == METRIC_REAL)
        print_real(w->out, metric->value.real);
    else if (metric->kind == METRIC_COUNTER_NS)
        print_seconds(w->out, metric->value.whole);
    else
        fprintf(w->out, "%" PRIu64, metric->value.whole);
    fputc('\n', w->out);
}

static char *print_text(const struct snapshot *s, bool open_metrics, size_t *bytes)
{
    char *text = NULL;
    size_t text_bytes = 0;
    struct writer w = {.out = open_memstream(&text, &text_bytes), .open_metrics = open_metrics};
    if (w.out == NULL)
        return NULL;
    metrics_each(s, print_metric, &w);
    if (open_metrics)
        fputs("# EOF\n", w.out);
    bool failed = ferror(w.out) != 0;
    if (fclose(w.out) != 0 || failed) {
        free(text);
        return NULL;
    }
    *bytes = text_bytes;
    return text;
}

char *metrics_prometheus(const struct snapshot *s, size_t *bytes)
{
    return print_text(s, false, bytes);
}

char *metrics_openmetrics(const struct snapshot *s, size_t *bytes)
{
    return print_text(s, true, bytes);
}
