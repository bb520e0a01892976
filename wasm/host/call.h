/* One task in a module: a range of a kernel, or a function of a user's module. Sets the task's
 * status, value, result and reason. Thread: the partner's. */
#ifndef WASM_HOST_CALL_H
#define WASM_HOST_CALL_H

#include "partner.h"

/* HOST_TASK_KERNEL. */
void kernel_run(struct partner *p, struct host_task *task);

/* HOST_TASK_CALL, HOST_TASK_UNITS, HOST_TASK_SHAPE. */
void call_run(struct partner *p, struct host_task *task);

#endif
