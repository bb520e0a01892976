/* x *= 0x9e3779b9, x ^= x >> 13, twice */
#include "config.h"

#include "ref.h"

KERN_DEFINE(mix_u32)
{
    const uint32_t *x = args->in[0];
    uint32_t *y = args->out;
    for (size_t i = part->begin; i < part->end && i < args->u.map.n; i++) {
        uint32_t v = x[i];
        v *= 0x9e3779b9;
        v ^= v >> 13;
        v *= 0x9e3779b9;
        v ^= v >> 13;
        y[i] = v;
    }
}
