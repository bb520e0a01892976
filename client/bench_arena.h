/* The load generator's shared memory: the operands once, and room for each job's result. */
#ifndef CLIENT_BENCH_ARENA_H
#define CLIENT_BENCH_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "bench_work.h"
#include "protocol/wire.h"

struct bench_arena {
    uint8_t *base; /* owned mapping */
    size_t bytes;
    size_t results_at, result_stride;
    int fd;
};

/* For `jobs` jobs in flight in all. 0 or -errno. */
int bench_arena_init(struct bench_arena *a, const struct bench_work *work, size_t jobs);
void bench_arena_fini(struct bench_arena *a);

/* Lends it as number 0 over a non-blocking socket that was not used yet, and waits for the answer:
 * 0, a wire status or -errno. */
int bench_arena_lend(const struct bench_arena *a, int socket);

/* Where the result of a job lies, 0 .. jobs - 1. */
uint8_t *bench_arena_result(const struct bench_arena *a, size_t job);

/* The references of a job, as its payload. Returns their number. */
unsigned bench_arena_refs(const struct bench_arena *a, const struct bench_work *work, size_t job,
                          struct wire_ref refs[static KERN_IN_MAX + 1]);

#endif
