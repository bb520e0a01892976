/* Slots with a time instead of a queue; see cache_ghost.h.
 *
 * Growing moves nothing: a larger table takes all additions from then on, the one before is still
 * looked at until everything in it is too old, so no single call is long.
 */
#include "config.h"

#include "cache_ghost.h"

#include <stdlib.h>

enum { BUCKET_SLOTS = 8, BUCKETS_MIN = 8 };

struct ghost_slot {
    uint32_t tag; /* upper half of the hash, made odd; 0: empty */
    uint32_t added_at;
};

struct ghost_bucket {
    struct ghost_slot slot[BUCKET_SLOTS];
};

static struct ghost_bucket *bucket_of(const struct ghost_table *t, uint64_t hash)
{
    return &t->buckets[hash & (t->bucket_count - 1)];
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32) | 1;
}

static void table_fini(struct ghost_table *t)
{
    free(t->buckets);
    *t = (struct ghost_table){0};
}

void ghost_fini(struct ghost *g)
{
    table_fini(&g->now);
    table_fini(&g->before);
}

static void grow(struct ghost *g, size_t limit)
{
    size_t want = g->now.bucket_count ? g->now.bucket_count : BUCKETS_MIN;
    /* At most three quarters full, so that few buckets overflow. */
    while (want * BUCKET_SLOTS * 3 / 4 < limit)
        want *= 2;
    struct ghost_bucket *buckets = calloc(want, sizeof *buckets);
    if (!buckets)
        return;
    table_fini(&g->before);
    g->before = g->now;
    g->now = (struct ghost_table){.buckets = buckets, .bucket_count = want};
    g->grown_at = g->clock;
}

void ghost_add(struct ghost *g, uint64_t hash, size_t limit)
{
    if (g->now.bucket_count * BUCKET_SLOTS * 3 / 4 < limit)
        grow(g, limit);
    if (!g->now.buckets)
        return;
    g->clock++;
    if (g->before.buckets && g->clock - g->grown_at > limit)
        table_fini(&g->before);
    struct ghost_slot *slot = bucket_of(&g->now, hash)->slot;
    struct ghost_slot *oldest = slot;
    for (unsigned i = 0; i < BUCKET_SLOTS && oldest->tag != 0; i++) {
        if (slot[i].tag == 0 || g->clock - slot[i].added_at > g->clock - oldest->added_at)
            oldest = &slot[i];
    }
    *oldest = (struct ghost_slot){.tag = tag_of(hash), .added_at = g->clock};
}

static bool table_remove(struct ghost_table *t, uint64_t hash, uint32_t clock, size_t limit)
{
    if (!t->buckets)
        return false;
    struct ghost_slot *slot = bucket_of(t, hash)->slot;
    for (unsigned i = 0; i < BUCKET_SLOTS; i++) {
        if (slot[i].tag == tag_of(hash) && clock - slot[i].added_at < limit) {
            slot[i].tag = 0;
            return true;
        }
    }
    return false;
}

bool ghost_remove(struct ghost *g, uint64_t hash, size_t limit)
{
    return table_remove(&g->now, hash, g->clock, limit) ||
           table_remove(&g->before, hash, g->clock, limit);
}
