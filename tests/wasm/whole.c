/* A module whose memory is the whole window, as the kernels' is, but a user's: its bulk operations
 * reach everything, and where nothing is, the engine's own code meets it. */
#include <stdint.h>

struct call;

__attribute__((export_name("simdd_abi_1"))) void simdd_abi_1(void)
{
}

/* The first parameter of struct simdd_call. */
static uint32_t parameter(const struct call *call)
{
    return (uint32_t) * (const double *)((const char *)call + 152);
}

__attribute__((export_name("fill"))) int fill(struct call *call)
{
    __builtin_memset((void *)(uintptr_t)parameter(call), 3, 4096);
    return 0;
}

__attribute__((export_name("poke"))) int poke(struct call *call)
{
    *(volatile char *)(uintptr_t)parameter(call) = 3;
    return 0;
}

__attribute__((export_name("grow"))) int grow(struct call *call)
{
    (void)call;
    return (int)__builtin_wasm_memory_grow(0, 1);
}
