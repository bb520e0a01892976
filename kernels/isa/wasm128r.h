/* The vocabulary of vec.h in WebAssembly's relaxed SIMD: wasm128 with fused multiply-add.
 *
 * Whether relaxed_madd rounds once is the engine's choice: this ISA is only for engines and CPUs
 * that fuse it. relaxed_trunc is only told numbers that fit, where it is exact. */
#ifndef KERNELS_ISA_WASM128R_H
#define KERNELS_ISA_WASM128R_H

#define V_FUSED 1
#include "wasm128.h"

#endif
