/* Large products through the socket: what the way costs, what a second worker brings, and how a
 * small client fares meanwhile. */
#include "config.h"

#include "bench/bench_daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bench/blas.h"
#include "bench/job_load.h"
#include "bench/kernel_call.h"
#include "bench/tsv.h"
#include "clock.h"

/* Bytes of two square matrices. */
static size_t product_bytes(size_t n)
{
    return 2 * n * n * sizeof(float);
}

static void pause_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* --- the way --- */

/* The same product in this process. */
struct here {
    const struct site *site;
    struct kernel_call call;
    unsigned count;
};

static double run_here(void *ctx)
{
    struct here *h = ctx;
    site_pin(h->site);
    uint64_t start_ns = clock_ns();
    for (unsigned i = 0; i < h->count; i++)
        kernel_call_run(&h->call);
    double ms = (double)(clock_ns() - start_ns) / 1e6 / h->count;
    site_unpin(h->site);
    return ms;
}

void bench_matmul(const struct site *site)
{
    enum { N = 1024, CALLS = 8 };
    static const char *const one_worker[] = {"--workers=1", NULL};
    struct bench_work work;
    struct server server;
    struct job_load load;
    struct here here = {.site = site, .count = CALLS};
    float *c = kernel_memory(N * N * sizeof *c);
    job_work_init(&work, KERN_OP_matmul_f32, product_bytes(N));
    const float *a = (const float *)(const void *)work.operands;
    struct kern_args args = kernel_args_matmul(N, N, N, a, a + N * N, c);
    kernel_call_init(&here.call, KERN_OP_matmul_f32, &args);
    kernel_call_run(&here.call);
    tsv_check(memcmp(c, work.expected, N * N * sizeof *c) == 0, "matmul_f32: a wrong product");
    server_start(&server, site, SERVER_SIMDD, one_worker);
    server_await(&server);
    job_load_init(&load, &server, &work, 1, 1, true);
    load.count = CALLS;
    struct tsv_side sides[2] = {{"simdd", job_load_latency_ms, &load},
                                {"kernel in-process", run_here, &here}};
    struct tsv_case row = {"daemon", "matmul_f32 1024 by arena, 1 worker", "ms", TSV_LESS, 15, 8};
    tsv_race(&row, sides, 2);
    job_load_fini(&load);
    server_stop(&server, SIGTERM);
    kernel_call_fini(&here.call);
    bench_work_fini(&work);
    free(c);
}

/* --- a second worker --- */

enum { LARGE = 2048 };

/* Two daemons, of one worker and of two, or a BLAS with as many threads. */
struct pair {
    struct job_load one, two;
    struct blas blas;
    const float *a, *b;
    float *c;
    double two_ms; /* of the last run */
};

static double run_ours(void *ctx)
{
    struct pair *p = ctx;
    double one_ms = job_load_latency_ms(&p->one);
    p->two_ms = job_load_latency_ms(&p->two);
    return one_ms / (2 * p->two_ms);
}

static double blas_ms(struct pair *p, int threads)
{
    p->blas.set_threads(threads);
    uint64_t start_ns = clock_ns();
    blas_multiply(&p->blas, LARGE, LARGE, LARGE, p->a, p->b, p->c);
    double ms = (double)(clock_ns() - start_ns) / 1e6;
    p->blas.set_threads(1);
    pause_ms(100); /* its threads spin for a while after work */
    return ms;
}

static double run_blas(void *ctx)
{
    struct pair *p = ctx;
    double one_ms = blas_ms(p, 1);
    p->two_ms = blas_ms(p, 2);
    return one_ms / (2 * p->two_ms);
}

static double gflops(double ms)
{
    double n = LARGE;
    return 2 * n * n * n / ms / 1e6;
}

/* Efficiency and speed come from the same runs. */
static void race_pairs(struct pair *ours, struct pair *theirs)
{
    enum { ROUNDS = 5 };
    const struct tsv_case rows[2] = {
        {"daemon", "matmul_f32 2048, efficiency of 2 workers", "ratio", TSV_MORE, ROUNDS, 0},
        {"daemon", "matmul_f32 2048, 2 workers", "GFLOP/s", TSV_MORE, ROUNDS, 0}};
    double values[2][2][ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        values[0][0][round] = run_ours(ours);
        values[1][0][round] = gflops(ours->two_ms);
        if (theirs != NULL) {
            values[0][1][round] = run_blas(theirs);
            values[1][1][round] = gflops(theirs->two_ms);
        }
    }
    for (int k = 0; k < 2; k++) {
        tsv_row(&rows[k], tsv_median(values[k][0], ROUNDS), theirs ? theirs->blas.name : NULL,
                theirs ? tsv_median(values[k][1], ROUNDS) : 0);
    }
}

