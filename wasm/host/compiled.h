/* The compiled form of a module, as it is kept on disk: a header that says what it was made from
 * and by whom, and the engine's own format behind it.
 *
 * The digests find damage and age. They are no protection from somebody who can write the file:
 * code in it is run as it stands, so it must come from a place that only the daemon writes to.
 */
#ifndef WASM_HOST_COMPILED_H
#define WASM_HOST_COMPILED_H

#include <stddef.h>
#include <stdint.h>

#include <wasmtime.h>

/* XXH3-128 of a module's bytes. */
struct digest {
    uint64_t low, high;
};

struct digest digest_of(const void *bytes, size_t count);

/**
 * Loads the compiled form of the module with that digest from what `fd` names.
 * out     owned on success
 * Returns 0; -ESTALE if it is damaged, made from another module, by another version of the engine,
 * or for a CPU with more than this one; -EIO.
 */
int compiled_load(wasmtime_module_t **out, wasm_engine_t *engine, int fd, struct digest digest);

/* Makes a sealed memfd with the compiled form. fd: owned on success. -ENOMEM, -EIO. */
int compiled_keep(int *fd, uint64_t *bytes, const wasmtime_module_t *code, struct digest digest);

#endif
