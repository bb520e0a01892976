/* The memory pool: blocks by size class, 64-byte aligned, freed on any thread.
 *
 * Classes 64, 256, 1024, 4096, 16384, 65536, 256 KiB, 1 MiB, and above that eight sizes
 * per power of two. Each thread allocates through a pool_local of its own: a magazine of free
 * blocks per class up to 64 KiB, so that the fast path is a few instructions and takes no lock;
 * half a magazine at a time is exchanged with the shared depot (after Bonwick & Adams, "Magazines
 * and Vmem", 2001). Larger blocks are mappings, kept for reuse. All memory is bounded.
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

/* max_bytes bounds used_bytes: exactly for blocks over 64 KiB; smaller ones may pass it by what
 * magazines hold, at most 3 MiB per local. keep_bytes bounds what is held beyond use and
 * magazines; only spans of 64 KiB that are partly used may pass it. */
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

/* The same for the little that keeps a caller able to say that memory is short: it may pass
 * max_bytes by a sixteenth. */
void *pool_take_vital(struct pool_local *l, size_t bytes);

/* Gives back a block of any local of the same pool; `bytes` as it was asked for. NULL is fine.
 * Under AddressSanitizer a touch after this is found, like one behind `bytes` before. */
void pool_give(struct pool_local *l, void *block, size_t bytes);

/* What a block of `bytes` really occupies. */
size_t pool_block_bytes(size_t bytes);

/* Sums all threads' counters. Thread: any; numbers of running threads may lag by a few. */
void pool_stats(struct pool *p, struct pool_stats *out);

/* Live limits (SIGHUP). */
void pool_set_limits(struct pool *p, size_t max_bytes, size_t keep_bytes);

#endif
