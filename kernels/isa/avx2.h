/* The vocabulary of vec.h in AVX2 with FMA: 256 bits, 16 registers. */
#ifndef KERNELS_ISA_AVX2_H
#define KERNELS_ISA_AVX2_H

#include <immintrin.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- shape ---- */

#define V_BYTES     32
#define V_F32_LANES 8
#define V_I32_LANES 8
#define V_U8_LANES  32
#define V_I16_LANES 16
#define V_U64_LANES 4
#define V_REGS      16
#define V_SPREADS   0
#define V_FUSED     1

typedef __m256 v_f32;
typedef __m256i v_i32;
typedef __m256i v_u8;
typedef __m256i v_i16;
typedef __m256i v_u64;

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

static inline __m256i v_bits_load(const void *p)
{
    return _mm256_loadu_si256((const __m256i *)p);
}

static inline void v_bits_store(void *p, __m256i v)
{
    _mm256_storeu_si256((__m256i *)p, v);
}

static inline __m256i v_bits_load_n(const void *p, size_t bytes)
{
    uint8_t b[V_BYTES] = {0};
    memcpy(b, p, bytes);
    return v_bits_load(b);
}

static inline void v_bits_store_n(void *p, __m256i v, size_t bytes)
{
    uint8_t b[V_BYTES];
    v_bits_store(b, v);
    memcpy(p, b, bytes);
}

/* All ones in the first n 32-bit lanes. */
static inline __m256i v_mask_i32(size_t n)
{
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
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
    return _mm256_loadu_ps(p);
}

static inline void v_f32_store(float *p, v_f32 v)
{
    _mm256_storeu_ps(p, v);
}

static inline void v_f32_stream(float *p, v_f32 v)
{
    _mm256_stream_ps(p, v);
}

static inline v_f32 v_f32_load_n(const float *p, size_t n)
{
    return _mm256_maskload_ps(p, v_mask_i32(n));
}

static inline void v_f32_store_n(float *p, v_f32 v, size_t n)
{
    _mm256_maskstore_ps(p, v_mask_i32(n), v);
}

static inline v_f32 v_f32_zero(void)
{
    return _mm256_setzero_ps();
}

static inline v_f32 v_f32_set1(float x)
{
    return _mm256_set1_ps(x);
}

static inline v_f32 v_f32_add(v_f32 a, v_f32 b)
{
    return _mm256_add_ps(a, b);
}

static inline v_f32 v_f32_sub(v_f32 a, v_f32 b)
{
    return _mm256_sub_ps(a, b);
}

static inline v_f32 v_f32_mul(v_f32 a, v_f32 b)
{
    return _mm256_mul_ps(a, b);
}

static inline v_f32 v_f32_fma(v_f32 a, v_f32 b, v_f32 c)
{
    return _mm256_fmadd_ps(a, b, c);
}

static inline v_f32 v_f32_min(v_f32 a, v_f32 b)
{
    return _mm256_min_ps(a, b);
}

static inline v_f32 v_f32_max(v_f32 a, v_f32 b)
{
    return _mm256_max_ps(a, b);
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
    _mm256_stream_si256((__m256i *)(void *)p, v);
}

static inline v_i32 v_i32_load_n(const int32_t *p, size_t n)
{
    return _mm256_maskload_epi32(p, v_mask_i32(n));
}

static inline void v_i32_store_n(int32_t *p, v_i32 v, size_t n)
{
    _mm256_maskstore_epi32(p, v_mask_i32(n), v);
}

static inline v_i32 v_i32_zero(void)
{
    return _mm256_setzero_si256();
}

static inline v_i32 v_i32_set1(int32_t x)
{
    return _mm256_set1_epi32(x);
}

static inline v_i32 v_i32_add(v_i32 a, v_i32 b)
{
    return _mm256_add_epi32(a, b);
}

static inline v_i32 v_i32_sub(v_i32 a, v_i32 b)
{
    return _mm256_sub_epi32(a, b);
}

static inline v_i32 v_i32_mul(v_i32 a, v_i32 b)
{
    return _mm256_mullo_epi32(a, b);
}

static inline v_i32 v_i32_xor(v_i32 a, v_i32 b)
{
    return _mm256_xor_si256(a, b);
}

static inline v_i32 v_i32_and(v_i32 a, v_i32 b)
{
    return _mm256_and_si256(a, b);
}

static inline v_i32 v_i32_or(v_i32 a, v_i32 b)
{
    return _mm256_or_si256(a, b);
}

static inline v_i32 v_i32_shl(v_i32 a, int bits)
{
    return (__m256i)((__v8su)a << bits);
}

static inline v_i32 v_i32_shr(v_i32 a, int bits)
{
    return (__m256i)((__v8su)a >> bits);
}

static inline v_i32 v_i32_min(v_i32 a, v_i32 b)
{
    return _mm256_min_epi32(a, b);
}

static inline v_i32 v_i32_max(v_i32 a, v_i32 b)
{
    return _mm256_max_epi32(a, b);
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
    _mm256_stream_si256((__m256i *)(void *)p, v);
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
    return _mm256_setzero_si256();
}

