/* All that the plain references share: their names, and which multiply-add they use.
 *
 * KERN_ISA is ref (KERN_REF_FUSED 1) or ref_split (0). */
#ifndef KERNELS_REF_REF_H
#define KERNELS_REF_REF_H

#include <math.h>

#include "kernels/kern.h"

#define KERN_PASTE_(a, b, c) a##b##_##c
#define KERN_PASTE(a, b, c)  KERN_PASTE_(a, b, c)
#define KERN_FN(name)        KERN_PASTE(kern_, name, KERN_ISA)

/* Every kernel has this shape; declares the symbol before its definition. */
#define KERN_DEFINE(name)                                                                          \
    kern_fn KERN_FN(name);                                                                         \
    void KERN_FN(name)(const struct kern_args *args, const struct kern_part *part)

/* a * b + c, rounded once in the fused class and twice in the split one. */
static inline float ref_madd(float a, float b, float c)
{
#if KERN_REF_FUSED
    return fmaf(a, b, c);
#else
    float product = a * b;
    return product + c;
#endif
}

#endif
