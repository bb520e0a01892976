/* Reference of matmul_f32: one element of c per unit, summed along k in order. */
#include "ref.h"

KERN_DEFINE(matmul_f32)
{
    const struct kern_matmul *mm = &args->u.matmul;
    const float *a = args->in[0], *b = args->in[1], *c_in = args->in[2];
    float *c = args->out;

    for (size_t unit = part->begin; unit < part->end; unit++) {
        size_t i = unit / mm->n, j = unit % mm->n;
        float sum = 0.0f;
        for (size_t p = 0; p < mm->k; p++) {
            float x = mm->trans_a ? a[p * mm->lda + i] : a[i * mm->lda + p];
            float y = mm->trans_b ? b[j * mm->ldb + p] : b[p * mm->ldb + j];
            sum = ref_madd(x, y, sum);
        }
        float result = mm->alpha.f32 * sum;
        if (mm->beta.f32 != 0.0f)
            result = ref_madd(mm->beta.f32, c_in[i * mm->ldc + j], result);
        c[i * mm->ldc + j] = result;
    }
}
