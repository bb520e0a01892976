/* Values and their accounting; where an entry lies is cache_table.c, who leaves cache_evict.c.
 *
 * An entry is charged what it occupies: its value's pool block, its own line, its bucket and its
 * trace in the ghost. A value that a job still holds when it is evicted lives on until that job
 * is answered, and no longer counts here.
 */
#include "config.h"

#include "cache.h"

#include <errno.h>
#include <stdlib.h>

#include "cache_evict.h"
#include "cache_table.h"

enum {
    UNIT_BYTES = 32,  /* so that 32 bits of units are 128 GiB */
    ENTRY_BYTES = 96, /* the entry, 64; a bucket, 8; at most 22 in the ghost */
    VALUE_SHARE = 4   /* a value may take a quarter of the cache */
};

struct cache {
    struct cache_table table;
    struct evict evict;
    struct pool_local *local; /* borrowed */
    size_t max_bytes;
    uint64_t hits_total, misses_total, bypasses_total;
    uint64_t inserted_total, evicted_total;
};

int cache_new(struct cache **out, size_t max_bytes, struct pool_local *l)
{
    struct cache *c = calloc(1, sizeof *c);
    if (!c)
        return -ENOMEM;
    c->local = l;
    c->max_bytes = max_bytes;
    cache_table_init(&c->table, l);
    evict_init(&c->evict, max_bytes / UNIT_BYTES);
    *out = c;
    return 0;
}

/* Drops an entry that is in no queue any more. */
static void entry_free(struct cache *c, struct cache_entry *e)
{
    cache_table_remove(&c->table, e);
    buf_put(c->local, e->value);
    pool_give(c->local, e, sizeof *e);
}

/* Evicts until `units` more fit. */
static void make_room(struct cache *c, uint64_t units)
{
    while (evict_is_over(&c->evict, units)) {
        struct evict_node *n = evict_victim(&c->evict);
        if (!n)
            return;
        entry_free(c, (struct cache_entry *)n);
        c->evicted_total++;
    }
}

void cache_free(struct cache *c)
{
    if (!c)
        return;
    struct evict_node *n;
    while ((n = evict_victim(&c->evict)))
        entry_free(c, (struct cache_entry *)n);
    evict_fini(&c->evict);
    cache_table_fini(&c->table);
    free(c);
}

struct buf *cache_get(struct cache *c, struct cache_key key, size_t *value_bytes)
{
    struct cache_entry *e = cache_table_find(&c->table, key);
    if (!e) {
        c->misses_total++;
        return NULL;
    }
    c->hits_total++;
    evict_hit(&e->node);
    *value_bytes = e->value_bytes;
    return buf_get(e->value);
}

/* What the value occupies, in units. */
static uint64_t value_units(const struct buf *value)
{
    size_t bytes = pool_block_bytes(sizeof *value + value->bytes) + ENTRY_BYTES;
    return (bytes + UNIT_BYTES - 1) / UNIT_BYTES;
}

static void entry_set(struct cache_entry *e, struct buf *value, size_t value_bytes, uint64_t units)
{
    e->value = buf_get(value);
    e->value_bytes = value_bytes;
    e->node.units = (uint32_t)units;
}

static void replace(struct cache *c, struct cache_entry *e, struct buf *value,
                    size_t value_bytes, uint64_t units)
{
    struct buf *old = e->value;
    evict_remove(&c->evict, &e->node);
    make_room(c, units);
    entry_set(e, value, value_bytes, units);
    evict_restore(&c->evict, &e->node);
    buf_put(c->local, old);
}

int cache_put(struct cache *c, struct cache_key key, struct buf *value, size_t value_bytes)
{
    uint64_t units = value_units(value);
    struct cache_entry *e = cache_table_find(&c->table, key);
    if (units > c->evict.max_units / VALUE_SHARE || units > UINT32_MAX) {
        if (e) {
            evict_remove(&c->evict, &e->node);
            entry_free(c, e);
            c->evicted_total++;
        }
        return 0;
    }
    if (e) {
        replace(c, e, value, value_bytes, units);
        return 0;
    }
    int err = cache_table_prepare(&c->table);
    if (err < 0)
        return err;
    if (!(e = pool_take(c->local, sizeof *e)))
        return -ENOMEM;
    make_room(c, units);
    e->key_lo = key.lo;
    e->node.hash = cache_table_hash(key);
    entry_set(e, value, value_bytes, units);
    evict_insert(&c->evict, &e->node);
    cache_table_insert(&c->table, e);
    c->inserted_total++;
    return 0;
}

void cache_bypass(struct cache *c)
{
    c->bypasses_total++;
}

void cache_set_max(struct cache *c, size_t max_bytes)
{
    c->max_bytes = max_bytes;
    evict_set_max(&c->evict, max_bytes / UNIT_BYTES);
    make_room(c, 0);
}

void cache_stats(const struct cache *c, struct cache_stats *out)
{
    uint64_t asked = c->hits_total + c->misses_total;
    *out = (struct cache_stats){
        .hits_total = c->hits_total,
        .misses_total = c->misses_total,
        .bypasses_total = c->bypasses_total,
        .lookups_total = asked + c->bypasses_total,
        .inserted_total = c->inserted_total,
        .evicted_total = c->evicted_total,
        .entry_count = c->table.entry_count,
        .used_bytes = (size_t)evict_used_units(&c->evict) * UNIT_BYTES,
        .max_bytes = c->max_bytes,
        .hit_ratio = asked > 0 ? (double)c->hits_total / (double)asked : 0,
    };
}
