/* Jobs over the socket: tiny ones, where only the way there and back counts, and large ones, where
 * the bytes do. */
#include "config.h"

#include "bench/bench_daemon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/job_load.h"
#include "bench/tsv.h"

/* redis-benchmark, which is built for redis as our load generator is for us: one thread too. */
struct redis_load {
    const struct server *server; /* borrowed */
    unsigned connections, depth;
    double seconds;
    double rate; /* of the last run; tells how many requests the next one sends */
};

/* Runs it with so many requests of one kind. Returns requests per second. */
static double redis_benchmark(const struct redis_load *r, const char *test, double count)
{
    char command[512], line[512];
    double rate = 0;
    snprintf(command, sizeof command,
             "redis-benchmark -s '%s' -c %u -P %u -n %.0f -d 64 -t %s --csv 2>&1",
             r->server->socket, r->connections, r->depth, count, test);
    site_pin(r->server->site);
    FILE *f = popen(command, "r");
    tsv_check(f != NULL, "redis-benchmark: %s", strerror(errno));
    while (fgets(line, sizeof line, f) != NULL) { /* "GET","123456.00",... */
        const char *comma = strstr(line, "\",\"");
        if (comma != NULL && strtod(comma + 3, NULL) > 0)
            rate = strtod(comma + 3, NULL);
    }
    int status = pclose(f);
    site_unpin(r->server->site);
    tsv_check(status == 0 && rate > 0, "redis-benchmark: %s", line);
    return rate;
}

static double run_redis(void *ctx)
{
    struct redis_load *r = ctx;
    r->rate = redis_benchmark(r, "get", r->rate * r->seconds);
    return r->rate;
}

/* The servers of all cases of small jobs. */
struct field {
    struct bench_work work;
    struct server ours, redis, echo;
    bool has_redis;
};

static void bench_pipeline(const char *name, struct field *f, unsigned connections, unsigned depth)
{
    struct job_load ours, echo;
    struct redis_load redis = {&f->redis, connections, depth, 0.4, 0};
    struct tsv_side sides[3] = {{"simdd", job_load_rate, &ours}};
    size_t count = 1;
    job_load_init(&ours, &f->ours, &f->work, connections, depth, false);
    ours.seconds = 0.4;
    if (f->has_redis) {
        (void)redis_benchmark(&redis, "set", connections * depth);
        redis.rate = redis_benchmark(&redis, "get", 100.0 * connections * depth);
        sides[count++] = (struct tsv_side){"redis GET", run_redis, &redis};
    }
    job_load_init(&echo, &f->echo, &f->work, connections, depth, false);
    echo.seconds = 0.4;
    sides[count++] = (struct tsv_side){server_name(SERVER_ECHO), job_load_rate, &echo};
    struct tsv_case c = {"daemon", name, "jobs/s", TSV_MORE, 5, 0};
    tsv_race(&c, sides, count);
    job_load_fini(&ours);
    job_load_fini(&echo);
}

void bench_small_jobs(const struct site *site)
{
    struct field f;
    struct echo_args args;
    job_work_init(&f.work, KERN_OP_add_f32, 64);
    echo_args_init(&args, site, &f.work);
    server_start(&f.ours, site, SERVER_SIMDD, NULL);
    server_start(&f.echo, site, SERVER_ECHO, args.args);
    server_await(&f.ours);
    server_await(&f.echo);
    f.has_redis = server_installed(site, SERVER_REDIS);
    if (f.has_redis) {
        server_start(&f.redis, site, SERVER_REDIS, NULL);
        server_await(&f.redis);
    }
    bench_pipeline("64 B jobs, 50 connections, 64 deep", &f, 50, 64);
    bench_pipeline("64 B jobs, 1 connection, 64 deep", &f, 1, 64);
    bench_pipeline("64 B jobs, 1 connection, 1 deep", &f, 1, 1);
    server_stop(&f.ours, SIGTERM);
    server_stop(&f.echo, SIGTERM);
    if (f.has_redis)
        server_stop(&f.redis, SIGTERM);
    bench_work_fini(&f.work);
}

/* Two operands of 4 MiB go there, a result of 4 MiB comes back. */
void bench_large_jobs(const struct site *site)
{
    enum { DEPTH = 4 };
    static const char *const names[] = {"4 MiB add_f32, inline", "4 MiB add_f32, by arena"};
    struct bench_work work;
    struct echo_args args;
    struct server server, echo;
    struct job_load in_line, arena, echoed;
    struct tsv_case c[2];
    for (size_t i = 0; i < 2; i++)
        c[i] = (struct tsv_case){"daemon", names[i], "jobs/s", TSV_MORE, 7, 0};
    job_work_init(&work, KERN_OP_add_f32, 8 << 20);
    echo_args_init(&args, site, &work);
    server_start(&server, site, SERVER_SIMDD, NULL);
    server_start(&echo, site, SERVER_ECHO_LARGE, args.args);
    server_await(&server);
    server_await(&echo);
    job_load_init(&in_line, &server, &work, 1, DEPTH, false);
    job_load_init(&arena, &server, &work, 1, DEPTH, true);
    job_load_init(&echoed, &echo, &work, 1, DEPTH, false);
    in_line.seconds = arena.seconds = echoed.seconds = 0.5;
    struct tsv_side sides[3] = {{"arena", job_load_rate, &arena},
                                {"inline", job_load_rate, &in_line},
                                {server_name(SERVER_ECHO_LARGE), job_load_rate, &echoed}};
    tsv_race(&c[0], sides + 1, 2);
    tsv_race(&c[1], sides, 2);
    job_load_fini(&in_line);
    job_load_fini(&arena);
    job_load_fini(&echoed);
    server_stop(&server, SIGTERM);
    server_stop(&echo, SIGTERM);
    bench_work_fini(&work);
}
