/* z[i] = x[i] * y[i] */
#include "config.h"

#include "ref.h"

KERN_DEFINE(mul_f32)
{
    const float *x = args->in[0], *y = args->in[1];
    float *z = args->out;
    for (size_t i = part->begin; i < part->end && i < args->u.zip.n; i++)
        z[i] = x[i] * y[i];
}
