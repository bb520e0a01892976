/* The memory pool: blocks by size class, 64-byte aligned, freed on any thread.
 *
 * Classes 64, 256, 1024, 4096, 16384, 65536, then powers of four to 4 MiB; larger blocks come
 * from mmap and are kept for reuse up to a limit. Each thread allocates through a pool_local of
 * its own: two magazines per class, so that the fast path is a few instructions and takes no
 * lock; full and empty magazines are exchanged with the shared depot (Bonwick & Adams, "Magazines
 * and Vmem", 2001). All memory is bounded by max_bytes.
 */
#ifndef DAEMON_POOL_H
#define DAEMON_POOL_H

#include <stddef.h>
#include <stdint.h>

struct pool;
struct pool_local; /* one per thread */

struct pool_stats {
    uint64_t new_total;      /* blocks that came from the operating system */
    uint64_t reused_total;   /* blocks handed out again */
    uint64_t returned_total; /* blocks freed */
    uint64_t refused_total;  /* allocations that max_bytes refused */
    size_t used_bytes;       /* in callers' hands, rounded to classes */
    size_t held_bytes;       /* all the pool has from the operating system, used or not */
    size_t max_bytes;
    double reuse_ratio;      /* reused / (new + reused), 0 before the first */
};

/* max_bytes bounds used_bytes; keep_bytes bounds what is held beyond use. */
int pool_new(struct pool **out, size_t max_bytes, size_t keep_bytes);

/* All locals must be gone and all blocks freed. NULL is fine. */
void pool_free(struct pool *p);

/* A local may be used by one thread at a time. Free gives its blocks back to the depot. */
int pool_local_new(struct pool_local **out, struct pool *p);
void pool_local_free(struct pool_local *l);

/**
 * Returns owned: at least `bytes` bytes, 64-byte aligned, contents undefined; NULL when the
 * operating system or max_bytes refuses. bytes = 0 gives a block of the smallest class.
 */
void *pool_take(struct pool_local *l, size_t bytes);

/* Gives back a block of any local of the same pool; `bytes` as it was asked for. NULL is fine. */
void pool_give(struct pool_local *l, void *block, size_t bytes);

/* What a block of `bytes` really occupies. */
size_t pool_block_bytes(size_t bytes);

/* Sums all threads' counters. Thread: any; numbers of running threads may lag by a few. */
void pool_stats(struct pool *p, struct pool_stats *out);

/* Live limits (SIGHUP). */
void pool_set_limits(struct pool *p, size_t max_bytes, size_t keep_bytes);

#endif
