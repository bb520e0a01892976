/* The engine's settings.
 *
 * What a module can do is numbers, vectors, tables and one 32-bit memory. What is off here was
 * either left out of the engine's build too (threads, collected types, exceptions, components) or
 * would need a second kind of window (64-bit and several memories, other page sizes).
 */
#include "config.h"

#include "engine.h"

static void features(wasm_config_t *c)
{
    wasmtime_config_wasm_simd_set(c, true);
    wasmtime_config_wasm_relaxed_simd_set(c, true);
    /* wasm128r is defined by the CPU's fused multiply-add, which the deterministic form splits */
    wasmtime_config_wasm_relaxed_simd_deterministic_set(c, false);
    wasmtime_config_wasm_bulk_memory_set(c, true);
    wasmtime_config_wasm_tail_call_set(c, true);
    wasmtime_config_wasm_multi_value_set(c, true);
    wasmtime_config_wasm_multi_memory_set(c, false);
    wasmtime_config_wasm_memory64_set(c, false);
    wasmtime_config_wasm_wide_arithmetic_set(c, false);
    wasmtime_config_wasm_custom_page_sizes_set(c, false);
    wasmtime_config_wasm_stack_switching_set(c, false);
    wasmtime_config_shared_memory_set(c, false);
    wasmtime_config_gc_support_set(c, false);
}

wasm_engine_t *engine_new(wasmtime_memory_creator_t *creator)
{
    wasm_config_t *c = wasm_config_new();
    if (c == NULL)
        return NULL;
    features(c);
    wasmtime_config_strategy_set(c, WASMTIME_STRATEGY_CRANELIFT);
    wasmtime_config_cranelift_opt_level_set(c, WASMTIME_OPT_LEVEL_SPEED);
    wasmtime_config_cranelift_debug_verifier_set(c, false);
    wasmtime_config_cranelift_nan_canonicalization_set(c, false);
    wasmtime_config_debug_info_set(c, false);
    /* Loops are ended from outside, with the process: checks in them cost 1.6 x and more. */
    wasmtime_config_consume_fuel_set(c, false);
    wasmtime_config_epoch_interruption_set(c, false);
    wasmtime_config_max_wasm_stack_set(c, ENGINE_WASM_STACK);
    /* Traps walk frame pointers; unwind tables would only be registered and never read. */
    wasmtime_config_native_unwind_info_set(c, false);
    wasmtime_config_signals_based_traps_set(c, true);

    /* All 32-bit addresses and small offsets beside them fall into the reservation. The memory must
     * not move: else larger offsets are checked against the module's own memory, and the window
     * above it is out of their reach. */
    wasmtime_config_memory_reservation_set(c, ENGINE_RESERVATION);
    wasmtime_config_memory_guard_size_set(c, ENGINE_GUARD);
    wasmtime_config_memory_reservation_for_growth_set(c, 0);
    wasmtime_config_memory_may_move_set(c, false);
    /* Its images need memories that the engine mapped itself. */
    wasmtime_config_memory_init_cow_set(c, false);
    wasmtime_config_host_memory_creator_set(c, creator);
    return wasm_engine_new_with_config(c);
}
