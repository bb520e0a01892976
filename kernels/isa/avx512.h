/* The vocabulary of vec.h in AVX-512 (F, BW, DQ, VL): 512 bits, 32 registers. */
#ifndef KERNELS_ISA_AVX512_H
#define KERNELS_ISA_AVX512_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>

/* ---- shape ---- */

#define V_BYTES     64
#define V_F32_LANES 16
#define V_I32_LANES 16
#define V_U8_LANES  64
#define V_I16_LANES 32
#define V_U64_LANES 8
#define V_REGS      32
#define V_SPREADS   0
#define V_FUSED     1

typedef __m512 v_f32;
typedef __m512i v_i32;
typedef __m512i v_u8;
typedef __m512i v_i16;
typedef __m512i v_u64;

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

static inline __m512i v_bits_load(const void *p)
{
    return _mm512_loadu_si512(p);
}

static inline void v_bits_store(void *p, __m512i v)
{
    _mm512_storeu_si512(p, v);
}

/* Ones in the first n lanes. */
static inline __mmask64 v_mask_u8(size_t n)
{
    return _bzhi_u64(UINT64_MAX, (unsigned)n);
}

static inline __mmask16 v_mask_i32(size_t n)
{
    return (__mmask16)_bzhi_u32(UINT16_MAX, (unsigned)n);
}

static inline __m512i v_bits_load_n(const void *p, size_t bytes)
{
    return _mm512_maskz_loadu_epi8(v_mask_u8(bytes), p);
}

static inline void v_bits_store_n(void *p, __m512i v, size_t bytes)
{
    _mm512_mask_storeu_epi8(p, v_mask_u8(bytes), v);
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
    return _mm512_loadu_ps(p);
}

static inline void v_f32_store(float *p, v_f32 v)
{
    _mm512_storeu_ps(p, v);
}

static inline void v_f32_stream(float *p, v_f32 v)
{
    _mm512_stream_ps(p, v);
}

static inline v_f32 v_f32_load_n(const float *p, size_t n)
{
    return _mm512_maskz_loadu_ps(v_mask_i32(n), p);
}

static inline void v_f32_store_n(float *p, v_f32 v, size_t n)
{
    _mm512_mask_storeu_ps(p, v_mask_i32(n), v);
}

static inline v_f32 v_f32_zero(void)
{
    return _mm512_setzero_ps();
}

static inline v_f32 v_f32_set1(float x)
{
    return _mm512_set1_ps(x);
}

static inline v_f32 v_f32_add(v_f32 a, v_f32 b)
{
    return _mm512_add_ps(a, b);
}

static inline v_f32 v_f32_sub(v_f32 a, v_f32 b)
{
    return _mm512_sub_ps(a, b);
}

static inline v_f32 v_f32_mul(v_f32 a, v_f32 b)
{
    return _mm512_mul_ps(a, b);
}

static inline v_f32 v_f32_fma(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm512_fmadd_ps(a, b, c);
}

static inline v_f32 v_f32_min(v_f32 a, v_f32 b)
{
    return _mm512_min_ps(a, b);
}

static inline v_f32 v_f32_max(v_f32 a, v_f32 b)
{
    return _mm512_max_ps(a, b);
}

static inline v_f32 v_f32_hold(v_f32 v)
{
    __asm__("" : "+v"(v));
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
    _mm512_stream_si512((__m512i *)(void *)p, v);
}

static inline v_i32 v_i32_load_n(const int32_t *p, size_t n)
{
    return _mm512_maskz_loadu_epi32(v_mask_i32(n), p);
}

static inline void v_i32_store_n(int32_t *p, v_i32 v, size_t n)
{
    _mm512_mask_storeu_epi32(p, v_mask_i32(n), v);
}

static inline v_i32 v_i32_zero(void)
{
    return _mm512_setzero_si512();
}

static inline v_i32 v_i32_set1(int32_t x)
{
    return _mm512_set1_epi32(x);
}

static inline v_i32 v_i32_add(v_i32 a, v_i32 b)
{
    return _mm512_add_epi32(a, b);
}

static inline v_i32 v_i32_sub(v_i32 a, v_i32 b)
{
    return _mm512_sub_epi32(a, b);
}

static inline v_i32 v_i32_mul(v_i32 a, v_i32 b)
{
    return _mm512_mullo_epi32(a, b);
}

static inline v_i32 v_i32_xor(v_i32 a, v_i32 b)
{
    return _mm512_xor_si512(a, b);
}

static inline v_i32 v_i32_and(v_i32 a, v_i32 b)
{
    return _mm512_and_si512(a, b);
}

static inline v_i32 v_i32_or(v_i32 a, v_i32 b)
{
    return _mm512_or_si512(a, b);
}

static inline v_i32 v_i32_shl(v_i32 a, int bits)
{
    return (__m512i)((__v16su)a << bits);
}

static inline v_i32 v_i32_shr(v_i32 a, int bits)
{
    return (__m512i)((__v16su)a >> bits);
}

static inline v_i32 v_i32_min(v_i32 a, v_i32 b)
{
    return _mm512_min_epi32(a, b);
}

static inline v_i32 v_i32_max(v_i32 a, v_i32 b)
{
    return _mm512_max_epi32(a, b);
}

