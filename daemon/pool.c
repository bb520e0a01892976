/* Locals, their magazines, limits and statistics; blocks themselves come from pool_depot.c (up to
 * 64 KiB) and pool_large.c.
 *
 * The fast path is a stack of pointers per class and thread. It runs dry or full once in many
 * calls, and then half a magazine is exchanged with the depot under the pool's one lock; half, so
 * that neither a take nor a give that follows needs the lock again. Counting is done per local,
 * by its thread alone, and summed by whoever asks.
 *
 * The bound is checked where memory leaves the depot, first against what is outside it, which is
 * never less than what is used, and only if that is over the bound against the sum of all
 * counters. Blocks in magazines are given out unchecked, so used_bytes may pass the bound by what
 * they hold, at most 3 MiB per local. Large blocks are counted exactly.
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

#include "pool_depot.h"
#include "pool_large.h"
#include "pool_poison.h"

enum {
    ROUNDS_MAX = 64,
    TRIM_BATCH = 16 /* blocks that go to the operating system between two holds of the lock */
};

/* 64 blocks, but no more than 1 MiB of them. */
static const uint32_t rounds_cap[DEPOT_CLASSES] = {64, 64, 64, 64, 32, 16};

struct magazine {
    /* the local's thread */
    uint32_t count;
    uint32_t cap;
    /* that thread writes, pool_stats() reads */
    _Atomic uint64_t take_total, give_total, fresh_total;
    /* the local's thread: blocks just cut, not handed out yet */
    char *carved;
    uint32_t carved_count;
    bool carved_fresh;
    void *rounds[ROUNDS_MAX];
};

struct pool_local {
    struct magazine magazine[DEPOT_CLASSES];
    struct pool *pool;              /* fixed */
    struct pool_local *prev, *next; /* under the pool's lock */
};

struct totals {
    uint64_t take[DEPOT_CLASSES], give[DEPOT_CLASSES], fresh;
};

/* Everything under the lock. */
struct pool {
    pthread_mutex_t lock;
    struct depot depot;
    struct large large;
    struct pool_local *locals;
    struct totals gone; /* what locals that ended had counted */
    size_t large_used_bytes, large_held_bytes;
    uint64_t large_new_total, large_reused_total, large_returned_total;
    uint64_t refused_total;
    size_t max_bytes, keep_bytes;
};

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

static void lock(struct pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
}

static void unlock(struct pool *p)
{
    (void)pthread_mutex_unlock(&p->lock);
}

/* Sums the counters of all locals. A give is counted after its take, perhaps on another thread;
 * so all gives are read before any take, and the difference is never negative. Under the lock. */
static void sum_locals(const struct pool *p, struct totals *t)
{
    *t = p->gone;
    for (const struct pool_local *l = p->locals; l; l = l->next) {
        for (unsigned i = 0; i < DEPOT_CLASSES; i++) {
            /* acquire: pairs with the release in count(): whatever happened before the give,
             * its take on another thread above all, is seen by the loads below */
            t->give[i] += atomic_load_explicit(&l->magazine[i].give_total, memory_order_acquire);
            /* acquire: likewise; a fresh block is counted after its take */
            t->fresh += atomic_load_explicit(&l->magazine[i].fresh_total, memory_order_acquire);
        }
    }
    for (const struct pool_local *l = p->locals; l; l = l->next) {
        for (unsigned i = 0; i < DEPOT_CLASSES; i++)
            /* acquire: pairs with the same release; keeps these loads behind those above */
            t->take[i] += atomic_load_explicit(&l->magazine[i].take_total, memory_order_acquire);
    }
}

/* One more. Only the local's thread writes, so a load and a store do.
 * release: pairs with the acquire loads in sum_locals(). */
static inline void count(_Atomic uint64_t *total)
{
    atomic_store_explicit(total, atomic_load_explicit(total, memory_order_relaxed) + 1,
                          memory_order_release);
}

static size_t used_bytes(const struct pool *p, const struct totals *t)
{
    size_t used = p->large_used_bytes;
    for (unsigned i = 0; i < DEPOT_CLASSES; i++)
        used += (size_t)(t->take[i] - t->give[i]) * depot_class_bytes(i);
    return used;
}

static size_t held_bytes(const struct pool *p)
{
    return p->depot.held_bytes + p->large_held_bytes;
}

/* Whether `bytes` more may be in callers' hands. Under the lock. */
static bool admit(const struct pool *p, size_t bytes)
{
    size_t outside = p->depot.out_bytes + p->large_used_bytes;
    if (bytes > p->max_bytes)
        return false;
    if (outside <= p->max_bytes - bytes)
        return true;
    struct totals t;
    sum_locals(p, &t);
    return used_bytes(p, &t) <= p->max_bytes - bytes;
}

/* How many of `want` blocks may leave the depot: near the bound one at a time, so that it is not
 * passed by blocks that nobody uses. Under the lock. */
static size_t admit_blocks(const struct pool *p, unsigned cls, size_t want)
{
    size_t bytes = depot_class_bytes(cls);
    size_t outside = p->depot.out_bytes + p->large_used_bytes;
    if (outside <= p->max_bytes && want * bytes <= p->max_bytes - outside)
        return want;
    return admit(p, bytes) ? 1 : 0;
}

/* Gives free memory beyond `keep_bytes` back to the operating system: large blocks first, the
 * one that rested longest first, then spans. Called under the lock, which it lets go meanwhile. */
