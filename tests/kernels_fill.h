/* Chance that a seed repeats, and what operands are filled with. */
#ifndef TESTS_KERNELS_FILL_H
#define TESTS_KERNELS_FILL_H

#include <stddef.h>
#include <stdint.h>

#include "kernels_case.h"

struct chance {
    uint64_t state; /* any value is a seed */
};

uint64_t chance_next(struct chance *c);

/* Uniform in 0..n-1; n is at least 1. */
size_t chance_below(struct chance *c, size_t n);

void fill_elements(struct chance *c, void *data, enum kern_type type, size_t count,
                   enum kcase_fill fill);

#endif
