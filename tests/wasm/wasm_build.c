/* WebAssembly's binary format, as far as the tests need it. */
#include "config.h"

#include "wasm_build.h"

#include <stdlib.h>
#include <string.h>

static void reserve(struct wasm_bytes *b, size_t n)
{
    if (b->cap - b->n >= n)
        return;
    size_t cap = 2 * (b->n + n);
    uint8_t *p = realloc(b->p, cap);
    if (p == NULL)
        abort();
    b->p = p;
    b->cap = cap;
}

void bytes_free(struct wasm_bytes *b)
{
    free(b->p);
    *b = (struct wasm_bytes){0};
}

void bytes_put(struct wasm_bytes *b, uint8_t byte)
{
    reserve(b, 1);
    b->p[b->n++] = byte;
}

void bytes_append(struct wasm_bytes *b, const void *p, size_t n)
{
    if (n == 0)
        return;
    reserve(b, n);
    memcpy(b->p + b->n, p, n);
    b->n += n;
}

void bytes_unsigned(struct wasm_bytes *b, uint64_t value)
{
    for (; value >= 0x80; value >>= 7)
        bytes_put(b, (uint8_t)(value | 0x80));
    bytes_put(b, (uint8_t)value);
}

void bytes_signed(struct wasm_bytes *b, int64_t value)
{
    for (; value < -64 || value > 63; value >>= 7)
        bytes_put(b, (uint8_t)((value & 0x7f) | 0x80));
    bytes_put(b, (uint8_t)(value & 0x7f));
}

void bytes_name(struct wasm_bytes *b, const char *name, size_t n)
{
    bytes_unsigned(b, n);
    bytes_append(b, name, n);
}

void module_init(struct wasm_module *m)
{
    *m = (struct wasm_module){0};
    CODE(&m->types, 0x60, 0, 0);               /* TYPE_NONE */
    CODE(&m->types, 0x60, 1, I32, 1, I32);      /* TYPE_ABI */
    CODE(&m->types, 0x60, 1, I64, 1, I32);      /* TYPE_I64 */
    CODE(&m->types, 0x60, 2, I32, I32, 1, I32); /* TYPE_PAIR */
    CODE(&m->types, 0x60, 1, I32, 0);           /* TYPE_NO_RESULT */
    m->type_count = TYPE_COUNT;
}

uint32_t module_import(struct wasm_module *m, const char *from, const char *name,
                       const void *description, size_t description_bytes)
{
    bytes_name(&m->imports, from, strlen(from));
    bytes_name(&m->imports, name, strlen(name));
    bytes_append(&m->imports, description, description_bytes);
    m->import_count++;
    return m->imported_functions;
}

uint32_t module_import_function(struct wasm_module *m, const char *from, const char *name,
                                uint32_t type)
{
    struct wasm_bytes description = {0};

    bytes_put(&description, KIND_FUNCTION);
    bytes_unsigned(&description, type);
    module_import(m, from, name, description.p, description.n);
    bytes_free(&description);
    return m->imported_functions++;
}

uint32_t module_function(struct wasm_module *m, uint32_t type, uint32_t i32_locals,
                         struct wasm_bytes *body)
{
    struct wasm_bytes whole = {0};

    bytes_unsigned(&m->functions, type);
    bytes_unsigned(&whole, i32_locals > 0 ? 1 : 0);
    if (i32_locals > 0) {
        bytes_unsigned(&whole, i32_locals);
        bytes_put(&whole, I32);
    }
    bytes_append(&whole, body->p, body->n);
    bytes_put(&whole, OP_END);
    bytes_unsigned(&m->code, whole.n);
    bytes_append(&m->code, whole.p, whole.n);
    bytes_free(&whole);
    bytes_free(body);
    return m->imported_functions + m->function_count++;
}

void module_export_n(struct wasm_module *m, const char *name, size_t name_bytes,
                     enum wasm_kind kind, uint32_t index)
{
    bytes_name(&m->exports, name, name_bytes);
    bytes_put(&m->exports, (uint8_t)kind);
    bytes_unsigned(&m->exports, index);
    m->export_count++;
}

void module_export(struct wasm_module *m, const char *name, enum wasm_kind kind, uint32_t index)
{
    module_export_n(m, name, strlen(name), kind, index);
}

void module_memory(struct wasm_module *m, uint32_t pages, uint32_t max_pages)
{
    bytes_put(&m->memories, 1);
    bytes_unsigned(&m->memories, pages);
    bytes_unsigned(&m->memories, max_pages);
    m->memory_count++;
}

void module_table(struct wasm_module *m, uint32_t functions)
{
    CODE(&m->tables, FUNCREF, 0);
    bytes_unsigned(&m->tables, functions);
    m->table_count++;
}

/* A vector of `count` entries, or nothing. */
static void section(struct wasm_bytes *out, uint8_t id, uint32_t count, struct wasm_bytes *entries)
{
    struct wasm_bytes counted = {0};

    if (count > 0) {
        bytes_unsigned(&counted, count);
        bytes_put(out, id);
        bytes_unsigned(out, counted.n + entries->n);
        bytes_append(out, counted.p, counted.n);
        bytes_append(out, entries->p, entries->n);
    }
    bytes_free(&counted);
    bytes_free(entries);
}

void module_finish(struct wasm_module *m, struct wasm_bytes *out)
{
    static const uint8_t header[] = {0, 'a', 's', 'm', 1, 0, 0, 0};

    bytes_append(out, header, sizeof(header));
    section(out, 1, m->type_count, &m->types);
    section(out, 2, m->import_count, &m->imports);
    section(out, 3, m->function_count, &m->functions);
    section(out, 4, m->table_count, &m->tables);
    section(out, 5, m->memory_count, &m->memories);
    section(out, 6, m->global_count, &m->globals);
    section(out, 7, m->export_count, &m->exports);
    if (m->start.n > 0) { /* an index, no vector */
        bytes_put(out, 8);
        bytes_unsigned(out, m->start.n);
        bytes_append(out, m->start.p, m->start.n);
        bytes_free(&m->start);
    }
    section(out, 9, m->element_count, &m->elements);
    section(out, 10, m->function_count, &m->code);
    section(out, 11, m->data_count, &m->data);
    bytes_append(out, m->custom.p, m->custom.n);
    bytes_free(&m->custom);
}
