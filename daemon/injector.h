/* Where work enters the scheduler: lock-free lanes, the first one first.
 *
 * Priority is strict: as long as lane 0 has items, lane 1 waits. Within a lane items leave in the
 * order in which they came. Each lane is a bounded ring_mpmc, so any thread may push and pop.
 */
#ifndef DAEMON_INJECTOR_H
#define DAEMON_INJECTOR_H

#include <stdbool.h>
#include <stddef.h>

struct injector;

/* lane_capacity as in ring_mpmc_new(). -EINVAL for no lane, -ENOMEM. */
int injector_new(struct injector **out, unsigned lane_count, size_t lane_capacity);

/* What is still queued is forgotten, not run. NULL is fine. */
void injector_free(struct injector *q);

/* 0, or -ENOBUFS when the lane is full. */
int injector_push(struct injector *q, unsigned lane, void *item);

/* The oldest item of the first lane that has one; NULL when all are empty. */
void *injector_pop(struct injector *q);

/* A snapshot over all lanes. */
size_t injector_size(const struct injector *q);
bool injector_is_empty(const struct injector *q);

#endif
