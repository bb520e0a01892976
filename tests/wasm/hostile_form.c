/* Modules that are wrong as they stand. */
#include "config.h"

#include "hostile.h"

#include <string.h>

/* The ABI and `f`, without a memory. */
static void begin_bare(struct wasm_module *m)
{
    struct wasm_bytes b = {0};

    if (m->type_count == 0)
        module_init(m);
    module_export(m, "simdd_abi_1", KIND_FUNCTION, module_function(m, TYPE_NONE, 0, &b));
    CODE(&b, OP_I32_CONST, 0);
    module_export(m, "f", KIND_FUNCTION, module_function(m, TYPE_ABI, 0, &b));
}

void hostile_begin(struct wasm_module *m)
{
    begin_bare(m);
    module_memory(m, 1, 16);
    module_export(m, "memory", KIND_MEMORY, 0);
}

/* ---- started too early ---- */

static uint32_t add_spin(struct wasm_module *m)
{
    struct wasm_bytes b = {0};

    CODE(&b, OP_LOOP, VOID, OP_BR, 0, OP_END);
    return module_function(m, TYPE_NONE, 0, &b);
}

void hostile_start_spins(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    bytes_unsigned(&m.start, add_spin(&m));
    module_finish(&m, out);
}

void hostile_initialize_spins(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    module_export(&m, "_initialize", KIND_FUNCTION, add_spin(&m));
    module_finish(&m, out);
}

void hostile_start_traps(struct wasm_bytes *out)
{
    struct wasm_module m = {0};
    struct wasm_bytes b = {0};

    hostile_begin(&m);
    CODE(&b, OP_UNREACHABLE);
    bytes_unsigned(&m.start, module_function(&m, TYPE_NONE, 0, &b));
    module_finish(&m, out);
}

void hostile_start_imports(struct wasm_bytes *out)
{
    struct wasm_module m;
    struct wasm_bytes b = {0};

    module_init(&m);
    uint32_t add = module_import_function(&m, "simdd", "add_f32", TYPE_ABI);
    hostile_begin(&m);
    bytes_put(&b, OP_I32_CONST);
    bytes_signed(&b, (int32_t)0x90000000u);
    CODE(&b, OP_CALL);
    bytes_unsigned(&b, add);
    CODE(&b, OP_DROP);
    bytes_unsigned(&m.start, module_function(&m, TYPE_NONE, 0, &b));
    module_finish(&m, out);
}

/* ---- imports ---- */

static void import(struct wasm_bytes *out, const char *from, const char *name, const void *what,
                   size_t what_bytes)
{
    struct wasm_module m;
    uint8_t kind = ((const uint8_t *)what)[0];

    module_init(&m);
    module_import(&m, from, name, what, what_bytes);
    m.imported_functions = kind == KIND_FUNCTION ? 1 : 0;
    if (kind == KIND_MEMORY) {
        begin_bare(&m);
        module_export(&m, "memory", KIND_MEMORY, 0);
    } else {
        hostile_begin(&m);
    }
    module_finish(&m, out);
}

#define IMPORT(id, from, name, ...)                                                                \
    static void id(struct wasm_bytes *out)                                                         \
    {                                                                                              \
        static const uint8_t what[] = {__VA_ARGS__};                                               \
        import(out, from, name, what, sizeof(what));                                               \
    }
IMPORT(import_wasi, "wasi_snapshot_preview1", "fd_write", KIND_FUNCTION, TYPE_ABI)
IMPORT(import_env, "env", "puts", KIND_FUNCTION, TYPE_ABI)
IMPORT(import_no_op, "simdd", "matmul_f64", KIND_FUNCTION, TYPE_ABI)
IMPORT(import_empty, "", "", KIND_FUNCTION, TYPE_ABI)
IMPORT(import_near, "simdd", "matmul_f32 ", KIND_FUNCTION, TYPE_ABI)
IMPORT(import_far, "simdd2", "matmul_f32", KIND_FUNCTION, TYPE_ABI)
IMPORT(import_pair, "simdd", "matmul_f32", KIND_FUNCTION, TYPE_PAIR)
IMPORT(import_i64, "simdd", "matmul_f32", KIND_FUNCTION, TYPE_I64)
IMPORT(import_no_result, "simdd", "matmul_f32", KIND_FUNCTION, TYPE_NO_RESULT)
IMPORT(import_as_memory, "simdd", "matmul_f32", KIND_MEMORY, 0, 1)
IMPORT(import_as_table, "simdd", "matmul_f32", KIND_TABLE, FUNCREF, 0, 1)
IMPORT(import_as_global, "simdd", "matmul_f32", KIND_GLOBAL, I32, 0)
IMPORT(import_memory, "env", "memory", KIND_MEMORY, 0, 1)
IMPORT(import_table, "env", "table", KIND_TABLE, FUNCREF, 0, 1)
IMPORT(import_global, "env", "stack", KIND_GLOBAL, I32, 1)
#undef IMPORT

