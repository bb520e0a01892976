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

#define MIX_TURN(store)                                                                            \
    v_i32_##store(y, mix(v_i32_load(x)));                                                          \
    v_i32_##store(y + L, mix(v_i32_load(x + L)));                                                  \
    v_i32_##store(y + 2 * L, mix(v_i32_load(x + 2 * L)));                                          \
    v_i32_##store(y + 3 * L, mix(v_i32_load(x + 3 * L)));                                          \
    left -= 4 * L, x += 4 * L, y += 4 * L;

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
    size_t left = end - i;
    const bool stream = args->u.map.n > KERN_STREAM_BYTES / 2 / sizeof *y && y != x;
    x += i;
    y += i;
    if (stream) {
        while (left >= V_CLAIM_BYTES / sizeof *y) {
            v_claim(y);
            for (size_t turn = 0; turn < V_CLAIM_BYTES / (4 * V_BYTES); turn++) {
                MIX_TURN(stream)
            }
        }
        v_fence();
    }
    while (left >= 4 * L) {
        MIX_TURN(store)
    }
    for (; left >= L; left -= L, x += L, y += L)
        v_i32_store(y, mix(v_i32_load(x)));
    if (left != 0)
        mix_some(x, y, left);
}
