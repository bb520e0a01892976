/* The vocabulary of vec.h in SSE4.2: 128 bits, 16 registers, no fused multiply-add. */
#ifndef KERNELS_ISA_SSE4_H
#define KERNELS_ISA_SSE4_H

#include <nmmintrin.h>
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
#define V_REGS      16
#define V_SPREADS   0
#define V_FUSED     0

typedef __m128 v_f32;
typedef __m128i v_i32;
typedef __m128i v_u8;
typedef __m128i v_i16;
typedef __m128i v_u64;

/* ---- memory ---- */

/* Always inlined: gcc 12 sees no effect in a function that only prefetches, and drops the call. */
static inline __attribute__((always_inline)) void v_prefetch(const void *p)
{
    _mm_prefetch((const char *)p, _MM_HINT_T0);
}

static inline void v_fence(void)
{
    _mm_sfence();
}

/* Streaming stores need no such thing. */
static inline void v_claim(void *p)
{
    (void)p;
}

static inline __m128i v_bits_load(const void *p)
{
    return _mm_loadu_si128((const __m128i *)p);
}

static inline void v_bits_store(void *p, __m128i v)
{
    _mm_storeu_si128((__m128i *)p, v);
}

static inline __m128i v_bits_load_n(const void *p, size_t bytes)
{
    uint8_t b[V_BYTES] = {0};
    memcpy(b, p, bytes);
    return v_bits_load(b);
}

static inline void v_bits_store_n(void *p, __m128i v, size_t bytes)
{
    uint8_t b[V_BYTES];
    v_bits_store(b, v);
    memcpy(p, b, bytes);
}

static inline void v_b32_transpose4(void *to, size_t to_step, const void *from, size_t from_step)
{
    const int32_t *in = from;
    int32_t *out = to;
    __m128i r0 = _mm_loadu_si128((const __m128i *)(const void *)in);
    __m128i r1 = _mm_loadu_si128((const __m128i *)(const void *)(in + from_step));
    __m128i r2 = _mm_loadu_si128((const __m128i *)(const void *)(in + 2 * from_step));
    __m128i r3 = _mm_loadu_si128((const __m128i *)(const void *)(in + 3 * from_step));
    __m128i lo01 = _mm_unpacklo_epi32(r0, r1), hi01 = _mm_unpackhi_epi32(r0, r1);
    __m128i lo23 = _mm_unpacklo_epi32(r2, r3), hi23 = _mm_unpackhi_epi32(r2, r3);
    _mm_storeu_si128((__m128i *)(void *)out, _mm_unpacklo_epi64(lo01, lo23));
    _mm_storeu_si128((__m128i *)(void *)(out + to_step), _mm_unpackhi_epi64(lo01, lo23));
    _mm_storeu_si128((__m128i *)(void *)(out + 2 * to_step), _mm_unpacklo_epi64(hi01, hi23));
    _mm_storeu_si128((__m128i *)(void *)(out + 3 * to_step), _mm_unpackhi_epi64(hi01, hi23));
}

/* ---- f32 ---- */

static inline v_f32 v_f32_load(const float *p)
{
    return _mm_loadu_ps(p);
}

static inline void v_f32_store(float *p, v_f32 v)
{
    _mm_storeu_ps(p, v);
}

static inline void v_f32_stream(float *p, v_f32 v)
{
    _mm_stream_ps(p, v);
}

static inline v_f32 v_f32_load_n(const float *p, size_t n)
{
    return _mm_castsi128_ps(v_bits_load_n(p, n * sizeof *p));
}

static inline void v_f32_store_n(float *p, v_f32 v, size_t n)
{
    v_bits_store_n(p, _mm_castps_si128(v), n * sizeof *p);
}

static inline v_f32 v_f32_zero(void)
{
    return _mm_setzero_ps();
}

static inline v_f32 v_f32_set1(float x)
{
    return _mm_set1_ps(x);
}

static inline v_f32 v_f32_add(v_f32 a, v_f32 b)
{
    return _mm_add_ps(a, b);
}

static inline v_f32 v_f32_sub(v_f32 a, v_f32 b)
{
    return _mm_sub_ps(a, b);
}

static inline v_f32 v_f32_mul(v_f32 a, v_f32 b)
{
    return _mm_mul_ps(a, b);
}

