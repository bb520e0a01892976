/* What the whole daemon reaches, beside other servers and beside the bare thing.
 *
 *     bench_daemon [start|idle|small|large|matmul|efficiency|tail|cache|http|wasm ...]
 *
 * Prints the TSV rows that tsv.h tells of, of all cases unless some are named. Daemon and peers are
 * started as children, on sockets in a private folder. The client runs on the last CPU that there
 * is; servers run where they like.
 */
#include "config.h"

#include "bench/bench_daemon.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "bench/tsv.h"

/* `start` comes first: a program that has grown forks more slowly. */
static const struct {
    const char *name;
    void (*run)(const struct site *site);
    bool only_if_named; /* bench/run wasm has it */
} cases[] = {
    {"start", bench_start, false},
    {"idle", bench_idle, false},
    {"small", bench_small_jobs, false},
    {"large", bench_large_jobs, false},
    {"matmul", bench_matmul, false},
    {"efficiency", bench_efficiency, false},
    {"tail", bench_tail, false},
    {"cache", bench_cache, false},
    {"http", bench_http, false},
    {"wasm", bench_wasm, true},
};
enum { CASE_COUNT = sizeof cases / sizeof cases[0] };

int main(int argc, char **argv)
{
    bool wanted[CASE_COUNT] = {false};
    struct site site;
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < CASE_COUNT && strcmp(argv[i], cases[k].name) != 0)
            k++;
        if (k == CASE_COUNT) {
            fprintf(stderr, "bench_daemon: there is no case '%s'\n", argv[i]);
            return 64;
        }
        wanted[k] = true;
    }
    site_init(&site);
    tsv_check(server_installed(&site, SERVER_SIMDD), "%s/daemon/simdd is not built", site.build);
    for (size_t k = 0; k < CASE_COUNT; k++) {
        if (wanted[k] || (argc < 2 && !cases[k].only_if_named))
            cases[k].run(&site);
    }
    site_fini(&site);
    return 0;
}
