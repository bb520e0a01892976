/* z[i] = x[i] + y[i], modulo 2^32: unsigned arithmetic wraps. */
#include "config.h"

#include "ref.h"

KERN_DEFINE(add_i32)
{
    const int32_t *x = args->in[0], *y = args->in[1];
    int32_t *z = args->out;
    for (size_t i = part->begin; i < part->end && i < args->u.zip.n; i++)
        z[i] = (int32_t)((uint32_t)x[i] + (uint32_t)y[i]);
}
