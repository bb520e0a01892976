/* The loops that anyone would write, and what a compiler makes of them with -O3 -march=native:
 * peers of the kernels. Built with flags of their own, apart from all else. */
#ifndef BENCH_LOOPS_H
#define BENCH_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* "gcc -O3" or the like: who compiled them. */
extern const char loops_compiler[];

void loop_add_f32(size_t n, const float *restrict x, const float *restrict y, float *restrict z);
void loop_mul_f32(size_t n, const float *restrict x, const float *restrict y, float *restrict z);

/* In place: x *= 0x9e3779b9, x ^= x >> 13, twice. */
void loop_mix_u32(size_t n, uint32_t *x);

uint64_t loop_hash_fast(size_t n, const uint8_t *bytes);

/* Correlation of image[h,w] with kernel[k,k], rounded to nearest, clamped; writes the interior of
 * out only. row: w floats to work in. h and w are at least k, which is odd. */
void loop_conv2d_u8(size_t h, size_t w, const uint8_t *restrict image, size_t k,
                    const float *restrict kernel, float *restrict row, uint8_t *restrict out);

/* One row of a product, in double: c[n] = a[k] b[k,n]; magnitude[n] = |a| |b|. */
void loop_matmul_row(size_t n, size_t k, const float *restrict a, const float *restrict b,
                     double *restrict c, double *restrict magnitude);

/* Billions of floating-point operations per second, of fused multiply-adds in registers alone: what
 * no matmul on one core of this machine can exceed. */
double loop_fma_peak(void);

#endif
