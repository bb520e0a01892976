/* The daemon's ops, for modules that import them. */
#ifndef WASM_HOST_OP_H
#define WASM_HOST_OP_H

#include <wasmtime.h>

/* Defines simdd.<op> for every op. Returns 0 or -ENOMEM. */
int ops_define(wasmtime_linker_t *linker);

#endif
