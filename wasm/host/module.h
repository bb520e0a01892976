/* Modules: what may be one, and those that are loaded.
 *
 * A module is counted: the table holds it until it is dropped, and each instance made from it as
 * long as that lives.
 */
#ifndef WASM_HOST_MODULE_H
#define WASM_HOST_MODULE_H

#include <stdint.h>

#include <wasmtime.h>

#include "wasm/host/task.h"

struct module {
    /* written before it is in the table, read by all */
    uint32_t number;
    wasmtime_module_t *code;         /* owned */
    struct host_function *functions; /* owned; names rise */
    uint32_t function_count;
    /* shared */
    _Atomic uint32_t refs;
    _Atomic uint32_t dropped;
};

/**
 * Whether a user's module is what wasm/guest/simdd.h says: what it imports, exports and starts
 * with.
 * functions  owned on success: `*count` of them, names rising; NULL if it has none
 * Returns 0; -EINVAL with the reason that names what is wrong; -ENOMEM.
 */
int module_check(const wasmtime_module_t *code, uint64_t memory_max,
                 struct host_function **functions, uint32_t *count,
                 char reason[static HOST_REASON_BYTES]);

/* Returns owned, with one reference, or NULL. Takes `code` and `functions` on success. */
struct module *module_new(uint32_t number, wasmtime_module_t *code,
                          struct host_function *functions, uint32_t count);
void module_put(struct module *m);

struct modules; /* the table, by number */

int modules_new(struct modules **out);

/* Takes the caller's reference. A module that has the number already is dropped. -ENOMEM. */
int modules_add(struct modules *all, struct module *m);

/* Returns a reference of the caller's own, or NULL if there is none of that number. Thread: any. */
struct module *modules_get(struct modules *all, uint32_t number);

/* -ENOENT if there is none of that number. */
int modules_drop(struct modules *all, uint32_t number);

/* A number that changes with each drop: whoever keeps instances looks through them when it does. */
uint32_t modules_drops(struct modules *all);

#endif
