/* The kernels' module in this very process: one window, one instance.
 *
 * A kernel's pointers become window addresses by subtraction: nothing is copied, as in the host
 * process. kern_fn has no room for a context, so the engine is a static variable. */
#include "config.h"

#include "wasm_engine.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <wasm.h>
#include <wasmtime.h>

#include "wasm/host/engine.h"
#include "wasm/host/task.h"

enum { OWN_BYTES = 1 << 20 }; /* the module's stack and data */

static struct wasm_engine {
    uint8_t *window;
    size_t window_bytes; /* with what is reserved beyond it */
    wasm_engine_t *engine;
    wasmtime_module_t *module;
    wasmtime_store_t *store;
    wasmtime_context_t *context;
    wasmtime_func_t kern, plain;
    bool has_plain;
} own;

static void die(const char *what, wasmtime_error_t *error, wasm_trap_t *trap)
{
    wasm_byte_vec_t text = {0};
    if (error != NULL)
        wasmtime_error_message(error, &text);
    else if (trap != NULL)
        wasm_trap_message(trap, &text);
    printf("%s: %.*s\n", what, (int)text.size, text.size != 0 ? text.data : "");
    exit(EXIT_FAILURE);
}

/* ---- the window ---- */

static uint8_t *window_get(void *env, size_t *bytes, size_t *bytes_max)
{
    (void)env;
    *bytes = *bytes_max = WINDOW_BYTES;
    return own.window;
}

static wasmtime_error_t *window_grow(void *env, size_t bytes)
{
    (void)env;
    (void)bytes;
    return wasmtime_error_new("the module has all of its memory");
}

static wasmtime_error_t *window_new(void *env, const wasm_memorytype_t *type, size_t minimum,
                                    size_t maximum, size_t reserved_bytes, size_t guard_bytes,
                                    wasmtime_linear_memory_t *memory)
{
    (void)env;
    (void)type;
    if (minimum != WINDOW_BYTES || maximum != WINDOW_BYTES)
        return wasmtime_error_new("the module's memory is not the window");
    if (reserved_bytes < WINDOW_BYTES)
        reserved_bytes = WINDOW_BYTES;
    own.window_bytes = reserved_bytes + guard_bytes;
    own.window = mmap(NULL, own.window_bytes, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (own.window == MAP_FAILED ||
        mprotect(own.window, OWN_BYTES, PROT_READ | PROT_WRITE) != 0 ||
        mprotect(own.window + WINDOW_CALL, WINDOW_CALL_BYTES, PROT_READ | PROT_WRITE) != 0)
        return wasmtime_error_new("no address space");
    *memory = (wasmtime_linear_memory_t){.get_memory = window_get, .grow_memory = window_grow};
    return NULL;
}

uint8_t *wasm_engine_operands(size_t *bytes)
{
    *bytes = WINDOW_END - WINDOW_SEGMENT;
    return own.window + WINDOW_SEGMENT;
}

/* ---- calls ---- */

static uint32_t window_at(const void *p)
{
    if (p == NULL)
        return 0;
    size_t at = (size_t)((const uint8_t *)p - own.window);
    if (at >= WINDOW_BYTES) {
        puts("an operand lies outside the window");
        abort();
    }
    return (uint32_t)at;
}

void wasm_engine_task(struct host_kernel *task, enum kern_op op, enum kern_isa isa,
                      const struct kern_args *args, const struct kern_part *part)
{
    *task = (struct host_kernel){.op = op,
                                 .isa = isa,
                                 .out = window_at(args->out),
                                 .shared = window_at(part->shared),
                                 .scratch = window_at(part->scratch),
                                 .phase = part->phase,
                                 .begin = (uint32_t)part->begin,
                                 .end = (uint32_t)part->end};
    for (unsigned i = 0; i < KERN_IN_MAX; i++)
        task->in[i] = window_at(args->in[i]);
    switch (kern_op_info(op)->family) {
    case KERN_zip:
        task->n = (uint32_t)args->u.zip.n;
        break;
    case KERN_map:
        task->n = (uint32_t)args->u.map.n;
        break;
    case KERN_hash:
        task->n = (uint32_t)args->u.hash.n_bytes;
        task->count = (uint32_t)args->u.hash.count;
        break;
    case KERN_matmul:
        task->u.matmul = args->u.matmul;
        break;
    case KERN_conv2d:
        task->u.conv2d = args->u.conv2d;
        break;
    }
}

static void call(const wasmtime_func_t *function, enum kern_op op, enum kern_isa isa,
                 const struct kern_args *args, const struct kern_part *part)
{
    wasmtime_val_raw_t value = {.i32 = WINDOW_CALL};
    wasm_trap_t *trap = NULL;
    struct host_kernel task;

    wasm_engine_task(&task, op, isa, args, part);
    memcpy(own.window + WINDOW_CALL, &task, sizeof task);
    wasmtime_error_t *error =
        wasmtime_func_call_unchecked(own.context, function, &value, 1, &trap);
    if (error != NULL)
        die("call", error, NULL);
    if (trap != NULL) {
        wasm_byte_vec_t text;
        wasm_trap_message(trap, &text);
        printf("trap: %.*s\n", (int)text.size, text.data);
        raise(SIGSEGV);
    }
}

#define OP(id, name, ...)                                                                          \
    static void name##_wasm128(const struct kern_args *args, const struct kern_part *part)         \
    {                                                                                              \
        call(&own.kern, id, KERN_ISA_WASM128, args, part);                                         \
    }                                                                                              \
    static void name##_wasm128r(const struct kern_args *args, const struct kern_part *part)        \
    {                                                                                              \
        call(&own.kern, id, KERN_ISA_WASM128R, args, part);                                        \
    }                                                                                              \
    static void name##_plain(const struct kern_args *args, const struct kern_part *part)           \
    {                                                                                              \
        call(&own.plain, id, KERN_ISA_WASM128, args, part);                                        \
    }
#include "kernels/ops.def"
#undef OP

static const struct kern_table table_wasm128 = {.isa = KERN_ISA_WASM128, .fused = false, .fn = {
#define OP(id, name, ...) [id] = name##_wasm128,
#include "kernels/ops.def"
#undef OP
}};

static const struct kern_table table_wasm128r = {.isa = KERN_ISA_WASM128R, .fused = true, .fn = {
#define OP(id, name, ...) [id] = name##_wasm128r,
#include "kernels/ops.def"
#undef OP
}};

static const struct kern_table table_plain = {.isa = KERN_ISA_WASM128, .fused = false, .fn = {
#define OP(id, name, ...) [id] = name##_plain,
#include "kernels/ops.def"
#undef OP
}};

const struct kern_table *wasm_engine_plain(void)
{
    return own.has_plain ? &table_plain : NULL;
}

const struct kern_table *wasm_engine_table(enum kern_isa isa)
{
    if (isa == KERN_ISA_WASM128)
        return &table_wasm128;
#ifdef HAVE_KERN_X86
    if (!__builtin_cpu_supports("fma") || !__builtin_cpu_supports("avx"))
        return NULL;
#endif
    return isa == KERN_ISA_WASM128R ? &table_wasm128r : NULL;
}

/* ---- life ---- */

static void file_read(const char *path, wasm_byte_vec_t *bytes)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    fseek(file, 0, SEEK_END);
    wasm_byte_vec_new_uninitialized(bytes, (size_t)ftell(file));
    rewind(file);
    if (fread(bytes->data, 1, bytes->size, file) != bytes->size)
        die("read", NULL, NULL);
    fclose(file);
}

