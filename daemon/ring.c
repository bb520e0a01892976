/* Lock-free bounded rings of pointers.
 *
 * Indexes count items and are never reduced: an item's slot is its index modulo the capacity, and
 * tail - head is the size even when they wrap round SIZE_MAX, as the capacity is a power of two.
 *
 * SPSC: each side owns one index and keeps a copy of the other's. Only when the copy says full (or
 * empty) is the other side's line read, so a queue in steady flow moves one line per many items.
 *
 * MPMC: a slot's sequence number says whose turn it is: `i` for the push of item i, `i + 1` for
 * its pop, `i + capacity` for the push one lap later. A producer or consumer takes its index by
 * compare-and-swap when the slot is ready, so neither ever waits for another's turn.
 *
 * Left out on purpose: blocking, and batches. Callers park in the scheduler or in the loop.
 */
#include "config.h"

#include "ring.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

#include "ring_priv.h"

/* Two lines of 64 bytes: the prefetcher of many CPUs moves lines in such pairs. */
#define LINE_BYTES 128

static const size_t CAPACITY_MAX = (size_t)1 << 30;

struct ring_spsc {
    size_t mask; /* capacity - 1; never changes */

    /* Written by the producer only. */
    _Alignas(LINE_BYTES) _Atomic size_t tail; /* items ever pushed */
    size_t head_seen;                         /* the producer's copy of head */

    /* Written by the consumer only. */
    _Alignas(LINE_BYTES) _Atomic size_t head; /* items ever popped */
    size_t tail_seen;                         /* the consumer's copy of tail */

    _Alignas(LINE_BYTES) void *slots[];
};

struct mpmc_slot {
    _Atomic size_t turn;
    void *item; /* belongs to whoever holds the turn */
};

struct ring_mpmc {
    size_t mask;
    _Alignas(LINE_BYTES) _Atomic size_t tail; /* written by producers */
    _Alignas(LINE_BYTES) _Atomic size_t head; /* written by consumers */
    _Alignas(LINE_BYTES) struct mpmc_slot slots[];
};

/* Allocates a header and `capacity` slots after it; rounds *capacity up. */
static int ring_alloc(void **out, size_t *capacity, size_t header_bytes, size_t slot_bytes)
{
    if (*capacity == 0 || *capacity > CAPACITY_MAX)
        return -EINVAL;
    size_t rounded = 2;
    while (rounded < *capacity)
        rounded *= 2;
    if (rounded > (SIZE_MAX - header_bytes - LINE_BYTES) / slot_bytes)
        return -ENOMEM;
    size_t bytes = header_bytes + rounded * slot_bytes;
    bytes = (bytes + LINE_BYTES - 1) / LINE_BYTES * LINE_BYTES;
    *out = aligned_alloc(LINE_BYTES, bytes);
    if (*out == NULL)
        return -ENOMEM;
    *capacity = rounded;
    return 0;
}

/* tail - head as other threads see it. The two were read one after the other, so the difference
 * may be off by what happened between; a reader must never be told more than the ring can hold. */
static size_t size_between(size_t head, size_t tail, size_t capacity)
{
    size_t size = tail - head;
    if (size <= capacity)
        return size;
    return size > SIZE_MAX / 2 ? 0 : capacity;
}

int ring_spsc_new(struct ring_spsc **out, size_t capacity)
{
    return ring_spsc_new_at(out, capacity, 0);
}

int ring_spsc_new_at(struct ring_spsc **out, size_t capacity, size_t first_index)
{
    void *memory;
    int err = ring_alloc(&memory, &capacity, sizeof(struct ring_spsc), sizeof(void *));
    if (err < 0)
        return err;
    struct ring_spsc *r = memory;
    r->mask = capacity - 1;
    r->head_seen = r->tail_seen = first_index;
    atomic_init(&r->head, first_index);
    atomic_init(&r->tail, first_index);
    *out = r;
    return 0;
}

void ring_spsc_free(struct ring_spsc *r)
{
    free(r);
}

int ring_spsc_push(struct ring_spsc *r, void *item)
{
    assert(item != NULL);
    /* relaxed: only this thread writes tail. */
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    if (tail - r->head_seen > r->mask) {
        /* acquire: the consumer has read the slot before it is overwritten below.
         * Pairs with the release store of head in ring_spsc_pop(). */
        r->head_seen = atomic_load_explicit(&r->head, memory_order_acquire);
        if (tail - r->head_seen > r->mask)
            return -ENOBUFS;
    }
    r->slots[tail & r->mask] = item;
    /* release: the slot and what it points to are visible before the new tail.
     * Pairs with the acquire load of tail in ring_spsc_pop(). */
    atomic_store_explicit(&r->tail, tail + 1, memory_order_release);
    return 0;
}

