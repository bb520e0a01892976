/* What ops.def says about each op, and the names of ISAs.
 *
 * Apart from kern.c, so that the client library has the names without the kernels. */
#include "config.h"

#include "kern.h"

#include <errno.h>
#include <string.h>

static const struct kern_op_info op_infos[KERN_OP_END] = {
#define OP(id, op, fam, ty_in, ty_out, tolerance, ps, line)                                        \
    [id] = {.name = #op,                                                                           \
            .help = line,                                                                          \
            .family = KERN_##fam,                                                                  \
            .in = KERN_##ty_in,                                                                    \
            .out = KERN_##ty_out,                                                                  \
            .ps_per_work = ps},
#include "ops.def"
#undef OP
};

static const char *const isa_names[KERN_ISA_COUNT] = {
#define X(upper, lower) [KERN_ISA_##upper] = #lower,
    KERN_ISAS(X)
#undef X
};

const struct kern_op_info *kern_op_info(unsigned op)
{
    return op < KERN_OP_END && op_infos[op].name != NULL ? &op_infos[op] : NULL;
}

enum kern_op kern_op_find(const char *name, size_t name_bytes)
{
    for (unsigned op = 0; op < KERN_OP_END; op++) {
        const char *known = op_infos[op].name;
        if (known != NULL && strlen(known) == name_bytes && memcmp(known, name, name_bytes) == 0)
            return (enum kern_op)op;
    }
    return KERN_OP_NONE;
}

size_t kern_type_bytes(enum kern_type type)
{
    switch (type) {
    case KERN_u8:
        return 1;
    case KERN_f32:
    case KERN_i32:
    case KERN_u32:
        return 4;
    case KERN_u64:
        return 8;
    }
    return 0;
}

const char *kern_isa_name(enum kern_isa isa)
{
    return isa < KERN_ISA_COUNT ? isa_names[isa] : "unknown";
}

int kern_isa_find(enum kern_isa *isa, const char *name)
{
    for (unsigned i = 0; i < KERN_ISA_COUNT; i++) {
        if (strcmp(name, isa_names[i]) == 0) {
            *isa = (enum kern_isa)i;
            return 0;
        }
    }
    return -EINVAL;
}
