/* conv2d_f32: see conv2d_geom.h for how it is cut, conv2d_run.h for how it runs. */
#include "vec.h"

#include <string.h>

typedef float elem, tap;
typedef v_f32 v_tap;

#define taps_load  v_f32_load
#define taps_hold  v_f32_hold
#define tap_spread v_f32_set1
#define sums_zero  v_f32_zero

#define SUMS_MAC_SPLIT (!V_FUSED)

static inline void taps_widen(float *to, const float *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

static inline v_f32 sums_mac(v_f32 acc, v_f32 a, v_f32 b)
{
    return v_f32_fma(a, b, acc);
}

static inline void sums_store(const struct kern_conv2d *c, float *to, v_f32 sums)
{
    (void)c;
    v_f32_store(to, sums);
}

static inline void sums_store_n(const struct kern_conv2d *c, float *to, v_f32 sums, size_t n)
{
    (void)c;
    v_f32_store_n(to, sums, n);
}

#include "conv2d_run.h"

KERN_DEFINE(conv2d_f32)
{
    conv2d_run(args, part);
}
