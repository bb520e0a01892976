/* The vocabulary of vec.h in WebAssembly's 128-bit SIMD: no fused multiply-add, unless wasm128r.h
 * includes this for relaxed SIMD.
 *
 * V_REGS is what an engine has on x86-64. Loading or storing some lanes is spelt out: memory.copy
 * of a few bytes calls into the engine, which takes as long as hundreds of lanes. */
#ifndef KERNELS_ISA_WASM128_H
#define KERNELS_ISA_WASM128_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <wasm_simd128.h>

/* ---- shape ---- */

#define V_BYTES     16
#define V_F32_LANES 4
#define V_I32_LANES 4
#define V_U8_LANES  16
#define V_I16_LANES 8
#define V_U64_LANES 2
#define V_REGS      16
#define V_SPREADS   1
#ifndef V_FUSED
#define V_FUSED 0
#endif

typedef v128_t v_f32;
typedef v128_t v_i32;
typedef v128_t v_u8;
typedef v128_t v_i16;
typedef v128_t v_u64;

/* ---- memory ---- */

/* WebAssembly has no such thing. */
static inline void v_prefetch(const void *p)
{
    (void)p;
}

static inline void v_fence(void)
{
}

/* An engine fills with the CPU's string instructions, which take lines into the cache without
 * reading them. A page at a time: two push what is read out of L1. */
static inline void v_claim(void *p)
{
    memset(p, 0, V_CLAIM_BYTES);
}

static inline v128_t v_bits_load(const void *p)
{
    return wasm_v128_load(p);
}

static inline void v_bits_store(void *p, v128_t v)
{
    wasm_v128_store(p, v);
}

/* One load per bit of the count, the last bytes first: each moves up what is there already. */
static inline v128_t v_bits_load_n(const void *p, size_t bytes)
{
    const uint8_t *at = (const uint8_t *)p + bytes;
    uint64_t lo = 0, hi = 0;
    uint32_t four;
    uint16_t two;

    if (bytes >= V_BYTES)
        return wasm_v128_load(p);
    if ((bytes & 1) != 0)
        lo = *(at -= 1);
    if ((bytes & 2) != 0) {
        memcpy(&two, at -= sizeof two, sizeof two);
        lo = lo << 16 | two;
    }
    if ((bytes & 4) != 0) {
        memcpy(&four, at -= sizeof four, sizeof four);
        lo = lo << 32 | four;
    }
    if ((bytes & 8) != 0) {
        hi = lo;
        memcpy(&lo, at - sizeof lo, sizeof lo);
    }
    return wasm_u64x2_make(lo, hi);
}

static inline void v_bits_store_n(void *p, v128_t v, size_t bytes)
{
    uint8_t *at = p;
    if (bytes >= V_BYTES) {
        wasm_v128_store(p, v);
        return;
    }
    if ((bytes & 8) != 0) {
        wasm_v128_store64_lane(at, v, 0);
        v = wasm_i64x2_shuffle(v, v, 1, 1);
        at += 8;
    }
    if ((bytes & 4) != 0) {
        wasm_v128_store32_lane(at, v, 0);
        v = wasm_u64x2_shr(v, 32);
        at += 4;
    }
    if ((bytes & 2) != 0) {
        wasm_v128_store16_lane(at, v, 0);
        v = wasm_u64x2_shr(v, 16);
        at += 2;
    }
    if ((bytes & 1) != 0)
        wasm_v128_store8_lane(at, v, 0);
}

static inline v128_t v_b32_spread(v128_t v, size_t lane)
{
    switch (lane) {
    case 0:
        return wasm_i32x4_shuffle(v, v, 0, 0, 0, 0);
    case 1:
        return wasm_i32x4_shuffle(v, v, 1, 1, 1, 1);
    case 2:
        return wasm_i32x4_shuffle(v, v, 2, 2, 2, 2);
    default:
        return wasm_i32x4_shuffle(v, v, 3, 3, 3, 3);
    }
}

