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

#define ZIP_OP(T, at)        op(v_##T##_load(x + (at)), v_##T##_load(y + (at)))
#define ZIP_AT(T, store, at) v_##T##_##store(z + (at), ZIP_OP(T, at));

/* Constants beside pointers that move, and loads next to where they are used: an engine of
 * WebAssembly makes single instructions of the former, and spills what is loaded long before; sse4
 * and avx2 gain too. avx512 lost a tenth. */
#if V_BYTES > 32
#define ZIP_FOUR(T, store, at, L)                                                                  \
    {                                                                                              \
        v_##T r0 = ZIP_OP(T, at), r1 = ZIP_OP(T, (at) + L);                                        \
        v_##T r2 = ZIP_OP(T, (at) + 2 * L), r3 = ZIP_OP(T, (at) + 3 * L);                          \
        v_##T##_##store(z + (at), r0);                                                             \
        v_##T##_##store(z + (at) + L, r1);                                                         \
        v_##T##_##store(z + (at) + 2 * L, r2);                                                     \
        v_##T##_##store(z + (at) + 3 * L, r3);                                                     \
    }
#else
#define ZIP_FOUR(T, store, at, L)                                                                  \
    ZIP_AT(T, store, at)                                                                           \
    ZIP_AT(T, store, (at) + L)                                                                     \
    ZIP_AT(T, store, (at) + 2 * L)                                                                 \
    ZIP_AT(T, store, (at) + 3 * L)
#endif

#define ZIP_TURN(T, store, L)                                                                      \
    ZIP_FOUR(T, store, 0, L)                                                                       \
    ZIP_FOUR(T, store, 4 * L, L)                                                                   \
    left -= 8 * L, x += 8 * L, y += 8 * L, z += 8 * L;

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
        size_t begin = part->begin, end = kern_end(part, args->u.zip.n);                           \
        if (begin >= end)                                                                          \
            return;                                                                                \
        size_t left = end - begin, head = kern_misaligned(z + begin, left, sizeof(elem));          \
        if (head != 0)                                                                             \
            zip_some_##T(x + begin, y + begin, z + begin, head, op);                               \
        left -= head;                                                                              \
        x += begin + head;                                                                         \
        y += begin + head;                                                                         \
        z += begin + head;                                                                         \
        if (zip_streams(args, sizeof(elem))) {                                                     \
            while (left >= V_CLAIM_BYTES / sizeof(elem)) {                                         \
                v_claim(z);                                                                        \
                for (size_t turn = 0; turn < V_CLAIM_BYTES / (8 * V_BYTES); turn++) {              \
                    ZIP_TURN(T, stream, L)                                                         \
                }                                                                                  \
            }                                                                                      \
            v_fence();                                                                             \
        }                                                                                          \
        while (left >= 8 * L) {                                                                    \
            ZIP_TURN(T, store, L)                                                                  \
        }                                                                                          \
        for (; left >= L; left -= L, x += L, y += L, z += L)                                       \
            ZIP_AT(T, store, 0)                                                                    \
        if (left != 0)                                                                             \
            zip_some_##T(x, y, z, left, op);                                                       \
    }

ZIP_DEFINE(f32, float, V_F32_LANES)
ZIP_DEFINE(i32, int32_t, V_I32_LANES)
ZIP_DEFINE(u8, uint8_t, V_U8_LANES)
#undef ZIP_TURN
#undef ZIP_FOUR
#undef ZIP_AT
#undef ZIP_OP
#undef ZIP_DEFINE

#endif
