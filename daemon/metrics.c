/* The table, walked. Each row of metrics.def becomes one call: code instead of data, so nothing
 * has to be relocated at start, and a daemon that nobody scrapes never touches it. */
#include "config.h"

#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>

static double mean(uint64_t sum, uint64_t count)
{
    return count > 0 ? (double)sum / (double)count : 0;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* The uid of row i as a label and as a JSON path's end; the row after the last is `other`. */
struct client_name {
    char labels[24], json[48];
};

static struct client_name name_client(const struct snapshot *s, size_t i, const char *member)
{
    struct client_name name;
    char uid[16] = "other";
    if (i < s->client_rows)
        snprintf(uid, sizeof uid, "%" PRIuMAX, (uintmax_t)s->clients[i].uid);
    snprintf(name.labels, sizeof name.labels, "uid=\"%s\"", uid);
    snprintf(name.json, sizeof name.json, "clients.by_uid.%s.%s", uid, member);
    return name;
}

/* Likewise: names of modules are letters, digits, and _ . - by their check. A point would be a new
 * object in JSON. */
struct module_label {
    char labels[112], json[144];
};

static struct module_label name_module(const struct snapshot *s, size_t i, const char *member)
{
    struct module_label name;
    if (i >= s->wasm.module_rows) {
        snprintf(name.labels, sizeof name.labels, "uid=\"other\",module=\"other\"");
        snprintf(name.json, sizeof name.json, "backends.wasm.modules.other.other.%s", member);
        return name;
    }
    const struct wasm_module_stats *m = &s->wasm.modules[i];
    char plain[sizeof m->name];
    for (size_t k = 0; k < sizeof plain; k++)
        plain[k] = m->name[k] == '.' ? '_' : m->name[k];
    snprintf(name.labels, sizeof name.labels, "uid=\"%" PRIuMAX "\",module=\"%s\"",
             (uintmax_t)m->uid, m->name);
    snprintf(name.json, sizeof name.json, "backends.wasm.modules.%" PRIuMAX ".%s.%s",
             (uintmax_t)m->uid, plain, member);
    return name;
}

static void each_build(const struct snapshot *s, metric_fn *fn, void *user)
{
    char labels[96]; /* both values are ours and need no escapes */
    snprintf(labels, sizeof labels, "version=\"%.32s\",isa=\"%.32s\"", s->version, s->isa);
    fn(user, &(struct metric){.kind = METRIC_INFO,
                              .family = "simdd_build_info",
                              .labels = labels,
                              .json = "",
                              .help = "Version and instruction set.",
                              .value.whole = 1});
}

void metrics_each(const struct snapshot *s, metric_fn *fn, void *user)
{
    size_t clients = s->client_rows + (s->client_count > s->client_rows);
    size_t modules = s->wasm.module_rows + (s->wasm.module_count > s->wasm.module_rows);
    each_build(s, fn, user);

#define VALUE_COUNTER(v)    {.whole = (v)}
#define VALUE_COUNTER_NS(v) {.whole = (v)}
#define VALUE_GAUGE(v)      {.whole = (v)}
#define VALUE_REAL(v)       {.real = (v)}
#define VALUE_HISTOGRAM(v)  {.histogram = &(v)}
#define METRIC(k, f, l, j, v, h)                                                                   \
    fn(user, &(struct metric){.kind = METRIC_##k, .family = (f), .labels = (l), .json = (j),       \
                              .help = (h), .value = VALUE_##k(v)});
#define CLIENT(k, f, j, field, h)                                                                  \
    for (size_t i = 0; i < clients; i++) {                                                         \
        const struct client_stats *c = i < s->client_rows ? &s->clients[i] : &s->other_clients;    \
        struct client_name name = name_client(s, i, j);                                            \
        METRIC(k, f, name.labels, name.json, c->field, h)                                          \
    }
#define MODULE(k, f, j, field, h)                                                                  \
    for (size_t i = 0; i < modules; i++) {                                                         \
        const struct wasm_module_stats *m =                                                        \
            i < s->wasm.module_rows ? &s->wasm.modules[i] : &s->wasm.other_modules;                \
        struct module_label name = name_module(s, i, j);                                           \
        METRIC(k, f, name.labels, name.json, m->field, h)                                          \
    }
#include "metrics.def"
#undef METRIC
#undef CLIENT
#undef MODULE
#undef VALUE_COUNTER
#undef VALUE_COUNTER_NS
#undef VALUE_GAUGE
#undef VALUE_REAL
#undef VALUE_HISTOGRAM
}

_Static_assert(BATCH_CAUSES == 5, "metrics.def has a row for each cause");
_Static_assert(MONITOR_STAGE_COUNT == 5, "metrics.def has a row for each stage");

char *metrics_print(const struct snapshot *s, enum wire_metrics form, size_t *bytes)
{
    switch (form) {
    case WIRE_METRICS_PROMETHEUS:
        return metrics_prometheus(s, bytes);
    case WIRE_METRICS_OPENMETRICS:
        return metrics_openmetrics(s, bytes);
    case WIRE_METRICS_JSON:
        break;
    }
    return metrics_json(s, bytes);
}

const char *metrics_content_type(enum wire_metrics form)
{
    switch (form) {
    case WIRE_METRICS_PROMETHEUS:
        return "text/plain; version=0.0.4; charset=utf-8";
    case WIRE_METRICS_OPENMETRICS:
        return "application/openmetrics-text; version=1.0.0; charset=utf-8";
    case WIRE_METRICS_JSON:
        break;
    }
    return "application/json";
}
