/* For the tests of ring.c: rings whose indexes begin anywhere, so that they can be seen to wrap. */
#ifndef DAEMON_RING_PRIV_H
#define DAEMON_RING_PRIV_H

#include "ring.h"

int ring_spsc_new_at(struct ring_spsc **out, size_t capacity, size_t first_index);
int ring_mpmc_new_at(struct ring_mpmc **out, size_t capacity, size_t first_index);

#endif
