/* The ops as loops that anyone would write, compiled to WebAssembly with the kernels' flags: what
 * the engine makes of code that was not written for it. Linked into bench_wasm's module only.
 *
 * Whole jobs on one thread, as bench_wasm makes them: images of one channel, replicated borders,
 * products with alpha 1, beta 0 and no zero points. */
#include "config.h"

#include "kernels/kern.h"
#include "wasm/host/task.h"

enum { ROW_MAX = 4096 };

#define AT(type, address) ((type *)(uintptr_t)(address))

#define ZIP(op, type, value)                                                                       \
    static void plain_##op(const struct host_kernel *t)                                            \
    {                                                                                              \
        const type *restrict x = AT(const type, t->in[0]), *restrict y = AT(const type, t->in[1]); \
        type *restrict z = AT(type, t->out);                                                       \
        for (uint32_t i = 0; i < t->n; i++)                                                        \
            z[i] = (type)(value);                                                                  \
    }

static inline int clamp(int v)
{
    return v < 255 ? v : 255;
}

ZIP(add_f32, float, x[i] + y[i])
ZIP(add_i32, uint32_t, x[i] + y[i])
ZIP(add_u8, uint8_t, clamp(x[i] + y[i]))
ZIP(mul_f32, float, x[i] * y[i])
ZIP(mul_i32, uint32_t, x[i] * y[i])
ZIP(mul_u8, uint8_t, clamp(x[i] * y[i]))

static void plain_mix_u32(const struct host_kernel *t)
{
    const uint32_t *restrict x = AT(const uint32_t, t->in[0]);
    uint32_t *restrict z = AT(uint32_t, t->out);
    for (uint32_t i = 0; i < t->n; i++) {
        uint32_t v = x[i] * 0x9e3779b9u;
        v = (v ^ v >> 13) * 0x9e3779b9u;
        z[i] = v ^ v >> 13;
    }
}

/* One element of a times a row of b: the order in which compilers can vectorise it. */
#define MATMUL(op, in_type, type)                                                                  \
    static void plain_##op(const struct host_kernel *t)                                            \
    {                                                                                              \
        const struct kern_matmul *s = &t->u.matmul;                                                \
        const uint32_t rows = (uint32_t)s->m, n = (uint32_t)s->n, depth = (uint32_t)s->k;          \
        for (uint32_t i = 0; i < rows; i++) {                                                      \
            const in_type *a = AT(const in_type, t->in[0]) + i * depth;                            \
            type *restrict c = AT(type, t->out) + i * n;                                           \
            for (uint32_t j = 0; j < n; j++)                                                       \
                c[j] = 0;                                                                          \
            for (uint32_t p = 0; p < depth; p++) {                                                 \
                const in_type *restrict b = AT(const in_type, t->in[1]) + p * n;                   \
                const type factor = (type)a[p];                                                    \
                for (uint32_t j = 0; j < n; j++)                                                   \
                    c[j] += factor * (type)b[j];                                                   \
            }                                                                                      \
        }                                                                                          \
    }

MATMUL(matmul_f32, float, float)
MATMUL(matmul_i32, uint32_t, uint32_t)
MATMUL(matmul_u8, uint8_t, uint32_t)

static inline uint32_t within(int32_t at, uint32_t size)
{
    return at < 0 ? 0 : (uint32_t)at < size ? (uint32_t)at : size - 1;
}

static inline uint8_t to_u8(float v)
{
    v = __builtin_rintf(v);
    v = v > 0 ? v : 0;
    return (uint8_t)(v < 255 ? v : 255);
}

/* One weight over a whole row at a time. */
#define CONV2D(op, type, sum_type, weight_type, result)                                            \
    static void plain_##op(const struct host_kernel *t)                                            \
    {                                                                                              \
        static sum_type sums[ROW_MAX];                                                             \
        const struct kern_conv2d *s = &t->u.conv2d;                                                \
        const int32_t half_r = (int32_t)s->r / 2, half_s = (int32_t)s->s / 2;                      \
        for (uint32_t y = 0; y < s->h; y++) {                                                      \
            const weight_type *weight = AT(const weight_type, t->in[1]);                           \
            type *restrict out = AT(type, t->out) + y * s->w;                                      \
            for (uint32_t x = 0; x < s->w; x++)                                                    \
                sums[x] = 0;                                                                       \
            for (int32_t i = -half_r; i <= half_r; i++) {                                          \
                const type *row = AT(const type, t->in[0]) + within((int32_t)y + i, s->h) * s->w;  \
                for (int32_t j = -half_s; j <= half_s; j++, weight++) {                            \
                    const uint32_t first = j < 0 ? (uint32_t)-j : 0;                               \
                    const uint32_t last = j > 0 ? s->w - (uint32_t)j : s->w;                       \
                    const type *restrict from = row + j;                                           \
                    for (uint32_t x = 0; x < first; x++)                                           \
                        sums[x] += (sum_type)row[0] * *weight;                                     \
                    for (uint32_t x = first; x < last; x++)                                        \
                        sums[x] += (sum_type)from[x] * *weight;                                    \
                    for (uint32_t x = last; x < s->w; x++)                                         \
                        sums[x] += (sum_type)row[s->w - 1] * *weight;                              \
                }                                                                                  \
            }                                                                                      \
            for (uint32_t x = 0; x < s->w; x++)                                                    \
                out[x] = result(sums[x]);                                                          \
        }                                                                                          \
    }

CONV2D(conv2d_f32, float, float, float, )
CONV2D(conv2d_i32, uint32_t, uint32_t, uint32_t, )
CONV2D(conv2d_u8, uint8_t, float, float, to_u8)

#define HASH(op, basis, prime)                                                                     \
    static void plain_##op(const struct host_kernel *t)                                            \
    {                                                                                              \
        const uint8_t *bytes = AT(const uint8_t, t->in[0]);                                        \
        const uint64_t *offsets = AT(const uint64_t, t->in[1]);                                    \
        for (uint32_t i = 0; i < t->count; i++) {                                                  \
            const uint32_t end = offsets ? (uint32_t)offsets[i + 1] : t->n;                        \
            uint64_t h = basis;                                                                    \
            for (uint32_t at = offsets ? (uint32_t)offsets[i] : 0; at < end; at++)                 \
                h = (h ^ bytes[at]) * prime;                                                       \
            AT(uint64_t, t->out)[i] = h;                                                           \
        }                                                                                          \
    }

HASH(hash_fast, 0x811c9dc5u, 0x01000193u)
HASH(hash_fnv1a_64, 0xcbf29ce484222325u, 0x100000001b3u)

/* task lies in the call page of the window; its phase, units and working memory say nothing. */
__attribute__((export_name("simdd_plain"))) void simdd_plain(const struct host_kernel *task)
{
    switch (task->op) {
#define OP(id, name, ...)                                                                          \
    case id:                                                                                       \
        plain_##name(task);                                                                        \
        break;
#include "kernels/ops.def"
#undef OP
    default:
        __builtin_trap();
    }
}
