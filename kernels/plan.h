/* Plans of the families whose ops run in more than one unit per element: see kern_plan() and
 * kern_phase_units() in kern.h, which hand over to these. A family without a hook has one phase,
 * no memory of its own, and one unit per element or message. */
#ifndef KERNELS_PLAN_H
#define KERNELS_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "kern.h"

/* *plan is all zero but for phase_count and range_units, which are 1. */
void kern_plan_matmul(struct kern_plan *plan, enum kern_op op, enum kern_isa isa,
                      const struct kern_args *args);
void kern_plan_conv2d(struct kern_plan *plan, enum kern_op op, enum kern_isa isa,
                      const struct kern_args *args);

/* Units of one phase, at least 1. */
size_t kern_units_matmul(enum kern_op op, enum kern_isa isa, const struct kern_args *args,
                         uint32_t phase);
size_t kern_units_conv2d(enum kern_op op, enum kern_isa isa, const struct kern_args *args,
                         uint32_t phase);

#endif
