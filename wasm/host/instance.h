/* Instances: a module with a window and a memory of its own, in which one partner runs it.
 *
 * A partner keeps what it made, and throws away what trapped: its memory may be half-written.
 *
 * Thread: the partner's.
 */
#ifndef WASM_HOST_INSTANCE_H
#define WASM_HOST_INSTANCE_H

#include <stddef.h>
#include <stdint.h>

#include <wasmtime.h>

#include "module.h"
#include "partner.h"
#include "window.h"

struct instance {
    struct instance *next;
    struct module *module; /* one reference */
    struct partner *partner;
    wasmtime_store_t *store;
    wasmtime_context_t *context;
    wasmtime_instance_t handle;
    struct window *window; /* NULL while its start function runs */
    wasmtime_func_t kern;  /* the kernels' module: its one function */
    /* why one of the daemon's ops ended the call; HOST_OK if none did */
    enum host_status op_status;
    char op_reason[HOST_REASON_BYTES];
};

/* Returns borrowed: this partner's instance of `module`, made if need be. NULL, with the task's
 * status and reason set, if it cannot be made. */
struct instance *instance_get(struct partner *p, struct module *module, struct host_task *task);

/**
 * Calls a function of type (i32) -> i32, or (i32) -> () if `result` is NULL.
 * Returns whether it returned. If not, the task's status and reason say why, and the instance is
 * gone.
 */
bool instance_call(struct instance *i, const wasmtime_func_t *function, int32_t argument,
                   int32_t *result, struct host_task *task);

/* The exported function of that name; false if there is none. */
bool instance_function(struct instance *i, const char *name, size_t name_bytes,
                       wasmtime_func_t *out);

/* Lets go of instances whose modules were dropped. */
void instances_sweep(struct partner *p);

#endif
