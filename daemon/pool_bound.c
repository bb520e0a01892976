/* The pool's limits and statistics.
 *
 * The bound is checked where memory leaves the depot, first against what is outside it, which is
 * never less than what is used, and only if that is over the bound against the sum of all
 * counters. Blocks in magazines are given out unchecked, so used_bytes may pass the bound by what
 * they hold, at most 3 MiB per local. Large blocks are counted exactly.
 */
#include "config.h"

#include "pool.h"

#include "pool_priv.h"

enum { TRIM_BATCH = 16 }; /* spans that are emptied between two holds of the lock */

/* Sums the counters of all locals. A give is counted after its take, perhaps on another thread;
 * so all gives are read before any take, and the difference is never negative. Under the lock. */
static void sum_locals(const struct pool *p, struct pool_totals *t)
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

static size_t used_bytes(const struct pool *p, const struct pool_totals *t)
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

bool pool_admits(const struct pool *p, size_t bytes, bool vital)
{
    size_t bound = pool_bound(p, vital);
    size_t outside = p->depot.out_bytes + p->large_used_bytes;
    if (bytes > bound)
        return false;
    if (outside <= bound - bytes)
        return true;
    struct pool_totals t;
    sum_locals(p, &t);
    return used_bytes(p, &t) <= bound - bytes;
}

size_t pool_admits_blocks(const struct pool *p, unsigned cls, size_t want, bool vital)
{
    size_t bytes = depot_class_bytes(cls);
    size_t bound = pool_bound(p, false);
    size_t outside = p->depot.out_bytes + p->large_used_bytes;
    if (outside <= bound && want * bytes <= bound - outside)
        return want;
    return pool_admits(p, bytes, vital) ? 1 : 0;
}

void pool_trim(struct pool *p, size_t keep_bytes)
{
    size_t in_use;
    while (in_use = p->depot.out_bytes + p->large_used_bytes,
           held_bytes(p) > in_use && held_bytes(p) - in_use > keep_bytes) {
        size_t bytes;
        void *block = large_evict(&p->large, &bytes);
        if (block) {
            p->large_held_bytes -= bytes;
            pool_unlock(p);
            large_unmap(block, bytes);
            pool_lock(p);
            continue;
        }
        size_t excess = held_bytes(p) - in_use - keep_bytes;
        size_t want = (excess + DEPOT_BLOCK_MAX - 1) / DEPOT_BLOCK_MAX;
        struct span *spans[TRIM_BATCH];
        size_t n = depot_trim_begin(&p->depot, spans, want < TRIM_BATCH ? want : TRIM_BATCH);
        if (n == 0)
            return; /* the rest lies in spans that are partly used */
        pool_unlock(p);
        for (size_t i = 0; i < n; i++)
            depot_span_empty(spans[i]);
        pool_lock(p);
        depot_trim_end(&p->depot, spans, n);
    }
}

void pool_stats(struct pool *p, struct pool_stats *out)
{
    struct pool_totals t;
    pool_lock(p);
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
    pool_unlock(p);
    uint64_t handed_out = out->new_total + out->reused_total;
    out->reuse_ratio = handed_out > 0 ? (double)out->reused_total / (double)handed_out : 0;
}

void pool_set_limits(struct pool *p, size_t max_bytes, size_t keep_bytes)
{
    pool_lock(p);
    p->max_bytes = max_bytes;
    p->keep_bytes = keep_bytes;
    pool_trim(p, keep_bytes);
    pool_unlock(p);
}
