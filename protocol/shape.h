/* What a job's header says about its memory: pure arithmetic that both ends must agree on. */
#ifndef PROTOCOL_SHAPE_H
#define PROTOCOL_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/kern.h"
#include "wire.h"

enum {
    SHAPE_MATMUL_U8_K_MAX = 33000, /* beyond it a sum of products may not fit i32 */
    SHAPE_CONV2D_KERNEL_MAX = 1023 /* rows and columns of a kernel */
};

struct shape {
    const struct kern_op_info *info;
    struct kern_args args; /* dimensions and parameters; all pointers NULL */
    unsigned in_count;
    size_t in_bytes[KERN_IN_MAX]; /* exact bytes of each operand, as stored */
    size_t out_bytes;
    size_t inline_bytes; /* payload_bytes of an inline job: operands, each padded to 8 */
    size_t total_bytes;  /* operands and result, each padded to 8 */
};

/**
 * Works out and checks the shape of a job from its header, not its payload.
 * h          magic, version, type and payload_bytes are not looked at
 * max_bytes  bound on total_bytes (job_max_bytes)
 * field      written on failure: name of the field at fault, a constant; NULL if it is the job as
 *            a whole
 * Returns WIRE_OK, or why the job is refused. Thread: any; pure.
 */
enum wire_status shape_check(struct shape *out, const struct wire_request *h, size_t max_bytes,
                             const char **field);

/**
 * Bytes of a call's operand or result.
 * dim  written on failure: the dimension at fault, or WIRE_RANK_MAX if it is none of them
 * Returns WIRE_OK and *bytes (so few that padding does not overflow), BAD_PARAMETER (the type),
 * BAD_SHAPE (the rank, or a dimension of 0), BAD_RESERVED (a dimension beyond the rank is not 0) or
 * SIZE_OVERFLOW. Thread: any; pure.
 */
enum wire_status shape_array(const struct wire_array *a, size_t *bytes, unsigned *dim);

/* Bytes of `n` with padding to WIRE_ALIGN. n is at most SIZE_MAX - 7. */
static inline size_t wire_pad(size_t n)
{
    return (n + (WIRE_ALIGN - 1)) & ~(size_t)(WIRE_ALIGN - 1);
}

#endif
