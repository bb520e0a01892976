/* What the CPU can run. */
#ifndef KERNELS_CPU_H
#define KERNELS_CPU_H

#include <stdbool.h>

#include "kern.h"

/* Whether this CPU has every instruction that `isa`'s library is compiled with, and the operating
 * system keeps its registers. SCALAR always. Thread: any. */
bool cpu_runs(enum kern_isa isa);

#endif