static inline void v_b32_transpose4(void *to, size_t to_step, const void *from, size_t from_step)
{
    const int32_t *in = from;
    int32_t *out = to;
    v128_t r0 = wasm_v128_load(in), r1 = wasm_v128_load(in + from_step);
    v128_t r2 = wasm_v128_load(in + 2 * from_step), r3 = wasm_v128_load(in + 3 * from_step);
    v128_t lo01 = wasm_i32x4_shuffle(r0, r1, 0, 4, 1, 5);
    v128_t hi01 = wasm_i32x4_shuffle(r0, r1, 2, 6, 3, 7);
    v128_t lo23 = wasm_i32x4_shuffle(r2, r3, 0, 4, 1, 5);
    v128_t hi23 = wasm_i32x4_shuffle(r2, r3, 2, 6, 3, 7);
    wasm_v128_store(out, wasm_i64x2_shuffle(lo01, lo23, 0, 2));
    wasm_v128_store(out + to_step, wasm_i64x2_shuffle(lo01, lo23, 1, 3));
    wasm_v128_store(out + 2 * to_step, wasm_i64x2_shuffle(hi01, hi23, 0, 2));
    wasm_v128_store(out + 3 * to_step, wasm_i64x2_shuffle(hi01, hi23, 1, 3));
}

/* ---- f32 ---- */

static inline v_f32 v_f32_load(const float *p)
{
    return wasm_v128_load(p);
}

static inline void v_f32_store(float *p, v_f32 v)
{
    wasm_v128_store(p, v);
}

static inline void v_f32_stream(float *p, v_f32 v)
{
    wasm_v128_store(p, v);
}

static inline v_f32 v_f32_load_n(const float *p, size_t n)
{
    return v_bits_load_n(p, n * sizeof *p);
}

static inline void v_f32_store_n(float *p, v_f32 v, size_t n)
{
    v_bits_store_n(p, v, n * sizeof *p);
}

static inline v_f32 v_f32_zero(void)
{
    return wasm_f32x4_const_splat(0.0f);
}

static inline v_f32 v_f32_set1(float x)
{
    return wasm_f32x4_splat(x);
}

static inline v_f32 v_f32_add(v_f32 a, v_f32 b)
{
    return wasm_f32x4_add(a, b);
}

static inline v_f32 v_f32_sub(v_f32 a, v_f32 b)
{
    return wasm_f32x4_sub(a, b);
}

static inline v_f32 v_f32_mul(v_f32 a, v_f32 b)
{
    return wasm_f32x4_mul(a, b);
}

static inline v_f32 v_f32_fma(v_f32 a, v_f32 b, v_f32 c)
{
#if V_FUSED
    return wasm_f32x4_relaxed_madd(a, b, c);
#else
    return wasm_f32x4_add(wasm_f32x4_mul(a, b), c);
#endif
}

/* pmin(x, y) is y < x ? y : x. */
static inline v_f32 v_f32_min(v_f32 a, v_f32 b)
{
    return wasm_f32x4_pmin(b, a);
}

/* pmax(x, y) is x < y ? y : x. */
static inline v_f32 v_f32_max(v_f32 a, v_f32 b)
{
    return wasm_f32x4_pmax(b, a);
}

/* WebAssembly has no registers. */
static inline v_f32 v_f32_hold(v_f32 v)
{
    return v;
}

/* ---- i32 ---- */

static inline v_i32 v_i32_load(const int32_t *p)
{
    return wasm_v128_load(p);
}

static inline void v_i32_store(int32_t *p, v_i32 v)
{
    wasm_v128_store(p, v);
}

static inline void v_i32_stream(int32_t *p, v_i32 v)
{
    wasm_v128_store(p, v);
}

static inline v_i32 v_i32_load_n(const int32_t *p, size_t n)
{
    return v_bits_load_n(p, n * sizeof *p);
}

static inline void v_i32_store_n(int32_t *p, v_i32 v, size_t n)
{
    v_bits_store_n(p, v, n * sizeof *p);
}

