/* Lock-free bounded rings of pointers.
 *
 * ring_spsc: one producer thread, one consumer thread; a bounded queue after Lamport (1983) where
 * each side caches the other's index, so that the line is shared only when the cached view runs
 * out. ring_mpmc: any number of each; a sequence number per slot says whose turn it is (Vyukov,
 * "Bounded MPMC queue", 2010). Neither allocates after init; capacity is a power of two.
 */
#ifndef DAEMON_RING_H
#define DAEMON_RING_H

#include <stdbool.h>
#include <stddef.h>

struct ring_spsc;
struct ring_mpmc;

/* capacity is rounded up to a power of two, at least 2. -EINVAL if 0 or over 2^30, -ENOMEM. */
int ring_spsc_new(struct ring_spsc **out, size_t capacity);
void ring_spsc_free(struct ring_spsc *r);

/* 0, or -ENOBUFS when full. Producer thread. `item` may not be NULL. */
int ring_spsc_push(struct ring_spsc *r, void *item);

/* Returns the oldest item, NULL when empty. Consumer thread. */
void *ring_spsc_pop(struct ring_spsc *r);

/* Snapshots; exact on a quiet ring, and never outside 0..capacity. Thread: any. */
size_t ring_spsc_size(const struct ring_spsc *r);
bool ring_spsc_is_empty(const struct ring_spsc *r);
bool ring_spsc_is_full(const struct ring_spsc *r);

int ring_mpmc_new(struct ring_mpmc **out, size_t capacity);
void ring_mpmc_free(struct ring_mpmc *r);
int ring_mpmc_push(struct ring_mpmc *r, void *item);
void *ring_mpmc_pop(struct ring_mpmc *r);
size_t ring_mpmc_size(const struct ring_mpmc *r);
bool ring_mpmc_is_empty(const struct ring_mpmc *r);
bool ring_mpmc_is_full(const struct ring_mpmc *r);

#endif
