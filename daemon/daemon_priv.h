/* What daemon.c (loop, signals, life) and daemon_open.c (parameters to rooms, sockets) share. */
#ifndef DAEMON_DAEMON_PRIV_H
#define DAEMON_DAEMON_PRIV_H

#include <stdbool.h>

#include <uv.h>

#include "admission.h"
#include "alarm.h"
#include "backend.h"
#include "batch.h"
#include "cache.h"
#include "connection.h"
#include "daemon.h"
#include "http.h"
#include "listener.h"
#include "loop_spin.h"
#include "module_store.h"
#include "monitor.h"
#include "notify.h"
#include "pipeline.h"
#include "pool.h"
#include "wasm.h"

enum { SIGNAL_COUNT = 3 };
struct daemon {
    struct conf conf;
    daemon_load_fn *load;
    void *load_user;
    bool draining;
    bool socket_passed; /* by systemd */

    uv_loop_t loop;
    bool loop_ready;
    uv_signal_t signals[SIGNAL_COUNT];
    struct loop_spin spin;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_timer_t drain;            /* the end of patience */
    struct alarm_clock tick;     /* once a second: rates */
    struct alarm_clock watchdog; /* as often as systemd wants */

    struct notify *notify;
    struct pool *pool;
    struct pool_local *local;
    struct monitor *monitor;
    struct admission *admission;
    struct cache *cache;
    struct batcher *batcher;
    struct backend native;
    struct module_store *store; /* NULL: nowhere to keep modules */
    struct wasm *wasm;
    struct pipeline *pipeline;
    struct connection_set *connections;
    struct listener *listener;
    struct http *http;
};

/* ---- daemon_open.c ---- */

/* Makes every room from d->conf, on a loop that is there. 0 or -errno; daemon_free() tidies up. */
int daemon_open_rooms(struct daemon *d);

/* Hands every LIVE parameter to its room. */
void daemon_apply_live(struct daemon *d);

/* ---- daemon_wasm.c ---- */

/* The wasm backend and the module store. 0 or -errno. */
int daemon_open_wasm(struct daemon *d, unsigned workers);
void daemon_apply_wasm(struct daemon *d);

/* Of jobs that leave the choice to us. */
enum wire_backend daemon_backend(const struct conf *c);

/* ---- daemon_open.c ---- */

/* Opens the job socket and the metrics socket, or takes those that systemd passes. Logs what goes
 * wrong and returns the exit code for it. */
enum daemon_exit daemon_open_sockets(struct daemon *d);

#endif
