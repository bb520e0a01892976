/* The wasm backend: one simdd-wasm process per user, started at that user's first wasm job.
 *
 * A user here is a uid. Each has a payload segment and at most one living process; each of our
 * workers has a lane in it. A process that overruns its time or dies is replaced, and whoever had
 * tasks in it is told, so that they can be run once more. Compiled modules come from, and go to,
 * the module store.
 *
 * Thread: any worker, unless told otherwise; one lock per user, held while its process is started
 * or asked something, so the loop never takes it.
 */
#ifndef DAEMON_WASM_H
#define DAEMON_WASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "arena.h"
#include "kernels/kern.h"
#include "module_store.h"
#include "protocol/wire.h"
#include "segment.h"
#include "wasm/host/task.h"

struct wasm;
struct wasm_user;
struct wasm_session; /* a living process, being used */

struct wasm_limits {
    uint64_t max_run_ns;     /* of one task; a process that needs longer is killed */
    uint64_t compile_max_ns; /* likewise of a compilation */
    uint64_t idle_ns;        /* a process without work for so long ends */
    uint64_t memory_max;     /* of one instance's own memory */
    size_t segment_bytes;    /* of one user's payload segment */
    size_t result_max;       /* of a call, in bytes */
    unsigned processes_max;
};

struct wasm_config {
    const char *host_path;    /* of simdd-wasm; borrowed for wasm_new() */
    const char *kernels_path; /* of kernels.wasm; likewise */
    struct module_store *store; /* borrowed; NULL: nothing is kept on disk */
    unsigned workers;
    uint32_t spin_ns;
    enum kern_isa isa; /* that kernels run on */
};

/* How tasks end that do not end well, as the monitor counts them. */
enum wasm_trap {
    WASM_TRAP_memory,
    WASM_TRAP_stack,
    WASM_TRAP_code,
    WASM_TRAP_math,
    WASM_TRAP_import,
    WASM_TRAP_COUNT
};

/* One module's calls. */
struct wasm_module_stats {
    uid_t uid; /* of who called */
    char name[WIRE_NAME_MAX + 1];
    uint64_t calls_total, failed_total, run_ns_total;
};

enum { WASM_MODULE_ROWS = 16 };

struct wasm_stats {
    uint64_t jobs_total, run_ns_total;
    uint64_t processes;            /* alive now */
    uint64_t starts_total, restarts_total, idle_ends_total;
    uint64_t tasks_total, failed_total, traps_total[WASM_TRAP_COUNT];
    uint64_t deadline_ends_total;  /* processes killed for a task that took too long */
    uint64_t crashes_total;        /* processes that ended by themselves */
    uint64_t compiled_total, compile_ns_total;
    uint64_t from_disk_total, stale_total;
    uint64_t copied_bytes_total;
    uint64_t mapped_bytes;         /* arenas in windows now */
    uint64_t segment_bytes;        /* payload segments: bytes with pages */
    struct wasm_module_stats modules[WASM_MODULE_ROWS], other_modules; /* other: their sum */
    size_t module_rows;            /* used */
    size_t module_count;           /* over module_rows: there are others */
};

int wasm_new(struct wasm **out, const struct wasm_config *cfg, const struct wasm_limits *limits);

/* Ends every process. Nothing may be running. NULL is fine. */
void wasm_free(struct wasm *w);

void wasm_set_limits(struct wasm *w, const struct wasm_limits *limits);
void wasm_get_limits(const struct wasm *w, struct wasm_limits *out);

/* False if the host or the kernels' module is not installed. Thread: the loop. */
bool wasm_usable(const struct wasm *w);

enum kern_isa wasm_isa(const struct wasm *w);

/* Ends idle processes; forgets dead ones. Thread: the loop, once a second. */
void wasm_tick(struct wasm *w);

/* Thread: the loop. */
void wasm_stats(struct wasm *w, struct wasm_stats *out);

/* ---- users ---- */

