/* The tables: which function computes each op on each ISA.
 *
 * Everything here is constant. Tables of other architectures do not exist in a build, and
 * kern_table() answers NULL for them. */
#include "config.h"

#include "kern.h"

#include "cpu.h"

#define OP(id, name, ...)                                                                          \
    kern_fn kern_##name##_ref, kern_##name##_ref_split, kern_##name##_sse4, kern_##name##_avx2,    \
        kern_##name##_avx512, kern_##name##_neon;
#include "ops.def"
#undef OP

static const struct kern_table table_ref = {.isa = KERN_ISA_SCALAR, .fused = true, .fn = {
#define OP(id, name, ...) [id] = kern_##name##_ref,
#include "ops.def"
#undef OP
}};

static const struct kern_table table_ref_split = {.isa = KERN_ISA_SCALAR, .fused = false, .fn = {
#define OP(id, name, ...) [id] = kern_##name##_ref_split,
#include "ops.def"
#undef OP
}};

#ifdef HAVE_KERN_X86
static const struct kern_table table_sse4 = {.isa = KERN_ISA_SSE4, .fused = false, .fn = {
#define OP(id, name, ...) [id] = kern_##name##_sse4,
#include "ops.def"
#undef OP
}};

static const struct kern_table table_avx2 = {.isa = KERN_ISA_AVX2, .fused = true, .fn = {
#define OP(id, name, ...) [id] = kern_##name##_avx2,
#include "ops.def"
#undef OP
}};

static const struct kern_table table_avx512 = {.isa = KERN_ISA_AVX512, .fused = true, .fn = {
#define OP(id, name, ...) [id] = kern_##name##_avx512,
#include "ops.def"
#undef OP
}};
#endif

#ifdef HAVE_KERN_NEON
static const struct kern_table table_neon = {.isa = KERN_ISA_NEON, .fused = true, .fn = {
#define OP(id, name, ...) [id] = kern_##name##_neon,
#include "ops.def"
#undef OP
}};
#endif

static const struct kern_table *const tables[KERN_ISA_COUNT] = {
    [KERN_ISA_SCALAR] = &table_ref,
#ifdef HAVE_KERN_X86
    [KERN_ISA_SSE4] = &table_sse4,
    [KERN_ISA_AVX2] = &table_avx2,
    [KERN_ISA_AVX512] = &table_avx512,
#endif
#ifdef HAVE_KERN_NEON
    [KERN_ISA_NEON] = &table_neon,
#endif
};

const struct kern_table *kern_table(enum kern_isa isa)
{
    return isa < KERN_ISA_COUNT ? tables[isa] : NULL;
}

const struct kern_table *kern_table_ref(bool fused)
{
    return fused ? &table_ref : &table_ref_split;
}

bool kern_isa_usable(enum kern_isa isa)
{
    return kern_table(isa) != NULL && cpu_runs(isa);
}

enum kern_isa kern_isa_best(enum kern_isa max)
{
    unsigned isa = max < KERN_ISA_COUNT ? (unsigned)max : KERN_ISA_COUNT - 1;
    while (isa > KERN_ISA_SCALAR && !kern_isa_usable((enum kern_isa)isa))
        isa--;
    return (enum kern_isa)isa;
}

void kern_run(const struct kern_table *table, enum kern_op op, const struct kern_args *args,
              void *shared, void *scratch)
{
    struct kern_plan plan;
    kern_plan(&plan, op, table->isa, args);
    for (uint32_t phase = 0; phase < plan.phase_count; phase++) {
        struct kern_part part = {
            .phase = phase,
            .end = kern_phase_units(op, table->isa, args, phase),
            .shared = shared,
            .scratch = scratch,
        };
        table->fn[op](args, &part);
    }
}
