/* The monitor: counters and histograms that cost a few instructions, read as one snapshot.
 *
 * Each thread counts in memory of its own, so nothing is shared on the hot path; the reader adds
 * up. Histograms are log-linear: four steps per power of two, so a bucket is at most a quarter
 * wider than its lower bound, from 64 ns to 206 s. counters.def names the counters once.
 */
#ifndef DAEMON_MONITOR_H
#define DAEMON_MONITOR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "admission.h"
#include "batch.h"
#include "cache.h"
#include "kernels/kern.h"
#include "pool.h"
#include "scheduler.h"
#include "wasm.h"

struct pipeline;

enum monitor_counter {
#define COUNTER(name, family, labels, json, help) MONITOR_##name,
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
    struct monitor_thread *next; /* the monitor's */
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
    struct wasm *wasm;
    const char *isa;     /* the native backend's */
    const char *version; /* the daemon's */
};

enum { MONITOR_CLIENT_ROWS = 16 };

/* One histogram; bounds as monitor_bucket_upper_ns() says. */
struct snapshot_stage {
    uint64_t bucket[MONITOR_BUCKETS];
    uint64_t count, sum_ns;
};

/* What the operating system says about this process. Numbers that it does not give are 0. */
struct snapshot_process {
    uint64_t resident_bytes, virtual_bytes;
    uint64_t open_fds, max_fds;
    uint64_t cpu_ns;           /* user and system, all threads */
    double start_time_seconds; /* Unix time */
};

/* All numbers at one time. Plain data: metrics_json and metrics_text print it. */
struct snapshot {
    uint64_t taken_ns;
    double uptime_seconds;
    bool is_ready;
    double rate, rate_1s, rate_10s, rate_60s; /* jobs done per second: lifetime, and windows */
    uint64_t counter[MONITOR_COUNTER_COUNT];
    uint64_t op_jobs[KERN_OP_END], op_run_ns[KERN_OP_END], op_work[KERN_OP_END];
    uint64_t run_ns; /* sum of op_run_ns */
    uint64_t answers[MONITOR_STATUS_MAX];
    struct snapshot_stage stage[MONITOR_STAGE_COUNT];
    uint64_t jobs_in_flight; /* accepted - done - failed - cancelled */
    struct snapshot_process process;
    struct pool_stats pool;
    struct cache_stats cache;
    struct batch_stats batch;
    uint64_t inline_batches_total; /* ran on the loop */
    struct sched_stats scheduler;
    struct wasm_stats wasm;
    struct client_stats clients[MONITOR_CLIENT_ROWS];
    struct client_stats other_clients; /* sum of those without a row; its uid means nothing */
    size_t client_count;               /* all of them */
    size_t client_rows;                /* used in clients[] */
    const char *isa, *version;         /* never NULL */
};

/* 0 or -ENOMEM. The clock of uptime and rates starts. */
int monitor_new(struct monitor **out);

/* NULL is fine. */
void monitor_free(struct monitor *m);
void monitor_set_sources(struct monitor *m, const struct monitor_sources *sources);

/* Whether jobs are taken; false at first. */
void monitor_set_ready(struct monitor *m, bool ready);

/* Returns borrowed: the loop's own counters. (Workers count in the scheduler and the pool.) */
struct monitor_thread *monitor_loop(struct monitor *m);

/* Returns borrowed: zeroed counters for one more thread, there until the monitor goes; NULL: out
 * of memory. Thread: the loop, before that thread starts. */
struct monitor_thread *monitor_thread_add(struct monitor *m);

/* Once a second, on the loop: moves the windows of the rates. A late or lost tick blurs a window's
 * edge, a tick too early is ignored. */
void monitor_tick(struct monitor *m, uint64_t now_ns);

/* Thread: the loop. */
void monitor_snapshot(struct monitor *m, struct snapshot *out);

/* The same as if it were `now_ns` on clock_ns(). */
void monitor_snapshot_at(struct monitor *m, struct snapshot *out, uint64_t now_ns);

/* Upper bound in ns, inclusive, of a bucket (UINT64_MAX: the last). */
uint64_t monitor_bucket_upper_ns(size_t bucket);

/* The q-quantile (0..1) of a stage in ns, by linear interpolation inside its bucket; 0 if empty.
 * In the last bucket, which has no upper bound, its lower bound. */
double snapshot_quantile_ns(const struct snapshot_stage *stage, double q);

/* Bucket of a duration. A double's exponent and the top two bits of its fraction are the
 * log-linear number we want, so the conversion does the work; two clamps, no branch. Bounds are
 * inclusive above (as Prometheus' `le` is), hence the minus one. */
static inline size_t monitor_bucket(uint64_t ns)
{
    const uint64_t last = (UINT64_C(3) << 36) + 1; /* the last bucket's first value */
    const uint64_t bias = 0x1013;                    /* the same top 14 bits of 63.0 */
    ns = ns < 64 ? 64 : ns;
    ns = ns > last ? last : ns;
    double d = (double)(int64_t)(ns - 1);
    uint64_t bits;
    memcpy(&bits, &d, sizeof bits);
    return (size_t)((bits >> 50) - bias);
}

/* Only the owning thread adds, so a load and a store do: no locked instruction.
 * relaxed: counters order nothing; the reader in monitor_snapshot() may lag. */
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
