/* The cases of bench_daemon. Each starts the servers that it compares, prints its rows and stops
 * them; one whose result is wrong ends the program. */
#ifndef BENCH_BENCH_DAEMON_H
#define BENCH_BENCH_DAEMON_H

#include "bench/server.h"

void bench_start(const struct site *site);
void bench_idle(const struct site *site);
void bench_small_jobs(const struct site *site);
void bench_large_jobs(const struct site *site);
void bench_matmul(const struct site *site);
void bench_efficiency(const struct site *site);
void bench_tail(const struct site *site);
void bench_cache(const struct site *site);
void bench_http(const struct site *site);
void bench_wasm(const struct site *site);

#endif
