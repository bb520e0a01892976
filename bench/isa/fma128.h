/* The vocabulary of vec.h in 128 bits with fused multiply-add, compiled with AVX2's encodings: what
 * a native kernel of wasm128r's width and bits would be. Nobody runs it but bench_wasm. */
#ifndef BENCH_ISA_FMA128_H
#define BENCH_ISA_FMA128_H

#include <immintrin.h>

#define v_f32_fma v_f32_fma_split
#include "kernels/isa/sse4.h"
#undef v_f32_fma
#undef V_FUSED

#define V_FUSED 1

enum { MATMUL_LANES_fma128 = 4, MATMUL_ROWS_fma128 = 6, MATMUL_VECS_fma128 = 2 };

static inline v_f32 v_f32_fma(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm_fmadd_ps(a, b, c);
}

#endif
