/* Which entry leaves a full cache: S3-FIFO (Yang, Zhang, Qiu, Yue, Rashmi, SOSP 2023).
 *
 * Nothing here knows values or bytes: an entry is a node with a size in units, so a simulator
 * runs the same policy with size 1. New entries pass through a small queue, a tenth of the cache;
 * those asked for again move to the main queue, the others leave early and are remembered by a
 * few bits of their hash (the ghost): if they come back soon, they go to main at once.
 *
 * Thread: whoever owns the cache; no locks.
 */
#ifndef DAEMON_CACHE_EVICT_H
#define DAEMON_CACHE_EVICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cache_ghost.h"

enum { EVICT_HITS_MAX = 3 };

struct evict_node {
    struct evict_node *newer, *older; /* in its queue */
    uint64_t hash;                    /* uniformly distributed; the owner's, before insertion */
    uint32_t units;                   /* likewise */
    uint8_t queue;
    uint8_t hits; /* saturates at EVICT_HITS_MAX */
};

struct evict_queue {
    struct evict_node *newest, *oldest;
    uint64_t units;
    size_t count;
};

enum { EVICT_SMALL, EVICT_MAIN, EVICT_QUEUES };

struct evict {
    struct evict_queue queue[EVICT_QUEUES];
    uint64_t max_units;
    struct ghost ghost;
};

void evict_init(struct evict *e, uint64_t max_units);

/* Forgets the nodes, which stay the owner's. */
void evict_fini(struct evict *e);

/* The owner evicts what no longer fits. */
void evict_set_max(struct evict *e, uint64_t max_units);

static inline uint64_t evict_used_units(const struct evict *e)
{
    return e->queue[EVICT_SMALL].units + e->queue[EVICT_MAIN].units;
}

/* Whether `units` more do not fit. */
static inline bool evict_is_over(const struct evict *e, uint64_t units)
{
    return evict_used_units(e) + units > e->max_units;
}

/* The node's entry was asked for. */
static inline void evict_hit(struct evict_node *n)
{
    n->hits = (uint8_t)(n->hits + (n->hits < EVICT_HITS_MAX));
}

/* A new entry. The caller has made room before. */
void evict_insert(struct evict *e, struct evict_node *n);

/* Out of its queue, and back as the newest of the same one (its size may have changed). */
void evict_remove(struct evict *e, struct evict_node *n);
void evict_restore(struct evict *e, struct evict_node *n);

/* Chooses who leaves and removes it. NULL when there is none. Bounded work. */
struct evict_node *evict_victim(struct evict *e);

#endif
