/* A memory of hashes that were evicted lately: 8 bytes each, bounded, forgetful.
 *
 * Each slot holds some bits of a hash and when it came, counted in additions; it is remembered
 * for as many further additions as the caller says. Buckets are one cache line, and a full one
 * forgets its oldest. So an answer may be wrong now and then, in either direction.
 */
#ifndef DAEMON_CACHE_GHOST_H
#define DAEMON_CACHE_GHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ghost_bucket;

struct ghost_table {
    struct ghost_bucket *buckets;
    size_t bucket_count; /* 0, or a power of two */
};

/* All zero is empty. */
struct ghost {
    struct ghost_table now;
    struct ghost_table before; /* the smaller one, until all in it is forgotten */
    uint32_t clock;            /* additions */
    uint32_t grown_at;         /* when `now` came */
};

void ghost_fini(struct ghost *g);

/* `limit`: how many are to be remembered. Without memory it remembers fewer. */
void ghost_add(struct ghost *g, uint64_t hash, size_t limit);

/* Whether `hash` was among the last `limit` additions; forgets it. */
bool ghost_remove(struct ghost *g, uint64_t hash, size_t limit);

#endif
