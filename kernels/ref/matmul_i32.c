/* Reference of matmul_i32: one element of c per unit, all of it modulo 2^32. */
#include "ref.h"

KERN_DEFINE(matmul_i32)
{
    const struct kern_matmul *mm = &args->u.matmul;
    const uint32_t *a = args->in[0], *b = args->in[1], *c_in = args->in[2];
    uint32_t *c = args->out; /* unsigned, so that it may wrap */

    for (size_t unit = part->begin; unit < part->end; unit++) {
        size_t i = unit / mm->n, j = unit % mm->n;
        uint32_t sum = 0;
        for (size_t p = 0; p < mm->k; p++) {
            uint32_t x = mm->trans_a ? a[p * mm->lda + i] : a[i * mm->lda + p];
            uint32_t y = mm->trans_b ? b[j * mm->ldb + p] : b[p * mm->ldb + j];
            sum += x * y;
        }
        uint32_t result = (uint32_t)mm->alpha.i32 * sum;
        if (mm->beta.i32 != 0)
            result += (uint32_t)mm->beta.i32 * c_in[i * mm->ldc + j];
        c[i * mm->ldc + j] = result;
    }
}
