/* matmul_f32: see matmul_geom.h for how it is cut, matmul_run.h for how it runs. */
#include "vec.h"

#include <string.h>

typedef float elem, cell, sum;
typedef v_f32 v_cell, v_sum;

enum { CELL_ELEMS = 1, CELL_IN_PLACE = 1 };

#define cells_load    v_f32_load
#define cells_load_n  v_f32_load_n
#define cells_store   v_f32_store
#define cells_store_n v_f32_store_n
#define cell_spread   v_f32_set1
#define sums_zero     v_f32_zero
#define sums_load     v_f32_load
#define sums_load_n   v_f32_load_n
#define sums_store    v_f32_store
#define sums_store_n  v_f32_store_n

static inline v_f32 sums_mac(v_f32 acc, v_f32 a, v_f32 b)
{
    return v_f32_fma(a, b, acc);
}

static inline int32_t zero_of_a(const struct kern_matmul *mm)
{
    (void)mm;
    return 0;
}

static inline int32_t zero_of_b(const struct kern_matmul *mm)
{
    (void)mm;
    return 0;
}

#include "matmul_pack.h"

static inline bool finish_needed(const struct kern_matmul *mm)
{
    return mm->alpha.f32 != 1.0f || mm->beta.f32 != 0.0f;
}

static inline v_f32 finish(const struct kern_matmul *mm, v_f32 sums, v_f32 c_in)
{
    v_f32 result = v_f32_mul(v_f32_set1(mm->alpha.f32), sums);
    return mm->beta.f32 != 0.0f ? v_f32_fma(v_f32_set1(mm->beta.f32), c_in, result) : result;
}

/* c_in is not looked at where beta is 0. */
static void finish_row(const struct kern_matmul *mm, float *c, const float *c_in, size_t n)
{
    const float *other = mm->beta.f32 != 0.0f ? c_in : c;
    size_t j = 0;
    for (; n - j >= V_F32_LANES; j += V_F32_LANES)
        v_f32_store(c + j, finish(mm, v_f32_load(c + j), v_f32_load(other + j)));
    if (j < n)
        v_f32_store_n(c + j, finish(mm, v_f32_load_n(c + j, n - j), v_f32_load_n(other + j, n - j)),
                      n - j);
}

#include "matmul_run.h"

KERN_DEFINE(matmul_f32)
{
    matmul_run(args, part);
}
