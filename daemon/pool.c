/* Locals, their magazines and the ways through them; blocks come from pool_depot.c (up to 64 KiB)
 * and pool_large.c, limits and statistics are pool_bound.c's.
 *
 * The fast path is a stack of pointers per class and thread. It runs dry or full once in many
 * calls, and then half a magazine is exchanged with the depot under the pool's one lock; half, so
 * that neither a take nor a give that follows needs the lock again. Counting is done per local,
 * by its thread alone, and summed by whoever asks.
 */
#include "config.h"

#include "pool.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>

#include "pool_poison.h"
#include "pool_priv.h"

/* 64 blocks, but no more than 1 MiB of them. */
static const uint32_t rounds_cap[DEPOT_CLASSES] = {64, 64, 64, 64, 32, 16};

int pool_new(struct pool **out, size_t max_bytes, size_t keep_bytes)
{
    struct pool *p = calloc(1, sizeof *p);
    if (!p)
        return -ENOMEM;
    p->max_bytes = max_bytes;
    p->keep_bytes = keep_bytes;
    /* Adaptive: the lock is held for well under a microsecond, less than a sleep costs. */
    pthread_mutexattr_t attr;
    int err = pthread_mutexattr_init(&attr);
    if (err == 0) {
        (void)pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
        err = pthread_mutex_init(&p->lock, &attr);
        (void)pthread_mutexattr_destroy(&attr);
    }
    if (err != 0) {
        free(p);
        return -err;
    }
    *out = p;
    return 0;
}