void bench_efficiency(const struct site *site)
{
    static const char *const workers[2][2] = {{"--workers=1", NULL}, {"--workers=2", NULL}};
    struct bench_work work;
    struct server servers[2];
    struct pair ours, theirs;
    struct blas blas[BLAS_MAX];
    if (site->client_cpu < 0) {
        tsv_skip("efficiency of 2 workers", "there is one CPU");
        return;
    }
    job_work_init(&work, KERN_OP_matmul_f32, product_bytes(LARGE));
    for (size_t i = 0; i < 2; i++) {
        server_start(&servers[i], site, SERVER_SIMDD, workers[i]);
        server_await(&servers[i]);
        job_load_init(i == 0 ? &ours.one : &ours.two, &servers[i], &work, 1, 1, true);
    }
    ours.one.count = ours.two.count = 2;
    theirs.a = (const float *)(const void *)work.operands;
    theirs.b = theirs.a + LARGE * LARGE;
    theirs.c = kernel_memory((size_t)LARGE * LARGE * sizeof *theirs.c);
    bool has_blas = blas_open(blas) > 0 && blas[0].set_threads != NULL;
    theirs.blas = blas[0];
    race_pairs(&ours, has_blas ? &theirs : NULL);
    job_load_fini(&ours.one);
    job_load_fini(&ours.two);
    free(theirs.c);
    server_stop(&servers[0], SIGTERM);
    server_stop(&servers[1], SIGTERM);
    bench_work_fini(&work);
}

/* --- a small client beside a large one --- */

struct tail {
    const struct server *server;
    const struct bench_work *large;
    struct job_load small;
};

/* A child that multiplies without end. Returns when its first product is done. */
static pid_t start_multiplying(const struct tail *t)
{
    int done[2];
    char byte;
    tsv_check(pipe(done) == 0, "pipe: %s", strerror(errno));
    pid_t pid = fork();
    tsv_check(pid >= 0, "fork: %s", strerror(errno));
    if (pid == 0) {
        struct job_load load;
        struct bench_stats stats;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        job_load_init(&load, t->server, t->large, 1, 2, true);
        load.seconds = 3600;
        (void)!write(done[1], "", 1);
        job_load_run(&load, &stats);
        _exit(0);
    }
    close(done[1]);
    tsv_check(read(done[0], &byte, 1) == 1, "the client that multiplies has failed");
    close(done[0]);
    return pid;
}

static double run_alone(void *ctx)
{
    struct tail *t = ctx;
    return job_load_p99_us(&t->small);
}

static double run_beside(void *ctx)
{
    struct tail *t = ctx;
    pid_t pid = start_multiplying(t);
    double us = job_load_p99_us(&t->small);
    tsv_check(waitpid(pid, NULL, WNOHANG) == 0, "the client that multiplies has failed");
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    pause_ms(300); /* its last product runs on for a while */
    return us;
}

void bench_tail(const struct site *site)
{
    struct bench_work small, large;
    struct server server;
    struct tail t = {.server = &server, .large = &large};
    job_work_init(&small, KERN_OP_add_f32, 64);
    job_work_init(&large, KERN_OP_matmul_f32, product_bytes(LARGE));
    server_start(&server, site, SERVER_SIMDD, NULL);
    server_await(&server);
    job_load_init(&t.small, &server, &small, 1, 1, false);
    t.small.seconds = 1;
    struct tsv_side sides[2] = {{"beside", run_beside, &t}, {"alone", run_alone, &t}};
    struct tsv_case c = {
        "daemon", "p99 of 64 B jobs beside matmuls of 2048", "us", TSV_LESS, 5, 0};
    tsv_race(&c, sides, 2);
    job_load_fini(&t.small);
    server_stop(&server, SIGTERM);
    bench_work_fini(&small);
    bench_work_fini(&large);
}
