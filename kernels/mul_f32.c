/* z[i] = x[i] * y[i] */
#include "config.h"

#include "vec.h"
#include "zip.h"

KERN_DEFINE(mul_f32)
{
    zip_f32(args, part, v_f32_mul);
}
