/* Bytes on their way out of one socket: small answers gathered in chunks, large ones by reference,
 * all of it written by one call. Thread: the loop.
 */
#ifndef DAEMON_OUTQ_H
#define DAEMON_OUTQ_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"

struct outq_segment;

/* All zero is an empty queue. */
struct outq {
    struct outq_segment *first, *last;
    size_t bytes; /* waiting */
    struct buf *chunk; /* owned reference: where small answers gather; NULL when nothing waits */
    size_t chunk_used;
};

/* Returns borrowed: room for `bytes` (at most OUTQ_SMALL_MAX) that counts as queued and must be
 * filled before the next call; NULL when memory is refused. */
void *outq_reserve(struct outq *q, struct pool_local *l, size_t bytes);
enum { OUTQ_SMALL_MAX = 8192 };

/* Queues the first `bytes` of `buf`, with a reference of its own. 0 or -ENOMEM. */
int outq_add(struct outq *q, struct pool_local *l, struct buf *buf, size_t bytes);

/* Writes what the socket takes, by one sendmsg per 64 segments. 0 when all or part of it went or
 * the socket is full (look at q->bytes), or -errno when the peer is gone. */
int outq_write(struct outq *q, struct pool_local *l, int fd, size_t *wrote);

/* Drops all that waits. */
void outq_clear(struct outq *q, struct pool_local *l);

#endif