void pool_free(struct pool *p)
{
    if (!p)
        return;
    assert(!p->locals && p->large_used_bytes == 0 && p->depot.out_bytes == 0);
    size_t bytes;
    void *block;
    while ((block = large_evict(&p->large, &bytes)))
        large_unmap(block, bytes);
    depot_fini(&p->depot);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

int pool_local_new(struct pool_local **out, struct pool *p)
{
    struct pool_local *l = aligned_alloc(_Alignof(struct pool_local), sizeof *l);
    if (!l)
        return -ENOMEM;
    memset(l, 0, sizeof *l);
    l->pool = p;
    for (unsigned i = 0; i < DEPOT_CLASSES; i++)
        l->magazine[i].cap = rounds_cap[i];
    pool_lock(p);
    l->next = p->locals;
    if (l->next)
        l->next->prev = l;
    p->locals = l;
    pool_unlock(p);
    *out = l;
    return 0;
}

/* Under the lock. */
static void magazine_fini(struct pool *p, struct pool_magazine *m, unsigned cls)
{
    depot_give(&p->depot, cls, m->rounds, m->count);
    for (uint32_t i = 0; i < m->carved_count; i++) {
        void *block = m->carved + i * depot_class_bytes(cls);
        depot_give(&p->depot, cls, &block, 1);
    }
    /* relaxed: our own counters */
    p->gone.take[cls] += atomic_load_explicit(&m->take_total, memory_order_relaxed);
    p->gone.give[cls] += atomic_load_explicit(&m->give_total, memory_order_relaxed);
    p->gone.fresh += atomic_load_explicit(&m->fresh_total, memory_order_relaxed);
}

void pool_local_free(struct pool_local *l)
{
    if (!l)
        return;
    struct pool *p = l->pool;
    pool_lock(p);
    for (unsigned i = 0; i < DEPOT_CLASSES; i++)
        magazine_fini(p, &l->magazine[i], i);
    if (l->next)
        l->next->prev = l->prev;
    *(l->prev ? &l->prev->next : &p->locals) = l->next;
    pool_trim(p, p->keep_bytes);
    pool_unlock(p);
    free(l);
}

static void *take_large(struct pool *p, size_t bytes, bool vital)
{
    bytes = large_round(bytes);
    pool_lock(p);
    if (!pool_admits(p, bytes, vital)) {
        p->refused_total++;
        pool_unlock(p);
        return NULL;
    }
    p->large_used_bytes += bytes;
    void *block = large_find(&p->large, bytes);
    if (block) {
        p->large_reused_total++;
        pool_unlock(p);
        return block;
    }
    p->large_held_bytes += bytes;
    p->large_new_total++;
    pool_unlock(p);

    block = large_map(bytes);
    if (block)
        return block;
    pool_lock(p);
    pool_trim(p, 0);
    block = large_map(bytes);
    if (!block) {
        p->large_used_bytes -= bytes;
        p->large_held_bytes -= bytes;
        p->large_new_total--;
        p->refused_total++;
    }
    pool_unlock(p);
    return block;
}

static void give_large(struct pool *p, void *block, size_t bytes)
{
    bytes = large_round(bytes);
    pool_lock(p);
    p->large_used_bytes -= bytes;
    p->large_returned_total++;
    large_keep(&p->large, block, bytes);
    pool_trim(p, p->keep_bytes);
    pool_unlock(p);
}

/* One more. Only the local's thread writes, so a load and a store do.
 * release: pairs with the acquire loads in sum_locals() of pool_bound.c. */
static inline void count(_Atomic uint64_t *total)
{
    atomic_store_explicit(total, atomic_load_explicit(total, memory_order_relaxed) + 1,
                          memory_order_release);
}

/* The next block that was cut for this magazine and never used. */
static void *take_carved(struct pool_magazine *m, unsigned cls)
{
    void *block = m->carved;
    m->carved += depot_class_bytes(cls);
    m->carved_count--;
    count(&m->take_total);
    if (m->carved_fresh)
        count(&m->fresh_total);
    return block;
}

/* The magazine is empty: fills half of it, or has new blocks cut. */
static void *take_slow(struct pool_local *l, unsigned cls, bool vital)
{
    struct pool_magazine *m = &l->magazine[cls];
    struct pool *p = l->pool;
    if (m->carved_count > 0)
        return take_carved(m, cls);

    void *block = NULL;
    pool_lock(p);
    size_t want = pool_admits_blocks(p, cls, m->cap / 2, vital);
    size_t n = depot_take(&p->depot, cls, m->rounds, want);
    if (n > 0) {
        m->count = (uint32_t)n - 1;
        block = m->rounds[n - 1];
        count(&m->take_total);
    } else if (want > 0) {
        void *carved;
        n = depot_carve(&p->depot, cls, want, &carved, &m->carved_fresh);
        if (n > 0) {
            m->carved = carved;
            m->carved_count = (uint32_t)n;
            block = take_carved(m, cls);
        }
    }
    if (!block)
        p->refused_total++;
    pool_unlock(p);
    return block;
}

/* The magazine is full: its older half goes to the depot. */
static void make_room(struct pool_local *l, unsigned cls)
{
    struct pool_magazine *m = &l->magazine[cls];
    struct pool *p = l->pool;
    uint32_t half = m->cap / 2;
    pool_lock(p);
    depot_give(&p->depot, cls, m->rounds, half);
    pool_trim(p, p->keep_bytes);
    pool_unlock(p);
    m->count -= half;
    memmove(m->rounds, m->rounds + half, m->count * sizeof m->rounds[0]);
}

/* The slow paths stay out of line, so that the fast ones save no registers and inline well. */
#define COLD __attribute__((noinline, cold))

/* Only what was asked for may be touched, so that an overrun is found, too. */
static inline void *hand_out(void *block, size_t bytes)
{
    if (block) {
        pool_poison(block, pool_block_bytes(bytes));
        pool_unpoison(block, bytes);
    }
    return block;
}

COLD static void *take_other(struct pool_local *l, size_t bytes, bool vital)
{
    return hand_out(bytes > DEPOT_BLOCK_MAX ? take_large(l->pool, bytes, vital)
                                            : take_slow(l, depot_class(bytes), vital),
                    bytes);
}

static inline void *take(struct pool_local *l, size_t bytes, bool vital)
{
    struct pool_magazine *m = &l->magazine[depot_class(bytes)];
    if (bytes > DEPOT_BLOCK_MAX || m->count == 0)
        return take_other(l, bytes, vital);
    void *block = m->rounds[--m->count];
    count(&m->take_total);
    return hand_out(block, bytes);
}

void *pool_take(struct pool_local *l, size_t bytes)
{
    return take(l, bytes, false);
}

void *pool_take_vital(struct pool_local *l, size_t bytes)
{
    return take(l, bytes, true);
}

COLD static void give_other(struct pool_local *l, void *block, size_t bytes)
{
    if (bytes > DEPOT_BLOCK_MAX) {
        pool_unpoison(block, pool_block_bytes(bytes));
        give_large(l->pool, block, bytes);
        return;
    }
    make_room(l, depot_class(bytes));
    pool_give(l, block, bytes);
}

void pool_give(struct pool_local *l, void *block, size_t bytes)
{
    struct pool_magazine *m = &l->magazine[depot_class(bytes)];
    if (!block)
        return;
    if (bytes > DEPOT_BLOCK_MAX || m->count == m->cap) {
        give_other(l, block, bytes);
        return;
    }
    pool_poison(block, pool_block_bytes(bytes));
    m->rounds[m->count++] = block;
    count(&m->give_total);
}

#undef COLD

size_t pool_block_bytes(size_t bytes)
{
    return bytes > DEPOT_BLOCK_MAX ? large_round(bytes) : depot_class_bytes(depot_class(bytes));
}
