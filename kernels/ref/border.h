/* Where the references of conv2d look for a pixel beyond the edge. */
#ifndef KERNELS_REF_BORDER_H
#define KERNELS_REF_BORDER_H

#include <stdint.h>

#include "kernels/kern.h"

/* The index in 0..n-1 that stands for index i, or -1 if 0 stands there. */
static inline int64_t ref_border(int64_t i, int64_t n, enum kern_border border)
{
    if (i >= 0 && i < n)
        return i;
    if (border == KERN_BORDER_REPLICATE)
        return i < 0 ? 0 : n - 1;
    if (border == KERN_BORDER_REFLECT101) {
        if (n == 1)
            return 0;
        while (i < 0 || i >= n)
            i = i < 0 ? -i : 2 * (n - 1) - i;
        return i;
    }
    return -1;
}

#endif
