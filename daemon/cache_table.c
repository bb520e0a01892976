/* Linear hashing; see cache_table.h.
 *
 * Bucket b of a table with 2^n <= buckets < 2^(n+1) was split off bucket b - 2^n. A split that
 * finds no memory is left out: chains get longer, nothing breaks.
 */
#include "config.h"

#include "cache_table.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEGMENT_BYTES (TABLE_SEGMENT * sizeof(struct cache_entry *))

_Static_assert(sizeof(struct cache_entry) <= 64, "an entry is one cache line");

void cache_table_init(struct cache_table *t, struct pool_local *local)
{
    *t = (struct cache_table){.local = local};
}

static void segments_free(struct cache_table *t, size_t first)
{
    for (size_t i = first; i < t->segment_cap && t->segments[i]; i++) {
        pool_give(t->local, t->segments[i], SEGMENT_BYTES);
        t->segments[i] = NULL;
    }
}

void cache_table_fini(struct cache_table *t)
{
    assert(t->entry_count == 0);
    segments_free(t, 0);
    free(t->segments);
    *t = (struct cache_table){.local = t->local};
}

/* Makes segment `i` be there. 0 or -ENOMEM. */
static int segment_new(struct cache_table *t, size_t i)
{
    if (i >= t->segment_cap) {
        size_t cap = t->segment_cap ? t->segment_cap * 2 : 8;
        struct cache_entry ***segments = realloc(t->segments, cap * sizeof *segments);
        if (!segments)
            return -ENOMEM;
        for (size_t k = t->segment_cap; k < cap; k++)
            segments[k] = NULL;
        t->segments = segments;
        t->segment_cap = cap;
    }
    if (t->segments[i])
        return 0;
    struct cache_entry **buckets = pool_take(t->local, SEGMENT_BYTES);
    if (!buckets)
        return -ENOMEM;
    memset(buckets, 0, SEGMENT_BYTES);
    t->segments[i] = buckets;
    return 0;
}

int cache_table_prepare(struct cache_table *t)
{
    if (t->bucket_count > 0)
        return 0;
    int err = segment_new(t, 0);
    if (err < 0)
        return err;
    t->bucket_count = TABLE_SEGMENT;
    t->mask = TABLE_SEGMENT - 1;
    return 0;
}

static void split(struct cache_table *t)
{
    size_t fresh = t->bucket_count;
    if (segment_new(t, fresh >> TABLE_SEGMENT_SHIFT) < 0)
        return;
    if (fresh > t->mask)
        t->mask = t->mask * 2 + 1;
    struct cache_entry **from = cache_table_bucket(t, fresh); /* not there yet: its origin */
    t->bucket_count++;
    struct cache_entry **to = cache_table_bucket(t, fresh);
    while (*from) {
        struct cache_entry *e = *from;
        if ((e->node.hash & t->mask) != fresh) {
            from = &e->chain;
            continue;
        }
        *from = e->chain;
        e->chain = *to;
        *to = e;
    }
}

static void merge(struct cache_table *t)
{
    size_t last = t->bucket_count - 1;
    struct cache_entry **from = cache_table_bucket(t, last);
    t->bucket_count--;
    struct cache_entry **to = cache_table_bucket(t, last);
    while (*to)
        to = &(*to)->chain;
    *to = *from;
    *from = NULL;
    if (t->bucket_count == (t->mask + 1) / 2)
        t->mask >>= 1;
    if (last % TABLE_SEGMENT == 0)
        segments_free(t, last >> TABLE_SEGMENT_SHIFT);
}

void cache_table_insert(struct cache_table *t, struct cache_entry *e)
{
    struct cache_entry **bucket = cache_table_bucket(t, e->node.hash);
    e->chain = *bucket;
    *bucket = e;
    if (++t->entry_count > t->bucket_count)
        split(t);
}

void cache_table_remove(struct cache_table *t, struct cache_entry *e)
{
    struct cache_entry **at = cache_table_bucket(t, e->node.hash);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    t->entry_count--;
    /* A quarter: growing again at once would split what was just merged. */
    if (t->entry_count < t->bucket_count / 4 && t->bucket_count > TABLE_SEGMENT)
        merge(t);
}
