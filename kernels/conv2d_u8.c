/* conv2d_u8 with a kernel of floats: see conv2d_geom.h for how it is cut, conv2d_run.h for how it
 * runs. */
#include "vec.h"

typedef uint8_t elem;
typedef float tap;
typedef v_f32 v_tap;

#define taps_load  v_f32_load
#define taps_hold  v_f32_hold
#define tap_spread v_f32_set1
#define sums_zero  v_f32_zero

#define SUMS_MAC_SPLIT (!V_FUSED)

static inline void taps_widen(float *to, const uint8_t *from, size_t n)
{
    size_t i = 0;
    for (; n - i >= V_F32_LANES; i += V_F32_LANES)
        v_f32_store(to + i, v_f32_from_u8(from + i));
    for (; i < n; i++)
        to[i] = from[i];
}

static inline v_f32 sums_mac(v_f32 acc, v_f32 a, v_f32 b)
{
    return v_f32_fma(a, b, acc);
}

/* Clamped first, which is the same as last, since 0 and 255 are whole: so no conversion overflows,
 * and max makes a NaN its second operand. */
static inline v_i32 sums_round(const struct kern_conv2d *c, v_f32 sums)
{
    v_f32 in_range = v_f32_min(v_f32_max(sums, v_f32_zero()), v_f32_set1(255.0f));
    return c->rounding == KERN_ROUND_NEAREST ? v_i32_from_f32_nearest(in_range)
                                             : v_i32_from_f32_truncate(in_range);
}

static inline void sums_store(const struct kern_conv2d *c, uint8_t *to, v_f32 sums)
{
    v_u8_store_from_i32(to, sums_round(c, sums));
}

static inline void sums_store_n(const struct kern_conv2d *c, uint8_t *to, v_f32 sums, size_t n)
{
    v_u8_store_from_i32_n(to, sums_round(c, sums), n);
}

#include "conv2d_run.h"

KERN_DEFINE(conv2d_u8)
{
    conv2d_run(args, part);
}
