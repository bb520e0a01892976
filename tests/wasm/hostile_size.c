/* Modules that are too much of something. */
#include "config.h"

#include "hostile.h"

#include <stdio.h>

/* `count` functions that do nothing, exported if `as` is a format of their number. */
static void functions(struct wasm_bytes *out, uint32_t count, const char *as)
{
    struct wasm_module m = {0};
    struct wasm_bytes b = {0};
    char name[32];

    hostile_begin(&m);
    for (uint32_t i = 0; i < count; i++) {
        CODE(&b, OP_I32_CONST, 0);
        uint32_t index = module_function(&m, TYPE_ABI, 0, &b);
        if (as != NULL) {
            int n = snprintf(name, sizeof(name), "f%u", i);
            module_export_n(&m, name, (size_t)n, KIND_FUNCTION, index);
        }
    }
    module_finish(&m, out);
}

static void functions_100000(struct wasm_bytes *out)
{
    functions(out, 100000, NULL);
}

static void exports_100000(struct wasm_bytes *out)
{
    functions(out, 100000, "f%u");
}

/* ---- one large function ---- */

static void repeat(struct wasm_bytes *b, uint32_t times, const void *step, size_t step_bytes)
{
    for (uint32_t i = 0; i < times; i++)
        bytes_append(b, step, step_bytes);
}
#define REPEAT(b, times, ...)                                                                      \
    repeat(b, times, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

/* One more function, with these instructions. Takes `b`. */
static void function(struct wasm_bytes *out, struct wasm_bytes *b)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    CODE(b, OP_I32_CONST, 0);
    module_function(&m, TYPE_ABI, 1, b);
    module_finish(&m, out);
}

static void function_adds(struct wasm_bytes *out)
{
    struct wasm_bytes b = {0};

    REPEAT(&b, 150000, OP_LOCAL_GET, 0, OP_I32_CONST, 1, OP_I32_ADD, OP_LOCAL_SET, 0);
    function(out, &b);
}

static void function_blocks(struct wasm_bytes *out)
{
    struct wasm_bytes b = {0};

    REPEAT(&b, 150000, OP_BLOCK, VOID, OP_LOCAL_GET, 0, OP_BR_IF, 0, OP_END);
    function(out, &b);
}

static void function_calls(struct wasm_bytes *out)
{
    struct wasm_bytes b = {0};

    REPEAT(&b, 200000, OP_LOCAL_GET, 0, OP_CALL, 1, OP_DROP);
    function(out, &b);
}

/* As deep an expression as its length allows. */
static void function_stack(struct wasm_bytes *out)
{
    struct wasm_bytes b = {0};

    REPEAT(&b, 350000, OP_LOCAL_GET, 0);
    REPEAT(&b, 349999, OP_I32_ADD);
    CODE(&b, OP_DROP);
    function(out, &b);
}

static void nested_blocks(struct wasm_bytes *out)
{
    struct wasm_bytes b = {0};

    REPEAT(&b, 100000, OP_BLOCK, VOID);
    REPEAT(&b, 100000, OP_END);
    function(out, &b);
}

static void nested_loops(struct wasm_bytes *out)
{
    struct wasm_bytes b = {0};

    REPEAT(&b, 100000, OP_LOOP, VOID);
    REPEAT(&b, 100000, OP_LOCAL_GET, 0, OP_BR_IF, 0, OP_END);
    function(out, &b);
}

static void nested_ifs(struct wasm_bytes *out)
{
    struct wasm_bytes b = {0};

    REPEAT(&b, 100000, OP_LOCAL_GET, 0, OP_IF, VOID);
    REPEAT(&b, 100000, OP_ELSE, OP_END);
    function(out, &b);
}

static void nested_open(struct wasm_bytes *out)
{
    struct wasm_bytes b = {0};

    REPEAT(&b, 100000, OP_BLOCK, VOID);
    function(out, &b);
}

static void branch_table(struct wasm_bytes *out, uint32_t targets)
{
    struct wasm_bytes b = {0};

    CODE(&b, OP_BLOCK, VOID, OP_LOCAL_GET, 0, OP_BR_TABLE);
    bytes_unsigned(&b, targets);
    REPEAT(&b, targets + 1, 0);
    CODE(&b, OP_END);
    function(out, &b);
}

static void branch_table_65000(struct wasm_bytes *out)
{
    branch_table(out, 65000);
}

static void branch_table_1000000(struct wasm_bytes *out)
{
    branch_table(out, 1000000);
}

/* Locals are counted, not listed: few bytes, much work. */
static void locals(struct wasm_bytes *out, uint64_t count)
{
    struct wasm_module m = {0};
    struct wasm_bytes body = {0};

    hostile_begin(&m);
    bytes_unsigned(&body, 1);
    bytes_unsigned(&body, count);
    CODE(&body, I64, OP_I32_CONST, 0, OP_END);
    bytes_unsigned(&m.functions, TYPE_ABI);
    bytes_unsigned(&m.code, body.n);
    bytes_append(&m.code, body.p, body.n);
    bytes_free(&body);
    m.function_count++;
    module_finish(&m, out);
}

static void locals_49000(struct wasm_bytes *out)
{
    locals(out, 49000);
}

