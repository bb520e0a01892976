/* z[i] = x[i] + y[i], modulo 2^32 */
#include "config.h"

#include "vec.h"
#include "zip.h"

KERN_DEFINE(add_i32)
{
    zip_i32(args, part, v_i32_add);
}
