/* Counting is inline in monitor.h; here the threads' numbers are added up into a snapshot, and
 * rates are kept.
 *
 * A rate needs the count as it was some seconds ago. Once a second the loop puts (time, count)
 * into a ring of a little more than a minute; a window's start falls between two samples and the
 * count there is interpolated. A process younger than the window divides by its age.
 *
 * Left out on purpose: decaying averages, which nobody can check by hand.
 */
#include "config.h"

#include "monitor.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "clock.h"
#include "monitor_process.h"
#include "pipeline.h"

enum {
    SAMPLE_COUNT = 72,
    CLIENTS_SUMMED_MAX = 1024 /* admission sorts them by insertion */
};
#define TICK_MIN_NS UINT64_C(900000000) /* x SAMPLE_COUNT > 60 s */
#define SECOND_NS   UINT64_C(1000000000)

struct sample {
    uint64_t at_ns, done;
};

struct monitor {
    struct monitor_thread *threads; /* newest first; the loop's is the last */
    struct monitor_thread *loop;
    struct monitor_sources sources;
    double start_time_seconds; /* of the process; 0 until the first snapshot */
    uint64_t start_ns;
    bool is_ready;
    size_t sample_newest;
    size_t sample_count;
    struct sample samples[SAMPLE_COUNT];
};

static uint64_t load(const _Atomic uint64_t *v)
{
    /* relaxed: pairs with the store in monitor_bump(); counters order nothing */
    return atomic_load_explicit(v, memory_order_relaxed);
}

struct monitor_thread *monitor_thread_add(struct monitor *m)
{
    /* mmap: pages that a thread never counts in are never touched, by us neither. */
    struct monitor_thread *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE,
                                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (t == MAP_FAILED)
        return NULL;
    t->next = m->threads;
    m->threads = t;
    return t;
}

int monitor_new(struct monitor **out)
{
    struct monitor *m = calloc(1, sizeof *m);
    if (m == NULL)
        return -ENOMEM;
    m->loop = monitor_thread_add(m);
    if (m->loop == NULL) {
        free(m);
        return -ENOMEM;
    }
    m->start_ns = clock_ns();
    m->samples[0] = (struct sample){.at_ns = m->start_ns};
    m->sample_count = 1;
    *out = m;
    return 0;
}

void monitor_free(struct monitor *m)
{
    if (m == NULL)
        return;
    for (struct monitor_thread *t = m->threads, *next; t != NULL; t = next) {
        next = t->next;
        munmap(t, sizeof *t);
    }
    free(m);
}

void monitor_set_sources(struct monitor *m, const struct monitor_sources *sources)
{
    m->sources = *sources;
}

void monitor_set_ready(struct monitor *m, bool ready)
{
    m->is_ready = ready;
}

struct monitor_thread *monitor_loop(struct monitor *m)
{
    return m->loop;
}

static uint64_t done_total(const struct monitor *m)
{
    uint64_t done = 0;
    for (const struct monitor_thread *t = m->threads; t != NULL; t = t->next)
        done += load(&t->counter[MONITOR_jobs_done]);
    return done;
}

void monitor_tick(struct monitor *m, uint64_t now_ns)
{
    if (now_ns < m->samples[m->sample_newest].at_ns + TICK_MIN_NS)
        return;
    m->sample_newest = (m->sample_newest + 1) % SAMPLE_COUNT;
    m->samples[m->sample_newest] = (struct sample){.at_ns = now_ns, .done = done_total(m)};
    if (m->sample_count < SAMPLE_COUNT)
        m->sample_count++;
}

/* Jobs done per second over the last window_ns, or over all that is known if that is less. */
static double rate_over(const struct monitor *m, struct sample now, uint64_t window_ns)
{
    struct sample after = now; /* walks back until the sample before it is old enough */
    for (size_t i = 0; i < m->sample_count; i++) {
        struct sample s = m->samples[(m->sample_newest + SAMPLE_COUNT - i) % SAMPLE_COUNT];
        if (s.at_ns > now.at_ns)
            continue; /* asked about the past */
        if (now.at_ns - s.at_ns >= window_ns) {
            double begin_ns = (double)(now.at_ns - window_ns - s.at_ns);
            double step_ns = (double)(after.at_ns - s.at_ns);
            double before = begin_ns / step_ns * (double)(after.done - s.done);
            return ((double)(now.done - s.done) - before) / (double)window_ns * 1e9;
        }
        after = s;
    }
    if (after.at_ns >= now.at_ns)
        return 0;
    return (double)(now.done - after.done) / (double)(now.at_ns - after.at_ns) * 1e9;
}

static void add_thread(struct snapshot *out, const struct monitor_thread *t)
{
    for (size_t i = 0; i < MONITOR_COUNTER_COUNT; i++)
        out->counter[i] += load(&t->counter[i]);
    for (size_t i = 0; i < KERN_OP_END; i++) {
        uint64_t run_ns = load(&t->op_run_ns[i]);
        out->op_jobs[i] += load(&t->op_jobs[i]);
        out->op_work[i] += load(&t->op_work[i]);
        out->op_run_ns[i] += run_ns;
        out->run_ns += run_ns;
    }
    for (size_t i = 0; i < MONITOR_STATUS_MAX; i++)
        out->answers[i] += load(&t->answers[i]);
    for (size_t i = 0; i < MONITOR_STAGE_COUNT; i++) {
        struct snapshot_stage *stage = &out->stage[i];
        for (size_t b = 0; b < MONITOR_BUCKETS; b++) {
            uint64_t n = load(&t->stage[i].bucket[b]);
            stage->bucket[b] += n;
            stage->count += n;
        }
        stage->sum_ns += load(&t->stage[i].sum_ns);
    }
}

