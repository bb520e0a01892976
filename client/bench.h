/* A load generator: many connections, many jobs in flight on each, from one thread.
 *
 * It must not be what is measured, so it speaks to bare sockets: all frames are built before the
 * clock starts and lie one behind the other, one sendmsg carries all that a connection may send,
 * one large read takes all answers that are there.
 */
#ifndef CLIENT_BENCH_H
#define CLIENT_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench_work.h"
#include "hist.h"

struct bench;

struct bench_options {
    const char *path;
    unsigned connections, depth; /* depth at most 65536 */
    bool arena;                  /* operands and results in shared memory */
};

/* What one phase brought. */
struct bench_stats {
    struct hist latency; /* from just before a frame is written to its answer read */
    uint64_t done, verified, cached, overloaded;
    double seconds;
};

enum { BENCH_WHY_BYTES = 256 };

/**
 * Connects everything and builds the frames.
 * work  borrowed; its header's flags, backend, ... are taken over
 * Returns 0, a wire status or -errno, and then `why` says more.
 */
int bench_new(struct bench **out, const struct bench_options *options,
              const struct bench_work *work, char why[static BENCH_WHY_BYTES]);
void bench_free(struct bench *b);

/**
 * Keeps `depth` jobs in flight on every connection (0: as the options say) until `count` jobs were
 * started or `seconds` are over, then takes the answers that are due. At least one answer in
 * `verify_every` is compared with what it must be.
 * Returns 0; a wire status: the daemon refused a job; -EILSEQ: an answer is wrong; -ETIMEDOUT: no
 * answer for 30 s; another -errno. `why` says more.
 */
int bench_run(struct bench *b, struct bench_stats *stats, unsigned depth, uint64_t count,
              double seconds, uint64_t verify_every, char why[static BENCH_WHY_BYTES]);

#endif
