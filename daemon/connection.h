/* One client's socket: read, parse, submit, answer. The only room, with the listener, that
 * touches job sockets. Thread: the loop.
 */
#ifndef DAEMON_CONNECTION_H
#define DAEMON_CONNECTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

#include "admission.h"
#include "monitor.h"
#include "pipeline.h"
#include "pool.h"

struct connection;
struct connection_set;
struct module_store;

struct connection_limits {
    size_t job_max_bytes;      /* operands and result of one job */
    size_t json_max_bytes;     /* one JSON line */
    size_t out_max_bytes;      /* answers waiting; above it reading stops until half is taken */
    uint32_t jobs_max;         /* jobs in flight; at it reading stops */
    uint32_t connections_max;  /* all connections */
};

/* Prints the metrics for a WIRE_METRICS request. Returns owned (free), or NULL. */
typedef char *connection_metrics_fn(void *user, enum wire_metrics form, size_t *bytes);

/* What every connection shares; all borrowed. */
struct connection_rooms {
    uv_loop_t *loop;
    struct pool_local *local;
    struct admission *admission;
    struct pipeline *pipeline;
    struct monitor *monitor;
    struct wasm *wasm; /* NULL: there is none */
    struct module_store *modules; /* NULL: there are none */
    connection_metrics_fn *metrics;
    void *metrics_user;
};

int connection_set_new(struct connection_set **out, const struct connection_rooms *rooms,
                       const struct connection_limits *limits);

/* All connections must have ended: see connection_set_close(). */
void connection_set_free(struct connection_set *s);

void connection_set_limits(struct connection_set *s, const struct connection_limits *limits);

/* Takes an accepted, non-blocking socket; closes it at once if a limit says so. */
void connection_set_accept(struct connection_set *s, int fd);

/* Writes every answer that is ready, one writev per connection. Once per loop pass, after
 * pipeline_flush(). */
void connection_set_flush(struct connection_set *s);

/* Stops reading new requests everywhere; connections end when their answers are written. */
void connection_set_drain(struct connection_set *s);

/* Ends all connections now, answers or not. Jobs in flight lose their client. */
void connection_set_close(struct connection_set *s);

size_t connection_set_count(const struct connection_set *s);

#endif
