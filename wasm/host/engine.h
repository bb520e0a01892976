/* The engine's settings, the same wherever one of our modules runs. */
#ifndef WASM_HOST_ENGINE_H
#define WASM_HOST_ENGINE_H

#include <wasmtime.h>

/**
 * An engine in which 32-bit memories need no checks in compiled code.
 * creator  makes the memories; it must leave ENGINE_RESERVATION + ENGINE_GUARD bytes from where a
 *          memory starts without other use, with no access outside the memory. Copied.
 * Returns owned, or NULL: no memory, or a CPU that the compiler does not know.
 */
wasm_engine_t *engine_new(wasmtime_memory_creator_t *creator);

#define ENGINE_RESERVATION ((size_t)1 << 32)
#define ENGINE_GUARD       ((size_t)32 << 20)

/* A partner's stack: what a module may use of it, and what the host needs below that. */
enum { ENGINE_WASM_STACK = 512 << 10, ENGINE_THREAD_STACK = 2 << 20 };

#endif
