/* Plans of the conv2ds: one phase, one row of the result per unit. See conv2d_geom.h for the memory
 * that a range works in. */
#include "config.h"

#include "plan.h"

#include "conv2d_geom.h"

void kern_plan_conv2d(struct kern_plan *plan, enum kern_op op, enum kern_isa isa,
                      const struct kern_args *args)
{
    struct conv2d_geom g;

    (void)op;
    if (isa == KERN_ISA_SCALAR)
        return;
    conv2d_geom_init(&g, &args->u.conv2d);
    plan->range_units = CONV2D_RANGE_ROWS;
    plan->scratch_bytes = (g.rows * g.stride + g.taps) * CONV2D_TAP_BYTES;
}

size_t kern_units_conv2d(enum kern_op op, enum kern_isa isa, const struct kern_args *args,
                         uint32_t phase)
{
    (void)op;
    (void)isa;
    (void)phase;
    return args->u.conv2d.h;
}
