/* What an op costs, learned from what it cost. Thread: the loop. */
#ifndef DAEMON_COST_H
#define DAEMON_COST_H

#include <stdint.h>

#include "kernels/kern.h"

struct cost {
    double ps_per_work[KERN_OP_END]; /* exponentially weighted mean of measured rates */
};

/* Starts from the first guesses in ops.def. */
void cost_init(struct cost *c);

/* Estimated time of `work` units (see kern_work), one thread, in ns. */
static inline uint64_t cost_estimate_ns(const struct cost *c, enum kern_op op, uint64_t work)
{
    return (uint64_t)(c->ps_per_work[op] * 1e-3 * (double)work);
}

/* `work` units took `ns` of one thread's time. Runs too short to time are ignored. */
void cost_learn(struct cost *c, enum kern_op op, uint64_t work, uint64_t ns);

#endif
