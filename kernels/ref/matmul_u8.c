/* Reference of matmul_u8: one element of c per unit. k is at most 33000, so no sum leaves 32 bits:
 * 33000 * 255 * 255 < 2^31. */
#include "ref.h"

KERN_DEFINE(matmul_u8)
{
    const struct kern_matmul *mm = &args->u.matmul;
    const uint8_t *a = args->in[0], *b = args->in[1];
    int32_t *c = args->out;
    int32_t zero_a = mm->alpha.i32, zero_b = mm->beta.i32;

    for (size_t unit = part->begin; unit < part->end; unit++) {
        size_t i = unit / mm->n, j = unit % mm->n;
        int32_t sum = 0;
        for (size_t p = 0; p < mm->k; p++) {
            int32_t x = mm->trans_a ? a[p * mm->lda + i] : a[i * mm->lda + p];
            int32_t y = mm->trans_b ? b[j * mm->ldb + p] : b[p * mm->ldb + j];
            sum += (x - zero_a) * (y - zero_b);
        }
        c[i * mm->ldc + j] = sum;
    }
}
