/* What pool.c and pool_bound.c share. */
#ifndef DAEMON_POOL_PRIV_H
#define DAEMON_POOL_PRIV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>

#include "pool_depot.h"
#include "pool_large.h"

enum { POOL_ROUNDS_MAX = 64 };

struct pool_magazine {
    /* the local's thread */
    uint32_t count;
    uint32_t cap;
    /* that thread writes, pool_bound.c reads */
    _Atomic uint64_t take_total, give_total, fresh_total;
    /* the local's thread: blocks just cut, not handed out yet */
    char *carved;
    uint32_t carved_count;
    bool carved_fresh;
    void *rounds[POOL_ROUNDS_MAX];
};

struct pool_local {
    /* lines of their own: the thread writes here with every block */
    _Alignas(64) struct pool_magazine magazine[DEPOT_CLASSES];
    struct pool *pool;              /* fixed */
    struct pool_local *prev, *next; /* under the pool's lock */
};

struct pool_totals {
    uint64_t take[DEPOT_CLASSES], give[DEPOT_CLASSES], fresh;
};

/* Everything under the lock. */
struct pool {
    pthread_mutex_t lock;
    struct depot depot;
    struct large large;
    struct pool_local *locals;
    struct pool_totals gone; /* what locals that ended had counted */
    size_t large_used_bytes, large_held_bytes;
    uint64_t large_new_total, large_reused_total, large_returned_total;
    uint64_t refused_total;
    size_t max_bytes, keep_bytes;
};

static inline void pool_lock(struct pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
}

static inline void pool_unlock(struct pool *p)
{
    (void)pthread_mutex_unlock(&p->lock);
}

/* --- pool_bound.c; all under the lock --- */

/* How much may be in callers' hands. */
static inline size_t pool_bound(const struct pool *p, bool vital)
{
    return p->max_bytes + (vital ? p->max_bytes / 16 : 0);
}

/* Whether `bytes` more may be in callers' hands. */
bool pool_admits(const struct pool *p, size_t bytes, bool vital);

/* How many of `want` blocks may leave the depot: near the bound one at a time, so that it is not
 * passed by blocks that nobody uses. */
size_t pool_admits_blocks(const struct pool *p, unsigned cls, size_t want, bool vital);

/* Gives free memory beyond `keep_bytes` back to the operating system: large blocks first, the
 * one that rested longest first, then spans. Lets the lock go meanwhile. */
void pool_trim(struct pool *p, size_t keep_bytes);

#endif