void *ring_spsc_pop(struct ring_spsc *r)
{
    /* relaxed: only this thread writes head. */
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    if (head == r->tail_seen) {
        /* acquire: see the slots below tail. Pairs with the release in ring_spsc_push(). */
        r->tail_seen = atomic_load_explicit(&r->tail, memory_order_acquire);
        if (head == r->tail_seen)
            return NULL;
    }
    void *item = r->slots[head & r->mask];
    /* release: the slot was read before the producer may fill it again.
     * Pairs with the acquire load of head in ring_spsc_push(). */
    atomic_store_explicit(&r->head, head + 1, memory_order_release);
    return item;
}

size_t ring_spsc_size(const struct ring_spsc *r)
{
    /* acquire on head: the tail read after it is at least as new, so that a running ring is told
     * too full rather than negative. Pairs with the release stores of both sides. */
    size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    size_t tail = atomic_load_explicit(&r->tail, memory_order_acquire);
    return size_between(head, tail, r->mask + 1);
}

bool ring_spsc_is_empty(const struct ring_spsc *r)
{
    return ring_spsc_size(r) == 0;
}

bool ring_spsc_is_full(const struct ring_spsc *r)
{
    return ring_spsc_size(r) == r->mask + 1;
}

int ring_mpmc_new(struct ring_mpmc **out, size_t capacity)
{
    return ring_mpmc_new_at(out, capacity, 0);
}

int ring_mpmc_new_at(struct ring_mpmc **out, size_t capacity, size_t first_index)
{
    void *memory;
    int err = ring_alloc(&memory, &capacity, sizeof(struct ring_mpmc), sizeof(struct mpmc_slot));
    if (err < 0)
        return err;
    struct ring_mpmc *r = memory;
    r->mask = capacity - 1;
    for (size_t i = 0; i < capacity; i++)
        atomic_init(&r->slots[(first_index + i) & r->mask].turn, first_index + i);
    atomic_init(&r->head, first_index);
    atomic_init(&r->tail, first_index);
    *out = r;
    return 0;
}

void ring_mpmc_free(struct ring_mpmc *r)
{
    free(r);
}

int ring_mpmc_push(struct ring_mpmc *r, void *item)
{
    assert(item != NULL);
    struct mpmc_slot *slot;
    /* relaxed: a stale index only costs a turn of the loop; the slot's turn is what counts. */
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    for (;;) {
        slot = &r->slots[tail & r->mask];
        /* acquire: the consumer of the lap before has read the slot.
         * Pairs with the release store of turn in ring_mpmc_pop(). */
        size_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        if (turn == tail) {
            /* relaxed: the index publishes nothing, the slot's turn does. */
            if (atomic_compare_exchange_weak_explicit(&r->tail, &tail, tail + 1,
                                                      memory_order_relaxed, memory_order_relaxed))
                break;
        } else if (turn - tail > SIZE_MAX / 2) {
            return -ENOBUFS; /* still holds an item of the lap before */
        } else {
            tail = atomic_load_explicit(&r->tail, memory_order_relaxed); /* as above */
        }
    }
    slot->item = item;
    /* release: the item is visible before the turn. Pairs with the acquire in ring_mpmc_pop(). */
    atomic_store_explicit(&slot->turn, tail + 1, memory_order_release);
    return 0;
}

void *ring_mpmc_pop(struct ring_mpmc *r)
{
    struct mpmc_slot *slot;
    /* relaxed: as in ring_mpmc_push(). */
    size_t head = atomic_load_explicit(&r->head, memory_order_relaxed);
    for (;;) {
        slot = &r->slots[head & r->mask];
        /* acquire: see the item. Pairs with the release store of turn in ring_mpmc_push(). */
        size_t turn = atomic_load_explicit(&slot->turn, memory_order_acquire);
        if (turn == head + 1) {
            /* relaxed: as in ring_mpmc_push(). */
            if (atomic_compare_exchange_weak_explicit(&r->head, &head, head + 1,
                                                      memory_order_relaxed, memory_order_relaxed))
                break;
        } else if (turn - (head + 1) > SIZE_MAX / 2) {
            return NULL; /* not filled yet */
        } else {
            head = atomic_load_explicit(&r->head, memory_order_relaxed); /* as above */
        }
    }
    void *item = slot->item;
    /* release: the item was read before the slot is filled again, one lap later.
     * Pairs with the acquire load of turn in ring_mpmc_push(). */
    atomic_store_explicit(&slot->turn, head + r->mask + 1, memory_order_release);
    return item;
}

size_t ring_mpmc_size(const struct ring_mpmc *r)
{
    /* acquire: keeps the two loads in order, as in ring_spsc_size(); there is no release to pair
     * with, since the indexes publish nothing, so a running ring's size is only a hint. */
    size_t head = atomic_load_explicit(&r->head, memory_order_acquire);
    size_t tail = atomic_load_explicit(&r->tail, memory_order_relaxed);
    return size_between(head, tail, r->mask + 1);
}

bool ring_mpmc_is_empty(const struct ring_mpmc *r)
{
    return ring_mpmc_size(r) == 0;
}

bool ring_mpmc_is_full(const struct ring_mpmc *r)
{
    return ring_mpmc_size(r) == r->mask + 1;
}
