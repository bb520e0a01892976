/* The JSON form. A row's path makes the objects on its way, so the table decides the shape. The
 * tree costs some tens of microseconds; whoever serves it often keeps the text for a moment. */
#include "config.h"

#include "metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

enum { MEMBER_MAX = 64 };

struct writer {
    json_t *root;
    bool failed;
};

/* Takes `value`; NULL fails. */
static void put(struct writer *w, json_t *object, const char *member, json_t *value)
{
    if (json_object_set_new(object, member, value) != 0)
        w->failed = true;
}

/* Returns borrowed: the object that `path`'s last member belongs to, and that member's name. */
static json_t *object_at(struct writer *w, const char *path, const char **member)
{
    json_t *at = w->root;
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        char name[MEMBER_MAX];
        size_t length = (size_t)(dot - path);
        length = length < sizeof name ? length : sizeof name - 1;
        memcpy(name, path, length);
        name[length] = '\0';
        json_t *next = json_object_get(at, name);
        if (next == NULL) {
            put(w, at, name, json_object());
            next = json_object_get(at, name);
        }
        at = next;
    }
    *member = path;
    return at; /* NULL after a failure; jansson takes that */
}

static json_t *whole(uint64_t n)
{
    return json_integer(n < INT64_MAX ? (json_int_t)n : INT64_MAX);
}

static json_t *latency(struct writer *w, const struct snapshot_stage *h)
{
    static const struct {
        char name[8];
        double q;
    } quantiles[] = {{"p50_ns", .5}, {"p90_ns", .9}, {"p99_ns", .99}, {"p999_ns", .999}};

    json_t *object = json_object();
    put(w, object, "count", whole(h->count));
    put(w, object, "mean_ns",
        json_real(h->count > 0 ? (double)h->sum_ns / (double)h->count : 0));
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++)
        put(w, object, quantiles[i].name, json_real(snapshot_quantile_ns(h, quantiles[i].q)));
    return object;
}

static void put_metric(void *user, const struct metric *metric)
{
    struct writer *w = user;
    if (metric->json[0] == '\0')
        return;
    const char *member;
    json_t *object = object_at(w, metric->json, &member);
    switch (metric->kind) {
    case METRIC_COUNTER:
    case METRIC_COUNTER_NS:
    case METRIC_GAUGE:
        put(w, object, member, whole(metric->value.whole));
        break;
    case METRIC_REAL:
        /* JSON has no NaN; one bad ratio must not cost all the rest. */
        put(w, object, member, json_real(isfinite(metric->value.real) ? metric->value.real : 0));
        break;
    case METRIC_HISTOGRAM:
        put(w, object, member, latency(w, metric->value.histogram));
        break;
    case METRIC_INFO:
        break;
    }
}

char *metrics_json(const struct snapshot *s, size_t *bytes)
{
    struct writer w = {.root = json_object()};
    const char *member;
    put(&w, w.root, "version", json_string(s->version));
    metrics_each(s, put_metric, &w);
    json_t *native = object_at(&w, "backends.native.isa", &member);
    put(&w, native, member, json_string(s->isa));

    char *text = NULL;
    if (!w.failed)
        text = json_dumps(w.root, JSON_COMPACT | JSON_REAL_PRECISION(12));
    json_decref(w.root);
    if (text != NULL)
        *bytes = strlen(text);
    return text;
}