static inline v_i32 v_i32_zero(void)
{
    return wasm_i32x4_const_splat(0);
}

static inline v_i32 v_i32_set1(int32_t x)
{
    return wasm_i32x4_splat(x);
}

static inline v_i32 v_i32_add(v_i32 a, v_i32 b)
{
    return wasm_i32x4_add(a, b);
}

static inline v_i32 v_i32_sub(v_i32 a, v_i32 b)
{
    return wasm_i32x4_sub(a, b);
}

static inline v_i32 v_i32_mul(v_i32 a, v_i32 b)
{
    return wasm_i32x4_mul(a, b);
}

static inline v_i32 v_i32_xor(v_i32 a, v_i32 b)
{
    return wasm_v128_xor(a, b);
}

static inline v_i32 v_i32_and(v_i32 a, v_i32 b)
{
    return wasm_v128_and(a, b);
}

static inline v_i32 v_i32_or(v_i32 a, v_i32 b)
{
    return wasm_v128_or(a, b);
}

static inline v_i32 v_i32_shl(v_i32 a, int bits)
{
    return wasm_i32x4_shl(a, (uint32_t)bits);
}

static inline v_i32 v_i32_shr(v_i32 a, int bits)
{
    return wasm_u32x4_shr(a, (uint32_t)bits);
}

static inline v_i32 v_i32_min(v_i32 a, v_i32 b)
{
    return wasm_i32x4_min(a, b);
}

static inline v_i32 v_i32_max(v_i32 a, v_i32 b)
{
    return wasm_i32x4_max(a, b);
}

static inline v_i32 v_i32_hold(v_i32 v)
{
    return v;
}

/* ---- u8 ---- */

static inline v_u8 v_u8_load(const uint8_t *p)
{
    return wasm_v128_load(p);
}

static inline void v_u8_store(uint8_t *p, v_u8 v)
{
    wasm_v128_store(p, v);
}

static inline void v_u8_stream(uint8_t *p, v_u8 v)
{
    wasm_v128_store(p, v);
}

static inline v_u8 v_u8_load_n(const uint8_t *p, size_t n)
{
    return v_bits_load_n(p, n);
}

static inline void v_u8_store_n(uint8_t *p, v_u8 v, size_t n)
{
    v_bits_store_n(p, v, n);
}

static inline v_u8 v_u8_zero(void)
{
    return wasm_i8x16_const_splat(0);
}

static inline v_u8 v_u8_adds(v_u8 a, v_u8 b)
{
    return wasm_u8x16_add_sat(a, b);
}

static inline v_u8 v_u8_muls(v_u8 a, v_u8 b)
{
    const v128_t top = wasm_i16x8_const_splat(255);
    v128_t lo = wasm_u16x8_extmul_low_u8x16(a, b), hi = wasm_u16x8_extmul_high_u8x16(a, b);
    return wasm_u8x16_narrow_i16x8(wasm_u16x8_min(lo, top), wasm_u16x8_min(hi, top));
}

/* ---- i16 ---- */

static inline v_i16 v_i16_load(const int16_t *p)
{
    return wasm_v128_load(p);
}

static inline void v_i16_store(int16_t *p, v_i16 v)
{
    wasm_v128_store(p, v);
}

static inline v_i16 v_i16_set1(int16_t x)
{
    return wasm_i16x8_splat(x);
}

static inline v_i16 v_i16_sub(v_i16 a, v_i16 b)
{
    return wasm_i16x8_sub(a, b);
}

static inline v_i16 v_i16_pair(int16_t lo, int16_t hi)
{
    return wasm_i32x4_splat((int32_t)((uint32_t)(uint16_t)hi << 16 | (uint16_t)lo));
}

static inline v_i32 v_i32_madd_i16(v_i32 acc, v_i16 a, v_i16 b)
{
    return wasm_i32x4_add(acc, wasm_i32x4_dot_i16x8(a, b));
}