/* ---- memories ---- */

static void memory_none(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    begin_bare(&m);
    module_finish(&m, out);
}

static void memory_hidden(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    begin_bare(&m);
    module_memory(&m, 1, 1);
    module_finish(&m, out);
}

static void memory_no_memory(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    begin_bare(&m);
    module_memory(&m, 1, 1);
    module_export(&m, "memory", KIND_FUNCTION, 1);
    module_finish(&m, out);
}

static void memory_two(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    module_memory(&m, 1, 1);
    module_finish(&m, out);
}

/* A memory with these flags: 2 is shared, 4 is 64 bits wide. */
static void memory_flags(struct wasm_bytes *out, uint8_t flags)
{
    struct wasm_module m = {0};

    begin_bare(&m);
    CODE(&m.memories, (uint8_t)(flags | 1), 1, 1);
    m.memory_count = 1;
    module_export(&m, "memory", KIND_MEMORY, 0);
    module_finish(&m, out);
}

static void memory_shared(struct wasm_bytes *out)
{
    memory_flags(out, 2);
}

static void memory_wide(struct wasm_bytes *out)
{
    memory_flags(out, 4);
}

static void memory_large(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    begin_bare(&m);
    module_memory(&m, 65535, 65535);
    module_export(&m, "memory", KIND_MEMORY, 0);
    module_finish(&m, out);
}

/* ---- exports ---- */

static void abi_none(struct wasm_bytes *out)
{
    struct wasm_module m;
    struct wasm_bytes b = {0};

    module_init(&m);
    module_memory(&m, 1, 1);
    module_export(&m, "memory", KIND_MEMORY, 0);
    CODE(&b, OP_I32_CONST, 0);
    module_export(&m, "f", KIND_FUNCTION, module_function(&m, TYPE_ABI, 0, &b));
    module_finish(&m, out);
}

static void abi_mistyped(struct wasm_bytes *out)
{
    struct wasm_module m;
    struct wasm_bytes b = {0};

    module_init(&m);
    module_memory(&m, 1, 1);
    module_export(&m, "memory", KIND_MEMORY, 0);
    CODE(&b, OP_I32_CONST, 0);
    module_export(&m, "simdd_abi_1", KIND_FUNCTION, module_function(&m, TYPE_ABI, 0, &b));
    module_finish(&m, out);
}

static void export_i64(struct wasm_bytes *out, const char *name)
{
    struct wasm_module m = {0};
    struct wasm_bytes b = {0};

    hostile_begin(&m);
    CODE(&b, OP_I32_CONST, 1);
    module_export(&m, name, KIND_FUNCTION, module_function(&m, TYPE_I64, 0, &b));
    module_finish(&m, out);
}

static void units_mistyped(struct wasm_bytes *out)
{
    export_i64(out, "f.units");
}

static void shape_mistyped(struct wasm_bytes *out)
{
    export_i64(out, "f.shape");
}

static void shape_memory(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    module_export(&m, "f.shape", KIND_MEMORY, 0);
    module_finish(&m, out);
}

/* Of another type than a function's: no function, and no harm. */
static void other_exports(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    module_table(&m, 1);
    module_export(&m, "a/table", KIND_TABLE, 0);
    module_export(&m, "abi", KIND_FUNCTION, 0);
    module_finish(&m, out);
}

static void export_twice(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    module_export(&m, "f", KIND_FUNCTION, 1);
    module_finish(&m, out);
}

/* ---- names ---- */

static void named(struct wasm_bytes *out, const char *name, size_t name_bytes)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    module_export_n(&m, name, name_bytes, KIND_FUNCTION, 1);
    module_finish(&m, out);
}

#define NAMED(id, name)                                                                            \
    static void id(struct wasm_bytes *out)                                                         \
    {                                                                                              \
        named(out, name, sizeof(name) - 1);                                                        \
    }
NAMED(name_slash, "a/b")
NAMED(name_parent, "../f")
NAMED(name_dots, "..")
NAMED(name_nul, "f\0g")
NAMED(name_only_nul, "\0")
NAMED(name_empty, "")
NAMED(name_suffix, ".units")
NAMED(name_orphan, "g.units")
NAMED(name_line, "f\nstatus=ok")
NAMED(name_quote, "f\"}")
NAMED(name_no_utf8, "f\xff\xfe")
#undef NAMED

static void name_63(struct wasm_bytes *out)
{
    char name[63];

    memset(name, 'n', sizeof(name));
    named(out, name, sizeof(name));
}

