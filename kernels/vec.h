/* The vector vocabulary: what a kernel may say, whatever the ISA.
 *
 * KERN_ISA (sse4, avx2, avx512, neon) chooses one header of isa/, which defines all of it as
 * static inline functions; raw intrinsics live there alone. KERN_FN(add_f32) is the kernel's symbol,
 * kern_add_f32_avx2 for instance.
 */
#ifndef KERNELS_VEC_H
#define KERNELS_VEC_H

#include "kern.h"

#define KERN_PASTE_(a, b, c) a##b##_##c
#define KERN_PASTE(a, b, c)  KERN_PASTE_(a, b, c)
#define KERN_FN(name)        KERN_PASTE(kern_, name, KERN_ISA)

#endif
