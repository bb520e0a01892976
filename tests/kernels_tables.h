/* The kernels that a test program has. */
#ifndef TESTS_KERNELS_TABLES_H
#define TESTS_KERNELS_TABLES_H

#include "kernels/kern.h"

/* Before anything else here, after the handlers of signals are set. Ends the program if the kernels
 * cannot be had. */
void kernels_tables_open(void);

/* Returns borrowed: the kernels of an ISA that is in this program and that this CPU can run, or
 * NULL. */
const struct kern_table *kernels_table(enum kern_isa isa);

#endif
