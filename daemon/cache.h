/* The result cache: digest -> buffer, bounded in bytes, O(1) per operation.
 *
 * Thread: the loop only, so it takes no lock; large operands are hashed by workers before the
 * loop looks them up. A key covers the uid, the op, every parameter and the operands' bytes.
 * Eviction is S3-FIFO (Yang et al., SOSP 2023): a small queue, a main queue and a ghost.
 */
#ifndef DAEMON_CACHE_H
#define DAEMON_CACHE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct cache;

struct cache_key {
    uint64_t lo, hi;
};

struct cache_stats {
    uint64_t hits_total, misses_total, bypasses_total; /* sum: lookups */
    uint64_t lookups_total;
    uint64_t inserted_total, evicted_total;
    size_t entry_count;
    size_t used_bytes; /* values and bookkeeping */
    size_t max_bytes;
    double hit_ratio; /* hits / (hits + misses), 0 before the first */
};

/* max_bytes 0: every lookup misses and nothing is kept. Borrows `l`, the loop's. */
int cache_new(struct cache **out, size_t max_bytes, struct pool_local *l);
void cache_free(struct cache *c);

/* A hit returns owned: one more reference to the value and its exact size; NULL is a miss. */
struct buf *cache_get(struct cache *c, struct cache_key key, size_t *value_bytes);

/* Keeps `value` under `key`, taking a reference of its own; evicts what must go. A value whose
 * block takes over a quarter of max_bytes is not kept. An existing entry is replaced, or dropped if
 * the new value is not kept. -ENOMEM keeps the cache whole. */
int cache_put(struct cache *c, struct cache_key key, struct buf *value, size_t value_bytes);

/* Counts a lookup that was not worth making. */
void cache_bypass(struct cache *c);

/* Evicts down to the new bound. */
void cache_set_max(struct cache *c, size_t max_bytes);

void cache_stats(const struct cache *c, struct cache_stats *out);

#endif
