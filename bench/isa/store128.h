/* The vocabulary of vec.h as sse4 has it, but that nothing is stored past the caches: what a native
 * kernel could do in WebAssembly's place, which has no such store. Nobody runs it but bench_wasm. */
#ifndef BENCH_ISA_STORE128_H
#define BENCH_ISA_STORE128_H

#include "kernels/isa/sse4.h"

#define v_f32_stream v_f32_store
#define v_i32_stream v_i32_store
#define v_u8_stream  v_u8_store

#endif
