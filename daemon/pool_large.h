/* The pool's large blocks: 256 KiB, 1 MiB, and above that eight sizes per power of two.
 *
 * Each is a mapping of its own. A freed one is kept and handed out again to whoever asks for the
 * same size: its pages are there already, and touching new ones costs more than most kernels
 * take. Which are kept, and how long, is the pool's business.
 */
#ifndef DAEMON_POOL_LARGE_H
#define DAEMON_POOL_LARGE_H

#include <stddef.h>
#include <stdint.h>

enum { LARGE_BUCKETS = 64 };

struct kept; /* a block at rest; lies in the block itself */

/* All zero is empty. Thread: under the pool's lock. */
struct large {
    struct kept *bucket[LARGE_BUCKETS]; /* by power of two; latest first */
    struct kept *newest, *oldest;
    size_t kept_bytes;
};

/* What a block of `bytes` occupies, for all above DEPOT_BLOCK_MAX. What no machine can have
 * comes back as it is. */
size_t large_round(size_t bytes);

/* Returns owned: a kept block of exactly this rounded size, or NULL. */
void *large_find(struct large *g, size_t bytes);

/* Takes a block of that rounded size. */
void large_keep(struct large *g, void *block, size_t bytes);

/* Returns owned: the block that rested longest and its size, or NULL. */
void *large_evict(struct large *g, size_t *bytes);

/* From and to the operating system. Thread: any, no lock. NULL when it refuses. */
void *large_map(size_t bytes);
void large_unmap(void *block, size_t bytes);

#endif
