/* The native kernels. */
#include "config.h"

#include "kernels_tables.h"

void kernels_tables_open(void)
{
}

const struct kern_table *kernels_table(enum kern_isa isa)
{
    return kern_isa_usable(isa) ? kern_table(isa) : NULL;
}
