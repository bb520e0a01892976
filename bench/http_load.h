/* GET after GET on keep-alive connections, from one thread. */
#ifndef BENCH_HTTP_LOAD_H
#define BENCH_HTTP_LOAD_H

#include <stddef.h>

#include "bench/server.h"

struct http_load {
    const struct server *server; /* borrowed */
    const char *target;          /* "/metrics" */
    unsigned connections;        /* at most HTTP_LOAD_MAX */
    double seconds;
};

enum { HTTP_LOAD_MAX = 64 };

/* Contestant for tsv_race(); ctx: struct http_load. Requests per second, from the client's CPU.
 * Every answer must be a 200 with a body that starts with '{', else this program ends. */
double http_load_rate(void *ctx);

/* Bytes of the body of one answer. */
size_t http_load_body_bytes(const struct http_load *load);

#endif
