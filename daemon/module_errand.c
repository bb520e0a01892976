/* Errands: the worker's part of adding and showing modules.
 *
 * The engine looks at a module before the store keeps it, so that what is kept can run.
 */
#include "config.h"

#include "module_errand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "module_imports.h"

static enum wire_status run_add(struct module_errand *e, struct wasm_session *s, char *reason)
{
    struct host_function *functions = NULL;
    size_t count;
    int os_err = 0;
    enum wire_status status =
        module_store_may_add(e->store, e->uid, e->for_all, e->name, e->byte_count);
    if (status == WIRE_OK)
        status = wasm_module_check(s, e->bytes, e->byte_count, &functions, &count, reason);
    free(functions);
    if (status == WIRE_OK)
        status = module_store_add(e->store, e->uid, e->for_all, e->name, e->bytes, e->byte_count,
                                  NULL, &os_err);
    if (status == WIRE_MODULE_UNKEPT)
        (void)snprintf(reason, HOST_REASON_BYTES, "%s", strerror(-os_err));
    return status;
}

json_t *module_describe(const struct module *m)
{
    char digest[MODULE_DIGEST_TEXT];
    module_digest_text(digest, module_digest(m));
    return json_pack("{s:s, s:b, s:I, s:s, s:I}", "name", module_name(m), "all",
                     (int)module_is_for_all(m), "bytes", (json_int_t)module_bytes(m), "digest",
                     digest, "added_seconds", (json_int_t)module_added_s(m));
}

/* NULL: out of memory, or a name is no UTF-8. */
static json_t *functions_json(const struct host_function *functions, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *one = json_pack("{s:s, s:b, s:b}", "name", functions[i].name, "splits",
                                functions[i].splits != 0, "shapes", functions[i].shapes != 0);
        if (json_array_append_new(list, one) < 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static void append_import(void *user, const char *name, size_t name_bytes)
{
    /* a name that is no UTF-8, or finds no memory, is left out */
    (void)json_array_append_new(user, json_stringn(name, name_bytes));
}

/* The daemon's operations that it uses. NULL: out of memory, or the file cannot be read. */
static json_t *imports_json(const struct module *m)
{
    size_t bytes = module_bytes(m), have = 0;
    uint8_t *file = malloc(bytes);
    json_t *list = file != NULL ? json_array() : NULL;
    while (list != NULL && have < bytes) {
        ssize_t n = pread(module_fd(m), file + have, bytes - have, (off_t)have);
        if (n <= 0) {
            json_decref(list);
            list = NULL;
        } else {
            have += (size_t)n;
        }
    }
    if (list != NULL)
        (void)module_imports(file, bytes, append_import, list);
    free(file);
    return list;
}

static enum wire_status run_show(struct module_errand *e, struct wasm_session *s, char *reason)
{
    const struct host_function *functions;
    size_t count;
    uint32_t number;
    enum wire_status status =
        wasm_module_load(s, e->module, &number, &functions, &count, reason);
    if (status != WIRE_OK)
        return status;
    json_t *shown = module_describe(e->module);
    if (json_object_set_new(shown, "functions", functions_json(functions, count)) == 0 &&
        json_object_set_new(shown, "imports", imports_json(e->module)) == 0)
        e->text = json_dumps(shown, JSON_COMPACT);
    json_decref(shown);
    if (e->text == NULL)
        return WIRE_OUT_OF_MEMORY;
    e->text_bytes = strlen(e->text);
    return WIRE_OK;
}

enum wire_status module_errand_run(struct module_errand *e, struct wasm_session *s, char *reason)
{
    switch (e->kind) {
    case MODULE_ERRAND_ADD:
        return run_add(e, s, reason);
    case MODULE_ERRAND_SHOW:
        return run_show(e, s, reason);
    }
    return WIRE_INTERNAL;
}

void module_errand_free(struct module_errand *e)
{
    if (e == NULL)
        return;
    module_put(e->module);
    free(e->text);
    free(e);
}
