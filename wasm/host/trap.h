/* Why a module's code stopped, in the words of task.h. */
#ifndef WASM_HOST_TRAP_H
#define WASM_HOST_TRAP_H

#include <wasmtime.h>

#include "wasm/host/task.h"

/* Sets status and reason. Borrows `trap`. */
void trap_explain(struct host_task *task, const wasm_trap_t *trap);

/* What the engine says, on one line. Borrows `error`. */
void trap_reason_error(char reason[static HOST_REASON_BYTES], const wasmtime_error_t *error);

#endif
