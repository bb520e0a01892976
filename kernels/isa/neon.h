/* The vocabulary of vec.h in AArch64 NEON: 128 bits, 32 registers. */
#ifndef KERNELS_ISA_NEON_H
#define KERNELS_ISA_NEON_H

#include <arm_neon.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- shape ---- */

#define V_BYTES     16
#define V_F32_LANES 4
#define V_I32_LANES 4
#define V_U8_LANES  16
#define V_I16_LANES 8
#define V_U64_LANES 2
#define V_REGS      32
#define V_SPREADS   0
#define V_FUSED     1

typedef float32x4_t v_f32;
typedef int32x4_t v_i32;
typedef uint8x16_t v_u8;
typedef int16x8_t v_i16;
typedef uint64x2_t v_u64;

/* ---- memory ---- */

/* Always inlined: gcc 12 sees no effect in a function that only prefetches, and drops the call. */
static inline __attribute__((always_inline)) void v_prefetch(const void *p)
{
    __builtin_prefetch(p);
}

static inline void v_fence(void)
{
    /* stores below are ordinary ones */
}

static inline void v_claim(void *p)
{
    (void)p;
}

static inline uint8x16_t v_bits_load(const void *p)
{
    return vld1q_u8(p);
}

static inline void v_bits_store(void *p, uint8x16_t v)
{
    vst1q_u8(p, v);
}

static inline uint8x16_t v_bits_load_n(const void *p, size_t bytes)
{
    uint8_t b[V_BYTES] = {0};
    memcpy(b, p, bytes);
    return v_bits_load(b);
}

static inline void v_bits_store_n(void *p, uint8x16_t v, size_t bytes)
{
    uint8_t b[V_BYTES];
    v_bits_store(b, v);
    memcpy(p, b, bytes);
}

static inline void v_b32_transpose4(void *to, size_t to_step, const void *from, size_t from_step)
{
    const int32_t *in = from;
    int32_t *out = to;
    uint32x4x2_t top = vtrnq_u32(vreinterpretq_u32_u8(v_bits_load(in)),
                                 vreinterpretq_u32_u8(v_bits_load(in + from_step)));
    uint32x4x2_t low = vtrnq_u32(vreinterpretq_u32_u8(v_bits_load(in + 2 * from_step)),
                                 vreinterpretq_u32_u8(v_bits_load(in + 3 * from_step)));
    for (size_t i = 0; i < 2; i++, out += to_step) {
        uint32x4_t left = vcombine_u32(vget_low_u32(top.val[i]), vget_low_u32(low.val[i]));
        uint32x4_t right = vcombine_u32(vget_high_u32(top.val[i]), vget_high_u32(low.val[i]));
        v_bits_store(out, vreinterpretq_u8_u32(left));
        v_bits_store(out + 2 * to_step, vreinterpretq_u8_u32(right));
    }
}

/* ---- f32 ---- */

static inline v_f32 v_f32_load(const float *p)
{
    return vld1q_f32(p);
}

static inline void v_f32_store(float *p, v_f32 v)
{
    vst1q_f32(p, v);
}

static inline void v_f32_stream(float *p, v_f32 v)
{
    vst1q_f32(p, v);
}

static inline v_f32 v_f32_load_n(const float *p, size_t n)
{
    return vreinterpretq_f32_u8(v_bits_load_n(p, n * sizeof *p));
}

static inline void v_f32_store_n(float *p, v_f32 v, size_t n)
{
    v_bits_store_n(p, vreinterpretq_u8_f32(v), n * sizeof *p);
}

static inline v_f32 v_f32_zero(void)
{
    return vdupq_n_f32(0.0f);
}

static inline v_f32 v_f32_set1(float x)
{
    return vdupq_n_f32(x);
}

static inline v_f32 v_f32_add(v_f32 a, v_f32 b)
{
    return vaddq_f32(a, b);
}

static inline v_f32 v_f32_sub(v_f32 a, v_f32 b)
{
    return vsubq_f32(a, b);
}

static inline v_f32 v_f32_mul(v_f32 a, v_f32 b)
{
    return vmulq_f32(a, b);
}

static inline v_f32 v_f32_fma(v_f32 a, v_f32 b, v_f32 c)
{
    return vfmaq_f32(c, a, b);
}

static inline v_f32 v_f32_min(v_f32 a, v_f32 b)
{
    return vbslq_f32(vcltq_f32(a, b), a, b);
}

