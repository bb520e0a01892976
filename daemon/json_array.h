/* Numbers and arrays of numbers, from the parser's tree to memory as kernels read it. */
#ifndef DAEMON_JSON_ARRAY_H
#define DAEMON_JSON_ARRAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "kernels/kern.h"
#include "protocol/wire.h"

enum { JSON_RANK_MAX = 4 };

struct json_dims {
    unsigned rank; /* 1 to JSON_RANK_MAX */
    size_t size[JSON_RANK_MAX];
};

/* The nesting of `v` as its first elements show it; the rest is for json_array_fill() to check.
 * Returns WIRE_OK, BAD_FIELD (no array) or BAD_SHAPE (empty, or nested too deep). */
enum wire_status json_array_dims(struct json_dims *out, const json_t *v);

/**
 * Writes the numbers of `v`, the last dimension fastest, to dst, which has room for all of dims.
 * dst    aligned to `type`: f32, i32, u32 or u8
 * Returns WIRE_OK, SHAPE_MISMATCH where the nesting is not dims everywhere, BAD_FIELD where an
 * element is no number, BAD_VALUE where one does not fit `type`.
 */
enum wire_status json_array_fill(void *dst, enum kern_type type, const json_t *v,
                                 const struct json_dims *dims);

/* One number, likewise. */
enum wire_status json_number(void *dst, enum kern_type type, const json_t *v);

#endif
