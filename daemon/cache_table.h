/* Where an entry is: a hash table that grows and shrinks by one bucket at a time (linear hashing:
 * Litwin 1980, Larson 1988), so that no call is long however large the cache. Buckets come in
 * segments from the pool.
 */
#ifndef DAEMON_CACHE_TABLE_H
#define DAEMON_CACHE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "cache.h"
#include "cache_evict.h"

/* One cache line. */
struct cache_entry {
    struct evict_node node; /* first, so that a node leads to its entry; its hash is lo ^ hi */
    uint64_t key_lo;
    struct buf *value;
    size_t value_bytes;
    struct cache_entry *chain; /* next in its bucket */
};

enum { TABLE_SEGMENT_SHIFT = 9, TABLE_SEGMENT = 1 << TABLE_SEGMENT_SHIFT };

struct cache_table {
    struct cache_entry ***segments; /* [segment_cap], each of TABLE_SEGMENT buckets */
    size_t segment_cap;
    size_t bucket_count; /* 0 until the first entry */
    size_t mask;         /* of bucket numbers: the least 2^n - 1 that covers all */
    size_t entry_count;
    struct pool_local *local; /* borrowed */
};

void cache_table_init(struct cache_table *t, struct pool_local *local);

/* All entries must be gone. */
void cache_table_fini(struct cache_table *t);

/* Keys are digests, so any of their bits will do. */
static inline uint64_t cache_table_hash(struct cache_key key)
{
    return key.lo ^ key.hi;
}

static inline struct cache_entry **cache_table_bucket(const struct cache_table *t, uint64_t hash)
{
    size_t i = hash & t->mask;
    if (i >= t->bucket_count)
        i &= t->mask >> 1; /* not split yet */
    return &t->segments[i >> TABLE_SEGMENT_SHIFT][i & (TABLE_SEGMENT - 1)];
}

/* Returns borrowed, or NULL. */
static inline struct cache_entry *cache_table_find(const struct cache_table *t,
                                                   struct cache_key key)
{
    if (t->bucket_count == 0)
        return NULL;
    uint64_t hash = cache_table_hash(key);
    struct cache_entry *e = *cache_table_bucket(t, hash);
    while (e && (e->node.hash != hash || e->key_lo != key.lo))
        e = e->chain;
    return e;
}

/* Makes sure that there is a bucket at all. 0 or -ENOMEM. */
int cache_table_prepare(struct cache_table *t);

/* Borrows the entry until it is removed. Its key must not be there yet. */
void cache_table_insert(struct cache_table *t, struct cache_entry *e);
void cache_table_remove(struct cache_table *t, struct cache_entry *e);

#endif
