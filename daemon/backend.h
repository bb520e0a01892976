/* Who runs a kernel natively: the table of one ISA, linked in. Jobs for WebAssembly go another way,
 * wasm.h and pipeline_wasm.c: a batch of them goes over in one stream of tasks. */
#ifndef DAEMON_BACKEND_H
#define DAEMON_BACKEND_H

#include "kernels/kern.h"
#include "protocol/wire.h"

struct backend {
    const char *name;
    enum kern_isa isa;
    const struct kern_table *table; /* native only */

    /* Runs one range of one phase on the calling worker and returns when it is done.
     * Returns WIRE_OK, or why the job fails. */
    enum wire_status (*run)(struct backend *b, unsigned worker, enum kern_op op,
                            const struct kern_args *args, const struct kern_part *part);
};

/* The native backend at the strongest usable ISA up to isa_max. */
void backend_native_init(struct backend *b, enum kern_isa isa_max);

#endif
