/* The .npy format of numpy: a small header in Python's words, then the numbers. Pure functions
 * over memory. */
#ifndef CLIENT_NPY_H
#define CLIENT_NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tensor.h"

enum {
    NPY_WHY_BYTES = 160,
    NPY_HEADER_MAX = 64 * 1024, /* a longer header is not a plain array's */
    NPY_PRINT_MAX = 1024        /* of npy_print(): 32 dimensions fit */
};

/* Whether these first bytes are a .npy file's; needs 6. */
bool npy_is(const uint8_t *p, size_t p_bytes);

/**
 * Reads a header, versions 1 to 3.
 * shape         written on success, sizes checked against overflow
 * header_bytes  on success: where the numbers start
 * why           on -EINVAL: a sentence
 * Returns 0; -EAGAIN: it is longer than p_bytes; -EINVAL: it is wrong, or no type of ours.
 */
int npy_parse(struct tensor_shape *shape, size_t *header_bytes, char why[static NPY_WHY_BYTES],
              const uint8_t *p, size_t p_bytes);

/* Writes a header of version 1 for `shape`; returns its length. The numbers start at a multiple of
 * 64, as numpy has it. */
size_t npy_print(uint8_t out[static NPY_PRINT_MAX], const struct tensor_shape *shape);

#endif
