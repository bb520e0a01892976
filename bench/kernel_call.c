#include "config.h"

#include "bench/kernel_call.h"

#include <stdlib.h>
#include <string.h>

#include "bench/tsv.h"

void *kernel_memory(size_t bytes)
{
    size_t whole = (bytes + 63) / 64 * 64;
    void *p = aligned_alloc(64, whole > 0 ? whole : 64);
    tsv_check(p != NULL, "no memory");
    memset(p, 0, whole);
    return p;
}

void kernel_call_init(struct kernel_call *call, enum kern_op op, const struct kern_args *args)
{
    struct kern_plan plan;
    call->table = kern_table(kern_isa_best(KERN_ISA_COUNT));
    call->op = op;
    call->args = *args;
    kern_plan(&plan, op, call->table->isa, args);
    call->shared = kernel_memory(plan.shared_bytes);
    call->scratch = kernel_memory(plan.scratch_bytes);
}

void kernel_call_fini(struct kernel_call *call)
{
    free(call->shared);
    free(call->scratch);
}

void kernel_call_run(void *ctx)
{
    struct kernel_call *call = ctx;
    kern_run(call->table, call->op, &call->args, call->shared, call->scratch);
}

void kernel_call_reference(const struct kernel_call *call, void *out)
{
    struct kern_args args = call->args;
    args.out = out;
    /* A reference has one phase and needs no memory. */
    kern_run(kern_table_ref(call->table->fused), call->op, &args, NULL, NULL);
}

struct kern_args kernel_args_matmul(size_t m, size_t n, size_t k, const float *a, const float *b,
                                    float *c)
{
    return (struct kern_args){
        .in = {a, b},
        .out = c,
        .u.matmul = {.m = (uint32_t)m, .n = (uint32_t)n, .k = (uint32_t)k, .lda = (uint32_t)k,
                     .ldb = (uint32_t)n, .ldc = (uint32_t)n, .alpha.f32 = 1.0f},
    };
}
