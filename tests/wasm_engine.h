/* The kernels' module in this very process, for tests and benches: no daemon, no host process.
 *
 * One engine at a time; its kernels are functions like the native ones, on one thread. Operands,
 * result and working memory lie in the window, in memory from wasm_engine_map(), which any native
 * code may use too. */
#ifndef TESTS_WASM_ENGINE_H
#define TESTS_WASM_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kern.h"
#include "wasm/host/task.h"

/* Loads the module in `path`. Ends the program, with the reason, if that cannot be. */
void wasm_engine_open(const char *path);
void wasm_engine_close(void);

/* Returns borrowed: one ISA's kernels; NULL for any but wasm128 and wasm128r, and for wasm128r
 * where the CPU has no fused multiply-add. A kernel that traps says so on stdout and raises
 * SIGSEGV. */
const struct kern_table *wasm_engine_table(enum kern_isa isa);

/* Returns borrowed: bench/wasm_plain.c, which wants one call for a whole job; NULL if the module
 * has it not. */
const struct kern_table *wasm_engine_plain(void);

/* Describes one call of a kernel, whose operands lie in the window, as the module takes it. */
void wasm_engine_task(struct host_kernel *task, enum kern_op op, enum kern_isa isa,
                      const struct kern_args *args, const struct kern_part *part);

/* The window's part for operands. Nothing of it is mapped yet. */
uint8_t *wasm_engine_operands(size_t *bytes);

#endif
