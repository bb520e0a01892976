/* What the files of the wasm backend share:
 *   wasm.c         users, their processes, limits, statistics
 *   wasm_window.c  arenas in windows
 *   wasm_module.c  modules in a process
 *   wasm_run.c     tasks through a lane
 */
#ifndef DAEMON_WASM_PRIV_H
#define DAEMON_WASM_PRIV_H

#include <stdatomic.h>

#include <pthread.h>

#include "wasm.h"
#include "wasm_process.h"

/* An arena in the windows of a process. */
struct wasm_map {
    const struct arena *arena; /* not counted; NULL: it has gone, and the mapping may */
    uint32_t at;
    uint64_t bytes;
    uint64_t used; /* when last */
};

/* A module that a process has loaded. */
struct wasm_loaded {
    struct module *module; /* counted */
    uint32_t number;
    struct host_function *functions;
    size_t function_count;
};

/* A process and what we know of it. It stays while anyone uses it, dead or alive. */
struct wasm_session {
    struct wasm_user *user;
    struct wasm_process *process;
    _Atomic bool killed; /* any worker: over a task that took too long */
    uint32_t *lanes; /* each worker's own: tasks that it has had in its lane */
    /* under the user's lock */
    uint32_t refs; /* users of it, and the user itself while it is the current one */
    struct wasm_map *maps;
    size_t map_count, map_cap;
    struct wasm_loaded *loaded;
    size_t loaded_count;
    uint32_t next_number;
    uint64_t idle_since_ns; /* meaningful while nobody uses it */
    uint64_t entered_ns;    /* by the last one */
};

struct wasm_user {
    struct wasm *wasm;
    uid_t uid;
    struct wasm_user *next; /* fixed once it is in the list */
    /* the loop writes, once; workers read after a job of the user came to them */
    struct segment *segment;
    pthread_mutex_t lock;
    /* under it */
    struct wasm_session *current; /* NULL: none */
    bool started_before;
    /* arenas that have gone, and whose mappings must: a lock of its own, for the loop */
    pthread_mutex_t gone_lock;
    const struct arena **gone;
    size_t gone_count, gone_cap;
    bool gone_all; /* some could not be noted: all must go */
};

struct wasm {
    struct wasm_config cfg; /* its paths are the caller's, and gone */
    char *host_path;
    int kernels_fd; /* -1: not installed */
    bool host_there;
    pthread_mutex_t limits_lock;
    struct wasm_limits limits; /* under it */
    /* the loop */
    struct wasm_user *users;
    uint64_t jobs_total, run_ns_total;
    struct wasm_module_stats modules[WASM_MODULE_ROWS], other_modules;
    size_t module_rows, module_count;
    struct module_digest kernels_digest;
    char key[64]; /* of compiled forms: engine and CPU */
    /* any thread, relaxed: totals */
    _Atomic uint64_t processes, starts_total, restarts_total, idle_ends_total, tasks_total,
        failed_total, deadline_ends_total, crashes_total, compiled_total, compile_ns_total,
        from_disk_total, stale_total, copied_bytes, mapped_bytes;
    _Atomic uint64_t traps_total[WASM_TRAP_COUNT];
};

/* ---- wasm.c ---- */

/* Asks the session's process; on failure the process is dead. Under the user's lock. */
int wasm_ask(struct wasm_session *s, struct wasm_reply *reply, const struct host_msg *msg,
             const int *fds, size_t count, uint64_t timeout_ns);

/* Counts a compilation, or its absence; keeps the compiled form that came along. True if it did. */
bool wasm_compiled(struct wasm_user *u, struct wasm_reply *reply, struct module_digest digest,
                   bool kernels);

/* A descriptor of a compiled form that is on disk, or -1. */
int wasm_compiled_open(struct wasm_user *u, struct module_digest digest, bool kernels);

static inline void wasm_lock(struct wasm_user *u)
{
    (void)pthread_mutex_lock(&u->lock);
}

static inline void wasm_unlock(struct wasm_user *u)
{
    (void)pthread_mutex_unlock(&u->lock);
}

/* ---- wasm_window.c; under the user's lock ---- */

/* Drops the mappings of arenas that have gone. */
void wasm_window_sweep(struct wasm_session *s);
void wasm_window_fini(struct wasm_session *s);

/* ---- wasm_module.c; under the user's lock ---- */

void wasm_modules_fini(struct wasm_session *s);

#endif
