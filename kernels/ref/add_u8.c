/* z[i] = x[i] + y[i], at most 255 */
#include "config.h"

#include "ref.h"

KERN_DEFINE(add_u8)
{
    const uint8_t *x = args->in[0], *y = args->in[1];
    uint8_t *z = args->out;
    for (size_t i = part->begin; i < part->end && i < args->u.zip.n; i++) {
        int sum = x[i] + y[i];
        z[i] = (uint8_t)(sum < 255 ? sum : 255);
    }
}
