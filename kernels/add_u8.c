/* z[i] = x[i] + y[i], at most 255 */
#include "config.h"

#include "vec.h"
#include "zip.h"

KERN_DEFINE(add_u8)
{
    zip_u8(args, part, v_u8_adds);
}