static inline v_f32 v_f32_fma(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm_add_ps(_mm_mul_ps(a, b), c);
}

static inline v_f32 v_f32_min(v_f32 a, v_f32 b)
{
    return _mm_min_ps(a, b);
}

static inline v_f32 v_f32_max(v_f32 a, v_f32 b)
{
    return _mm_max_ps(a, b);
}

static inline v_f32 v_f32_hold(v_f32 v)
{
    __asm__("" : "+x"(v));
    return v;
}

/* ---- i32 ---- */

static inline v_i32 v_i32_load(const int32_t *p)
{
    return v_bits_load(p);
}

static inline void v_i32_store(int32_t *p, v_i32 v)
{
    v_bits_store(p, v);
}

static inline void v_i32_stream(int32_t *p, v_i32 v)
{
    _mm_stream_si128((__m128i *)(void *)p, v);
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
    return _mm_setzero_si128();
}

static inline v_i32 v_i32_set1(int32_t x)
{
    return _mm_set1_epi32(x);
}

static inline v_i32 v_i32_add(v_i32 a, v_i32 b)
{
    return _mm_add_epi32(a, b);
}

static inline v_i32 v_i32_sub(v_i32 a, v_i32 b)
{
    return _mm_sub_epi32(a, b);
}

static inline v_i32 v_i32_mul(v_i32 a, v_i32 b)
{
    return _mm_mullo_epi32(a, b);
}

static inline v_i32 v_i32_xor(v_i32 a, v_i32 b)
{
    return _mm_xor_si128(a, b);
}

static inline v_i32 v_i32_and(v_i32 a, v_i32 b)
{
    return _mm_and_si128(a, b);
}

static inline v_i32 v_i32_or(v_i32 a, v_i32 b)
{
    return _mm_or_si128(a, b);
}

static inline v_i32 v_i32_shl(v_i32 a, int bits)
{
    return (__m128i)((__v4su)a << bits);
}

static inline v_i32 v_i32_shr(v_i32 a, int bits)
{
    return (__m128i)((__v4su)a >> bits);
}

static inline v_i32 v_i32_min(v_i32 a, v_i32 b)
{
    return _mm_min_epi32(a, b);
}

static inline v_i32 v_i32_max(v_i32 a, v_i32 b)
{
    return _mm_max_epi32(a, b);
}

static inline v_i32 v_i32_hold(v_i32 v)
{
    __asm__("" : "+x"(v));
    return v;
}

/* ---- u8 ---- */

static inline v_u8 v_u8_load(const uint8_t *p)
{
    return v_bits_load(p);
}

static inline void v_u8_store(uint8_t *p, v_u8 v)
{
    v_bits_store(p, v);
}

static inline void v_u8_stream(uint8_t *p, v_u8 v)
{
    _mm_stream_si128((__m128i *)(void *)p, v);
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
    return _mm_setzero_si128();
}

static inline v_u8 v_u8_adds(v_u8 a, v_u8 b)
{
    return _mm_adds_epu8(a, b);
}

static inline v_u8 v_u8_muls(v_u8 a, v_u8 b)
{
    const __m128i zero = _mm_setzero_si128(), top = _mm_set1_epi16(255);
    __m128i lo = _mm_mullo_epi16(_mm_unpacklo_epi8(a, zero), _mm_unpacklo_epi8(b, zero));
    __m128i hi = _mm_mullo_epi16(_mm_unpackhi_epi8(a, zero), _mm_unpackhi_epi8(b, zero));
    return _mm_packus_epi16(_mm_min_epu16(lo, top), _mm_min_epu16(hi, top));
}

/* ---- i16 ---- */

static inline v_i16 v_i16_load(const int16_t *p)
{
    return v_bits_load(p);
}

static inline void v_i16_store(int16_t *p, v_i16 v)
{
    v_bits_store(p, v);
}

static inline v_i16 v_i16_set1(int16_t x)
{
    return _mm_set1_epi16(x);
}

static inline v_i16 v_i16_sub(v_i16 a, v_i16 b)
{
    return _mm_sub_epi16(a, b);
}

static inline v_i16 v_i16_pair(int16_t lo, int16_t hi)
{
    return _mm_set1_epi32((int32_t)((uint32_t)(uint16_t)hi << 16 | (uint16_t)lo));
}

