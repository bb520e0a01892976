/* The native backend: one indirect call into the kernel table chosen at start. */
#include "config.h"

#include "backend.h"

#include <stddef.h>

static enum wire_status native_run(struct backend *b, unsigned worker, enum kern_op op,
                                   const struct kern_args *args, const struct kern_part *part)
{
    (void)worker;
    b->table->fn[op](args, part);
    return WIRE_OK;
}

void backend_native_init(struct backend *b, enum kern_isa isa_max)
{
    enum kern_isa isa = kern_isa_best(isa_max);
    *b = (struct backend){
        .name = "native",
        .isa = isa,
        .table = kern_table(isa),
        .run = native_run,
    };
}
