/* What the wasm backend costs beyond the native one, over the socket: per job, per byte, at the
 * first job, and in memory. bench_wasm.c has what its code costs. */
#include "config.h"

#include "bench/bench_daemon.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sys/stat.h>

#include "bench/job_load.h"
#include "bench/tsv.h"
#include "clock.h"

/* A daemon with a folder for compiled code, so that only the first of a run compiles. */
static void start(struct server *s, const struct site *site, const char *isa_max)
{
    char folder[128];
    (void)snprintf(folder, sizeof folder, "%s/state", site->folder);
    (void)mkdir(folder, 0700);
    const char *more[] = {"--state-dir", folder, "--isa-max", isa_max, NULL};
    server_start(s, site, SERVER_SIMDD, more);
    server_await(s);
}

static void work_init(struct bench_work *work, enum kern_op op, size_t bytes,
                      enum wire_backend backend)
{
    job_work_init(work, op, bytes);
    work->header.backend = (uint8_t)backend;
}

/* The same jobs on either backend of one daemon; ours is wasm. Returns both medians. */
static void race(const struct tsv_case *c, const struct server *server, enum kern_op op,
                 size_t bytes, unsigned depth, bool is_arena, double seconds, double rate[2])
{
    static const enum wire_backend backends[2] = {WIRE_BACKEND_WASM, WIRE_BACKEND_NATIVE};
    struct bench_work work[2];
    struct job_load load[2];
    double figures[2][TSV_ROUNDS_MAX];
    for (size_t i = 0; i < 2; i++) {
        work_init(&work[i], op, bytes, backends[i]);
        job_load_init(&load[i], server, &work[i], 1, depth, is_arena);
        load[i].seconds = seconds;
    }
    for (unsigned round = 0; round < c->round_count; round++) {
        for (size_t i = 0; i < 2; i++)
            figures[i][round] = job_load_rate(&load[i]);
    }
    for (size_t i = 0; i < 2; i++) {
        rate[i] = tsv_median(figures[i], c->round_count);
        job_load_fini(&load[i]);
        bench_work_fini(&work[i]);
    }
    tsv_row(c, rate[0], "native", rate[1]);
}

static void bench_rates(const struct site *site)
{
    struct server server;
    double rate[2];
    start(&server, site, "best");
    const struct tsv_case deep = {"wasm", "64 B jobs, 1000 deep", "jobs/s", TSV_MORE, 7, 0};
    race(&deep, &server, KERN_OP_add_f32, 64, 1000, false, 0.4, rate);
    const struct tsv_case beyond = {"wasm", "64 B jobs, 1000 deep, beyond native", "us/job",
                                    TSV_LESS, 1, 0};
    tsv_row(&beyond, (1 / rate[0] - 1 / rate[1]) * 1e6, "asked", 1);
    const struct tsv_case one = {"wasm", "64 B jobs, 1 deep", "jobs/s", TSV_MORE, 7, 0};
    race(&one, &server, KERN_OP_add_f32, 64, 1, false, 0.4, rate);
    const struct tsv_case more = {"wasm", "64 B jobs, 1 deep, beyond native", "us/job", TSV_LESS,
                                  1, 0};
    tsv_row(&more, (1 / rate[0] - 1 / rate[1]) * 1e6, NULL, 0);
    server_stop(&server, SIGTERM);

    /* sse4 has vectors as wide as WebAssembly's. */
    start(&server, site, "sse4");
    const struct tsv_case large = {"wasm", "64 MiB add_f32 by arena", "jobs/s", TSV_MORE, 7, 0};
    race(&large, &server, KERN_OP_add_f32, (size_t)64 << 20, 2, true, 0.5, rate);
    /* Reads as much, and stores next to nothing. */
    const struct tsv_case hash = {"wasm", "64 MiB hash_fast by arena", "jobs/s", TSV_MORE, 7, 0};
    race(&hash, &server, KERN_OP_hash_fast, (size_t)64 << 20, 2, true, 1, rate);
    server_stop(&server, SIGTERM);
}

/* A daemon that has run nothing yet gets its user's first job. */
static double first_job_ms(const struct site *site)
{
    struct server server;
    struct bench_work work;
    struct job_load load;
    start(&server, site, "best");
    work_init(&work, KERN_OP_add_f32, 64, WIRE_BACKEND_WASM);
    uint64_t start_ns = clock_ns();
    job_load_init(&load, &server, &work, 1, 1, false); /* connects, and runs one */
    double ms = (double)(clock_ns() - start_ns) / 1e6;
    job_load_fini(&load);
    bench_work_fini(&work);
    server_stop(&server, SIGTERM);
    return ms;
}

/* The daemon's one child, or 0. */
static pid_t host_of(const struct server *server)
{
    char pattern[64];
    glob_t tasks;
    int pid = 0;
    (void)snprintf(pattern, sizeof pattern, "/proc/%d/task/*/children", (int)server->pid);
    if (glob(pattern, 0, NULL, &tasks) != 0)
        return 0;
    for (size_t i = 0; i < tasks.gl_pathc && pid == 0; i++) {
        FILE *f = fopen(tasks.gl_pathv[i], "r");
        if (f != NULL && fscanf(f, "%d", &pid) != 1)
            pid = 0;
        if (f != NULL)
            fclose(f);
    }
    globfree(&tasks);
    return pid;
}

static void bench_host_idle(const struct site *site)
{
    struct server server;
    struct bench_work work;
    struct job_load load;
    start(&server, site, "best");
    work_init(&work, KERN_OP_add_f32, 64, WIRE_BACKEND_WASM);
    job_load_init(&load, &server, &work, 1, 1, false);
    struct timespec second = {.tv_sec = 1};
    nanosleep(&second, NULL);
    struct server host = server;
    host.pid = host_of(&server);
    const struct tsv_case dirty = {"wasm", "idle simdd-wasm, private dirty", "MB", TSV_LESS, 1, 0};
    if (host.pid == 0)
        tsv_skip(dirty.name, "its process was not found");
    else
        tsv_row(&dirty, (double)server_memory_bytes(&host, "Private_Dirty") / 1e6, "asked", 4);
    job_load_fini(&load);
    bench_work_fini(&work);
    server_stop(&server, SIGTERM);
}

void bench_wasm(const struct site *site)
{
    const struct tsv_case first = {"wasm", "first job of a new user", "ms", TSV_LESS, 15, 0};
    double rounds[TSV_ROUNDS_MAX];
    (void)first_job_ms(site); /* compiles */
    for (unsigned i = 0; i < first.round_count; i++)
        rounds[i] = first_job_ms(site);
    tsv_row(&first, tsv_median(rounds, first.round_count), "asked", 15);
    bench_rates(site);
    bench_host_idle(site);
}
