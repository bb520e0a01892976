/* Partners: the threads that run tasks, one beside each worker of the daemon. */
#ifndef WASM_HOST_PARTNER_H
#define WASM_HOST_PARTNER_H

#include <setjmp.h>
#include <stdint.h>

#include <wasmtime.h>

#include "module.h"
#include "wasm/host/task.h"
#include "window.h"

struct instance;
struct partners;

/* What all partners share. Written before they start. */
struct house {
    wasm_engine_t *engine;
    wasmtime_linker_t *linker; /* the daemon's ops */
    struct windows *windows;
    struct modules *modules;
    struct module *kernels;
    const struct kern_table *ops; /* run for guests that import them */
    uint64_t memory_max;
    uint32_t spin_ns;
};

/* One partner, as the rooms that run a task for it see it. All of it is its thread's own. */
struct partner {
    struct partners *all;
    const struct house *house;
    struct host_lane *lane;
    uint32_t done;              /* tasks finished; what lane->done shows */
    struct host_task *volatile task; /* the one that runs; its signal handler looks here */
    struct instance *instances; /* kept, last used first */
    struct instance *volatile running; /* whose code runs */
    uint32_t drops_seen;
    uint32_t spin_ns;           /* for how long looking pays at the moment */
    sigjmp_buf recover;         /* where a fault in one of the daemon's ops goes on, */
    volatile int recovers;      /* while this is not 0 */
    void *scratch;              /* for the daemon's ops, kept from one to the next */
    size_t scratch_bytes;
};

/* Starts `count` threads, which wait for partners_go(), and returns when all of them do. -ENOMEM,
 * -EAGAIN. */
int partners_start(struct partners **out, struct house *house, struct host_lane *lanes,
                   uint32_t count);

/* Lets them look for tasks. */
void partners_go(struct partners *all);

/* Has those that sleep look through what they keep: a module was dropped. */
void partners_nudge(struct partners *all);

/* Shows that the task it runs has ended. Safe in a signal handler. */
void partner_finish(struct partner *p);

/* Returns borrowed: the calling thread's partner, or NULL. Safe in a signal handler. */
struct partner *partner_self(void);

#endif
