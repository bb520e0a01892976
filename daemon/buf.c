/* Reference counts over pool blocks; the block's size is known from `bytes`. */
#include "config.h"

#include "buf.h"

/* NULL is fine. */
static struct buf *buf_init(struct buf *b, size_t bytes)
{
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->bytes = bytes;
    return b;
}

struct buf *buf_new(struct pool_local *l, size_t bytes)
{
    if (bytes > SIZE_MAX - sizeof(struct buf))
        return NULL;
    return buf_init(pool_take(l, sizeof(struct buf) + bytes), bytes);
}

struct buf *buf_new_vital(struct pool_local *l, size_t bytes)
{
    if (bytes > SIZE_MAX - sizeof(struct buf))
        return NULL;
    return buf_init(pool_take_vital(l, sizeof(struct buf) + bytes), bytes);
}

void buf_put(struct pool_local *l, struct buf *b)
{
    if (!b)
        return;
    /* A sole holder needs no locked instruction: nobody else can come by a reference. Else acq_rel:
     * release pairs with the acquire of the last holder here and in buf_is_sole(), so that our
     * reads and writes are over before the block is used anew; acquire pairs with the others'
     * release, so that theirs are. */
    if (buf_is_sole(b) || atomic_fetch_sub_explicit(&b->refs, 1, memory_order_acq_rel) == 1)
        pool_give(l, b, sizeof *b + b->bytes);
}