static inline v_f32 v_f32_max(v_f32 a, v_f32 b)
{
    return vbslq_f32(vcgtq_f32(a, b), a, b);
}

static inline v_f32 v_f32_hold(v_f32 v)
{
    __asm__("" : "+w"(v));
    return v;
}

/* ---- i32 ---- */

static inline v_i32 v_i32_load(const int32_t *p)
{
    return vld1q_s32(p);
}

static inline void v_i32_store(int32_t *p, v_i32 v)
{
    vst1q_s32(p, v);
}

static inline void v_i32_stream(int32_t *p, v_i32 v)
{
    vst1q_s32(p, v);
}

static inline v_i32 v_i32_load_n(const int32_t *p, size_t n)
{
    return vreinterpretq_s32_u8(v_bits_load_n(p, n * sizeof *p));
}

static inline void v_i32_store_n(int32_t *p, v_i32 v, size_t n)
{
    v_bits_store_n(p, vreinterpretq_u8_s32(v), n * sizeof *p);
}

static inline v_i32 v_i32_zero(void)
{
    return vdupq_n_s32(0);
}

static inline v_i32 v_i32_set1(int32_t x)
{
    return vdupq_n_s32(x);
}

static inline v_i32 v_i32_add(v_i32 a, v_i32 b)
{
    return vaddq_s32(a, b);
}

static inline v_i32 v_i32_sub(v_i32 a, v_i32 b)
{
    return vsubq_s32(a, b);
}

static inline v_i32 v_i32_mul(v_i32 a, v_i32 b)
{
    return vmulq_s32(a, b);
}

static inline v_i32 v_i32_xor(v_i32 a, v_i32 b)
{
    return veorq_s32(a, b);
}

static inline v_i32 v_i32_and(v_i32 a, v_i32 b)
{
    return vandq_s32(a, b);
}

static inline v_i32 v_i32_or(v_i32 a, v_i32 b)
{
    return vorrq_s32(a, b);
}

static inline v_i32 v_i32_shl(v_i32 a, int bits)
{
    return (int32x4_t)((uint32x4_t)a << bits);
}

static inline v_i32 v_i32_shr(v_i32 a, int bits)
{
    return (int32x4_t)((uint32x4_t)a >> bits);
}

static inline v_i32 v_i32_min(v_i32 a, v_i32 b)
{
    return vminq_s32(a, b);
}

static inline v_i32 v_i32_max(v_i32 a, v_i32 b)
{
    return vmaxq_s32(a, b);
}

static inline v_i32 v_i32_hold(v_i32 v)
{
    __asm__("" : "+w"(v));
    return v;
}

/* ---- u8 ---- */

static inline v_u8 v_u8_load(const uint8_t *p)
{
    return vld1q_u8(p);
}

static inline void v_u8_store(uint8_t *p, v_u8 v)
{
    vst1q_u8(p, v);
}

static inline void v_u8_stream(uint8_t *p, v_u8 v)
{
    vst1q_u8(p, v);
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
    return vdupq_n_u8(0);
}

static inline v_u8 v_u8_adds(v_u8 a, v_u8 b)
{
    return vqaddq_u8(a, b);
}

static inline v_u8 v_u8_muls(v_u8 a, v_u8 b)
{
    uint8x8_t lo = vqmovn_u16(vmull_u8(vget_low_u8(a), vget_low_u8(b)));
    return vcombine_u8(lo, vqmovn_u16(vmull_high_u8(a, b)));
}

/* ---- i16 ---- */

static inline v_i16 v_i16_load(const int16_t *p)
{
    return vld1q_s16(p);
}

static inline void v_i16_store(int16_t *p, v_i16 v)
{
    vst1q_s16(p, v);
}

static inline v_i16 v_i16_set1(int16_t x)
{
    return vdupq_n_s16(x);
}

static inline v_i16 v_i16_sub(v_i16 a, v_i16 b)
{
    return vsubq_s16(a, b);
}

static inline v_i16 v_i16_pair(int16_t lo, int16_t hi)
{
    return vreinterpretq_s16_u32(vdupq_n_u32((uint32_t)(uint16_t)hi << 16 | (uint16_t)lo));
}