static void client_add(struct client_stats *sum, const struct client_stats *c)
{
    sum->connections += c->connections;
    sum->arenas += c->arenas;
    sum->jobs_in_flight += c->jobs_in_flight;
    sum->bytes_in_flight += c->bytes_in_flight;
    sum->arena_bytes += c->arena_bytes;
    sum->jobs_total += c->jobs_total;
    sum->refused_total += c->refused_total;
    sum->run_ns_total += c->run_ns_total;
}

/* The busiest clients get rows, the others one sum: of the busiest thousand, since behind those
 * nothing is left that a graph could show. Without memory for that there is no sum. */
static void take_clients(struct snapshot *out, const struct admission *admission)
{
    size_t count = admission_stats(admission, out->clients, MONITOR_CLIENT_ROWS);
    out->client_count = count;
    out->client_rows = count < MONITOR_CLIENT_ROWS ? count : MONITOR_CLIENT_ROWS;
    if (count <= MONITOR_CLIENT_ROWS)
        return;
    size_t listed = count < CLIENTS_SUMMED_MAX ? count : CLIENTS_SUMMED_MAX;
    struct client_stats *clients = calloc(listed, sizeof *clients);
    if (clients == NULL)
        return;
    admission_stats(admission, clients, listed);
    for (size_t i = MONITOR_CLIENT_ROWS; i < listed; i++)
        client_add(&out->other_clients, &clients[i]);
    free(clients);
}

static void take_sources(struct snapshot *out, const struct monitor_sources *src)
{
    if (src->pool != NULL)
        pool_stats(src->pool, &out->pool);
    if (src->cache != NULL)
        cache_stats(src->cache, &out->cache);
    if (src->batcher != NULL)
        batch_stats(src->batcher, &out->batch);
    if (src->scheduler != NULL)
        sched_stats(src->scheduler, &out->scheduler);
    if (src->wasm != NULL)
        wasm_stats(src->wasm, &out->wasm);
    if (src->pipeline != NULL)
        out->inline_batches_total = pipeline_inline_total(src->pipeline);
    if (src->admission != NULL)
        take_clients(out, src->admission);
    out->isa = src->isa != NULL ? src->isa : "";
    out->version = src->version != NULL ? src->version : "";
}

void monitor_snapshot_at(struct monitor *m, struct snapshot *out, uint64_t now_ns)
{
    memset(out, 0, sizeof *out);
    out->taken_ns = now_ns;
    for (const struct monitor_thread *t = m->threads; t != NULL; t = t->next)
        add_thread(out, t);

    uint64_t ended = out->counter[MONITOR_jobs_done] + out->counter[MONITOR_jobs_failed] +
                     out->counter[MONITOR_jobs_cancelled];
    uint64_t accepted = out->counter[MONITOR_jobs_accepted];
    out->jobs_in_flight = accepted > ended ? accepted - ended : 0;

    struct sample now = {.at_ns = now_ns, .done = out->counter[MONITOR_jobs_done]};
    uint64_t up_ns = now_ns > m->start_ns ? now_ns - m->start_ns : 0;
    out->uptime_seconds = (double)up_ns * 1e-9;
    out->is_ready = m->is_ready;
    out->rate = up_ns > 0 ? (double)now.done / out->uptime_seconds : 0;
    out->rate_1s = rate_over(m, now, SECOND_NS);
    out->rate_10s = rate_over(m, now, 10 * SECOND_NS);
    out->rate_60s = rate_over(m, now, 60 * SECOND_NS);

    take_sources(out, &m->sources);

    monitor_process_read(&out->process);
    if (m->start_time_seconds == 0)
        m->start_time_seconds = monitor_process_start_time();
    out->process.start_time_seconds = m->start_time_seconds;
}

void monitor_snapshot(struct monitor *m, struct snapshot *out)
{
    monitor_snapshot_at(m, out, clock_ns());
}

uint64_t monitor_bucket_upper_ns(size_t bucket)
{
    if (bucket == 0)
        return 64;
    if (bucket >= MONITOR_BUCKETS - 1)
        return UINT64_MAX;
    /* 64 * 2^octave * (1 + (step + 1) / 4) */
    size_t octave = (bucket - 1) / 4, step = (bucket - 1) % 4;
    return (uint64_t)(5 + step) << (octave + 4);
}

double snapshot_quantile_ns(const struct snapshot_stage *stage, double q)
{
    if (stage->count == 0)
        return 0;
    double rank = q * (double)stage->count; /* this many lie at or below the answer */
    double below = 0;
    double lower_ns = 0;
    for (size_t b = 0; b < MONITOR_BUCKETS - 1; b++) {
        double upper_ns = (double)monitor_bucket_upper_ns(b);
        double n = (double)stage->bucket[b];
        if (n > 0 && below + n >= rank)
            return lower_ns + (upper_ns - lower_ns) * (rank - below) / n;
        below += n;
        lower_ns = upper_ns;
    }
    return lower_ns;
}
