/* The monitor: counters and histograms that cost a few instructions, read as one snapshot.
 *
 * Each thread counts in memory of its own, so nothing is shared on the hot path; the reader adds
 * up. Histograms are log-linear: four steps per power of two, at most 19 % wide, from 64 ns to
 * 69 s. counters.def names the counters once.
 */
#ifndef DAEMON_MONITOR_H
#define DAEMON_MONITOR_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "admission.h"
#include "batch.h"
#include "cache.h"
#include "kernels/kern.h"
#include "pool.h"
#include "scheduler.h"

enum monitor_counter {
#define COUNTER(name, help) MONITOR_##name,
#include "counters.def"
#undef COUNTER
    MONITOR_COUNTER_COUNT
};

/* batch: arrival to leaving the batch; queue: to the start of the run; run; write: to the answer
 * handed to the kernel; total. */
#define MONITOR_STAGES(X) X(batch) X(queue) X(run) X(write) X(total)
enum monitor_stage {
#define X(name) MONITOR_STAGE_##name,
    MONITOR_STAGES(X)
#undef X
    MONITOR_STAGE_COUNT
};

enum { MONITOR_BUCKETS = 128, MONITOR_STATUS_MAX = 128 };

struct monitor_histogram {
    _Atomic uint64_t bucket[MONITOR_BUCKETS];
    _Atomic uint64_t sum_ns;
};

/* One thread's numbers; written by that thread only. */
struct monitor_thread {
    _Alignas(64) _Atomic uint64_t counter[MONITOR_COUNTER_COUNT];
    _Atomic uint64_t op_jobs[KERN_OP_END];    /* answered OK */
    _Atomic uint64_t op_run_ns[KERN_OP_END];
    _Atomic uint64_t op_work[KERN_OP_END];
    _Atomic uint64_t answers[MONITOR_STATUS_MAX]; /* by wire status */
    struct monitor_histogram stage[MONITOR_STAGE_COUNT];
};

struct monitor;

/* Where a snapshot finds what other rooms count; all borrowed, may be NULL. */
struct monitor_sources {
    struct pool *pool;
    struct cache *cache;
    struct batcher *batcher;
    struct scheduler *scheduler;
    struct admission *admission;
    struct pipeline *pipeline;
    const char *isa;     /* the native backend's */
    const char *version; /* the daemon's */
};

enum { MONITOR_CLIENT_ROWS = 16 };

/* All numbers at one time. Plain data: metrics_json and metrics_text print it. */
struct snapshot {
    uint64_t taken_ns;
    double uptime_seconds;
    double rate_1s, rate_10s, rate_60s; /* answered jobs per second */
    uint64_t counter[MONITOR_COUNTER_COUNT];
    uint64_t op_jobs[KERN_OP_END], op_run_ns[KERN_OP_END], op_work[KERN_OP_END];
    uint64_t answers[MONITOR_STATUS_MAX];
    struct {
        uint64_t bucket[MONITOR_BUCKETS];
        uint64_t count, sum_ns;
    } stage[MONITOR_STAGE_COUNT];
    uint64_t jobs_in_flight;
    uint64_t resident_bytes, virtual_bytes;
    double cpu_seconds, start_time_seconds; /* process CPU time; Unix time of start */
    unsigned open_fds, max_fds;
    struct pool_stats pool;
    struct cache_stats cache;
    struct batch_stats batch;
    struct sched_stats scheduler;
    struct client_stats clients[MONITOR_CLIENT_ROWS];
    size_t client_count; /* all; rows beyond MONITOR_CLIENT_ROWS are not listed */
    const char *isa, *version;
};

int monitor_new(struct monitor **out);
void monitor_free(struct monitor *m);
void monitor_set_sources(struct monitor *m, const struct monitor_sources *sources);

/* Returns borrowed: the loop's own counters. (Workers count in the scheduler and the pool.) */
struct monitor_thread *monitor_loop(struct monitor *m);

/* Once a second, on the loop: moves the windows of the rates. */
void monitor_tick(struct monitor *m, uint64_t now_ns);

/* Thread: the loop. */
void monitor_snapshot(struct monitor *m, struct snapshot *out);

/* Bucket of a duration, and the upper bound in ns, inclusive, of a bucket (UINT64_MAX: the last). */
size_t monitor_bucket(uint64_t ns);
uint64_t monitor_bucket_upper_ns(size_t bucket);

/* The q-quantile (0..1) of a stage in ns, by linear interpolation inside its bucket; 0 if empty. */
double snapshot_quantile_ns(const struct snapshot *s, enum monitor_stage stage, double q);

/* Only the owning thread adds, so a load and a store do: no locked instruction.
 * relaxed: counters order nothing; the reader may lag. */
static inline void monitor_bump(_Atomic uint64_t *v, uint64_t n)
{
    atomic_store_explicit(v, atomic_load_explicit(v, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

static inline void monitor_add(struct monitor_thread *t, enum monitor_counter c, uint64_t n)
{
    monitor_bump(&t->counter[c], n);
}

static inline void monitor_observe(struct monitor_thread *t, enum monitor_stage stage, uint64_t ns)
{
    monitor_bump(&t->stage[stage].bucket[monitor_bucket(ns)], 1);
    monitor_bump(&t->stage[stage].sum_ns, ns);
}

#endif
