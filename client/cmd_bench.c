/* simdctl bench: how much, how fast. */
#include "config.h"

#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "bench.h"
#include "human.h"

enum {
    OPT_CONNECTIONS = CTL_OPTION + 1,
    OPT_DEPTH,
    OPT_SIZE,
    OPT_OP,
    OPT_SECONDS,
    OPT_COUNT,
    OPT_ARENA
};

/* Answers so small are all compared; of larger ones, one in this many. */
enum { VERIFY_ALL_BYTES = 256, VERIFY_EVERY = 64 };

struct bench_command {
    uint32_t op;
    uint64_t connections, depth, size_bytes, count; /* count 0: by time */
    double seconds;
    bool arena;
};

static double cpu_seconds(void)
{
    struct rusage u;
    (void)getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void print_json(const struct bench_command *o, const struct bench_work *w,
                       const struct bench_stats *s, double cpu)
{
    const struct hist *h = &s->latency;
    (void)printf("{\"op\":\"%s\",\"connections\":%llu,\"depth\":%llu,\"operand_bytes\":%zu,"
                 "\"result_bytes\":%zu,\"arena\":%s,\"jobs\":%llu,\"seconds\":%.6f,"
                 "\"jobs_per_second\":%.1f,\"bytes_per_second\":%.0f,\"client_cpu_seconds\":%.3f,",
                 w->shape.info->name, (unsigned long long)o->connections,
                 (unsigned long long)o->depth, w->shape.inline_bytes, w->shape.out_bytes,
                 o->arena ? "true" : "false", (unsigned long long)s->done, s->seconds,
                 (double)s->done / s->seconds,
                 (double)s->done * (double)w->shape.total_bytes / s->seconds, cpu);
    (void)printf("\"latency_ns\":{\"min\":%llu,\"mean\":%llu,\"p50\":%llu,\"p90\":%llu,"
                 "\"p99\":%llu,\"p999\":%llu,\"max\":%llu},",
                 (unsigned long long)h->min_ns,
                 (unsigned long long)(h->count > 0 ? h->sum_ns / h->count : 0),
                 (unsigned long long)hist_quantile(h, .5),
                 (unsigned long long)hist_quantile(h, .9),
                 (unsigned long long)hist_quantile(h, .99),
                 (unsigned long long)hist_quantile(h, .999), (unsigned long long)h->max_ns);
    (void)printf("\"verified\":%llu,\"cached\":%llu,\"overloaded\":%llu}\n",
                 (unsigned long long)s->verified, (unsigned long long)s->cached,
                 (unsigned long long)s->overloaded);
}

static void print_page(const struct bench_command *o, const struct bench_work *w,
                       const struct bench_stats *s, double cpu)
{
    char a[HUMAN_BYTES], b[HUMAN_BYTES], c[HUMAN_BYTES], d[HUMAN_BYTES], e[HUMAN_BYTES];
    const struct hist *h = &s->latency;
    (void)printf("%s on %s of operands, %llu connections x %llu in flight, %s\n",
                 w->shape.info->name, human_bytes(a, (double)w->shape.inline_bytes),
                 (unsigned long long)o->connections, (unsigned long long)o->depth,
                 o->arena ? "in shared memory" : "inline");
    double rate = (double)s->done / s->seconds;
    (void)printf("throughput   %.0f jobs/s, %s/s of operands and results\n", rate,
                 human_bytes(a, rate * (double)w->shape.total_bytes));
    (void)printf("latency      p50 %s, p90 %s, p99 %s, p99.9 %s, max %s\n",
                 human_ns(a, (double)hist_quantile(h, .5)),
                 human_ns(b, (double)hist_quantile(h, .9)),
                 human_ns(c, (double)hist_quantile(h, .99)),
                 human_ns(d, (double)hist_quantile(h, .999)), human_ns(e, (double)h->max_ns));
    (void)printf("answers      %llu in %.2f s, %llu compared and right",
                 (unsigned long long)s->done, s->seconds, (unsigned long long)s->verified);
    if (s->cached > 0)
        (void)printf(", %llu from the cache", (unsigned long long)s->cached);
    if (s->overloaded > 0)
        (void)printf(", %llu turned away and sent again", (unsigned long long)s->overloaded);
    (void)printf("\nclient       %.0f %% of a CPU\n", 100 * cpu / s->seconds);
}

/* Turns a failure into a message and an exit code. */
static int complain(const struct ctl *c, int err, const char *why)
{
    if (err == -EILSEQ)
        return ctl_fail(EX_SOFTWARE, "bench: %s", why);
    if (err == -ETIMEDOUT)
        return ctl_fail(EX_TEMPFAIL, "bench: %s", why);
    if (err < 0)
        return ctl_status(c, "bench", err);
    return ctl_fail(err >= SIMDD_OVERLOADED ? EX_TEMPFAIL : EX_DATAERR, "bench: %s (%s)", why,
                    simdd_status_name(err));
}

static int measure(struct ctl *c, const struct bench_command *o, const struct bench_work *work)
{
    const struct bench_options options = {.path = ctl_path(c),
                                          .connections = (unsigned)o->connections,
                                          .depth = (unsigned)o->depth,
                                          .arena = o->arena};
    char why[BENCH_WHY_BYTES];
    struct bench *b = NULL;
    int err = bench_new(&b, &options, work, why);
    struct bench_stats stats;
    uint64_t every = work->shape.out_bytes <= VERIFY_ALL_BYTES ? 1 : VERIFY_EVERY;
    /* One job on each connection, all compared; then a while that does not count. */
    if (err == 0)
        err = bench_run(b, &stats, 1, o->connections, 60, 1, why);
    if (err == 0 && o->count == 0)
        err = bench_run(b, &stats, 0, UINT64_MAX, o->seconds / 10, every, why);
    double cpu = cpu_seconds();
    if (err == 0)
        err = o->count > 0 ? bench_run(b, &stats, 0, o->count, 86400, every, why)
                           : bench_run(b, &stats, 0, UINT64_MAX, o->seconds, every, why);
    cpu = cpu_seconds() - cpu;
    bench_free(b);
    if (err != 0)
        return complain(c, err, why);
    if (c->json)
        print_json(o, work, &stats, cpu);
    else
        print_page(o, work, &stats, cpu);
    return EX_OK;
}

/* One option: 0 or an exit code. */
static int take_option(struct bench_command *o, int val, const char *value)
{
    switch (val) {
    case OPT_CONNECTIONS:
        return ctl_parse_u64(value, 65536, &o->connections) && o->connections > 0
                   ? 0
                   : ctl_usage("--connections: '%s' is not in 1 to 65536", value);
    case OPT_DEPTH:
        return ctl_parse_u64(value, 65536, &o->depth) && o->depth > 0
                   ? 0
                   : ctl_usage("--depth: '%s' is not in 1 to 65536", value);
    case OPT_SIZE:
        return ctl_parse_bytes(value, &o->size_bytes) && o->size_bytes <= (1ull << 40)
                   ? 0
                   : ctl_usage("--size: '%s' is not a size such as 64 or 4MiB", value);
    case OPT_OP:
        o->op = simdd_op_find(value);
        return o->op != 0 ? 0 : ctl_usage("--op: there is no operation '%s'", value);
    case OPT_SECONDS:
        return ctl_parse_double(value, &o->seconds) && o->seconds > 0 && o->seconds <= 86400
                   ? 0
                   : ctl_usage("--seconds: '%s' is not a number of seconds, at most 86400", value);
    case OPT_COUNT:
        return ctl_parse_u64(value, UINT64_MAX / 2, &o->count) && o->count > 0
                   ? 0
                   : ctl_usage("--count: '%s' is not a number above 0", value);
    default:
        o->arena = true;
        return 0;
    }
}

static int run_bench(struct ctl *c, int argc, char **argv)
{
    static const struct option own[] = {{"connections", required_argument, NULL, OPT_CONNECTIONS},
                                        {"depth", required_argument, NULL, OPT_DEPTH},
                                        {"size", required_argument, NULL, OPT_SIZE},
                                        {"op", required_argument, NULL, OPT_OP},
                                        {"seconds", required_argument, NULL, OPT_SECONDS},
                                        {"count", required_argument, NULL, OPT_COUNT},
                                        {"arena", no_argument, NULL, OPT_ARENA},
                                        {NULL, 0, NULL, 0}};
    struct bench_command o = {.op = SIMDD_ADD_F32,
                              .connections = 50,
                              .depth = 64,
                              .size_bytes = 64,
                              .seconds = 5};
    for (int val; (val = ctl_getopt(c, &cmd_bench, argc, argv, "", own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?' || take_option(&o, val, optarg) != 0)
            return EX_USAGE;
    }
    if (optind < argc)
        return ctl_usage("bench takes no operands");
    if (!c->has_cache)
        c->cache = SIMDD_CACHE_NEVER; /* all jobs are the same one: nothing would be computed */
    struct bench_work work;
    int err = bench_work_init(&work, o.op, (size_t)o.size_bytes);
    if (err != 0)
        return complain(c, err, err > 0 ? simdd_strerror(err) : "no memory for its operands");
    work.header.backend = (uint8_t)c->backend;
    work.header.priority = (uint8_t)c->priority;
    work.header.deadline_us = c->deadline_us;
    work.header.flags = (uint16_t)((unsigned)c->cache << WIRE_F_CACHE_SHIFT);
    int code = measure(c, &o, &work);
    bench_work_fini(&work);
    return code;
}

const struct ctl_command cmd_bench = {
    .name = "bench",
    .usage = "bench [--op NAME] [--size BYTES] [--connections N] [--depth N]",
    .summary = "Load the daemon and measure it",
    .details =
        "Sends one job again and again and compares the answers: all up to 256 bytes, one in 64\n"
        "above. The cache is left out unless --cache says otherwise.\n\n"
        "      --op NAME         add_f32 (the default), mul_u8, matmul_f32, hash_fast, ...\n"
        "      --size BYTES      of the operands, about; 64 by default, 4MiB is understood\n"
        "      --connections N   50 by default\n"
        "      --depth N         jobs in flight on each; 64 by default\n"
        "      --seconds S       how long, after a tenth of it to warm up; 5 by default\n"
        "      --count N         this many jobs instead\n"
        "      --arena           operands and results in shared memory\n",
    .run = run_bench,
};