static inline v_i32 v_i32_hold(v_i32 v)
{
    __asm__("" : "+v"(v));
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
    _mm512_stream_si512((__m512i *)(void *)p, v);
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
    return _mm512_setzero_si512();
}

static inline v_u8 v_u8_adds(v_u8 a, v_u8 b)
{
    return _mm512_adds_epu8(a, b);
}

static inline v_u8 v_u8_muls(v_u8 a, v_u8 b)
{
    const __m512i zero = _mm512_setzero_si512(), top = _mm512_set1_epi16(255);
    __m512i lo = _mm512_mullo_epi16(_mm512_unpacklo_epi8(a, zero), _mm512_unpacklo_epi8(b, zero));
    __m512i hi = _mm512_mullo_epi16(_mm512_unpackhi_epi8(a, zero), _mm512_unpackhi_epi8(b, zero));
    return _mm512_packus_epi16(_mm512_min_epu16(lo, top), _mm512_min_epu16(hi, top));
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
    return _mm512_set1_epi16(x);
}

static inline v_i16 v_i16_sub(v_i16 a, v_i16 b)
{
    return _mm512_sub_epi16(a, b);
}

static inline v_i16 v_i16_pair(int16_t lo, int16_t hi)
{
    return _mm512_set1_epi32((int32_t)((uint32_t)(uint16_t)hi << 16 | (uint16_t)lo));
}

static inline v_i32 v_i32_madd_i16(v_i32 acc, v_i16 a, v_i16 b)
{
    return _mm512_add_epi32(acc, _mm512_madd_epi16(a, b));
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
    return _mm512_set1_epi64((long long)x);
}

static inline v_u64 v_u64_add(v_u64 a, v_u64 b)
{
    return _mm512_add_epi64(a, b);
}

static inline v_u64 v_u64_xor(v_u64 a, v_u64 b)
{
    return _mm512_xor_si512(a, b);
}

static inline v_u64 v_u64_and(v_u64 a, v_u64 b)
{
    return _mm512_and_si512(a, b);
}

static inline v_u64 v_u64_xor_and(v_u64 a, v_u64 b, v_u64 c)
{
    return _mm512_ternarylogic_epi64(a, b, c, 0x78);
}

static inline v_u64 v_u64_shl(v_u64 a, int bits)
{
    return (__m512i)((__v8du)a << bits);
}

static inline v_u64 v_u64_shr(v_u64 a, int bits)
{
    return (__m512i)((__v8du)a >> bits);
}

static inline v_u64 v_u64_mul_u32(v_u64 a, uint32_t b)
{
    return _mm512_mullo_epi64(a, _mm512_set1_epi64((long long)b));
}

static inline v_u64 v_u64_mul(v_u64 a, v_u64 b)
{
    return _mm512_mullo_epi64(a, b);
}

static inline __m128i v_u64_gather2(const uint8_t *p0, const uint8_t *p1)
{
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)p0),
                              _mm_loadl_epi64((const __m128i *)(const void *)p1));
}

static inline v_u64 v_u64_gather(const uint8_t *const p[V_U64_LANES], size_t at)
{
    __m256i lo = _mm256_setr_m128i(v_u64_gather2(p[0] + at, p[1] + at),
                                   v_u64_gather2(p[2] + at, p[3] + at));
    __m256i hi = _mm256_setr_m128i(v_u64_gather2(p[4] + at, p[5] + at),
                                   v_u64_gather2(p[6] + at, p[7] + at));
    return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}

/* ---- conversions ---- */

static inline v_i32 v_i32_from_u8(const uint8_t *p)
{
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline v_i32 v_i32_from_u8_n(const uint8_t *p, size_t n)
{
    return _mm512_cvtepu8_epi32(_mm512_castsi512_si128(v_bits_load_n(p, n)));
}

static inline v_i16 v_i16_from_u8(const uint8_t *p)
{
    return _mm512_cvtepu8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)p));
}

static inline v_f32 v_f32_from_i32(v_i32 v)
{
    return _mm512_cvtepi32_ps(v);
}

static inline v_f32 v_f32_from_u8(const uint8_t *p)
{
    return _mm512_cvtepi32_ps(v_i32_from_u8(p));
}

static inline v_f32 v_f32_from_u8_n(const uint8_t *p, size_t n)
{
    return _mm512_cvtepi32_ps(v_i32_from_u8_n(p, n));
}

static inline v_i32 v_i32_from_f32_nearest(v_f32 v)
{
    return _mm512_cvtps_epi32(v); /* the rounding mode is never changed from nearest-even */
}

static inline v_i32 v_i32_from_f32_truncate(v_f32 v)
{
    return _mm512_cvttps_epi32(v);
}

static inline __m128i v_bytes_from_i32(v_i32 v)
{
    return _mm512_cvtusepi32_epi8(_mm512_max_epi32(v, _mm512_setzero_si512()));
}

static inline void v_u8_store_from_i32(uint8_t *p, v_i32 v)
{
    _mm_storeu_si128((__m128i *)(void *)p, v_bytes_from_i32(v));
}

static inline void v_u8_store_from_i32_n(uint8_t *p, v_i32 v, size_t n)
{
    _mm_mask_storeu_epi8(p, (__mmask16)v_mask_u8(n), v_bytes_from_i32(v));
}

#endif
