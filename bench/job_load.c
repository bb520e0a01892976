#include "config.h"

#include "bench/job_load.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/tsv.h"

enum { VERIFY_ALL_BYTES = 256, VERIFY_EVERY = 64 };

void job_work_init(struct bench_work *work, enum kern_op op, size_t operand_bytes)
{
    tsv_check(bench_work_init(work, op, operand_bytes) == 0, "no job");
    work->header.flags = WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT;
}

static void run(struct job_load *load, struct bench_stats *stats, unsigned depth, uint64_t count,
                double seconds)
{
    char why[BENCH_WHY_BYTES];
    site_pin(load->site);
    int err = bench_run(load->bench, stats, depth, count, seconds, load->verify_every, why);
    site_unpin(load->site);
    tsv_check(err == 0, "%s (%s)", why, err > 0 ? wire_status_name((unsigned)err) : strerror(-err));
}

void job_load_init(struct job_load *load, const struct server *server,
                   const struct bench_work *work, unsigned connections, unsigned depth,
                   bool is_arena)
{
    char why[BENCH_WHY_BYTES];
    struct bench_stats stats;
    const struct bench_options options = {
        .path = server->socket, .connections = connections, .depth = depth, .arena = is_arena};
    *load = (struct job_load){
        .site = server->site,
        .verify_every = work->shape.out_bytes <= VERIFY_ALL_BYTES ? 1 : VERIFY_EVERY,
    };
    tsv_check(bench_new(&load->bench, &options, work, why) == 0, "%s", why);
    run(load, &stats, 1, connections, 60);
}

void job_load_fini(struct job_load *load)
{
    bench_free(load->bench);
}

void job_load_run(struct job_load *load, struct bench_stats *stats)
{
    if (load->seconds > 0)
        run(load, stats, 0, UINT64_MAX, load->seconds);
    else
        run(load, stats, 0, load->count, 60);
}

double job_load_rate(void *ctx)
{
    struct bench_stats stats;
    job_load_run(ctx, &stats);
    return (double)stats.done / stats.seconds;
}

double job_load_latency_ms(void *ctx)
{
    struct bench_stats stats;
    job_load_run(ctx, &stats);
    return (double)stats.latency.sum_ns / (double)stats.latency.count / 1e6;
}

double job_load_p99_us(void *ctx)
{
    struct bench_stats stats;
    job_load_run(ctx, &stats);
    return (double)hist_quantile(&stats.latency, .99) / 1e3;
}

void echo_args_init(struct echo_args *e, const struct site *site, const struct bench_work *work)
{
    size_t payload_bytes = wire_pad(work->shape.out_bytes);
    struct wire_answer answer = {
        .magic = WIRE_MAGIC,
        .version = WIRE_VERSION,
        .type = WIRE_ANSWER | WIRE_JOB,
        .payload_bytes = payload_bytes,
        .status = WIRE_OK,
        .result_bytes = work->shape.out_bytes,
    };
    snprintf(e->request_bytes, sizeof e->request_bytes, "%zu",
             WIRE_HEADER_BYTES + work->shape.inline_bytes);
    snprintf(e->answer_path, sizeof e->answer_path, "%s/answer-%zu", site->folder, payload_bytes);
    FILE *f = fopen(e->answer_path, "w");
    tsv_check(f != NULL && fwrite(&answer, sizeof answer, 1, f) == 1 &&
                  fwrite(work->expected, payload_bytes, 1, f) == 1 && fclose(f) == 0,
              "%s: %s", e->answer_path, strerror(errno));
    e->args[0] = e->request_bytes;
    e->args[1] = e->answer_path;
    e->args[2] = NULL;
}