static void trim(struct pool *p, size_t keep_bytes)
{
    size_t in_use;
    while (in_use = p->depot.out_bytes + p->large_used_bytes,
           held_bytes(p) > in_use && held_bytes(p) - in_use > keep_bytes) {
        size_t bytes;
        void *block = large_evict(&p->large, &bytes);
        if (block) {
            p->large_held_bytes -= bytes;
            unlock(p);
            large_unmap(block, bytes);
            lock(p);
            continue;
        }
        size_t excess = held_bytes(p) - in_use - keep_bytes;
        size_t want = (excess + DEPOT_BLOCK_MAX - 1) / DEPOT_BLOCK_MAX;
        struct span *spans[TRIM_BATCH];
        size_t n = depot_trim_begin(&p->depot, spans, want < TRIM_BATCH ? want : TRIM_BATCH);
        if (n == 0)
            return; /* the rest lies in spans that are partly used */
        unlock(p);
        for (size_t i = 0; i < n; i++)
            depot_span_empty(spans[i]);
        lock(p);
        depot_trim_end(&p->depot, spans, n);
    }
}

int pool_local_new(struct pool_local **out, struct pool *p)
{
    struct pool_local *l = calloc(1, sizeof *l);
    if (!l)
        return -ENOMEM;
    l->pool = p;
    for (unsigned i = 0; i < DEPOT_CLASSES; i++)
        l->magazine[i].cap = rounds_cap[i];
    lock(p);
    l->next = p->locals;
    if (l->next)
        l->next->prev = l;
    p->locals = l;
    unlock(p);
    *out = l;
    return 0;
}

/* Under the lock. */
static void magazine_fini(struct pool *p, struct magazine *m, unsigned cls)
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
    lock(p);
    for (unsigned i = 0; i < DEPOT_CLASSES; i++)
        magazine_fini(p, &l->magazine[i], i);
    if (l->next)
        l->next->prev = l->prev;
    *(l->prev ? &l->prev->next : &p->locals) = l->next;
    trim(p, p->keep_bytes);
    unlock(p);
    free(l);
}

static void *take_large(struct pool *p, size_t bytes)
{
    bytes = large_round(bytes);
    lock(p);
    if (!admit(p, bytes)) {
        p->refused_total++;
        unlock(p);
        return NULL;
    }
    p->large_used_bytes += bytes;
    void *block = large_find(&p->large, bytes);
    if (block) {
        p->large_reused_total++;
        unlock(p);
        return block;
    }
    p->large_held_bytes += bytes;
    p->large_new_total++;
    unlock(p);

    block = large_map(bytes);
    if (block)
        return block;
    lock(p);
    trim(p, 0);
    block = large_map(bytes);
    if (!block) {
        p->large_used_bytes -= bytes;
        p->large_held_bytes -= bytes;
        p->large_new_total--;
        p->refused_total++;
    }
    unlock(p);
    return block;
}

static void give_large(struct pool *p, void *block, size_t bytes)
{
    bytes = large_round(bytes);
    lock(p);
    p->large_used_bytes -= bytes;
    p->large_returned_total++;
    large_keep(&p->large, block, bytes);
    trim(p, p->keep_bytes);
    unlock(p);
}

/* The next block that was cut for this magazine and never used. */
static void *take_carved(struct magazine *m, unsigned cls)
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
static void *take_slow(struct pool_local *l, unsigned cls)
{
    struct magazine *m = &l->magazine[cls];
    struct pool *p = l->pool;
    if (m->carved_count > 0)
        return take_carved(m, cls);

    void *block = NULL;
    lock(p);
    size_t want = admit_blocks(p, cls, m->cap / 2);
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
    unlock(p);
    return block;
}

/* The magazine is full: its older half goes to the depot. */
static void make_room(struct pool_local *l, unsigned cls)
{
    struct magazine *m = &l->magazine[cls];
    struct pool *p = l->pool;
    uint32_t half = m->cap / 2;
    lock(p);
    depot_give(&p->depot, cls, m->rounds, half);
    trim(p, p->keep_bytes);
    unlock(p);
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

COLD static void *take_other(struct pool_local *l, size_t bytes)
{
    return hand_out(bytes > DEPOT_BLOCK_MAX ? take_large(l->pool, bytes)
                                            : take_slow(l, depot_class(bytes)),
                    bytes);
}

void *pool_take(struct pool_local *l, size_t bytes)
{
    struct magazine *m = &l->magazine[depot_class(bytes)];
    if (bytes > DEPOT_BLOCK_MAX || m->count == 0)
        return take_other(l, bytes);
    void *block = m->rounds[--m->count];
    count(&m->take_total);
    return hand_out(block, bytes);
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
    struct magazine *m = &l->magazine[depot_class(bytes)];
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

void pool_stats(struct pool *p, struct pool_stats *out)
{
    struct totals t;
    lock(p);
    sum_locals(p, &t);
    uint64_t take_total = 0;
    uint64_t give_total = 0;
    for (unsigned i = 0; i < DEPOT_CLASSES; i++) {
        take_total += t.take[i];
        give_total += t.give[i];
    }
    *out = (struct pool_stats){
        .new_total = t.fresh + p->large_new_total,
        .reused_total = take_total - t.fresh + p->large_reused_total,
        .returned_total = give_total + p->large_returned_total,
        .refused_total = p->refused_total,
        .used_bytes = used_bytes(p, &t),
        .held_bytes = held_bytes(p),
        .max_bytes = p->max_bytes,
    };
    unlock(p);
    uint64_t handed_out = out->new_total + out->reused_total;
    out->reuse_ratio = handed_out > 0 ? (double)out->reused_total / (double)handed_out : 0;
}

void pool_set_limits(struct pool *p, size_t max_bytes, size_t keep_bytes)
{
    lock(p);
    p->max_bytes = max_bytes;
    p->keep_bytes = keep_bytes;
    trim(p, keep_bytes);
    unlock(p);
}
