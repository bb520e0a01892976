/* A worker's own work: a Chase-Lev deque whose newest part is private.
 *
 *        top            split              end
 *         |  public: any  |  private: owner  |
 *
 * The owner pushes and takes at the end. Thieves steal at the top, but only what lies before
 * `split`. The public part is the deque of Chase & Lev (SPAA 2005) in the form that Lê, Pop, Cohen
 * and Zappa Nardelli proved for weak memory models (PPoPP 2013), with `split` as its bottom. The
 * private part is what van Dijk & van de Pol's split deque adds (Lace, Euro-Par 2014): no thief
 * looks there, so push and take are a few plain instructions. In a plain Chase-Lev deque every
 * take pays a store-load fence, which costs more than all the rest of a spawn and join.
 *
 * When to publish is the owner's policy. The capacity is fixed; nothing is allocated after init.
 */
#ifndef DAEMON_DEQUE_H
#define DAEMON_DEQUE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Shown only so that a worker can embed it and the fast paths can be inline. */
struct deque {
    /* Owner only. Indexes count items and wrap round SIZE_MAX; a slot is index & mask. */
    _Alignas(64) size_t end; /* one past the newest item */
    size_t split_own;        /* the owner's copy of split */
    size_t top_seen;         /* a value that top once had; top only grows */
    size_t mask;
    _Atomic(void *) *slots;

    /* Shared, on a line of their own, so that thieves who look do not slow private work. */
    _Alignas(64) _Atomic size_t top; /* moved by thieves, and by the owner at the last item */
    _Atomic size_t split;            /* written by the owner only */
};

/* capacity is rounded up to a power of two, at least 2. -EINVAL if 0 or over 2^30, -ENOMEM. */
int deque_init(struct deque *d, size_t capacity);

/* The same with indexes that begin anywhere: for tests of the wrap. */
int deque_init_at(struct deque *d, size_t capacity, size_t first_index);

/* What is still in it is forgotten. */
void deque_fini(struct deque *d);

/* Returns the oldest public item, NULL when there is none. Thread: any but the owner. */
void *deque_steal(struct deque *d);

/* True if a thief would find something. A hint. Thread: any. */
bool deque_has_public(const struct deque *d);

/* The rest is for the owner alone. */

/* Makes the older half of the private items, rounded up, public. */
void deque_publish(struct deque *d);

/* Slow paths of the two functions below. */
bool deque_has_room(struct deque *d);
void *deque_take_public(struct deque *d);

/* Adds a private item. False when full. `item` may not be NULL. */
static inline bool deque_push(struct deque *d, void *item)
{
    if (d->end - d->top_seen > d->mask && !deque_has_room(d))
        return false;
    /* relaxed: the release store of split in deque_publish() shows it to thieves. */
    atomic_store_explicit(&d->slots[d->end & d->mask], item, memory_order_relaxed);
    d->end++;
    return true;
}

/* True if the next take will find something that no thief can see. */
static inline bool deque_has_private(const struct deque *d)
{
    return d->end != d->split_own;
}

/* Returns the newest item, NULL when there is none. */
static inline void *deque_take(struct deque *d)
{
    if (!deque_has_private(d))
        return deque_take_public(d);
    d->end--;
    /* relaxed: the owner wrote it. */
    return atomic_load_explicit(&d->slots[d->end & d->mask], memory_order_relaxed);
}

/* True if thieves find nothing here. Exact when true, as only the owner can publish. */
static inline bool deque_public_is_empty(const struct deque *d)
{
    /* relaxed: top only grows, so an old value can but answer false too often. */
    return atomic_load_explicit(&d->top, memory_order_relaxed) == d->split_own;
}

#endif