static inline v_u8 v_u8_adds(v_u8 a, v_u8 b)
{
    return _mm256_adds_epu8(a, b);
}

static inline v_u8 v_u8_muls(v_u8 a, v_u8 b)
{
    const __m256i zero = _mm256_setzero_si256(), top = _mm256_set1_epi16(255);
    __m256i lo = _mm256_mullo_epi16(_mm256_unpacklo_epi8(a, zero), _mm256_unpacklo_epi8(b, zero));
    __m256i hi = _mm256_mullo_epi16(_mm256_unpackhi_epi8(a, zero), _mm256_unpackhi_epi8(b, zero));
    return _mm256_packus_epi16(_mm256_min_epu16(lo, top), _mm256_min_epu16(hi, top));
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
    return _mm256_set1_epi16(x);
}

static inline v_i16 v_i16_sub(v_i16 a, v_i16 b)
{
    return _mm256_sub_epi16(a, b);
}

static inline v_i16 v_i16_pair(int16_t lo, int16_t hi)
{
    return _mm256_set1_epi32((int32_t)((uint32_t)(uint16_t)hi << 16 | (uint16_t)lo));
}

static inline v_i32 v_i32_madd_i16(v_i32 acc, v_i16 a, v_i16 b)
{
    return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b));
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
    return _mm256_set1_epi64x((long long)x);
}

static inline v_u64 v_u64_add(v_u64 a, v_u64 b)
{
    return _mm256_add_epi64(a, b);
}

static inline v_u64 v_u64_xor(v_u64 a, v_u64 b)
{
    return _mm256_xor_si256(a, b);
}

static inline v_u64 v_u64_and(v_u64 a, v_u64 b)
{
    return _mm256_and_si256(a, b);
}

static inline v_u64 v_u64_xor_and(v_u64 a, v_u64 b, v_u64 c)
{
    return _mm256_xor_si256(a, _mm256_and_si256(b, c));
}

static inline v_u64 v_u64_shl(v_u64 a, int bits)
{
    return (__m256i)((__v4du)a << bits);
}

static inline v_u64 v_u64_shr(v_u64 a, int bits)
{
    return (__m256i)((__v4du)a >> bits);
}

static inline v_u64 v_u64_mul_u32(v_u64 a, uint32_t b)
{
    const __m256i m = _mm256_set1_epi64x((long long)b);
    __m256i hi = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), m);
    return _mm256_add_epi64(_mm256_mul_epu32(a, m), _mm256_slli_epi64(hi, 32));
}

static inline v_u64 v_u64_mul(v_u64 a, v_u64 b)
{
    __m256i ah = _mm256_srli_epi64(a, 32), bh = _mm256_srli_epi64(b, 32);
    __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(ah, b), _mm256_mul_epu32(a, bh));
    return _mm256_add_epi64(_mm256_mul_epu32(a, b), _mm256_slli_epi64(cross, 32));
}

static inline v_u64 v_u64_gather(const uint8_t *const p[V_U64_LANES], size_t at)
{
    __m128i lo = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)(p[0] + at)),
                                    _mm_loadl_epi64((const __m128i *)(const void *)(p[1] + at)));
    __m128i hi = _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)(p[2] + at)),
                                    _mm_loadl_epi64((const __m128i *)(const void *)(p[3] + at)));
    return _mm256_inserti128_si256(_mm256_castsi128_si256(lo), hi, 1);
}

/* ---- conversions ---- */

static inline v_i32 v_i32_from_u8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)p));
}

static inline v_i32 v_i32_from_u8_n(const uint8_t *p, size_t n)
{
    return _mm256_cvtepu8_epi32(_mm256_castsi256_si128(v_bits_load_n(p, n)));
}

static inline v_i16 v_i16_from_u8(const uint8_t *p)
{
    return _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)p));
}

static inline v_f32 v_f32_from_i32(v_i32 v)
{
    return _mm256_cvtepi32_ps(v);
}

static inline v_f32 v_f32_from_u8(const uint8_t *p)
{
    return _mm256_cvtepi32_ps(v_i32_from_u8(p));
}

static inline v_f32 v_f32_from_u8_n(const uint8_t *p, size_t n)
{
    return _mm256_cvtepi32_ps(v_i32_from_u8_n(p, n));
}

static inline v_i32 v_i32_from_f32_nearest(v_f32 v)
{
    return _mm256_cvtps_epi32(v); /* the rounding mode is never changed from nearest-even */
}

static inline v_i32 v_i32_from_f32_truncate(v_f32 v)
{
    return _mm256_cvttps_epi32(v);
}

/* The bytes are in the low half of the result. */
static inline __m128i v_bytes_from_i32(v_i32 v)
{
    __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return _mm_packus_epi16(words, words);
}

static inline void v_u8_store_from_i32(uint8_t *p, v_i32 v)
{
    _mm_storel_epi64((__m128i *)(void *)p, v_bytes_from_i32(v));
}

static inline void v_u8_store_from_i32_n(uint8_t *p, v_i32 v, size_t n)
{
    v_bits_store_n(p, _mm256_castsi128_si256(v_bytes_from_i32(v)), n);
}

#endif
