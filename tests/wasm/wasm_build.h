/* Writes WebAssembly modules byte by byte, right ones and wrong ones; knows nothing of what they
 * mean. A test that runs out of memory aborts. */
#ifndef TESTS_WASM_WASM_BUILD_H
#define TESTS_WASM_WASM_BUILD_H

#include <stddef.h>
#include <stdint.h>

struct wasm_bytes {
    uint8_t *p;
    size_t n, cap;
};

void bytes_free(struct wasm_bytes *b);
void bytes_put(struct wasm_bytes *b, uint8_t byte);
void bytes_append(struct wasm_bytes *b, const void *p, size_t n);
void bytes_unsigned(struct wasm_bytes *b, uint64_t value); /* LEB128 */
void bytes_signed(struct wasm_bytes *b, int64_t value);
void bytes_name(struct wasm_bytes *b, const char *name, size_t n);

/* Instructions: CODE(&b, OP_LOCAL_GET, 0, OP_DROP) appends these bytes. */
#define CODE(b, ...)                                                                               \
    bytes_append(b, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

enum wasm_instruction {
    OP_UNREACHABLE = 0x00,
    OP_BLOCK = 0x02,
    OP_LOOP = 0x03,
    OP_IF = 0x04,
    OP_ELSE = 0x05,
    OP_END = 0x0b,
    OP_BR = 0x0c,
    OP_BR_IF = 0x0d,
    OP_BR_TABLE = 0x0e,
    OP_CALL = 0x10,
    OP_CALL_INDIRECT = 0x11,
    OP_RETURN_CALL = 0x12,
    OP_DROP = 0x1a,
    OP_LOCAL_GET = 0x20,
    OP_LOCAL_SET = 0x21,
    OP_LOCAL_TEE = 0x22,
    OP_I32_LOAD = 0x28,
    OP_I64_LOAD = 0x29,
    OP_F64_LOAD = 0x2b,
    OP_I32_LOAD8_U = 0x2d,
    OP_I32_STORE = 0x36,
    OP_I64_STORE = 0x37,
    OP_I32_STORE8 = 0x3a,
    OP_MEMORY_SIZE = 0x3f,
    OP_MEMORY_GROW = 0x40,
    OP_I32_CONST = 0x41,
    OP_I64_CONST = 0x42,
    OP_I32_EQZ = 0x45,
    OP_I32_EQ = 0x46,
    OP_I32_ADD = 0x6a,
    OP_I32_SUB = 0x6b,
    OP_I32_MUL = 0x6c,
    OP_I32_DIV_S = 0x6d,
    OP_I32_SHL = 0x74,
    OP_I32_TRUNC_F64_U = 0xab,
    OP_FC = 0xfc, /* 0a: memory.copy, 0b: memory.fill, 02: i32.trunc_sat_f64_s, 03: _u */
    OP_FD = 0xfd  /* 00: v128.load, 0b: v128.store */
};

enum { VOID = 0x40, I32 = 0x7f, I64 = 0x7e, F64 = 0x7c, FUNCREF = 0x70 };
enum wasm_kind { KIND_FUNCTION, KIND_TABLE, KIND_MEMORY, KIND_GLOBAL };

/* Types that every module of ours has, by index. */
enum wasm_type { TYPE_NONE, TYPE_ABI, TYPE_I64, TYPE_PAIR, TYPE_NO_RESULT, TYPE_COUNT };

/* A module in the making: a section each, and how many entries it has. The three counts of imports
 * say which index the first own function, table or memory gets. */
struct wasm_module {
    struct wasm_bytes types, imports, functions, tables, memories, globals, exports, start;
    struct wasm_bytes elements, code, data, custom;
    uint32_t type_count, import_count, function_count, table_count, memory_count, global_count,
        export_count, element_count, data_count;
    uint32_t imported_functions;
};

/* () -> () is TYPE_NONE, (i32) -> i32 TYPE_ABI, (i64) -> i32 TYPE_I64, (i32, i32) -> i32 TYPE_PAIR,
 * (i32) -> () TYPE_NO_RESULT. */
void module_init(struct wasm_module *m);

/* All imports come first. `description` is what follows the names: kind, then type. Returns the
 * index among functions; of no use for other kinds. */
uint32_t module_import(struct wasm_module *m, const char *from, const char *name,
                       const void *description, size_t description_bytes);
uint32_t module_import_function(struct wasm_module *m, const char *from, const char *name,
                                uint32_t type);

/* Takes `body`, instructions without the last `end`. i32_locals come behind its parameters.
 * Returns its index. */
uint32_t module_function(struct wasm_module *m, uint32_t type, uint32_t i32_locals,
                         struct wasm_bytes *body);
void module_export(struct wasm_module *m, const char *name, enum wasm_kind kind, uint32_t index);
void module_export_n(struct wasm_module *m, const char *name, size_t name_bytes,
                     enum wasm_kind kind, uint32_t index);
void module_memory(struct wasm_module *m, uint32_t pages, uint32_t max_pages);
void module_table(struct wasm_module *m, uint32_t functions);

/* Appends the whole file to `out` and frees the module. */
void module_finish(struct wasm_module *m, struct wasm_bytes *out);

#endif
