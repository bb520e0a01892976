/* conv2d_i32, modulo 2^32: see conv2d_geom.h for how it is cut, conv2d_run.h for how it runs. */
#include "vec.h"

#include <string.h>

typedef int32_t elem, tap;
typedef v_i32 v_tap;

#define taps_load  v_i32_load
#define taps_hold  v_i32_hold
#define tap_spread v_i32_set1
#define sums_zero  v_i32_zero

#define SUMS_MAC_SPLIT 1

static inline void taps_widen(int32_t *to, const int32_t *from, size_t n)
{
    memcpy(to, from, n * sizeof *to);
}

static inline v_i32 sums_mac(v_i32 acc, v_i32 a, v_i32 b)
{
    return v_i32_add(acc, v_i32_mul(a, b));
}

static inline void sums_store(const struct kern_conv2d *c, int32_t *to, v_i32 sums)
{
    (void)c;
    v_i32_store(to, sums);
}

static inline void sums_store_n(const struct kern_conv2d *c, int32_t *to, v_i32 sums, size_t n)
{
    (void)c;
    v_i32_store_n(to, sums, n);
}

#include "conv2d_run.h"

KERN_DEFINE(conv2d_i32)
{
    conv2d_run(args, part);
}
