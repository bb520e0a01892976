/* Jobs for the daemon, or for a server that only looks like it: simdctl's load generator, run from
 * the client's CPU. Whatever goes wrong, a wrong answer first of all, ends this program. */
#ifndef BENCH_JOB_LOAD_H
#define BENCH_JOB_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/server.h"
#include "client/bench.h"
#include "client/bench_work.h"

struct job_load {
    const struct site *site; /* borrowed, like what `bench` needs */
    struct bench *bench;     /* owned */
    double seconds;          /* of one run; 0: `count` jobs */
    uint64_t count;
    uint64_t verify_every;
};

/* A job with about so many bytes of operands, never answered from the cache. */
void job_work_init(struct bench_work *work, enum kern_op op, size_t operand_bytes);

/* Connects, and runs one job on each connection. One answer in 64 is compared, all if small. */
void job_load_init(struct job_load *load, const struct server *server,
                   const struct bench_work *work, unsigned connections, unsigned depth,
                   bool is_arena);
void job_load_fini(struct job_load *load);

/* Runs it once. */
void job_load_run(struct job_load *load, struct bench_stats *stats);

/* Contestants for tsv_race(); ctx: struct job_load. */
double job_load_rate(void *ctx);       /* jobs per second */
double job_load_latency_ms(void *ctx); /* mean */
double job_load_p99_us(void *ctx);

/* Arguments for server_start(): what makes echo_server and echo_large answer requests for `work`
 * as the daemon would. Writes the answer to a file of the site. */
struct echo_args {
    char request_bytes[24];
    char answer_path[128];
    const char *args[3];
};
void echo_args_init(struct echo_args *e, const struct site *site, const struct bench_work *work);

#endif
