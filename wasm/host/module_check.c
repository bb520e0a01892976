/* What may be a module: wasm/guest/simdd.h, looked at from the other side.
 *
 * The engine has found it valid by now; here is what the ABI asks beyond that. Whatever is refused
 * is named, since the reason is all that its author will see.
 */
#include "config.h"

#include "module.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "reason.h"

#define ABI_EXPORT "simdd_abi_1"

/* Names go into reasons with %.*s; one of 10,000 characters need not fill it. */
enum { NAME_SHOWN = 80 };

struct check {
    wasm_exporttype_vec_t exports;
    const wasm_exporttype_t **sorted; /* by name */
    char *reason;
};

static int shown(const wasm_name_t *name)
{
    return name->size < NAME_SHOWN ? (int)name->size : NAME_SHOWN;
}

static bool is(const wasm_name_t *name, const char *text)
{
    return name->size == strlen(text) && memcmp(name->data, text, name->size) == 0;
}

static int order(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
    size_t least = a_bytes < b_bytes ? a_bytes : b_bytes;
    int sign = least == 0 ? 0 : memcmp(a, b, least);
    return sign != 0 ? sign : (a_bytes > b_bytes) - (a_bytes < b_bytes);
}

static int by_name(const void *a, const void *b)
{
    const wasm_name_t *x = wasm_exporttype_name(*(const wasm_exporttype_t *const *)a);
    const wasm_name_t *y = wasm_exporttype_name(*(const wasm_exporttype_t *const *)b);
    return order(x->data, x->size, y->data, y->size);
}

/* Whether it is a function with so many i32 parameters and results (0 or 1 each). */
static bool is_function(const wasm_externtype_t *type, size_t params, size_t results)
{
    const wasm_functype_t *f = wasm_externtype_as_functype_const(type);
    if (f == NULL)
        return false;
    const wasm_valtype_vec_t *in = wasm_functype_params(f), *out = wasm_functype_results(f);
    return in->size == params && out->size == results &&
           (params == 0 || wasm_valtype_kind(in->data[0]) == WASM_I32) &&
           (results == 0 || wasm_valtype_kind(out->data[0]) == WASM_I32);
}

/* ---- imports ---- */

static int check_import(const wasm_importtype_t *import, char *reason)
{
    const wasm_name_t *module = wasm_importtype_module(import);
    const wasm_name_t *name = wasm_importtype_name(import);

    if (!is(module, "simdd") || kern_op_find(name->data, name->size) == KERN_OP_NONE) {
        reason_format(reason, "imports %.*s.%.*s: only simdd.<op> may be imported", shown(module),
                      module->data, shown(name), name->data);
        return -EINVAL;
    }
    if (!is_function(wasm_importtype_type(import), 1, 1)) {
        reason_format(reason, "imports simdd.%.*s as something else than (i32) -> i32",
                      shown(name), name->data);
        return -EINVAL;
    }
    return 0;
}

static int check_imports(const wasmtime_module_t *code, char *reason)
{
    wasm_importtype_vec_t imports;
    int err = 0;

    wasmtime_module_imports(code, &imports);
    for (size_t i = 0; i < imports.size && err == 0; i++)
        err = check_import(imports.data[i], reason);
    wasm_importtype_vec_delete(&imports);
    return err;
}

/* ---- exports ---- */

