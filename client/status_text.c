/* The daemon's metrics as a page for people.
 *
 * Each line picks some numbers by their path and is left out if the first is missing, so that an
 * older or newer daemon costs lines, not the page.
 */
#include "config.h"

#include "status_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "human.h"

struct page {
    FILE *to;
    const json_t *root;
    const char *eol;
};

static const json_t *at(const json_t *object, const char *path)
{
    for (const char *dot; (dot = strchr(path, '.')) != NULL; path = dot + 1) {
        char name[64];
        size_t length = (size_t)(dot - path);
        if (length >= sizeof(name))
            return NULL;
        memcpy(name, path, length);
        name[length] = '\0';
        object = json_object_get(object, name);
    }
    return json_object_get(object, path);
}

static double number(const struct page *p, const char *path)
{
    return json_number_value(at(p->root, path));
}

static bool has(const struct page *p, const char *path)
{
    return json_is_number(at(p->root, path));
}

static const char *string(const struct page *p, const char *path, const char *otherwise)
{
    const char *s = json_string_value(at(p->root, path));
    return s != NULL ? s : otherwise;
}

static void put(const struct page *p, const char *label, const char *path, const char *rest)
{
    char text[HUMAN_BYTES];
    if (has(p, path))
        (void)fprintf(p->to, "%s%s%s", human_count(text, number(p, path)), label, rest);
}

static void print_head(const struct page *p)
{
    char up[HUMAN_BYTES], memory[HUMAN_BYTES];
    (void)fprintf(p->to, "simdd %s", string(p, "version", "of unknown version"));
    if (has(p, "uptime_seconds"))
        (void)fprintf(p->to, ", up %s", human_seconds(up, number(p, "uptime_seconds")));
    (void)fprintf(p->to, ", %s", string(p, "backends.native.isa", "unknown ISA"));
    if (has(p, "scheduler.workers"))
        (void)fprintf(p->to, ", %.0f workers", number(p, "scheduler.workers"));
    if (has(p, "memory_usage_bytes"))
        (void)fprintf(p->to, ", %s resident",
                      human_bytes(memory, number(p, "memory_usage_bytes")));
    (void)fprintf(p->to, "%s%s", p->eol, p->eol);
}

static void print_jobs(const struct page *p)
{
    (void)fputs("jobs        ", p->to);
    put(p, " done", "operation_count", "");
    (void)fputs(", ", p->to);
    put(p, " in flight, ", "jobs.in_flight", "");
    put(p, " failed, ", "jobs.failed", "");
    put(p, " refused, ", "jobs.refused", "");
    put(p, " cancelled", "jobs.cancelled", "");
    (void)fputs(p->eol, p->to);
    if (!has(p, "operations_per_second"))
        return;
    (void)fputs("per second  ", p->to);
    put(p, " now, ", "operations_per_second_1s", "");
    put(p, " over 10 s, ", "operations_per_second_10s", "");
    put(p, " over 60 s, ", "operations_per_second_60s", "");
    put(p, " over all", "operations_per_second", "");
    (void)fputs(p->eol, p->to);
}

static void print_house(const struct page *p)
{
    char a[HUMAN_BYTES], b[HUMAN_BYTES], c[HUMAN_BYTES];
    if (has(p, "batch.batches")) {
        (void)fputs("batches     ", p->to);
        put(p, "", "batch.batches", "");
        (void)fprintf(p->to, " of %s jobs in the mean, %s on the loop%s",
                      human_count(a, number(p, "batch.mean_jobs")),
                      human_count(b, number(p, "batch.inline")), p->eol);
    }
    if (has(p, "scheduler.executed"))
        (void)fprintf(p->to, "scheduler   %s tasks, %s stolen, %s ranges split off, %.0f asleep%s",
                      human_count(a, number(p, "scheduler.executed")),
                      human_count(b, number(p, "scheduler.stolen")),
                      human_count(c, number(p, "scheduler.split")),
                      number(p, "scheduler.parked_now"), p->eol);
    if (has(p, "pool.used_bytes"))
        (void)fprintf(p->to, "memory      %s in use, %s held, of %s; %.2f %% reused%s",
                      human_bytes(a, number(p, "pool.used_bytes")),
                      human_bytes(b, number(p, "pool.held_bytes")),
                      human_bytes(c, number(p, "pool.max_bytes")),
                      100 * number(p, "pool.reuse_ratio"), p->eol);
    if (has(p, "cache.lookups")) {
        (void)fprintf(p->to, "cache       %s hits, %s misses, %s bypasses: %.2f %%; ",
                      human_count(a, number(p, "cache.hits")),
                      human_count(b, number(p, "cache.misses")),
                      human_count(c, number(p, "cache.bypasses")),
                      100 * number(p, "cache.hit_ratio"));
        (void)fprintf(p->to, "%s results, %s of %s%s",
                      human_count(a, number(p, "cache.entries")),
                      human_bytes(b, number(p, "cache.used_bytes")),
                      human_bytes(c, number(p, "cache.max_bytes")), p->eol);
    }
    if (has(p, "connections.open"))
        (void)fprintf(p->to, "clients     %.0f users, %.0f connections, %.0f arenas%s",
                      number(p, "clients.count"), number(p, "connections.open"),
                      number(p, "arenas.open"), p->eol);
}

