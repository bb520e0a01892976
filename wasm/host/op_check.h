/* What a module hands to one of the daemon's ops, looked at before it is believed. */
#ifndef WASM_HOST_OP_CHECK_H
#define WASM_HOST_OP_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "guest.h"
#include "kernels/kern.h"
#include "window.h"

struct op_operands {
    struct kern_args args; /* pointers into the window */
    size_t in_count;
    uint64_t in_bytes[KERN_IN_MAX];
    uint64_t out_bytes;
};

/**
 * Whether `op` may be run with what `g` says: shapes, sizes, and that every operand lies in memory
 * of the window, aligned, and the result beside the operands. A hash's offsets are not read here.
 * g  the host's own copy: what is in the window may change at any time
 * Returns 0, or -EINVAL with a reason without the op's name.
 */
int op_check(struct op_operands *out, enum kern_op op, const struct guest_op *g,
             const struct window *w, char reason[static HOST_REASON_BYTES]);

/* Whether `count` + 1 offsets (the host's own copy) rise within n_bytes. */
bool op_offsets_rise(const uint64_t *offsets, size_t count, size_t n_bytes);

#endif
