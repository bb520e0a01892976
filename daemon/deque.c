/* A worker's own work: see deque.h for the picture.
 *
 * The one race of the algorithm is over the last public item, between the owner who lowers `split`
 * and then reads `top`, and a thief who reads `top` and then `split`. Each must see the other's
 * write or the item goes twice: a store-load order that only sequential consistency gives. The
 * four accesses are seq_cst operations rather than relaxed ones round fences, since they cost the
 * same here and ThreadSanitizer understands them.
 *
 * Growing is left out on purpose: a full deque means hundreds of tasks waiting on one worker, and
 * then running the next one at once, which the caller does, is what it needs anyway.
 */
#include "config.h"

#include "deque.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

static const size_t CAPACITY_MAX = (size_t)1 << 30;

int deque_init(struct deque *d, size_t capacity)
{
    return deque_init_at(d, capacity, 0);
}

int deque_init_at(struct deque *d, size_t capacity, size_t first_index)
{
    if (capacity == 0 || capacity > CAPACITY_MAX)
        return -EINVAL;
    size_t rounded = 2;
    while (rounded < capacity)
        rounded *= 2;
    /* Not cleared: pages that are never used are never touched. */
    d->slots = malloc(rounded * sizeof d->slots[0]);
    if (d->slots == NULL)
        return -ENOMEM;
    d->mask = rounded - 1;
    d->end = d->split_own = d->top_seen = first_index;
    atomic_init(&d->top, first_index);
    atomic_init(&d->split, first_index);
    return 0;
}

void deque_fini(struct deque *d)
{
    free(d->slots);
    d->slots = NULL;
}

bool deque_has_room(struct deque *d)
{
    /* acquire: the thief who moved top has read its slot before we write there again.
     * Pairs with the compare-and-swap in deque_steal(). */
    d->top_seen = atomic_load_explicit(&d->top, memory_order_acquire);
    return d->end - d->top_seen <= d->mask;
}

void deque_publish(struct deque *d)
{
    d->split_own += (d->end - d->split_own + 1) / 2;
    /* release: slots and tasks before the new split are visible to whoever sees it.
     * Pairs with the load of split in deque_steal(). */
    atomic_store_explicit(&d->split, d->split_own, memory_order_release);
}

void *deque_take_public(struct deque *d)
{
    if (deque_public_is_empty(d))
        return NULL;
    size_t last = d->split_own - 1;
    /* seq_cst: this store comes before the load of top in the one order of all such operations, so
     * a thief that moves top to `last` after that load sees that `last` is no longer public.
     * Pairs with the loads of top and split in deque_steal(). */
    atomic_store_explicit(&d->split, last, memory_order_seq_cst);
    size_t top = atomic_load_explicit(&d->top, memory_order_seq_cst);
    /* relaxed: the owner wrote the slot. */
    void *item = atomic_load_explicit(&d->slots[last & d->mask], memory_order_relaxed);
    if (top != last && last - top <= d->mask) {
        d->end = d->split_own = last;
        return item;
    }
    /* The last one: whoever moves top has it. seq_cst: pairs with the same in deque_steal();
     * relaxed on failure, as nothing is read then. */
    if (top != last || !atomic_compare_exchange_strong_explicit(
                           &d->top, &top, last + 1, memory_order_seq_cst, memory_order_relaxed))
        item = NULL;
    /* relaxed: shows no new item; a thief who sees it finds top == split. */
    atomic_store_explicit(&d->split, last + 1, memory_order_relaxed);
    return item;
}

bool deque_has_public(const struct deque *d)
{
    /* relaxed: the caller orders it, if it must, by a read-modify-write before. */
    size_t top = atomic_load_explicit(&d->top, memory_order_relaxed);
    size_t split = atomic_load_explicit(&d->split, memory_order_relaxed);
    return split != top && split - top <= SIZE_MAX / 2;
}

void *deque_steal(struct deque *d)
{
    for (;;) {
        /* seq_cst, in this order: see deque_take_public(). The load of split is also the acquire
         * that pairs with the release in deque_publish(). */
        size_t top = atomic_load_explicit(&d->top, memory_order_seq_cst);
        size_t split = atomic_load_explicit(&d->split, memory_order_seq_cst);
        if (split == top || split - top > SIZE_MAX / 2)
            return NULL;
        /* relaxed: split has shown it; should the owner have reused the slot meanwhile, then top
         * has moved and the exchange below fails. */
        void *item = atomic_load_explicit(&d->slots[top & d->mask], memory_order_relaxed);
        /* seq_cst: pairs with the owner's exchange over the last item, and its release with the
         * acquire in deque_has_room(). relaxed on failure: we begin again. */
        if (atomic_compare_exchange_strong_explicit(&d->top, &top, top + 1, memory_order_seq_cst,
                                                    memory_order_relaxed))
            return item;
    }
}
