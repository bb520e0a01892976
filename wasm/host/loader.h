/* From a module's bytes to code that can run. */
#ifndef WASM_HOST_LOADER_H
#define WASM_HOST_LOADER_H

#include <wasmtime.h>

#include "message.h"

/**
 * Loads the module that `file` names, from its compiled form if `compiled` names a good one (-1:
 * there is none), else by compiling it.
 * a  compile_ns, from_disk and stale are set; if it was compiled, the compiled form to keep comes
 *    beside it. If it cannot be loaded, status and reason are set.
 * Returns owned, or NULL.
 */
wasmtime_module_t *loader_load(wasm_engine_t *engine, int file, int compiled, struct answer *a);

#endif
