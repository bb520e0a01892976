/* Attention: softmax(Q K^T / sqrt(d)) V, in float32.
 *
 *     simdctl run NAME/attention q.npy k.npy v.npy -o out.npy [--param SCALE]
 *
 * Operands   Q[rows,d], K[keys,d], V[keys,columns].
 * Result     [rows,columns]. The scores Q K^T have the error of matmul_f32; their exponentials add
 *            less than 2^-23 of each. A NaN among a row's scores, or +infinity, makes the row NaN.
 * Parameter  the factor before Q K^T; 1 / sqrt(d) without it.
 *
 * Both products are the daemon's own matmul, run natively on the operands where they lie. There are
 * rows times keys scores between the two, so a block of rows is held at a time, in the module's own
 * memory. Blocks are also the units into which the daemon splits a call.
 */
#include <wasm_simd128.h>

#include "simdd.h"

SIMDD_MODULE

enum { LANES = 4, BLOCK_ROWS = 128, BLOCK_SCORES = 1 << 20, BAD_SIZES = 16 };

/* Many rows, so that the matmul packs K and V seldom, but no more than 4 MiB of scores. It depends
 * on sizes alone, so that all ranges of a call agree on what a block is. */
static uint32_t block_rows(const struct simdd_call *call)
{
    uint32_t rows = BLOCK_SCORES / call->in[1].dim[0];
    return rows < 1 ? 1 : rows > BLOCK_ROWS ? BLOCK_ROWS : rows;
}

/* exp(x) for x <= 0, with a relative error below 2^-23; 0 below -87; NaN for NaN.
 * x = n ln 2 + r: exp(r) is a polynomial, for |r| <= ln 2 / 2, and n is added to its exponent.
 * Adding 1.5 * 2^23 rounds to an integer, which then stands in the lowest bits. The first part of
 * ln 2 has so few bits that n times it is exact. */
static v128_t exp_of_negative(v128_t x)
{
    v128_t round = wasm_f32x4_const_splat(0x1.8p+23f);
    v128_t quotient = wasm_f32x4_mul(x, wasm_f32x4_const_splat(0x1.715476p+0f));
    v128_t shifted = wasm_f32x4_add(quotient, round);
    v128_t n = wasm_f32x4_sub(shifted, round);
    v128_t r = wasm_f32x4_sub(x, wasm_f32x4_mul(n, wasm_f32x4_const_splat(0x1.63p-1f)));
    r = wasm_f32x4_add(r, wasm_f32x4_mul(n, wasm_f32x4_const_splat(0x1.bd0106p-13f)));

    v128_t p = wasm_f32x4_const_splat(1.9875691500e-4f);
    p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_const_splat(1.3981999507e-3f));
    p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_const_splat(8.3334519073e-3f));
    p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_const_splat(4.1665795894e-2f));
    p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_const_splat(1.6666665459e-1f));
    p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_const_splat(5.0000001201e-1f));
    p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_const_splat(1));
    p = wasm_f32x4_add(wasm_f32x4_mul(p, r), wasm_f32x4_const_splat(1));

    v128_t tiny = wasm_f32x4_lt(x, wasm_f32x4_const_splat(-87));
    return wasm_v128_andnot(wasm_i32x4_add(p, wasm_i32x4_shl(shifted, 23)), tiny);
}

/* Replaces scores by exp(score - largest). Returns the sum of the new ones. The row has room up to
 * the next multiple of LANES. */
static float soften(float *row, uint32_t keys)
{
    v128_t most = wasm_f32x4_splat(-__builtin_inff());
    v128_t sum = wasm_f32x4_splat(0);

    /* What lies behind the row is to weigh nothing. */
    for (uint32_t i = keys; i % LANES != 0; i++)
        row[i] = -__builtin_inff();
    for (uint32_t i = 0; i < keys; i += LANES)
        most = wasm_f32x4_pmax(most, wasm_v128_load(row + i)); /* the quick one: skips a NaN */
    most = wasm_f32x4_pmax(most, wasm_i32x4_shuffle(most, most, 2, 3, 0, 1));
    most = wasm_f32x4_pmax(most, wasm_i32x4_shuffle(most, most, 1, 0, 3, 2));
    for (uint32_t i = 0; i < keys; i += LANES) {
        v128_t e = exp_of_negative(wasm_f32x4_sub(wasm_v128_load(row + i), most));
        wasm_v128_store(row + i, e);
        sum = wasm_f32x4_add(sum, e);
    }
    return wasm_f32x4_extract_lane(sum, 0) + wasm_f32x4_extract_lane(sum, 1) +
           wasm_f32x4_extract_lane(sum, 2) + wasm_f32x4_extract_lane(sum, 3);
}

