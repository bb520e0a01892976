/* A user's payload segment: shared memory for operands, results and scratch of wasm jobs.
 *
 * One memfd, mapped here and, in place, into every window of that user's simdd-wasm process. Guests
 * may write anywhere in it at any time, so nothing that steers us lies there: what is free is
 * noted outside. Sizes are powers of two up to 32 KiB, then multiples of 64 KiB. Thread: any.
 */
#ifndef DAEMON_SEGMENT_H
#define DAEMON_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

struct segment;

/* bytes: a multiple of 64 KiB. One reference; 0, -ENOMEM, or what memfd_create() says. */
int segment_new(struct segment **out, size_t bytes);

struct segment *segment_get(struct segment *s);

/* The last reference unmaps; every block must be back. NULL is fine. */
void segment_put(struct segment *s);

/* Returns owned: at least `bytes`, 64-byte aligned, contents undefined; NULL when it is full. */
void *segment_take(struct segment *s, size_t bytes);

/* NULL is fine. */
void segment_give(struct segment *s, void *block);

/* Whether [p, p + bytes) lies in it, and where then. */
int segment_holds(const struct segment *s, const void *p, size_t bytes);
size_t segment_offset(const struct segment *s, const void *p);

/* Borrowed. */
int segment_fd(const struct segment *s);
size_t segment_bytes(const struct segment *s);

/* In callers' hands; all that has pages. */
size_t segment_used_bytes(struct segment *s);
size_t segment_held_bytes(struct segment *s);

#endif