static void name_64(struct wasm_bytes *out)
{
    char name[64];

    memset(name, 'n', sizeof(name));
    named(out, name, sizeof(name));
}

static void name_10000(struct wasm_bytes *out)
{
    char name[10000];

    memset(name, 'n', sizeof(name));
    named(out, name, sizeof(name));
}

/* ---- bytes ---- */

static void bytes_none(struct wasm_bytes *out)
{
    (void)out;
}

#define BYTES(id, ...)                                                                             \
    static void id(struct wasm_bytes *out)                                                         \
    {                                                                                              \
        CODE(out, __VA_ARGS__);                                                                    \
    }
BYTES(bytes_magic, 0, 'a', 's', 'm')
BYTES(bytes_header, 0, 'a', 's', 'm', 1, 0, 0, 0)
BYTES(bytes_version, 0, 'a', 's', 'm', 2, 0, 0, 0)
BYTES(bytes_component, 0, 'a', 's', 'm', 0x0d, 0, 1, 0)
BYTES(bytes_text, '(', 'm', 'o', 'd', 'u', 'l', 'e', ')')
BYTES(bytes_elf, 0x7f, 'E', 'L', 'F', 2, 1, 1, 0)
BYTES(bytes_long_section, 0, 'a', 's', 'm', 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f)
BYTES(bytes_long_count, 0, 'a', 's', 'm', 1, 0, 0, 0, 1, 5, 0xff, 0xff, 0xff, 0xff, 0x0f)
BYTES(bytes_gc, 0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x5f, 0, 0)
#undef BYTES

#define REFUSED(make, reason) {#make, make, HOSTILE_REFUSED, reason}
const struct hostile_form hostile_forms[] = {
    REFUSED(import_wasi, "wasi_snapshot_preview1.fd_write"),
    REFUSED(import_env, "env.puts"),
    REFUSED(import_no_op, "simdd.matmul_f64"),
    REFUSED(import_empty, NULL),
    REFUSED(import_near, "simdd.matmul_f32 "),
    REFUSED(import_far, "simdd2.matmul_f32"),
    REFUSED(import_pair, "simdd.matmul_f32"),
    REFUSED(import_i64, "simdd.matmul_f32"),
    REFUSED(import_no_result, "simdd.matmul_f32"),
    REFUSED(import_as_memory, "simdd.matmul_f32"),
    REFUSED(import_as_table, "simdd.matmul_f32"),
    REFUSED(import_as_global, "simdd.matmul_f32"),
    REFUSED(import_memory, "env.memory"),
    REFUSED(import_table, "env.table"),
    REFUSED(import_global, "env.stack"),
    REFUSED(memory_none, "memory"),
    REFUSED(memory_hidden, "memory"),
    REFUSED(memory_no_memory, "memory"),
    REFUSED(memory_two, "memor"),
    REFUSED(memory_shared, NULL),
    REFUSED(memory_wide, NULL),
    REFUSED(memory_large, "memory"),
    REFUSED(abi_none, "simdd_abi_1"),
    REFUSED(abi_mistyped, "simdd_abi_1"),
    REFUSED(units_mistyped, "f.units"),
    REFUSED(shape_mistyped, "f.shape"),
    REFUSED(shape_memory, "f.shape"),
    {"other_exports", other_exports, HOSTILE_ADDED, NULL},
    REFUSED(export_twice, NULL),
    REFUSED(name_slash, NULL),
    REFUSED(name_parent, NULL),
    {"name_dots", name_dots, HOSTILE_EITHER, NULL},
    REFUSED(name_nul, NULL),
    REFUSED(name_only_nul, NULL),
    REFUSED(name_empty, NULL),
    {"name_suffix", name_suffix, HOSTILE_EITHER, NULL},
    {"name_orphan", name_orphan, HOSTILE_EITHER, NULL},
    REFUSED(name_line, NULL),
    {"name_quote", name_quote, HOSTILE_EITHER, NULL},
    REFUSED(name_no_utf8, NULL),
    {"name_63", name_63, HOSTILE_ADDED, NULL},
    REFUSED(name_64, NULL),
    REFUSED(name_10000, NULL),
    REFUSED(bytes_none, NULL),
    REFUSED(bytes_magic, NULL),
    REFUSED(bytes_header, NULL),
    REFUSED(bytes_version, NULL),
    REFUSED(bytes_component, NULL),
    REFUSED(bytes_text, NULL),
    REFUSED(bytes_elf, NULL),
    REFUSED(bytes_long_section, NULL),
    REFUSED(bytes_long_count, NULL),
    REFUSED(bytes_gc, NULL),
};
#undef REFUSED
const size_t hostile_form_count = sizeof(hostile_forms) / sizeof(hostile_forms[0]);
