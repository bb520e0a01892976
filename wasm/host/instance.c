/* Instances: a module with a window and a memory of its own, in which one partner runs it. */
#include "config.h"

#include "instance.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "reason.h"
#include "trap.h"

enum {
    KEPT = 16,           /* of one partner; beyond, the one used longest ago goes */
    TABLES = 16,         /* of one instance */
    TABLE_ENTRIES = 1 << 20 /* of one table, 8 bytes each */
};

static void instance_free(struct instance *i)
{
    if (i == NULL)
        return;
    if (i->store != NULL)
        wasmtime_store_delete(i->store);
    module_put(i->module);
    free(i);
}

/* Takes it out of its partner's list and frees it. */
static void instance_drop(struct instance *i)
{
    struct instance **at = &i->partner->instances;

    while (*at != NULL && *at != i)
        at = &(*at)->next;
    if (*at == i)
        *at = i->next;
    instance_free(i);
}

/* ---- calling ---- */

/* Explains how a call into the module ended. Takes both. Returns whether it returned. */
static bool ended(struct instance *i, wasmtime_error_t *error, wasm_trap_t *trap,
                  struct host_task *task)
{
    if (error == NULL && trap == NULL)
        return true;
    if (i->op_status != HOST_OK) {
        task->status = i->op_status;
        memcpy(task->reason, i->op_reason, sizeof task->reason);
    } else if (trap != NULL) {
        trap_explain(task, trap);
    } else {
        task->status = HOST_INTERNAL;
        trap_reason_error(task->reason, error);
    }
    if (trap != NULL)
        wasm_trap_delete(trap);
    if (error != NULL)
        wasmtime_error_delete(error);
    return false;
}

static bool call(struct instance *i, const wasmtime_func_t *function, wasmtime_val_raw_t *value,
                 size_t values, struct host_task *task)
{
    wasm_trap_t *trap = NULL;

    i->op_status = HOST_OK;
    i->partner->running = i;
    wasmtime_error_t *error =
        wasmtime_func_call_unchecked(i->context, function, value, values, &trap);
    i->partner->running = NULL;
    return ended(i, error, trap, task);
}

bool instance_call(struct instance *i, const wasmtime_func_t *function, int32_t argument,
                   int32_t *result, struct host_task *task)
{
    wasmtime_val_raw_t value = {.i32 = argument};

    if (!call(i, function, &value, 1, task)) {
        instance_drop(i);
        return false;
    }
    if (result != NULL)
        *result = value.i32;
    return true;
}

bool instance_function(struct instance *i, const char *name, size_t name_bytes,
                       wasmtime_func_t *out)
{
    wasmtime_extern_t item;

    if (!wasmtime_instance_export_get(i->context, &i->handle, name, name_bytes, &item))
        return false;
    if (item.kind != WASMTIME_EXTERN_FUNC)
        return false;
    *out = item.of.func;
    return true;
}

/* ---- making ---- */

/* A reactor's own start: exported as () -> () and called once. */
static bool initialize(struct instance *i, struct host_task *task)
{
    static const char name[] = "_initialize";
    wasmtime_func_t function;
    bool right = false;

    if (!instance_function(i, name, sizeof name - 1, &function))
        return true;
    wasm_functype_t *type = wasmtime_func_type(i->context, &function);
    if (type != NULL)
        right = wasm_functype_params(type)->size == 0 && wasm_functype_results(type)->size == 0;
    wasm_functype_delete(type);
    return !right || call(i, &function, NULL, 0, task);
}

/* Where its memory is, so that ops and faults find the window. */
static bool find_window(struct instance *i)
{
    wasmtime_extern_t item;

    if (!wasmtime_instance_export_get(i->context, &i->handle, "memory", 6, &item) ||
        item.kind != WASMTIME_EXTERN_MEMORY)
        return false;
    i->window =
        windows_find(i->partner->house->windows, wasmtime_memory_data(i->context, &item.of.memory));
    return i->window != NULL;
}

static bool instantiate(struct instance *i, struct host_task *task)
{
    const struct house *house = i->partner->house;
    wasm_trap_t *trap = NULL;

    i->op_status = HOST_OK;
    i->partner->running = i;
    wasmtime_error_t *error = wasmtime_linker_instantiate(house->linker, i->context,
                                                          i->module->code, &i->handle, &trap);
    i->partner->running = NULL;
    if (!ended(i, error, trap, task)) {
        if (task->status == HOST_INTERNAL)
            task->status = HOST_NO_MEMORY; /* all else was looked at when it was added */
        return false;
    }
    if (!find_window(i)) {
        task->status = HOST_INTERNAL;
        reason_format(task->reason, "the module's memory is in no window");
        return false;
    }
    if (i->module == house->kernels) {
        if (instance_function(i, "simdd_kern", 10, &i->kern))
            return true;
        task->status = HOST_INTERNAL;
        reason_format(task->reason, "the kernels' module does not export simdd_kern");
        return false;
    }
    return initialize(i, task);
}

static struct instance *instance_new(struct partner *p, struct module *module,
                                     struct host_task *task)
{
    struct instance *i = calloc(1, sizeof *i);
    if (i != NULL) {
        i->partner = p;
        i->store = wasmtime_store_new(p->house->engine, i, NULL);
    }
    if (i == NULL || i->store == NULL) {
        free(i);
        task->status = HOST_NO_MEMORY;
        return NULL;
    }
    i->context = wasmtime_store_context(i->store);
    /* Memories are held by their window, which knows both kinds of them. */
    wasmtime_store_limiter(i->store, -1, TABLE_ENTRIES, 1, TABLES, 1);
    /* relaxed: the caller holds a reference. */
    atomic_fetch_add_explicit(&module->refs, 1, memory_order_relaxed);
    i->module = module;
    if (!instantiate(i, task)) {
        instance_free(i);
        return NULL;
    }
    return i;
}

/* The last one of the list goes when there are too many; the kernels' stays. */
static void make_room(struct partner *p)
{
    struct instance *last = NULL;
    unsigned count = 0;

    for (struct instance *i = p->instances; i != NULL; i = i->next) {
        count++;
        if (i->module != p->house->kernels)
            last = i;
    }
    if (count >= KEPT && last != NULL)
        instance_drop(last);
}

struct instance *instance_get(struct partner *p, struct module *module, struct host_task *task)
{
    struct instance **at = &p->instances;

    while (*at != NULL && (*at)->module != module)
        at = &(*at)->next;
    struct instance *i = *at;
    if (i != NULL) {
        *at = i->next;
    } else {
        make_room(p);
        i = instance_new(p, module, task);
        if (i == NULL)
            return NULL;
    }
    i->next = p->instances;
    p->instances = i;
    return i;
}

void instances_sweep(struct partner *p)
{
    struct instance **at = &p->instances;

    while (*at != NULL) {
        struct instance *i = *at;
        /* acquire: pairs with the release in modules_drop(). */
        if (atomic_load_explicit(&i->module->dropped, memory_order_acquire) != 0) {
            *at = i->next;
            instance_free(i);
        } else {
            at = &i->next;
        }
    }
}
