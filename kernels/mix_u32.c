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

KERN_DEFINE(mix_u32)
{
    enum { L = V_I32_LANES };
    const int32_t *x = args->in[0]; /* vectors of 32 bits have no sign */
    int32_t *y = args->out;
    size_t i = part->begin, end = kern_end(part, args->u.map.n);

    for (; i < end && end - i >= 4 * L; i += 4 * L) {
        v_i32 r0 = mix(v_i32_load(x + i));
        v_i32 r1 = mix(v_i32_load(x + i + L));
        v_i32 r2 = mix(v_i32_load(x + i + 2 * L));
        v_i32 r3 = mix(v_i32_load(x + i + 3 * L));
        v_i32_store(y + i, r0);
        v_i32_store(y + i + L, r1);
        v_i32_store(y + i + 2 * L, r2);
        v_i32_store(y + i + 3 * L, r3);
    }
    for (; i < end && end - i >= L; i += L)
        v_i32_store(y + i, mix(v_i32_load(x + i)));
    if (i < end)
        v_i32_store_n(y + i, mix(v_i32_load_n(x + i, end - i)), end - i);
}
