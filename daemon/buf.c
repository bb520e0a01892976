/* Reference counts over blocks of the pool or of a segment; `bytes` tells the size of a block. */
#include "config.h"

#include "buf.h"

#include "segment.h"

_Static_assert(sizeof(struct buf) <= BUF_HEADER_BYTES, "data would not be aligned");

/* NULL is fine. */
static struct buf *buf_init(struct buf *b, size_t bytes)
{
    if (!b)
        return NULL;
    atomic_init(&b->refs, 1);
    b->bytes = bytes;
    b->data = (uint8_t *)b + BUF_HEADER_BYTES;
    b->segment = NULL;
    return b;
}

struct buf *buf_new(struct pool_local *l, size_t bytes)
{
    if (bytes > SIZE_MAX - BUF_HEADER_BYTES)
        return NULL;
    return buf_init(pool_take(l, BUF_HEADER_BYTES + bytes), bytes);
}

struct buf *buf_new_vital(struct pool_local *l, size_t bytes)
{
    if (bytes > SIZE_MAX - BUF_HEADER_BYTES)
        return NULL;
    return buf_init(pool_take_vital(l, BUF_HEADER_BYTES + bytes), bytes);
}

struct buf *buf_new_shared(struct pool_local *l, struct segment *s, size_t bytes)
{
    struct buf *b = buf_init(pool_take(l, sizeof(*b)), bytes);
    if (!b)
        return NULL;
    b->data = segment_take(s, bytes);
    if (!b->data) {
        pool_give(l, b, sizeof(*b));
        return NULL;
    }
    b->segment = segment_get(s);
    return b;
}

static void buf_free(struct pool_local *l, struct buf *b)
{
    if (!b->segment) {
        pool_give(l, b, BUF_HEADER_BYTES + b->bytes);
        return;
    }
    segment_give(b->segment, b->data);
    segment_put(b->segment);
    pool_give(l, b, sizeof(*b));
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
        buf_free(l, b);
}
