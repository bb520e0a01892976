/* How an op of the zip family walks its arrays: zip_f32, zip_i32 and zip_u8 take the one word of
 * the vocabulary that tells add from mul, which the compiler inlines.
 *
 * The result is brought to a vector's alignment first: unaligned stores cross cache lines, and
 * streaming stores must be aligned. An op in place never streams: its lines were read anyway. */
#ifndef KERNELS_ZIP_H
#define KERNELS_ZIP_H

#include <stddef.h>
#include <stdint.h>

#include "vec.h"

static inline bool zip_streams(const struct kern_args *args, size_t elem_bytes)
{
    return args->u.zip.n > KERN_STREAM_BYTES / 3 / elem_bytes && args->out != args->in[0] &&
           args->out != args->in[1];
}

/* T names the vectors, elem is the element's C type, L the lanes. */
#define ZIP_DEFINE(T, elem, L)                                                                     \
    static inline void zip_some_##T(const elem *x, const elem *y, elem *z, size_t n,               \
                                    v_##T (*op)(v_##T, v_##T))                                     \
    {                                                                                              \
        v_##T##_store_n(z, op(v_##T##_load_n(x, n), v_##T##_load_n(y, n)), n);                     \
    }                                                                                              \
                                                                                                   \
    static inline void zip_##T(const struct kern_args *args, const struct kern_part *part,         \
                               v_##T (*op)(v_##T, v_##T))                                          \
    {                                                                                              \
        const elem *x = args->in[0], *y = args->in[1];                                             \
        elem *z = args->out;                                                                       \
        size_t i = part->begin, end = kern_end(part, args->u.zip.n);                               \
        if (i >= end)                                                                              \
            return;                                                                                \
        size_t head = kern_misaligned(z + i, end - i, sizeof(elem));                               \
        if (head != 0)                                                                             \
            zip_some_##T(x + i, y + i, z + i, head, op);                                           \
        i += head;                                                                                 \
        if (zip_streams(args, sizeof(elem))) {                                                     \
            for (; end - i >= L; i += L)                                                           \
                v_##T##_stream(z + i, op(v_##T##_load(x + i), v_##T##_load(y + i)));               \
            v_fence();                                                                             \
        }                                                                                          \
        for (; end - i >= 4 * L; i += 4 * L) {                                                     \
            v_##T r0 = op(v_##T##_load(x + i), v_##T##_load(y + i));                               \
            v_##T r1 = op(v_##T##_load(x + i + L), v_##T##_load(y + i + L));                       \
            v_##T r2 = op(v_##T##_load(x + i + 2 * L), v_##T##_load(y + i + 2 * L));               \
            v_##T r3 = op(v_##T##_load(x + i + 3 * L), v_##T##_load(y + i + 3 * L));               \
            v_##T##_store(z + i, r0);                                                              \
            v_##T##_store(z + i + L, r1);                                                          \
            v_##T##_store(z + i + 2 * L, r2);                                                      \
            v_##T##_store(z + i + 3 * L, r3);                                                      \
        }                                                                                          \
        for (; end - i >= L; i += L)                                                               \
            v_##T##_store(z + i, op(v_##T##_load(x + i), v_##T##_load(y + i)));                    \
        if (i < end)                                                                               \
            zip_some_##T(x + i, y + i, z + i, end - i, op);                                        \
    }

ZIP_DEFINE(f32, float, V_F32_LANES)
ZIP_DEFINE(i32, int32_t, V_I32_LANES)
ZIP_DEFINE(u8, uint8_t, V_U8_LANES)
#undef ZIP_DEFINE

#endif
