/* matmul_i32, modulo 2^32: see matmul_geom.h for how it is cut, matmul_run.h for how it runs. */
#include "vec.h"

#include <string.h>

typedef int32_t elem, cell, sum;
typedef v_i32 v_cell, v_sum;

enum { CELL_ELEMS = 1, CELL_IN_PLACE = 1 };

#define cells_load    v_i32_load
#define cells_load_n  v_i32_load_n
#define cells_store   v_i32_store
#define cells_store_n v_i32_store_n
#define cell_spread   v_i32_set1
#define sums_zero     v_i32_zero
#define sums_load     v_i32_load
#define sums_load_n   v_i32_load_n
#define sums_store    v_i32_store
#define sums_store_n  v_i32_store_n

static inline v_i32 sums_mac(v_i32 acc, v_i32 a, v_i32 b)
{
    return v_i32_add(acc, v_i32_mul(a, b));
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
    return mm->alpha.i32 != 1 || mm->beta.i32 != 0;
}

static inline v_i32 finish(const struct kern_matmul *mm, v_i32 sums, v_i32 c_in)
{
    v_i32 result = v_i32_mul(v_i32_set1(mm->alpha.i32), sums);
    return v_i32_add(result, v_i32_mul(v_i32_set1(mm->beta.i32), c_in));
}

/* c_in is not looked at where beta is 0. */
static void finish_row(const struct kern_matmul *mm, int32_t *c, const int32_t *c_in, size_t n)
{
    const int32_t *other = mm->beta.i32 != 0 ? c_in : c;
    size_t j = 0;
    for (; n - j >= V_I32_LANES; j += V_I32_LANES)
        v_i32_store(c + j, finish(mm, v_i32_load(c + j), v_i32_load(other + j)));
    if (j < n)
        v_i32_store_n(c + j, finish(mm, v_i32_load_n(c + j, n - j), v_i32_load_n(other + j, n - j)),
                      n - j);
}

#include "matmul_run.h"

KERN_DEFINE(matmul_i32)
{
    matmul_run(args, part);
}
