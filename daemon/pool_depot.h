/* The pool's shared depot of blocks up to 64 KiB.
 *
 * Memory comes in chunks of 4 MiB, cut into spans of 64 KiB; a span holds blocks of one class and
 * a bit for each that is free. The bits lie in the chunk's first span, so the depot never touches
 * a block itself: a free block's cache lines stay where they are, and a stray write into one
 * cannot break the pool. A span whose blocks are all back may serve any class. Blocks are cut off
 * the front of a span only when they are asked for, so pages that nobody needs are not touched.
 * (Slabs: Bonwick 1994.)
 *
 * Thread: all calls under the pool's lock.
 */
#ifndef DAEMON_POOL_DEPOT_H
#define DAEMON_POOL_DEPOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DEPOT_CLASSES = 6, DEPOT_BLOCK_MAX = 65536, DEPOT_CHUNK_LISTS = 3 };

struct chunk;
struct span;

/* All zero is an empty depot. */
struct depot {
    struct chunk *chunks[DEPOT_CHUNK_LISTS];
    struct span *partial[DEPOT_CLASSES]; /* spans with blocks that were used and came back */
    struct span *carving[DEPOT_CLASSES]; /* the span that new blocks are cut off */
    size_t held_bytes;                   /* from the operating system */
    size_t out_bytes;                    /* blocks outside the depot */
};

/* The class of a block of `bytes`, at most DEPOT_BLOCK_MAX. */
static inline unsigned depot_class(size_t bytes)
{
    return (unsigned)((bytes > 64) + (bytes > 256) + (bytes > 1024) + (bytes > 4096) +
                      (bytes > 16384));
}

static inline size_t depot_class_bytes(unsigned cls)
{
    return (size_t)64 << (2 * cls);
}

/* All blocks must be back. */
void depot_fini(struct depot *d);

/* Moves up to `max` blocks that were used before to out[]; returns how many. */
size_t depot_take(struct depot *d, unsigned cls, void **out, size_t max);

/* Cuts up to `max` blocks, one behind the other, from memory not used as this class before.
 * Returns how many and the first in *out; 0 if the operating system refuses. *fresh tells whether
 * their pages are new to the pool. */
size_t depot_carve(struct depot *d, unsigned cls, size_t max, void **out, bool *fresh);

/* Takes `n` blocks of one class back. */
void depot_give(struct depot *d, unsigned cls, void *const *blocks, size_t n);

/* Takes up to `max` unused spans that still have pages out of the depot, to be emptied without
 * the lock by depot_span_empty() and handed back by depot_trim_end(). Returns how many. */
size_t depot_trim_begin(struct depot *d, struct span **spans, size_t max);

/* Gives the span's pages back to the operating system. Thread: any, no lock. */
void depot_span_empty(struct span *s);

void depot_trim_end(struct depot *d, struct span *const *spans, size_t n);

#endif
