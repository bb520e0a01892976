/* What is read off the daemon's metrics, and how fast they can be had. */
#include "config.h"

#include "bench/bench_daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench/http_load.h"
#include "bench/job_load.h"
#include "bench/tsv.h"

/* --- cache --- */

static void receive(int fd, void *to, size_t bytes)
{
    tsv_check(recv(fd, to, bytes, MSG_WAITALL) == (ssize_t)bytes, "metrics: no answer");
}

/* A number of the metrics' JSON, by its name. */
static double metric(const struct server *s, const char *name)
{
    struct wire_request ask = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .type = WIRE_METRICS};
    struct wire_answer answer;
    char key[64];
    int fd = server_dial(s);
    tsv_check(send(fd, &ask, sizeof ask, MSG_NOSIGNAL) == sizeof ask, "metrics: not asked");
    receive(fd, &answer, sizeof answer);
    tsv_check(answer.status == WIRE_OK && answer.payload_bytes < 1 << 20, "metrics: refused");
    char *text = malloc((size_t)answer.payload_bytes + 1);
    tsv_check(text != NULL, "no memory");
    receive(fd, text, (size_t)answer.payload_bytes);
    text[answer.payload_bytes] = '\0';
    close(fd);
    snprintf(key, sizeof key, "\"%s\":", name);
    const char *at = strstr(text, key);
    tsv_check(at != NULL, "metrics: no %s", name);
    double value = strtod(at + strlen(key), NULL);
    free(text);
    return value;
}

/* 100 products and 100 images, of as many sizes; each 200 times, in turn. They ask for the cache:
 * left alone, it would choose, and what is worth keeping differs from machine to machine. */
void bench_cache(const struct site *site)
{
    enum { JOBS = 200, TIMES = 200 };
    static struct bench_work works[JOBS];
    static struct job_load loads[JOBS];
    struct server server;
    struct bench_stats stats;
    uint64_t cached = 0;
    server_start(&server, site, SERVER_SIMDD, NULL);
    server_await(&server);
    for (size_t i = 0; i < JOBS; i++) {
        size_t n = 64 + i / 2;
        job_work_init(&works[i], i % 2 ? KERN_OP_matmul_f32 : KERN_OP_conv2d_u8,
                      i % 2 ? 2 * n * n * sizeof(float) : 4 * n * n);
        works[i].header.flags = WIRE_CACHE_ALWAYS << WIRE_F_CACHE_SHIFT;
        job_load_init(&loads[i], &server, &works[i], 1, 1, false); /* the first time */
        loads[i].count = 1;
        loads[i].verify_every = 1;
    }
    for (size_t k = 1; k < TIMES; k++) {
        for (size_t i = 0; i < JOBS; i++) {
            job_load_run(&loads[i], &stats);
            cached += stats.cached;
        }
    }
    double hits = metric(&server, "cache_hits"), misses = metric(&server, "cache_misses");
    tsv_check((double)cached == hits && hits + misses == JOBS * TIMES,
              "%.0f hits and %.0f misses, but %llu answers say cached", hits, misses,
              (unsigned long long)cached);
    struct tsv_case c = {
        "daemon", "cache hit ratio, 200 jobs 200 times", "ratio", TSV_MORE, 1, 0};
    tsv_row(&c, hits / (hits + misses), "every repeat", 1.0 - 1.0 / (double)TIMES);
    for (size_t i = 0; i < JOBS; i++) {
        job_load_fini(&loads[i]);
        bench_work_fini(&works[i]);
    }
    server_stop(&server, SIGTERM);
}

/* --- HTTP --- */

void bench_http(const struct site *site)
{
    enum { CONNECTIONS = 16 };
    char body_bytes[24];
    const char *const args[] = {body_bytes, NULL};
    struct server server, bare;
    struct http_load ours = {&server, "/metrics", CONNECTIONS, 0.5};
    struct http_load theirs = {&bare, "/", CONNECTIONS, 0.5};
    server_start(&server, site, SERVER_SIMDD, NULL);
    server_await(&server);
    snprintf(body_bytes, sizeof body_bytes, "%zu", http_load_body_bytes(&ours));
    server_start(&bare, site, SERVER_BARE, args);
    server_await(&bare);
    struct tsv_side sides[2] = {{"simdd", http_load_rate, &ours},
                                {"libmicrohttpd", http_load_rate, &theirs}};
    struct tsv_case c = {
        "daemon", "/metrics as JSON, 16 connections", "requests/s", TSV_MORE, 7, 0};
    tsv_race(&c, sides, 2);
    server_stop(&server, SIGTERM);
    server_stop(&bare, SIGTERM);
}
