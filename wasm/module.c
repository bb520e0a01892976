/* The kernels' module: every op for both ISAs of WebAssembly behind one exported function.
 *
 * It imports nothing and keeps nothing between calls. Sizes, shapes and plans were checked by the
 * daemon, which describes one range of one phase; whatever it points to outside what is mapped in
 * the window is a trap. */
#include "config.h"

#include "kernels/kern.h"
#include "wasm/host/task.h"

#define OP(id, name, ...) kern_fn kern_##name##_wasm128, kern_##name##_wasm128r;
#include "kernels/ops.def"
#undef OP

static kern_fn *const kernels[KERN_OP_END] = {
#define OP(id, name, ...) [id] = kern_##name##_wasm128,
#include "kernels/ops.def"
#undef OP
};

static kern_fn *const kernels_relaxed[KERN_OP_END] = {
#define OP(id, name, ...) [id] = kern_##name##_wasm128r,
#include "kernels/ops.def"
#undef OP
};

static enum kern_family family_of(uint32_t op)
{
    switch (op) {
#define OP(id, name, family, ...)                                                                  \
    case id:                                                                                       \
        return KERN_##family;
#include "kernels/ops.def"
#undef OP
    default:
        __builtin_trap();
    }
}

static void args_set(struct kern_args *args, const struct host_kernel *task)
{
    for (unsigned i = 0; i < KERN_IN_MAX; i++)
        args->in[i] = (const void *)(uintptr_t)task->in[i];
    args->out = (void *)(uintptr_t)task->out;
    switch (family_of(task->op)) {
    case KERN_zip:
        args->u.zip.n = task->n;
        break;
    case KERN_map:
        args->u.map.n = task->n;
        break;
    case KERN_matmul:
        args->u.matmul = task->u.matmul;
        break;
    case KERN_conv2d:
        args->u.conv2d = task->u.conv2d;
        break;
    case KERN_hash:
        args->u.hash = (struct kern_hash){.n_bytes = task->n, .count = task->count};
        break;
    }
}

/* task lies in the call page of the window. */
__attribute__((export_name("simdd_kern"))) void simdd_kern(const struct host_kernel *task)
{
    struct kern_args args;
    struct kern_part part = {.phase = task->phase,
                             .begin = task->begin,
                             .end = task->end,
                             .shared = (void *)(uintptr_t)task->shared,
                             .scratch = (void *)(uintptr_t)task->scratch};

    args_set(&args, task);
    if (task->isa == KERN_ISA_WASM128R)
        kernels_relaxed[task->op](&args, &part);
    else
        kernels[task->op](&args, &part);
}
