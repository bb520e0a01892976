/* The kernels' WebAssembly module, in the engine. Operands are placed in its window, where pages
 * without access are what they are outside: whoever touches them is found out. */
#include "config.h"

#include "kernels_tables.h"

#include <stdlib.h>

#include "kernels_place.h"
#include "wasm_engine.h"

void kernels_tables_open(void)
{
    const char *module = getenv("SIMDD_KERNELS_WASM");
    size_t bytes;

    wasm_engine_open(module != NULL ? module : KERNELS_WASM);
    uint8_t *operands = wasm_engine_operands(&bytes);
    place_within(operands, bytes);
}

const struct kern_table *kernels_table(enum kern_isa isa)
{
    return wasm_engine_table(isa);
}
