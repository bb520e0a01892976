/* Line by line; the first fault ends it. */
#include "config.h"

#include "exposition.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void fault(struct exposition *x, const char *fmt, ...)
{
    if (x->error[0] != '\0')
        return;
    va_list args;
    va_start(args, fmt);
    int n = snprintf(x->error, sizeof x->error, "line %zu: ", x->line);
    vsnprintf(x->error + n, sizeof x->error - (size_t)n, fmt, args);
    va_end(args);
}

static size_t name_length(const char *p)
{
    size_t n = 0;
    while (isalpha((unsigned char)p[n]) || p[n] == '_' || (n > 0 && isdigit((unsigned char)p[n])))
        n++;
    return n;
}

static bool ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n > m && strcmp(text + n - m, end) == 0;
}

/* "# HELP family words" or "# TYPE family type" */
static void read_comment(struct exposition *x, const char *line)
{
    char family[96], rest[128];
    if (strcmp(line, "# EOF") == 0 && x->open_metrics) {
        x->ended = true;
    } else if (sscanf(line, "# HELP %95s %127[^\n]", family, rest) == 2) {
        for (size_t i = 0; i < x->family_count; i++)
            if (strcmp(x->families[i], family) == 0)
                fault(x, "family %s comes twice", family);
        if (name_length(family) != strlen(family))
            fault(x, "bad name %s", family);
        snprintf(x->families[x->family_count++], sizeof x->families[0], "%s", family);
        snprintf(x->family, sizeof x->family, "%s", family);
        x->type[0] = '\0';
    } else if (sscanf(line, "# TYPE %95s %15s", family, x->type) == 2) {
        if (strcmp(family, x->family) != 0)
            fault(x, "TYPE of %s after HELP of %s", family, x->family);
        bool counter = strcmp(x->type, "counter") == 0;
        if (counter && ends_with(family, "_total") == x->open_metrics)
            fault(x, "counter %s", family);
        if (!counter && ends_with(family, "_total"))
            fault(x, "%s is no counter", family);
        if (strncmp(family, "simdd_", 6) != 0 && strncmp(family, "process_", 8) != 0)
            fault(x, "%s has no prefix of ours", family);
    } else {
        fault(x, "no comment that we print: %s", line);
    }
}

/* {a="b",c="d"} -> its length, 0 if malformed. Our values hold no escapes. */
static size_t labels_length(const char *p)
{
    const char *begin = p++;
    for (;;) {
        size_t n = name_length(p);
        if (n == 0 || p[n] != '=' || p[n + 1] != '"')
            return 0;
        p += n + 2;
        p += strcspn(p, "\"\\\n");
        if (*p++ != '"')
            return 0;
        if (*p == '}')
            return (size_t)(p + 1 - begin);
        if (*p++ != ',')
            return 0;
    }
}

static bool suffix_fits(const struct exposition *x, const char *suffix)
{
    if (strcmp(x->type, "histogram") == 0)
        return strcmp(suffix, "_bucket") == 0 || strcmp(suffix, "_sum") == 0 ||
               strcmp(suffix, "_count") == 0;
    if (strcmp(x->type, "counter") == 0 && x->open_metrics)
        return strcmp(suffix, "_total") == 0;
    if (strcmp(x->type, "info") == 0)
        return strcmp(suffix, "_info") == 0;
    return suffix[0] == '\0';
}

/* Buckets of one series follow each other and end in +Inf, then come _sum and _count. */
static void read_bucket(struct exposition *x, const char *series, const char *suffix, double value)
{
    char base[192];
    const char *le = strstr(series, "le=\"");
    if (strcmp(suffix, "_bucket") == 0 && le == NULL) {
        fault(x, "bucket without le");
    } else if (le != NULL) {
        snprintf(base, sizeof base, "%.*s", (int)(le - series), series);
        double bound = strtod(le + 4, NULL);
        bool first = strcmp(base, x->buckets_of) != 0;
        if (!first && !(bound > x->bucket_le))
            fault(x, "bounds do not rise");
        if (!first && value < x->bucket_before)
            fault(x, "buckets do not rise");
        snprintf(x->buckets_of, sizeof x->buckets_of, "%s", base);
        x->bucket_le = bound;
        x->bucket_before = value;
    } else {
        if (!isinf(x->bucket_le))
            fault(x, "no +Inf bucket");
        if (strcmp(suffix, "_count") == 0 && value != x->bucket_before)
            fault(x, "+Inf is not _count");
    }
}

static void read_sample(struct exposition *x, const char *line)
{
    char suffix[96];
    size_t family_bytes = strlen(x->family), name_bytes = name_length(line);
    if (x->type[0] == '\0' || name_bytes < family_bytes ||
        strncmp(line, x->family, family_bytes) != 0) {
        fault(x, "sample outside its family %s: %s", x->family, line);
        return;
    }
    snprintf(suffix, sizeof suffix, "%.*s", (int)(name_bytes - family_bytes), line + family_bytes);
    if (!suffix_fits(x, suffix))
        fault(x, "%s is no %s", line, x->type);

    size_t series_bytes = name_bytes;
    if (line[name_bytes] == '{') {
        size_t n = labels_length(line + name_bytes);
        if (n == 0)
            fault(x, "labels of %s", line);
        series_bytes += n;
    }
    char *end;
    double value = strtod(line + series_bytes + 1, &end);
    if (line[series_bytes] != ' ' || end == line + series_bytes + 1 || *end != '\0')
        fault(x, "value of %s", line);
    if (x->series_count == EXPOSITION_SERIES_MAX) {
        fault(x, "too many series");
        return;
    }
    char *name = x->series[x->series_count].name;
    snprintf(name, sizeof x->series[0].name, "%.*s", (int)series_bytes, line);
    for (size_t i = 0; i < x->series_count; i++)
        if (strcmp(x->series[i].name, name) == 0)
            fault(x, "%s comes twice", name);
    x->series[x->series_count++].value = value;
    if (strcmp(x->type, "histogram") == 0)
        read_bucket(x, name, suffix, value);
}

void exposition_read(struct exposition *x, const char *text, bool open_metrics)
{
    memset(x, 0, sizeof *x);
    x->open_metrics = open_metrics;
    for (const char *p = text; *p != '\0' && x->error[0] == '\0';) {
        char line[512];
        size_t n = strcspn(p, "\n");
        x->line++;
        if (p[n] != '\n' || n >= sizeof line || n == 0) {
            fault(x, "too long, empty or unfinished");
            return;
        }
        if (x->ended)
            fault(x, "more after # EOF");
        memcpy(line, p, n);
        line[n] = '\0';
        if (line[0] == '#')
            read_comment(x, line);
        else
            read_sample(x, line);
        p += n + 1;
    }
    if (open_metrics && !x->ended)
        fault(x, "no # EOF");
}

double exposition_value(const struct exposition *x, const char *series)
{
    for (size_t i = 0; i < x->series_count; i++)
        if (strcmp(x->series[i].name, series) == 0)
            return x->series[i].value;
    return NAN;
}
