/* How an op is to be run: phases, units, memory and work, family by family. */
#include "config.h"

#include "plan.h"

#include <stdint.h>

static enum kern_family op_family(enum kern_op op)
{
    return kern_op_info(op)->family;
}

void kern_plan(struct kern_plan *plan, enum kern_op op, enum kern_isa isa,
               const struct kern_args *args)
{
    *plan = (struct kern_plan){.phase_count = 1, .range_units = 1};
    switch (op_family(op)) {
    case KERN_matmul:
        kern_plan_matmul(plan, op, isa, args);
        break;
    case KERN_conv2d:
        kern_plan_conv2d(plan, op, isa, args);
        break;
    case KERN_zip:
    case KERN_map:
    case KERN_hash:
        break;
    }
}

size_t kern_phase_units(enum kern_op op, enum kern_isa isa, const struct kern_args *args,
                        uint32_t phase)
{
    size_t units = 0;
    switch (op_family(op)) {
    case KERN_zip:
        units = args->u.zip.n;
        break;
    case KERN_map:
        units = args->u.map.n;
        break;
    case KERN_hash:
        units = args->u.hash.count;
        break;
    case KERN_matmul:
        units = kern_units_matmul(op, isa, args, phase);
        break;
    case KERN_conv2d:
        units = kern_units_conv2d(op, isa, args, phase);
        break;
    }
    return units != 0 ? units : 1; /* an empty op has one unit, in which its kernel does nothing */
}

static uint64_t mul_saturating(uint64_t a, uint64_t b)
{
    return b != 0 && a > UINT64_MAX / b ? UINT64_MAX : a * b;
}

uint64_t kern_work(enum kern_op op, const struct kern_args *args)
{
    const struct kern_matmul *m = &args->u.matmul;
    const struct kern_conv2d *c = &args->u.conv2d;
    switch (op_family(op)) {
    case KERN_zip:
        return args->u.zip.n;
    case KERN_map:
        return args->u.map.n;
    case KERN_hash:
        return args->u.hash.n_bytes;
    case KERN_matmul:
        return mul_saturating((uint64_t)m->m * m->n, m->k);
    case KERN_conv2d:
        return mul_saturating(mul_saturating((uint64_t)c->h * c->w, c->channels),
                              (uint64_t)c->r * c->s);
    }
    return 0;
}
