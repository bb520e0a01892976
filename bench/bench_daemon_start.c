/* How soon a server answers, and what it holds while idle. */
#include "config.h"

#include "bench/bench_daemon.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "bench/tsv.h"
#include "clock.h"

/* One kind of server to start; ctx of a contestant. */
struct starter {
    const struct site *site;
    enum server_kind kind;
};

static const enum server_kind compared[] = {SERVER_SIMDD, SERVER_MEMCACHED, SERVER_REDIS,
                                            SERVER_BARE};
enum { COMPARED = sizeof compared / sizeof compared[0] };

/* exec to the first answer, in milliseconds. */
static double run_start(void *ctx)
{
    const struct starter *k = ctx;
    struct server s;
    uint64_t start_ns = clock_ns();
    server_start(&s, k->site, k->kind, NULL);
    server_await(&s);
    double ms = (double)(clock_ns() - start_ns) / 1e6;
    server_stop(&s, SIGKILL);
    return ms;
}

void bench_start(const struct site *site)
{
    struct starter starters[COMPARED];
    struct tsv_side sides[COMPARED];
    size_t count = 0;
    for (size_t i = 0; i < COMPARED; i++) {
        if (!server_installed(site, compared[i]))
            continue;
        starters[count] = (struct starter){site, compared[i]};
        sides[count] =
            (struct tsv_side){server_name(compared[i]), run_start, &starters[count]};
        count++;
    }
    struct tsv_case c = {"daemon", "exec to the first job answered", "ms", TSV_LESS, 31, 15};
    tsv_race(&c, sides, count);
}

void bench_idle(const struct site *site)
{
    static const struct {
        const char *name, *line;
    } figures[] = {{"idle private dirty memory", "Private_Dirty"}, {"idle RSS", "Rss"}};
    struct server servers[COMPARED];
    size_t count = 0;
    sync(); /* pages of a program that was just built count as dirty until they are on disk */
    for (size_t i = 0; i < COMPARED; i++) {
        if (!server_installed(site, compared[i]))
            continue;
        server_start(&servers[count], site, compared[i], NULL);
        server_await(&servers[count++]);
    }
    struct timespec second = {.tv_sec = 1}; /* for what a server does after its first answer */
    nanosleep(&second, NULL);
    for (size_t k = 0; k < 2; k++) {
        struct tsv_case c = {"daemon", figures[k].name, "MB", TSV_LESS, 1, 0};
        double ours = (double)server_memory_bytes(&servers[0], figures[k].line) / 1e6;
        for (size_t i = 1; i < count; i++) {
            double peer = (double)server_memory_bytes(&servers[i], figures[k].line) / 1e6;
            tsv_row(&c, ours, server_name(servers[i].kind), peer);
        }
    }
    for (size_t i = 0; i < count; i++)
        server_stop(&servers[i], SIGTERM);
}