static inline v_i32 v_i32_madd_i16(v_i32 acc, v_i16 a, v_i16 b)
{
    return _mm_add_epi32(acc, _mm_madd_epi16(a, b));
}

/* ---- u64 ---- */

static inline v_u64 v_u64_load(const uint64_t *p)
{
    return v_bits_load(p);
}

static inline void v_u64_store(uint64_t *p, v_u64 v)
{
    v_bits_store(p, v);
}

static inline v_u64 v_u64_set1(uint64_t x)
{
    return _mm_set1_epi64x((long long)x);
}

static inline v_u64 v_u64_add(v_u64 a, v_u64 b)
{
    return _mm_add_epi64(a, b);
}

static inline v_u64 v_u64_xor(v_u64 a, v_u64 b)
{
    return _mm_xor_si128(a, b);
}

static inline v_u64 v_u64_and(v_u64 a, v_u64 b)
{
    return _mm_and_si128(a, b);
}

static inline v_u64 v_u64_xor_and(v_u64 a, v_u64 b, v_u64 c)
{
    return _mm_xor_si128(a, _mm_and_si128(b, c));
}

static inline v_u64 v_u64_shl(v_u64 a, int bits)
{
    return (__m128i)((__v2du)a << bits);
}

static inline v_u64 v_u64_shr(v_u64 a, int bits)
{
    return (__m128i)((__v2du)a >> bits);
}

static inline v_u64 v_u64_mul_u32(v_u64 a, uint32_t b)
{
    const __m128i m = _mm_set1_epi64x((long long)b);
    __m128i hi = _mm_mul_epu32(_mm_srli_epi64(a, 32), m);
    return _mm_add_epi64(_mm_mul_epu32(a, m), _mm_slli_epi64(hi, 32));
}

static inline v_u64 v_u64_mul(v_u64 a, v_u64 b)
{
    __m128i ah = _mm_srli_epi64(a, 32), bh = _mm_srli_epi64(b, 32);
    __m128i cross = _mm_add_epi64(_mm_mul_epu32(ah, b), _mm_mul_epu32(a, bh));
    return _mm_add_epi64(_mm_mul_epu32(a, b), _mm_slli_epi64(cross, 32));
}

static inline v_u64 v_u64_gather(const uint8_t *const p[V_U64_LANES], size_t at)
{
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)(p[0] + at)),
                              _mm_loadl_epi64((const __m128i *)(const void *)(p[1] + at)));
}

/* ---- conversions ---- */

static inline v_i32 v_i32_from_u8(const uint8_t *p)
{
    int32_t four;
    memcpy(&four, p, sizeof four);
    return _mm_cvtepu8_epi32(_mm_cvtsi32_si128(four));
}

static inline v_i32 v_i32_from_u8_n(const uint8_t *p, size_t n)
{
    return _mm_cvtepu8_epi32(v_bits_load_n(p, n));
}

static inline v_i16 v_i16_from_u8(const uint8_t *p)
{
    return _mm_cvtepu8_epi16(_mm_loadl_epi64((const __m128i *)(const void *)p));
}

static inline v_f32 v_f32_from_i32(v_i32 v)
{
    return _mm_cvtepi32_ps(v);
}

static inline v_f32 v_f32_from_u8(const uint8_t *p)
{
    return _mm_cvtepi32_ps(v_i32_from_u8(p));
}

static inline v_f32 v_f32_from_u8_n(const uint8_t *p, size_t n)
{
    return _mm_cvtepi32_ps(v_i32_from_u8_n(p, n));
}

static inline v_i32 v_i32_from_f32_nearest(v_f32 v)
{
    return _mm_cvtps_epi32(v); /* the rounding mode is never changed from nearest-even */
}

static inline v_i32 v_i32_from_f32_truncate(v_f32 v)
{
    return _mm_cvttps_epi32(v);
}

static inline __m128i v_bytes_from_i32(v_i32 v)
{
    __m128i words = _mm_packs_epi32(v, v);
    return _mm_packus_epi16(words, words);
}

static inline void v_u8_store_from_i32(uint8_t *p, v_i32 v)
{
    int32_t four = _mm_cvtsi128_si32(v_bytes_from_i32(v));
    memcpy(p, &four, sizeof four);
}

static inline void v_u8_store_from_i32_n(uint8_t *p, v_i32 v, size_t n)
{
    v_bits_store_n(p, v_bytes_from_i32(v), n);
}

#endif
