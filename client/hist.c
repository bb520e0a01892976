/* A histogram of durations. */
#include "config.h"

#include "hist.h"

/* Below 2 * HIST_STEPS each ns has its bucket; then the top six bits tell. */
static size_t bucket_of(uint64_t ns)
{
    if (ns < HIST_STEPS)
        return (size_t)ns;
    unsigned shift = (unsigned)(63 - __builtin_clzll(ns)) - 5;
    size_t b = (size_t)shift * HIST_STEPS + (size_t)(ns >> shift);
    return b < HIST_BUCKETS ? b : HIST_BUCKETS - 1;
}

/* The middle of a bucket. */
static uint64_t value_of(size_t bucket)
{
    if (bucket < 2 * HIST_STEPS)
        return bucket;
    unsigned shift = (unsigned)(bucket / HIST_STEPS - 1);
    uint64_t low = (uint64_t)(bucket % HIST_STEPS + HIST_STEPS) << shift;
    return low + (1ull << shift) / 2;
}

void hist_add(struct hist *h, uint64_t ns, uint64_t times)
{
    h->bucket[bucket_of(ns)] += times;
    h->sum_ns += ns * times;
    if (h->count == 0 || ns < h->min_ns)
        h->min_ns = ns;
    if (ns > h->max_ns)
        h->max_ns = ns;
    h->count += times;
}

uint64_t hist_quantile(const struct hist *h, double q)
{
    if (h->count == 0)
        return 0;
    uint64_t rank = (uint64_t)(q * (double)h->count), seen = 0;
    if (rank >= h->count)
        return h->max_ns;
    size_t b = 0;
    while ((seen += h->bucket[b]) <= rank)
        b++;
    uint64_t value = value_of(b);
    return value < h->min_ns ? h->min_ns : value > h->max_ns ? h->max_ns : value;
}