/* ---- u64 ---- */

static inline v_u64 v_u64_load(const uint64_t *p)
{
    return wasm_v128_load(p);
}

static inline void v_u64_store(uint64_t *p, v_u64 v)
{
    wasm_v128_store(p, v);
}

static inline v_u64 v_u64_set1(uint64_t x)
{
    return wasm_u64x2_splat(x);
}

static inline v_u64 v_u64_add(v_u64 a, v_u64 b)
{
    return wasm_i64x2_add(a, b);
}

static inline v_u64 v_u64_xor(v_u64 a, v_u64 b)
{
    return wasm_v128_xor(a, b);
}

static inline v_u64 v_u64_and(v_u64 a, v_u64 b)
{
    return wasm_v128_and(a, b);
}

static inline v_u64 v_u64_xor_and(v_u64 a, v_u64 b, v_u64 c)
{
    return wasm_v128_xor(a, wasm_v128_and(b, c));
}

static inline v_u64 v_u64_shl(v_u64 a, int bits)
{
    return wasm_i64x2_shl(a, (uint32_t)bits);
}

static inline v_u64 v_u64_shr(v_u64 a, int bits)
{
    return wasm_u64x2_shr(a, (uint32_t)bits);
}

static inline v_u64 v_u64_mul_u32(v_u64 a, uint32_t b)
{
    return wasm_i64x2_mul(a, wasm_u64x2_splat(b));
}

static inline v_u64 v_u64_mul(v_u64 a, v_u64 b)
{
    return wasm_i64x2_mul(a, b);
}

static inline v_u64 v_u64_gather(const uint8_t *const p[V_U64_LANES], size_t at)
{
    return wasm_v128_load64_lane(p[1] + at, wasm_v128_load64_zero(p[0] + at), 1);
}

/* ---- conversions ---- */

static inline v_i32 v_widen_u8(v128_t bytes)
{
    return wasm_u32x4_extend_low_u16x8(wasm_u16x8_extend_low_u8x16(bytes));
}

static inline v_i32 v_i32_from_u8(const uint8_t *p)
{
    return v_widen_u8(wasm_v128_load32_zero(p));
}

static inline v_i32 v_i32_from_u8_n(const uint8_t *p, size_t n)
{
    return v_widen_u8(v_bits_load_n(p, n));
}

static inline v_i16 v_i16_from_u8(const uint8_t *p)
{
    return wasm_u16x8_load8x8(p);
}

static inline v_f32 v_f32_from_i32(v_i32 v)
{
    return wasm_f32x4_convert_i32x4(v);
}

static inline v_f32 v_f32_from_u8(const uint8_t *p)
{
    return wasm_f32x4_convert_i32x4(v_i32_from_u8(p));
}

static inline v_f32 v_f32_from_u8_n(const uint8_t *p, size_t n)
{
    return wasm_f32x4_convert_i32x4(v_i32_from_u8_n(p, n));
}

static inline v_i32 v_i32_from_f32_truncate(v_f32 v)
{
#if V_FUSED
    return wasm_i32x4_relaxed_trunc_f32x4(v);
#else
    return wasm_i32x4_trunc_sat_f32x4(v);
#endif
}

static inline v_i32 v_i32_from_f32_nearest(v_f32 v)
{
    return v_i32_from_f32_truncate(wasm_f32x4_nearest(v));
}

static inline v128_t v_bytes_from_i32(v_i32 v)
{
    v128_t words = wasm_i16x8_narrow_i32x4(v, v);
    return wasm_u8x16_narrow_i16x8(words, words);
}

static inline void v_u8_store_from_i32(uint8_t *p, v_i32 v)
{
    wasm_v128_store32_lane(p, v_bytes_from_i32(v), 0);
}

static inline void v_u8_store_from_i32_n(uint8_t *p, v_i32 v, size_t n)
{
    v_bits_store_n(p, v_bytes_from_i32(v), n);
}

#endif
