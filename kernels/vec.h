/* The vector vocabulary: what a kernel may say, whatever the ISA.
 *
 * KERN_ISA (sse4, avx2, avx512, neon) chooses one header of isa/, which defines all of it as
 * static inline functions; raw intrinsics live there alone. KERN_FN(add_f32) is the kernel's
 * symbol, kern_add_f32_avx2 for instance.
 *
 * Each header of isa/ has the same sections in the same order: shape, memory, f32, i32, u8, i16,
 * u64, conversions. A new word goes into the same section of all of them, with the same meaning.
 *
 * Shape       V_BYTES; V_{F32,I32,U8,I16,U64}_LANES; V_REGS, the registers that a tile may count
 *             on; V_FUSED, whether v_f32_fma() rounds once.
 * Types       v_f32, v_i32 (32 bits, signed or not), v_u8, v_i16, v_u64.
 * v_T_load, v_T_store
 *             one vector, aligned to its element only.
 * v_T_stream  stores past the caches; the address is a multiple of V_BYTES. v_fence() after the
 *             last one, before other threads may look.
 * v_claim     V_CLAIM_BYTES from here on will all be stored to next, by v_T_stream; until then they
 *             hold anything. Where streaming stores do not exist, it spares reading them.
 * v_T_load_n, v_T_store_n
 *             the first n lanes, 0 <= n <= lanes, no byte more; lanes not loaded are 0.
 * v_b32_spread
 *             one of four lanes of 32 bits in all four; only where V_SPREADS, for there it is the
 *             better way to have a number from memory in all lanes.
 * v_b32_transpose4
 *             4 x 4 elements of 32 bits in memory, rows a step of elements apart, on every ISA.
 * v_f32_fma   a * b + c.
 * v_f32_min   a < b ? a : b, and v_f32_max a > b ? a : b: a NaN in either gives b.
 * v_f32_hold, v_i32_hold
 *             the same, from here on in a register: gcc 12 loads a vector anew for each of a few
 *             uses, which is dear where it crosses cache lines.
 * v_i32_mul, v_u64_mul
 *             the low half of the product. v_u64_mul_u32 multiplies by a scalar below 2^32.
 * v_i32_shl, v_i32_shr, v_u64_shl, v_u64_shr
 *             logical, by less than the lane's width.
 * v_i32_min, v_i32_max
 *             signed.
 * v_u8_adds, v_u8_muls
 *             saturate at 255.
 * v_i16_pair  the pair (lo, hi) in every 32 bits.
 * v_i32_madd_i16
 *             acc[i] + a[2i] * b[2i] + a[2i + 1] * b[2i + 1], modulo 2^32.
 * v_u64_xor_and
 *             a ^ (b & c).
 * v_u64_gather
 *             lane i is the 8 bytes at p[i] + at, little-endian.
 * v_i32_from_u8, v_i16_from_u8, v_f32_from_u8
 *             read as many bytes as the result has lanes; _n reads only n of them.
 * v_i32_from_f32_nearest, v_i32_from_f32_truncate
 *             ties to even; |x| < 2^31 is the caller's promise.
 * v_u8_store_from_i32
 *             clamps V_I32_LANES lanes to 0..255 and stores that many bytes; _n only n of them.
 */
#ifndef KERNELS_VEC_H
#define KERNELS_VEC_H

#include <stddef.h>
#include <stdint.h>

#include "kern.h"

#define KERN_PASTE_(a, b, c) a##b##_##c
#define KERN_PASTE(a, b, c)  KERN_PASTE_(a, b, c)
#define KERN_FN(name)        KERN_PASTE(kern_, name, KERN_ISA)

#ifndef KERN_ISA
#error "KERN_ISA is not set: the build compiles each kernel once per ISA"
#endif

/* A page. */
#define V_CLAIM_BYTES 4096

/* "isa/avx2.h" and so on */
#define KERN_STRING_(x) #x
#define KERN_STRING(x)  KERN_STRING_(x)
#include KERN_STRING(isa/KERN_ISA.h)

/* Every kernel has this shape; declares the symbol before its definition. */
#define KERN_DEFINE(name)                                                                          \
    kern_fn KERN_FN(name);                                                                         \
    void KERN_FN(name)(const struct kern_args *args, const struct kern_part *part)

/* Where a range ends in an op of n units. An empty op has one unit, which is not there. */
static inline size_t kern_end(const struct kern_part *part, size_t n)
{
    return part->end < n ? part->end : n;
}

/* How many of n elements at p lie before the next address that is a multiple of V_BYTES. */
static inline size_t kern_misaligned(const void *p, size_t n, size_t elem_bytes)
{
    size_t head = (V_BYTES - (uintptr_t)p % V_BYTES) % V_BYTES / elem_bytes;
    return head < n ? head : n;
}

/* An op that reads and writes more than this leaves little of its result in a cache (a core's share
 * of L3 is 2 to 32 MiB), so storing past the caches saves reading the result's lines first. */
#define KERN_STREAM_BYTES ((size_t)16 << 20)

#endif