static inline v_i32 v_i32_madd_i16(v_i32 acc, v_i16 a, v_i16 b)
{
    int32x4_t lo = vmull_s16(vget_low_s16(a), vget_low_s16(b));
    return vaddq_s32(acc, vpaddq_s32(lo, vmull_high_s16(a, b)));
}

/* ---- u64 ---- */

static inline v_u64 v_u64_load(const uint64_t *p)
{
    return vld1q_u64(p);
}

static inline void v_u64_store(uint64_t *p, v_u64 v)
{
    vst1q_u64(p, v);
}

static inline v_u64 v_u64_set1(uint64_t x)
{
    return vdupq_n_u64(x);
}

static inline v_u64 v_u64_add(v_u64 a, v_u64 b)
{
    return vaddq_u64(a, b);
}

static inline v_u64 v_u64_xor(v_u64 a, v_u64 b)
{
    return veorq_u64(a, b);
}

static inline v_u64 v_u64_and(v_u64 a, v_u64 b)
{
    return vandq_u64(a, b);
}

static inline v_u64 v_u64_xor_and(v_u64 a, v_u64 b, v_u64 c)
{
    return veorq_u64(a, vandq_u64(b, c));
}

static inline v_u64 v_u64_shl(v_u64 a, int bits)
{
    return a << bits;
}

static inline v_u64 v_u64_shr(v_u64 a, int bits)
{
    return a >> bits;
}

static inline v_u64 v_u64_mul_u32(v_u64 a, uint32_t b)
{
    uint64x2_t hi = vmull_n_u32(vshrn_n_u64(a, 32), b);
    return vaddq_u64(vmull_n_u32(vmovn_u64(a), b), vshlq_n_u64(hi, 32));
}

static inline v_u64 v_u64_mul(v_u64 a, v_u64 b)
{
    uint32x2_t al = vmovn_u64(a), bl = vmovn_u64(b);
    uint64x2_t cross = vmlal_u32(vmull_u32(vshrn_n_u64(a, 32), bl), al, vshrn_n_u64(b, 32));
    return vaddq_u64(vmull_u32(al, bl), vshlq_n_u64(cross, 32));
}

static inline v_u64 v_u64_gather(const uint8_t *const p[V_U64_LANES], size_t at)
{
    return vreinterpretq_u64_u8(vcombine_u8(vld1_u8(p[0] + at), vld1_u8(p[1] + at)));
}

/* ---- conversions ---- */

static inline v_i32 v_i32_from_low_u8(uint8x8_t bytes)
{
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
}

static inline v_i32 v_i32_from_u8(const uint8_t *p)
{
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return v_i32_from_low_u8(vreinterpret_u8_u32(vdup_n_u32(four)));
}

static inline v_i32 v_i32_from_u8_n(const uint8_t *p, size_t n)
{
    return v_i32_from_low_u8(vget_low_u8(v_bits_load_n(p, n)));
}

static inline v_i16 v_i16_from_u8(const uint8_t *p)
{
    return vreinterpretq_s16_u16(vmovl_u8(vld1_u8(p)));
}

static inline v_f32 v_f32_from_i32(v_i32 v)
{
    return vcvtq_f32_s32(v);
}

static inline v_f32 v_f32_from_u8(const uint8_t *p)
{
    return vcvtq_f32_s32(v_i32_from_u8(p));
}

static inline v_f32 v_f32_from_u8_n(const uint8_t *p, size_t n)
{
    return vcvtq_f32_s32(v_i32_from_u8_n(p, n));
}

static inline v_i32 v_i32_from_f32_nearest(v_f32 v)
{
    return vcvtnq_s32_f32(v);
}

static inline v_i32 v_i32_from_f32_truncate(v_f32 v)
{
    return vcvtq_s32_f32(v);
}

static inline uint8x8_t v_bytes_from_i32(v_i32 v)
{
    uint16x4_t words = vqmovun_s32(v);
    return vqmovn_u16(vcombine_u16(words, words));
}

static inline void v_u8_store_from_i32(uint8_t *p, v_i32 v)
{
    uint32_t four = vget_lane_u32(vreinterpret_u32_u8(v_bytes_from_i32(v)), 0);
    memcpy(p, &four, sizeof four);
}

static inline void v_u8_store_from_i32_n(uint8_t *p, v_i32 v, size_t n)
{
    uint8x8_t bytes = v_bytes_from_i32(v);
    v_bits_store_n(p, vcombine_u8(bytes, bytes), n);
}

#endif
