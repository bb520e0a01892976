/* A block of memory that several hold: operands being read, results being written, cached.
 *
 * The bytes lie behind this header, in the pool; or in a user's payload segment, which guests may
 * write to, and then the header does not lie there.
 */
#ifndef DAEMON_BUF_H
#define DAEMON_BUF_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "pool.h"

struct segment;

struct buf {
    _Atomic uint32_t refs; /* any thread */
    size_t bytes;          /* capacity of data, as asked for; fixed */
    uint8_t *data;         /* 64-byte aligned; fixed */
    struct segment *segment; /* a counted reference; NULL: data lies in the pool; fixed */
};

enum { BUF_HEADER_BYTES = 64 };

/* Returns owned: one reference, contents undefined; NULL when memory is refused. */
struct buf *buf_new(struct pool_local *l, size_t bytes);

/* The same from pool_take_vital(). */
struct buf *buf_new_vital(struct pool_local *l, size_t bytes);

/* The same in a segment; NULL when it is full, too. */
struct buf *buf_new_shared(struct pool_local *l, struct segment *s, size_t bytes);

/* One more reference. Returns `b`. */
static inline struct buf *buf_get(struct buf *b)
{
    /* relaxed: whoever hands us `b` holds a reference, so it cannot go away meanwhile */
    atomic_fetch_add_explicit(&b->refs, 1, memory_order_relaxed);
    return b;
}

/* Drops a reference; the last one gives the block to `l`, the calling thread's. NULL is fine. */
void buf_put(struct pool_local *l, struct buf *b);

/* True if the caller's reference is the only one. */
static inline int buf_is_sole(const struct buf *b)
{
    /* acquire: pairs with the release decrement in buf_put(): the last holder's reads are over
     * before we write into the block again */
    return atomic_load_explicit(&b->refs, memory_order_acquire) == 1;
}

#endif