/* Nothing of a backend that has never been used. */
static void print_wasm(const struct page *p)
{
    char a[HUMAN_BYTES], b[HUMAN_BYTES], c[HUMAN_BYTES], d[HUMAN_BYTES];
    if (number(p, "backends.wasm.starts") <= 0)
        return;
    (void)fprintf(p->to, "wasm        %.0f processes, %s started, %s ended: %s crashes, %s",
                  number(p, "backends.wasm.processes"),
                  human_count(a, number(p, "backends.wasm.starts")),
                  human_count(b, number(p, "backends.wasm.ends.crash") +
                                     number(p, "backends.wasm.ends.deadline")),
                  human_count(c, number(p, "backends.wasm.ends.crash")),
                  human_count(d, number(p, "backends.wasm.ends.deadline")));
    (void)fprintf(p->to, " deadlines%s            %s jobs, %s tasks, %s failed, %s compiled; ",
                  p->eol, human_count(a, number(p, "backends.wasm.jobs")),
                  human_count(b, number(p, "backends.wasm.tasks")),
                  human_count(c, number(p, "backends.wasm.failed")),
                  human_count(d, number(p, "backends.wasm.compiled")));
    (void)fprintf(p->to, "%s mapped, %s copied%s",
                  human_bytes(a, number(p, "backends.wasm.mapped_bytes") +
                                     number(p, "backends.wasm.segment_bytes")),
                  human_bytes(b, number(p, "backends.wasm.copied_bytes")), p->eol);
    (void)fprintf(p->to, "            traps: %s memory, %s stack, %s code, ",
                  human_count(a, number(p, "backends.wasm.traps.memory")),
                  human_count(b, number(p, "backends.wasm.traps.stack")),
                  human_count(c, number(p, "backends.wasm.traps.code")));
    (void)fprintf(p->to, "%s math, %s import%s",
                  human_count(a, number(p, "backends.wasm.traps.math")),
                  human_count(b, number(p, "backends.wasm.traps.import")), p->eol);
}

static void print_latency(const struct page *p)
{
    static const char *const stages[] = {"batch", "queue", "run", "write", "total"};
    static const char *const columns[] = {"mean_ns", "p50_ns", "p90_ns", "p99_ns", "p999_ns"};
    if (at(p->root, "latency.total") == NULL)
        return;
    (void)fprintf(p->to, "%slatency %12s %10s %10s %10s %10s%s", p->eol, "mean", "p50", "p90",
                  "p99", "p99.9", p->eol);
    for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
        (void)fprintf(p->to, "  %-6s   ", stages[i]);
        for (size_t j = 0; j < sizeof(columns) / sizeof(columns[0]); j++) {
            char path[64], text[HUMAN_BYTES];
            (void)snprintf(path, sizeof(path), "latency.%s.%s", stages[i], columns[j]);
            (void)fprintf(p->to, " %10s", human_ns(text, number(p, path)));
        }
        (void)fputs(p->eol, p->to);
    }
}

static void print_ops(const struct page *p)
{
    const char *name;
    json_t *op;
    bool any = false;
    json_object_foreach((json_t *)(uintptr_t)at(p->root, "ops"), name, op)
    {
        double jobs = json_number_value(at(op, "jobs"));
        double run_ns = json_number_value(at(op, "run_ns"));
        if (jobs <= 0)
            continue;
        if (!any)
            (void)fprintf(p->to, "%soperation             jobs     run time    per job%s", p->eol,
                          p->eol);
        any = true;
        char a[HUMAN_BYTES], b[HUMAN_BYTES], c[HUMAN_BYTES];
        (void)fprintf(p->to, "  %-14s %10s %12s %10s%s", name, human_count(a, jobs),
                      human_ns(b, run_ns), human_ns(c, run_ns / jobs), p->eol);
    }
}

static void print_modules(const struct page *p)
{
    const char *uid, *name;
    json_t *modules, *module;
    bool any = false;
    json_object_foreach((json_t *)(uintptr_t)at(p->root, "backends.wasm.modules"), uid, modules)
    {
        json_object_foreach(modules, name, module)
        {
            double calls = json_number_value(at(module, "calls"));
            double run_ns = json_number_value(at(module, "run_ns"));
            if (!any)
                (void)fprintf(p->to, "%smodule                calls     failed    per call  of%s",
                              p->eol, p->eol);
            any = true;
            char a[HUMAN_BYTES], b[HUMAN_BYTES], c[HUMAN_BYTES];
            (void)fprintf(p->to, "  %-16s %8s %10s %11s  %s%s", name, human_count(a, calls),
                          human_count(b, json_number_value(at(module, "failed"))),
                          human_ns(c, calls > 0 ? run_ns / calls : 0), uid, p->eol);
        }
    }
}

static void print_users(const struct page *p)
{
    const char *uid;
    json_t *user;
    bool any = false;
    json_object_foreach((json_t *)(uintptr_t)at(p->root, "clients.by_uid"), uid, user)
    {
        if (!any)
            (void)fprintf(p->to, "%suser        connections   in flight        jobs     refused%s",
                          p->eol, p->eol);
        any = true;
        char a[HUMAN_BYTES], b[HUMAN_BYTES], c[HUMAN_BYTES];
        (void)fprintf(p->to, "  %-9s %11.0f %11s %11s %11s%s", uid,
                      json_number_value(at(user, "connections")),
                      human_count(a, json_number_value(at(user, "jobs_in_flight"))),
                      human_count(b, json_number_value(at(user, "jobs"))),
                      human_count(c, json_number_value(at(user, "refused"))), p->eol);
    }
}

int status_text_print(FILE *to, const char *json, const char *eol)
{
    json_t *root = json_loads(json, 0, NULL);
    if (!json_is_object(root)) {
        json_decref(root);
        return -EINVAL;
    }
    struct page p = {to, root, eol};
    print_head(&p);
    print_jobs(&p);
    print_house(&p);
    print_wasm(&p);
    print_latency(&p);
    print_ops(&p);
    print_modules(&p);
    print_users(&p);
    json_decref(root);
    return 0;
}
