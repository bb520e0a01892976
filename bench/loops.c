#include "config.h"

#include "bench/loops.h"

#include <math.h>

#if defined(__clang__)
const char loops_compiler[] = "clang -O3";
#else
const char loops_compiler[] = "gcc -O3";
#endif

void loop_add_f32(size_t n, const float *restrict x, const float *restrict y, float *restrict z)
{
    for (size_t i = 0; i < n; i++)
        z[i] = x[i] + y[i];
}

void loop_mul_f32(size_t n, const float *restrict x, const float *restrict y, float *restrict z)
{
    for (size_t i = 0; i < n; i++)
        z[i] = x[i] * y[i];
}

void loop_mix_u32(size_t n, uint32_t *x)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t v = x[i];
        v *= 0x9e3779b9u;
        v ^= v >> 13;
        v *= 0x9e3779b9u;
        v ^= v >> 13;
        x[i] = v;
    }
}

uint64_t loop_hash_fast(size_t n, const uint8_t *bytes)
{
    uint64_t h = 0x811c9dc5u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ bytes[i]) * 0x01000193u;
    return h;
}

/* One weight over a whole row at a time: the order in which compilers can vectorise it. */
void loop_conv2d_u8(size_t h, size_t w, const uint8_t *restrict image, size_t k,
                    const float *restrict kernel, float *restrict row, uint8_t *restrict out)
{
    size_t half = k / 2, inner = w - 2 * half;
    for (size_t y = half; y + half < h; y++) {
        for (size_t x = 0; x < inner; x++)
            row[x] = 0;
        for (size_t i = 0; i < k; i++) {
            for (size_t j = 0; j < k; j++) {
                const uint8_t *from = image + (y + i - half) * w + j;
                float weight = kernel[i * k + j];
                for (size_t x = 0; x < inner; x++)
                    row[x] = fmaf((float)from[x], weight, row[x]);
            }
        }
        uint8_t *to = out + y * w + half;
        for (size_t x = 0; x < inner; x++) {
            float v = rintf(row[x]);
            v = v > 0 ? v : 0;
            v = v < 255 ? v : 255;
            to[x] = (uint8_t)v;
        }
    }
}

void loop_matmul_row(size_t n, size_t k, const float *restrict a, const float *restrict b,
                     double *restrict c, double *restrict magnitude)
{
    for (size_t j = 0; j < n; j++)
        c[j] = magnitude[j] = 0;
    for (size_t i = 0; i < k; i++) {
        double factor = (double)a[i];
        for (size_t j = 0; j < n; j++) {
            c[j] += factor * (double)b[i * n + j];
            magnitude[j] += fabs(factor * (double)b[i * n + j]);
        }
    }
}