static bool function_get(const wasmtime_instance_t *instance, const char *name,
                         wasmtime_func_t *function)
{
    wasmtime_extern_t item;
    if (!wasmtime_instance_export_get(own.context, instance, name, strlen(name), &item) ||
        item.kind != WASMTIME_EXTERN_FUNC)
        return false;
    *function = item.of.func;
    return true;
}

void wasm_engine_open(const char *path)
{
    wasmtime_memory_creator_t creator = {.new_memory = window_new};
    wasm_byte_vec_t bytes;
    wasmtime_instance_t instance;
    wasm_trap_t *trap = NULL;

    file_read(path, &bytes);
    own.engine = engine_new(&creator);
    if (own.engine == NULL)
        die("no engine", NULL, NULL);
    wasmtime_error_t *error =
        wasmtime_module_new(own.engine, (const uint8_t *)bytes.data, bytes.size, &own.module);
    wasm_byte_vec_delete(&bytes);
    if (error != NULL)
        die(path, error, NULL);
    own.store = wasmtime_store_new(own.engine, NULL, NULL);
    own.context = wasmtime_store_context(own.store);
    error = wasmtime_instance_new(own.context, own.module, NULL, 0, &instance, &trap);
    if (error != NULL || trap != NULL)
        die(path, error, trap);
    if (!function_get(&instance, "simdd_kern", &own.kern))
        die("no simdd_kern", NULL, NULL);
    own.has_plain = function_get(&instance, "simdd_plain", &own.plain);
}

void wasm_engine_close(void)
{
    wasmtime_store_delete(own.store);
    wasmtime_module_delete(own.module);
    wasm_engine_delete(own.engine);
    munmap(own.window, own.window_bytes);
    own = (struct wasm_engine){0};
}