static void locals_51000(struct wasm_bytes *out)
{
    locals(out, 51000);
}

static void locals_4294967295(struct wasm_bytes *out)
{
    locals(out, UINT32_MAX);
}

/* ---- many of something else ---- */

static void types_100000(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    module_init(&m);
    REPEAT(&m.types, 100000, 0x60, 1, I32, 0);
    m.type_count += 100000;
    hostile_begin(&m);
    module_finish(&m, out);
}

static void parameters_1001(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    module_init(&m);
    CODE(&m.types, 0x60);
    bytes_unsigned(&m.types, 1001);
    REPEAT(&m.types, 1001, I32);
    CODE(&m.types, 0);
    m.type_count++;
    hostile_begin(&m);
    module_finish(&m, out);
}

static void imports_100000(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    module_init(&m);
    for (uint32_t i = 0; i < 100000; i++)
        module_import_function(&m, "simdd", "add_f32", TYPE_ABI);
    hostile_begin(&m);
    module_finish(&m, out);
}

static void globals_100000(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    REPEAT(&m.globals, 100000, I64, 1, OP_I64_CONST, 0, OP_END);
    m.global_count = 100000;
    module_finish(&m, out);
}

static void tables(struct wasm_bytes *out, uint32_t count, uint32_t entries)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    for (uint32_t i = 0; i < count; i++)
        module_table(&m, entries);
    module_finish(&m, out);
}

static void table_10000000(struct wasm_bytes *out)
{
    tables(out, 1, 10000000);
}

/* 8 GB, if anybody gave it. */
static void tables_100(struct wasm_bytes *out)
{
    tables(out, 100, 10000000);
}

static void table_4294967295(struct wasm_bytes *out)
{
    tables(out, 1, UINT32_MAX);
}

static void data(struct wasm_bytes *out, uint32_t segments, uint32_t at, uint32_t bytes)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    for (uint32_t i = 0; i < segments; i++) {
        CODE(&m.data, 0, OP_I32_CONST);
        bytes_signed(&m.data, (int32_t)at);
        CODE(&m.data, OP_END);
        bytes_unsigned(&m.data, bytes);
        REPEAT(&m.data, bytes, 'x');
    }
    m.data_count = segments;
    module_finish(&m, out);
}

static void data_90000(struct wasm_bytes *out)
{
    data(out, 90000, 0, 1);
}

static void data_200000(struct wasm_bytes *out)
{
    data(out, 200000, 0, 1);
}

/* Past the end of the memory, where the window's other parts are. */
static void data_outside(struct wasm_bytes *out)
{
    data(out, 1, 0x40000000, 16);
}

static void data_4_mib(struct wasm_bytes *out)
{
    data(out, 1, 0, 4 << 20);
}

/* An initial value that is a sum of many. */
static void constant_long(struct wasm_bytes *out)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    CODE(&m.globals, I32, 0);
    REPEAT(&m.globals, 100000, OP_I32_CONST, 1);
    REPEAT(&m.globals, 99999, OP_I32_ADD);
    CODE(&m.globals, OP_END);
    m.global_count = 1;
    module_finish(&m, out);
}

/* Debuggers' names that lie about their lengths, and a note of 4 MiB. */
static void custom(struct wasm_bytes *out, const char *name, size_t name_bytes, uint32_t bytes)
{
    struct wasm_module m = {0};

    hostile_begin(&m);
    bytes_put(&m.custom, 0);
    bytes_unsigned(&m.custom, 1 + name_bytes + bytes);
    bytes_name(&m.custom, name, name_bytes);
    REPEAT(&m.custom, bytes, 0xff);
    module_finish(&m, out);
}

static void custom_names(struct wasm_bytes *out)
{
    custom(out, "name", 4, 1000);
}

static void custom_4_mib(struct wasm_bytes *out)
{
    custom(out, "note", 4, 4 << 20);
}

#define EITHER(make)  {#make, make, HOSTILE_EITHER, NULL}
#define REFUSED(make) {#make, make, HOSTILE_REFUSED, NULL}
const struct hostile_form hostile_sizes[] = {
    EITHER(functions_100000), EITHER(exports_100000),     EITHER(function_adds),
    EITHER(function_blocks),  EITHER(function_calls),     EITHER(function_stack),
    EITHER(nested_blocks),    EITHER(nested_loops),       EITHER(nested_ifs),
    REFUSED(nested_open),     EITHER(branch_table_65000), REFUSED(branch_table_1000000),
    EITHER(locals_49000),     REFUSED(locals_51000),      REFUSED(locals_4294967295),
    EITHER(types_100000),     REFUSED(parameters_1001),   EITHER(imports_100000),
    EITHER(globals_100000),   EITHER(table_10000000),     EITHER(tables_100),
    EITHER(table_4294967295), EITHER(data_90000),         REFUSED(data_200000),
    EITHER(data_outside),     EITHER(data_4_mib),         EITHER(constant_long),
    EITHER(custom_names),     EITHER(custom_4_mib),
};
#undef EITHER
#undef REFUSED
const size_t hostile_size_count = sizeof(hostile_sizes) / sizeof(hostile_sizes[0]);
