/* x *= 0x9e3779b9, x ^= x >> 13, twice */
#include "config.h"

#include "vec.h"

static inline v_i32 mix(v_i32 x)
{
    const v_i32 phi = v_i32_set1((int32_t)0x9e3779b9);
    x = v_i32_mul(x, phi);
    x = v_i32_xor(x, v_i32_shr(x, 13));
    x = v_i32_mul(x, phi);
    return v_i32_xor(x, v_i32_shr(x, 13));
}

static inline void mix_some(const int32_t *x, int32_t *y, size_t n)
{
    v_i32_store_n(y, mix(v_i32_load_n(x, n)), n);
}

/* As in zip.h: the result is aligned first, and large ones stream unless they are in place. */
KERN_DEFINE(mix_u32)
{
    enum { L = V_I32_LANES };
    const int32_t *x = args->in[0]; /* vectors of 32 bits have no sign */
    int32_t *y = args->out;
    size_t i = part->begin, end = kern_end(part, args->u.map.n);
    if (i >= end)
        return;

    size_t head = kern_misaligned(y + i, end - i, sizeof *y);
    if (head != 0)
        mix_some(x + i, y + i, head);
    i += head;
    if (args->u.map.n > KERN_STREAM_BYTES / 2 / sizeof *y && y != x) {
        for (; end - i >= L; i += L)
            v_i32_stream(y + i, mix(v_i32_load(x + i)));
        v_fence();
    }
    for (; end - i >= 4 * L; i += 4 * L) {
        v_i32 r0 = mix(v_i32_load(x + i));
        v_i32 r1 = mix(v_i32_load(x + i + L));
        v_i32 r2 = mix(v_i32_load(x + i + 2 * L));
        v_i32 r3 = mix(v_i32_load(x + i + 3 * L));
        v_i32_store(y + i, r0);
        v_i32_store(y + i + L, r1);
        v_i32_store(y + i + 2 * L, r2);
        v_i32_store(y + i + 3 * L, r3);
    }
    for (; end - i >= L; i += L)
        v_i32_store(y + i, mix(v_i32_load(x + i)));
    if (i < end)
        mix_some(x + i, y + i, end - i);
}
