/* A small, strict reader of the Prometheus and OpenMetrics text forms, for tests. */
#ifndef TESTS_EXPOSITION_H
#define TESTS_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>

enum { EXPOSITION_SERIES_MAX = 2000, EXPOSITION_ERROR_MAX = 256 };

struct exposition {
    char error[EXPOSITION_ERROR_MAX]; /* empty: all is well */
    size_t line;
    bool open_metrics;
    bool ended; /* "# EOF" came */
    size_t family_count, series_count;
    char family[128], type[16]; /* of the line before */
    char families[EXPOSITION_SERIES_MAX][96];
    struct {
        char name[192]; /* with its labels, as printed */
        double value;
    } series[EXPOSITION_SERIES_MAX];
    /* the histogram being read */
    char buckets_of[192];
    double bucket_before, bucket_le;
};

/**
 * Reads `text` and checks: HELP, then TYPE, before a family's samples; families in one piece; names
 * that fit their type; labels and values well formed; no series twice; buckets that rise, with
 * +Inf, equal to _count; in OpenMetrics, counters' families without _total, and # EOF at the end.
 */
void exposition_read(struct exposition *x, const char *text, bool open_metrics);

/* The value of a series, "name{labels}"; NaN if it is not there. */
double exposition_value(const struct exposition *x, const char *series);

#endif
