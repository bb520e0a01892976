/* Shared memory for operands and results: sealed memfds, carved into blocks, recycled.
 *
 * An arena is a memfd that the daemon maps once per connection. Small blocks are cut from arenas
 * of MEMORY_ARENA_BYTES; a block above that has an arena of its own. Blocks are rounded up to
 * size classes, four to a power of two, and a freed one waits in its class for the next caller:
 * mapping memory anew for each job costs more than sending the bytes.
 */
#ifndef CLIENT_MEMORY_H
#define CLIENT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MEMORY_PAGE_BYTES = 4096, MEMORY_ARENA_BYTES = 16 << 20 };

struct memory;

/* Told of each arena that comes and goes, so that the daemon can be told. */
struct memory_events {
    void (*added)(void *user, uint32_t number, int fd, size_t bytes);
    void (*dropped)(void *user, uint32_t number);
    void *user;
};

int memory_new(struct memory **out, const struct memory_events *events, size_t keep_bytes);

/* Unmaps everything; tells nobody. NULL is fine. */
void memory_free(struct memory *m);

void memory_set_keep(struct memory *m, size_t keep_bytes);

/* Returns a block of at least `bytes`, page-aligned, or NULL and *err: -ENOMEM, -EMFILE, ... */
void *memory_block_take(struct memory *m, size_t bytes, int *err);

/* Takes back a block; NULL is fine. */
void memory_block_give(struct memory *m, void *p);

/* Whether [p, p + bytes) lies in one arena that the daemon may have; then its number and offset. */
bool memory_find(const struct memory *m, const void *p, size_t bytes, uint32_t *number,
                 uint64_t *offset);

/* The daemon would not have this arena: memory_find() leaves it out from now on. */
void memory_refuse(struct memory *m, uint32_t number);

/* A descriptor of the same memfd that outlives the arena: it may be dropped before it was sent.
 * Returns owned, or -errno. */
int memory_dup_fd(int fd);

/* Calls events->added for every arena, for a new connection; what was refused is tried again. */
void memory_announce(struct memory *m);

#endif