/* Returns borrowed, until wasm_free(); NULL: out of memory. Thread: the loop. */
struct wasm_user *wasm_user_of(struct wasm *w, uid_t uid);

/* Returns borrowed: made at the first call; NULL when it cannot be. Thread: the loop. */
struct segment *wasm_user_segment(struct wasm_user *u);

/* The same on a worker, for a job of the user that came there: there is one. */
struct segment *wasm_user_segment_made(const struct wasm_user *u);

uid_t wasm_user_uid(const struct wasm_user *u);

/* The arena goes: its mapping must, too, before its address is another's. Thread: the loop. */
void wasm_arena_closed(struct wasm *w, uid_t uid, const struct arena *a);

/* Bytes of operands and results that were moved into a segment, or by the host. */
void wasm_count_copied(struct wasm_user *u, uint64_t bytes);

/* A wasm job has ended; m: whose function it called, or NULL. Thread: the loop. */
void wasm_count_job(struct wasm *w, uid_t uid, const struct module *m, bool ok, uint64_t run_ns);

/* ---- sessions ---- */

/**
 * The user's process, started if need be. reason: HOST_REASON_BYTES, written on failure.
 * Returns WIRE_OK and *out, to be left; or NO_BACKEND, OVERLOADED (wasm_processes_max), INTERNAL.
 */
enum wire_status wasm_enter(struct wasm_user *u, struct wasm_session **out, char *reason);

/* The same with a process of its own, ended when it is left: for what may take long to compile, or
 * end badly, while the user's jobs go on. */
enum wire_status wasm_enter_alone(struct wasm_user *u, struct wasm_session **out, char *reason);

void wasm_leave(struct wasm_session *s);

/* Whether its process was killed over one task that took too long: then others are not to blame. */
bool wasm_was_killed(const struct wasm_session *s);

/**
 * Where `bytes` at `p` lie in the window: in the segment, or in `a` (NULL if not in an arena),
 * which is mapped if it is not yet. OK and *at; TOO_BIG if the arena does not fit into a window;
 * WASM_CRASHED if the process has died.
 */
enum wire_status wasm_window_at(struct wasm_session *s, const void *p, size_t bytes,
                                const struct arena *a, uint32_t *at);

/**
 * A module, loaded into this process if it is not yet: its number goes into a task's call. Its
 * functions are borrowed until the session is left.
 * reason: HOST_REASON_BYTES, written on failure.
 * Returns WIRE_OK, MODULE_REFUSED, MODULE_TIMEOUT, OUT_OF_MEMORY, or WASM_CRASHED.
 */
enum wire_status wasm_module_load(struct wasm_session *s, struct module *m, uint32_t *number,
                                  const struct host_function **functions, size_t *count,
                                  char *reason);

/* Checks and compiles a module that is in no store yet, keeps its compiled form, and lists its
 * functions (owned, free()). The session is the caller's alone. Returns as wasm_module_load(). */
enum wire_status wasm_module_check(struct wasm_session *s, const void *file, size_t bytes,
                                   struct host_function **functions, size_t *count, char *reason);

/* ---- tasks ---- */

struct wasm_feed {
    /* Fills in the next task; false: there is none. */
    bool (*next)(void *ctx, struct host_task *t);
    /* The oldest task that has not ended yet has; `t` is a copy, with its status checked. */
    void (*ended)(void *ctx, const struct host_task *t);
    /* When that oldest task must end, in clock_ns() time; 0: never. started_ns: since when it has
     * been the oldest. */
    uint64_t (*until)(void *ctx, uint64_t started_ns);
    void *ctx;
};

enum wasm_outcome {
    WASM_ALL_ENDED,
    WASM_DIED,    /* the process ended; tasks that have not ended are lost */
    WASM_OVERTIME /* the same: it was killed, since the oldest task took too long */
};

/* Runs tasks in order on the worker's lane until there are no more. Thread: that worker. */
enum wasm_outcome wasm_run(struct wasm_session *s, unsigned worker, const struct wasm_feed *feed);

#endif
