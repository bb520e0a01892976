/* The cache's eviction policy, LRU and Belady's OPT on a trace of object ids, all of size 1. */
#ifndef BENCH_CACHE_SIM_H
#define BENCH_CACHE_SIM_H

#include <stddef.h>
#include <stdint.h>

struct trace {
    uint32_t *ids; /* owned; renumbered 0 .. unique_count - 1 */
    size_t count;
    size_t unique_count;
};

struct sim_ratios {
    double ours, lru, opt; /* hits per access */
};

/* Reads raw little-endian uint32 ids from a file, or "-". 0 or a negative errno. */
int trace_load(struct trace *t, const char *path);
void trace_fini(struct trace *t);

/* Runs the trace through caches of `capacity` objects, at least 1. 0 or -ENOMEM. */
int sim_run(struct sim_ratios *out, const struct trace *t, size_t capacity);

#endif
