/* A histogram of durations: 32 steps per power of two, so a quantile is right to 3 %. */
#ifndef CLIENT_HIST_H
#define CLIENT_HIST_H

#include <stddef.h>
#include <stdint.h>

enum { HIST_STEPS = 32, HIST_BUCKETS = HIST_STEPS * 40 };

struct hist {
    uint64_t bucket[HIST_BUCKETS];
    uint64_t count, sum_ns, min_ns, max_ns;
};

/* `times` durations of `ns`. */
void hist_add(struct hist *h, uint64_t ns, uint64_t times);

/* The q-quantile (0..1) in ns; 0 if empty. */
uint64_t hist_quantile(const struct hist *h, double q);

#endif
