/* The daemon's ops, for modules that import them.
 *
 * They run natively on the calling thread, on the guest's own window, at the machine's full width.
 * What says where operands lie is copied out of the window and checked first: another thread may
 * write there, and the daemon may take an arena away at any time. If that happens while an op runs,
 * the fault leads back here (kernels hold nothing), and the guest is stopped as by a trap of its
 * own.
 */
#include "config.h"

#include "op.h"

#include <errno.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "instance.h"
#include "op_check.h"
#include "reason.h"

enum { SCRATCH_KEPT = 4 << 20 };

/* What one op needs beside its operands; freed after the op, also if that faulted. */
struct extra {
    void *scratch, *shared;     /* aligned to 64 */
    void *volatile block;       /* owned; NULL if the partner's own was large enough */
    uint64_t *volatile offsets; /* owned: a hash's, copied */
};

static wasm_trap_t *stop(struct instance *i, enum host_status status, enum kern_op op,
                         const char *why)
{
    i->op_status = status;
    reason_format(i->op_reason, "simdd.%s: %s", kern_op_info(op)->name, why);
    return wasmtime_trap_new("stopped", 7);
}

/* The window of an instance, also while its start function runs. */
static struct window *window_of(struct instance *i, wasmtime_caller_t *caller)
{
    wasmtime_extern_t item;

    if (i->window == NULL && wasmtime_caller_export_get(caller, "memory", 6, &item) &&
        item.kind == WASMTIME_EXTERN_MEMORY)
        i->window = windows_find(i->partner->house->windows,
                                 wasmtime_memory_data(i->context, &item.of.memory));
    return i->window;
}

static size_t up(size_t n)
{
    return (n + 63) / 64 * 64;
}

/* Memory for the op's plan. -ENOMEM. */
static int take_scratch(struct extra *e, struct partner *p, const struct kern_plan *plan)
{
    if (plan->shared_bytes > SIZE_MAX / 4 || plan->scratch_bytes > SIZE_MAX / 4)
        return -ENOMEM;
    size_t shared = up(plan->shared_bytes), bytes = shared + up(plan->scratch_bytes);
    uint8_t *at = p->scratch;
    if (bytes > p->scratch_bytes) {
        at = aligned_alloc(64, bytes);
        if (at == NULL)
            return -ENOMEM;
        if (bytes <= SCRATCH_KEPT) {
            free(p->scratch);
            p->scratch = at;
            p->scratch_bytes = bytes;
        } else {
            e->block = at;
        }
    }
    e->shared = at;
    e->scratch = at == NULL ? NULL : at + shared;
    return 0;
}

/* A hash's offsets steer where it reads. -ENOMEM, -EINVAL. */
static int take_offsets(struct extra *e, struct op_operands *o, struct host_task *task)
{
    size_t bytes = (size_t)o->in_bytes[1];

    e->offsets = malloc(bytes);
    if (e->offsets == NULL)
        return -ENOMEM;
    memcpy(e->offsets, o->args.in[1], bytes);
    if (!op_offsets_rise(e->offsets, o->args.u.hash.count, o->args.u.hash.n_bytes))
        return -EINVAL;
    o->args.in[1] = e->offsets;
    task->copied += bytes;
    return 0;
}

/* From the first look into the window to the last byte that the op touches, memory may go: then
 * sigsetjmp() returns again. What is used after that is volatile, or does not change. */
static wasm_trap_t *run(struct instance *i, struct window *w, enum kern_op op, uint32_t at)
{
    struct partner *p = i->partner;
    struct op_operands o;
    struct guest_op g;
    struct extra extra = {.block = NULL};
    wasm_trap_t *volatile trap = NULL;
    char why[HOST_REASON_BYTES];

    if (sigsetjmp(p->recover, 0) != 0) {
        trap = stop(i, HOST_TRAP_MEMORY, op, "memory that it uses was taken away");
        goto out;
    }
    p->recovers = 1;
    atomic_signal_fence(memory_order_seq_cst); /* the handler sees it before the first touch */
    memcpy(&g, window_base(w) + at, sizeof g);
    if (op_check(&o, op, &g, w, why) < 0) {
        trap = stop(i, HOST_BAD_IMPORT, op, why);
        goto out;
    }
    int err = 0;
    if (kern_op_info(op)->family == KERN_hash && o.in_count == 2)
        err = take_offsets(&extra, &o, p->task);
    if (err == 0) {
        struct kern_plan plan;
        kern_plan(&plan, op, p->house->ops->isa, &o.args);
        err = take_scratch(&extra, p, &plan);
    }
    if (err == -EINVAL)
        trap = stop(i, HOST_BAD_IMPORT, op, "its offsets do not rise within the bytes");
    else if (err < 0)
        trap = stop(i, HOST_NO_MEMORY, op, "no memory to work in");
    else
        kern_run(p->house->ops, op, &o.args, extra.shared, extra.scratch);
out:
    p->recovers = 0;
    free(extra.block);
    free(extra.offsets);
    return trap;
}

static wasm_trap_t *enter(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *values,
                          size_t count)
{
    enum kern_op op = (enum kern_op)(uintptr_t)env;
    struct instance *i = wasmtime_context_get_data(wasmtime_caller_context(caller));
    struct window *w = window_of(i, caller);
    uint32_t at = (uint32_t)values[0].i32;

    (void)count;
    if (w == NULL)
        return stop(i, HOST_INTERNAL, op, "its memory is in no window");
    if (at % sizeof(uint32_t) != 0 || !window_holds(w, at, sizeof(struct guest_op)))
        return stop(i, HOST_BAD_IMPORT, op, "its description lies outside the window");
    wasm_trap_t *trap = run(i, w, op, at);
    values[0].i32 = 0;
    return trap;
}

int ops_define(wasmtime_linker_t *linker)
{
    wasm_functype_t *type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
    wasmtime_error_t *error = NULL;

    for (unsigned op = 1; op < KERN_OP_END && error == NULL; op++) {
        const struct kern_op_info *info = kern_op_info(op);
        if (info != NULL)
            error = wasmtime_linker_define_func_unchecked(linker, "simdd", 5, info->name,
                                                          strlen(info->name), type, enter,
                                                          (void *)(uintptr_t)op, NULL);
    }
    wasm_functype_delete(type);
    if (error == NULL)
        return 0;
    wasmtime_error_delete(error);
    return -ENOMEM;
}
