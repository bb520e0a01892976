/* Memory that a client lends: a sealed memfd, mapped once, named by number on its connection.
 *
 * The client may write to it at any time, so its contents race with us: whatever steers control
 * flow is copied out before it is checked. Thread: the loop; workers only read and write the
 * mapping of jobs that hold a reference.
 */
#ifndef DAEMON_ARENA_H
#define DAEMON_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"

struct arena;

/**
 * Checks and maps a memfd. Takes nothing: the caller closes `fd` in any case.
 * want_bytes  what the client says; must be the file's size
 * Returns WIRE_OK and one owned reference in *out, or the reason: ARENA_NOT_MEMFD, ARENA_UNSEALED,
 * ARENA_BAD_SIZE, OUT_OF_MEMORY (no mapping or descriptor to be had).
 */
enum wire_status arena_open(struct arena **out, int fd, uint64_t want_bytes);

/* Who is told when the mapping has gone, on the loop: jobs may hold it for long after its number is
 * free, and its memory counts until then. `a` goes right after. */
typedef void arena_closed_fn(void *room, void *owner, const struct arena *a);
void arena_on_close(struct arena *a, arena_closed_fn *closed, void *room, void *owner);

struct arena *arena_get(struct arena *a);

/* The last reference unmaps. NULL is fine. */
void arena_put(struct arena *a);

size_t arena_bytes(const struct arena *a);
const void *arena_base(const struct arena *a);

/* Borrowed: the arena's own descriptor of its memfd. */
int arena_fd(const struct arena *a);

/* WIRE_OK and *p, or ARENA_RANGE / ARENA_MISALIGNED. No arithmetic overflows. */
enum wire_status arena_at(const struct arena *a, uint64_t offset, size_t bytes, void **p);

#endif