/* 0 and the result's shape, if the operands go together. */
static int check(struct simdd_call *call, uint32_t shape[2])
{
    const struct simdd_array *q = &call->in[0], *k = &call->in[1], *v = &call->in[2];

    for (uint32_t i = 0; i < 3; i++) {
        int err = simdd_want(call, i, SIMDD_F32, 2);
        if (err != 0)
            return err;
    }
    if (q->dim[1] != k->dim[1])
        return simdd_fail(call, BAD_SIZES, "rows of q and k differ in length");
    if (k->dim[0] != v->dim[0])
        return simdd_fail(call, BAD_SIZES, "k and v differ in their number of rows");
    shape[0] = q->dim[0];
    shape[1] = v->dim[1];
    return 0;
}

SIMDD_SHAPE(attention)
{
    uint32_t shape[2];
    int err = check(call, shape);
    return err != 0 ? err : simdd_result(call, SIMDD_F32, 2, shape);
}

/* A call that is wrong is one unit, which says so. */
SIMDD_UNITS(attention)
{
    uint32_t shape[2];
    if (check(call, shape) != 0)
        return 1;
    uint32_t rows = block_rows(call);
    return (int)((call->in[0].dim[0] + rows - 1) / rows);
}

/* Rows [first, first + rows) of the result. */
static void attend(const struct simdd_call *call, float *scores, uint32_t first, uint32_t rows)
{
    uint32_t d = call->in[0].dim[1], keys = call->in[1].dim[0], columns = call->in[2].dim[1];
    uint32_t stride = (keys + LANES - 1) / LANES * LANES;
    float *out = simdd_out_f32(call) + (size_t)first * columns;
    float scale = (float)simdd_param(call, 0, 1 / __builtin_sqrt(d));
    float sum[BLOCK_ROWS];

    simdd_matmul_f32(simdd_in_f32(call, 0) + (size_t)first * d, simdd_in_f32(call, 1), NULL, scores,
                     (struct simdd_matmul){.m = rows, .n = keys, .k = d, .ldc = stride,
                                           .trans_b = true, .alpha.f32 = scale});
    for (uint32_t i = 0; i < rows; i++)
        sum[i] = soften(scores + (size_t)i * stride, keys);
    simdd_matmul_f32(scores, simdd_in_f32(call, 2), NULL, out,
                     (struct simdd_matmul){.m = rows, .n = columns, .k = keys, .lda = stride,
                                           .alpha.f32 = 1});
    /* Here, since the result is narrower than the scores. */
    for (uint32_t i = 0; i < rows; i++) {
        for (uint32_t j = 0; j < columns; j++)
            out[(size_t)i * columns + j] /= sum[i];
    }
}

SIMDD_FUNCTION(attention)
{
    uint32_t shape[2];
    int err = check(call, shape);
    if (err == 0)
        err = simdd_want_result(call, SIMDD_F32, 2, shape);
    if (err != 0)
        return err;

    uint32_t rows = call->in[0].dim[0], keys = call->in[1].dim[0], block = block_rows(call);
    float *scores = simdd_scratch((size_t)block * (keys + LANES) * sizeof(float));
    if (scores == NULL)
        return simdd_fail(call, SIMDD_NO_MEMORY, "no memory for a row of scores");
    for (uint32_t i = call->begin; i < call->end; i++) {
        uint32_t first = i * block;
        attend(call, scores, first, rows - first < block ? rows - first : block);
    }
    return 0;
}