/* The export called `name` and then `tail`, or NULL. */
static const wasm_externtype_t *find(const struct check *c, const wasm_name_t *name,
                                     const char *tail)
{
    size_t low = 0, high = c->exports.size, tail_bytes = strlen(tail);

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const wasm_name_t *at = wasm_exporttype_name(c->sorted[middle]);
        size_t head = at->size < name->size ? at->size : name->size;
        int sign = order(at->data, head, name->data, name->size);
        if (sign == 0)
            sign = order(at->data + head, at->size - head, tail, tail_bytes);
        if (sign == 0)
            return wasm_exporttype_type(c->sorted[middle]);
        if (sign < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

static int check_own(const struct check *c, uint64_t memory_max)
{
    const wasm_name_t none = {0, NULL};
    const wasm_externtype_t *abi = find(c, &none, ABI_EXPORT), *type = find(c, &none, "memory");

    if (abi == NULL || !is_function(abi, 0, 0)) {
        reason_format(c->reason, "exports no function " ABI_EXPORT
                                 ": it is not built with simdd's kit, or for another version");
        return -EINVAL;
    }
    const wasm_memorytype_t *memory =
        type == NULL ? NULL : wasm_externtype_as_memorytype_const(type);
    if (memory == NULL) {
        reason_format(c->reason, "exports no memory called memory");
        return -EINVAL;
    }
    uint64_t bytes = wasmtime_memorytype_minimum(memory) << 16;
    if (bytes != WINDOW_BYTES && bytes > memory_max) {
        reason_format(c->reason,
                      "its memory starts with %" PRIu64 " bytes, over the limit of %" PRIu64, bytes,
                      memory_max);
        return -EINVAL;
    }
    return 0;
}

/* What a client could not write, or this program not pass on. */
static bool name_fits(const wasm_name_t *name)
{
    if (name->size == 0 || name->size >= sizeof ((struct host_function *)0)->name)
        return false;
    for (size_t i = 0; i < name->size; i++) {
        if ((unsigned char)name->data[i] <= ' ' || name->data[i] == '/' || name->data[i] == 0x7f)
            return false;
    }
    return true;
}

static int refuse_name(const struct check *c, const wasm_name_t *name)
{
    char text[NAME_SHOWN];
    int bytes = shown(name);

    for (int i = 0; i < bytes; i++)
        text[i] = name->data[i] == '\0' ? '?' : name->data[i];
    reason_format(c->reason,
                  "exports a function '%.*s'%s: names are 1 to 63 bytes without '/', blanks and "
                  "control characters",
                  bytes, text, name->size > NAME_SHOWN ? "..." : "");
    return -EINVAL;
}

static int check_beside(const struct check *c, const wasm_name_t *name, const char *tail,
                        uint8_t *has)
{
    const wasm_externtype_t *type = find(c, name, tail);

    *has = type != NULL;
    if (type == NULL || is_function(type, 1, 1))
        return 0;
    reason_format(c->reason, "exports %.*s%s as something else than (i32) -> i32", shown(name),
                  name->data, tail);
    return -EINVAL;
}

/* Whether it says something about another function, and is none itself. */
static bool is_beside(const struct check *c, const wasm_name_t *name)
{
    size_t tail = 6; /* .units and .shape are of one length */

    if (name->size <= tail || (memcmp(name->data + name->size - tail, ".units", tail) != 0 &&
                               memcmp(name->data + name->size - tail, ".shape", tail) != 0))
        return false;
    const wasm_name_t base = {name->size - tail, name->data};
    const wasm_externtype_t *type = find(c, &base, "");
    return type != NULL && is_function(type, 1, 1);
}

static int check_functions(const struct check *c, struct host_function *out, uint32_t *count)
{
    for (size_t i = 0; i < c->exports.size; i++) {
        const wasm_name_t *name = wasm_exporttype_name(c->sorted[i]);
        if (!is_function(wasm_exporttype_type(c->sorted[i]), 1, 1) || is_beside(c, name))
            continue;
        if (!name_fits(name))
            return refuse_name(c, name);
        struct host_function *f = &out[*count];
        *f = (struct host_function){.splits = 0};
        memcpy(f->name, name->data, name->size);
        int err = check_beside(c, name, ".units", &f->splits);
        if (err == 0)
            err = check_beside(c, name, ".shape", &f->shapes);
        if (err < 0)
            return err;
        ++*count;
    }
    return 0;
}

static int check_exports(struct check *c, uint64_t memory_max, struct host_function **functions,
                         uint32_t *count)
{
    size_t n = c->exports.size;

    c->sorted = calloc(n + 1, sizeof *c->sorted);
    struct host_function *list = calloc(n + 1, sizeof *list);
    if (c->sorted == NULL || list == NULL || n > UINT32_MAX) {
        free(list);
        return -ENOMEM;
    }
    for (size_t i = 0; i < n; i++)
        c->sorted[i] = c->exports.data[i];
    qsort(c->sorted, n, sizeof *c->sorted, by_name);
    *count = 0;
    int err = check_own(c, memory_max);
    if (err == 0)
        err = check_functions(c, list, count);
    if (err < 0) {
        free(list);
        return err;
    }
    *functions = list;
    return 0;
}

int module_check(const wasmtime_module_t *code, uint64_t memory_max,
                 struct host_function **functions, uint32_t *count,
                 char reason[static HOST_REASON_BYTES])
{
    struct check c = {.sorted = NULL, .reason = reason};

    int err = check_imports(code, reason);
    if (err < 0)
        return err;
    wasmtime_module_exports(code, &c.exports);
    err = check_exports(&c, memory_max, functions, count);
    free(c.sorted);
    wasm_exporttype_vec_delete(&c.exports);
    return err;
}
