/* Functions that do what they should not when they are called, under a right module's roof.
 *
 *   ok                  answers 0
 *   fail                fills the reason with bytes of parameter 1, no end among them, and answers
 *                       parameter 0
 *   spin, spin_memory, spin_call, spin_tail
 *                       never end: alone, with loads and stores, by calls, by tail calls
 *   recurse, recurse_table
 *                       call themselves, straight and through a table
 *   grow                takes memory page by page, and touches each, until there is none; answers 0
 *   peekN, pokeN        read or write N bits at the address that is parameter 0; answer 0
 *   copy, fill          memory.copy(parameter 0, 1, 2), memory.fill(parameter 0, 0x5a, 1)
 *   overrun             writes from the start of its result upwards, without end
 *   trap_X              unreachable, divide (by 0), overflow, cast (parameter 0 to an integer),
 *                       null, type, table (the three wrongs of an indirect call)
 *   scribble            overwrites all of its call's page, and answers 0
 *   liar                its shape is type, rank, dims of parameters 0 to 5, its units parameter 6
 *   OP, OP_at           each of the daemon's ops with a struct simdd_op that is operand 0, or that
 *                       lies at parameter 0
 */
#include "config.h"

#include "hostile.h"

#include <stdio.h>

static void push_param(struct wasm_bytes *b, unsigned i)
{
    CODE(b, OP_LOCAL_GET, 0, OP_F64_LOAD, 3);
    bytes_unsigned(b, CALL_PARAM + 8 * i);
    CODE(b, OP_FC, 3);
}

static void push_field(struct wasm_bytes *b, unsigned offset)
{
    CODE(b, OP_LOCAL_GET, 0, OP_I32_LOAD, 2);
    bytes_unsigned(b, offset);
}

static void push(struct wasm_bytes *b, int32_t value)
{
    bytes_put(b, OP_I32_CONST);
    bytes_signed(b, value);
}

/* Bytes like local 3, local 2 of them (not 0), from where local 1 points. */
static void fill_loop(struct wasm_bytes *b)
{
    CODE(b, OP_LOOP, VOID, OP_LOCAL_GET, 1, OP_LOCAL_GET, 3, OP_I32_STORE8, 0, 0);
    CODE(b, OP_LOCAL_GET, 1, OP_I32_CONST, 1, OP_I32_ADD, OP_LOCAL_SET, 1);
    CODE(b, OP_LOCAL_GET, 2, OP_I32_CONST, 1, OP_I32_SUB, OP_LOCAL_TEE, 2, OP_BR_IF, 0, OP_END);
}

/* Takes `b`: a function that answers 0 behind those instructions. */
static uint32_t add(struct wasm_module *m, const char *name, uint32_t locals, struct wasm_bytes *b)
{
    CODE(b, OP_I32_CONST, 0);
    uint32_t index = module_function(m, TYPE_ABI, locals, b);
    module_export(m, name, KIND_FUNCTION, index);
    return index;
}

static void add_fail(struct wasm_module *m)
{
    struct wasm_bytes b = {0};

    CODE(&b, OP_LOCAL_GET, 0);
    push(&b, CALL_REASON);
    CODE(&b, OP_I32_ADD, OP_LOCAL_SET, 1);
    push(&b, CALL_REASON_BYTES);
    CODE(&b, OP_LOCAL_SET, 2);
    push_param(&b, 1);
    CODE(&b, OP_LOCAL_SET, 3);
    fill_loop(&b);
    push_param(&b, 0);
    module_export(m, "fail", KIND_FUNCTION, module_function(m, TYPE_ABI, 3, &b));
}

static void add_loops(struct wasm_module *m)
{
    struct wasm_bytes b = {0};

    CODE(&b, OP_LOOP, VOID, OP_BR, 0, OP_END);
    add(m, "spin", 0, &b);

    CODE(&b, OP_LOOP, VOID, OP_LOCAL_GET, 0, OP_LOCAL_GET, 0, OP_I32_LOAD, 2, 0, OP_I32_STORE, 2, 0,
         OP_BR, 0, OP_END);
    add(m, "spin_memory", 0, &b);

    uint32_t ok = add(m, "ok", 0, &b);
    CODE(&b, OP_LOOP, VOID, OP_LOCAL_GET, 0, OP_CALL);
    bytes_unsigned(&b, ok);
    CODE(&b, OP_DROP, OP_BR, 0, OP_END);
    add(m, "spin_call", 0, &b);

    uint32_t self = m->imported_functions + m->function_count;
    CODE(&b, OP_LOCAL_GET, 0, OP_RETURN_CALL);
    bytes_unsigned(&b, self);
    module_export(m, "spin_tail", KIND_FUNCTION, module_function(m, TYPE_ABI, 0, &b));
}

/* The table: entry 0 is recurse_table, entry 1 of another type, entry 2 null. */
static void add_recursion(struct wasm_module *m)
{
    struct wasm_bytes b = {0};
    uint32_t self = m->imported_functions + m->function_count;

    CODE(&b, OP_LOCAL_GET, 0, OP_CALL);
    bytes_unsigned(&b, self);
    CODE(&b, OP_DROP);
    add(m, "recurse", 0, &b);

    CODE(&b, OP_LOCAL_GET, 0, OP_I32_CONST, 0, OP_CALL_INDIRECT, TYPE_ABI, 0, OP_DROP);
    uint32_t table_self = add(m, "recurse_table", 0, &b);
    CODE(&b, OP_I32_CONST, 0);
    uint32_t other = module_function(m, TYPE_I64, 0, &b);

    module_table(m, 3);
    CODE(&m->elements, 0, OP_I32_CONST, 0, OP_END, 2);
    bytes_unsigned(&m->elements, table_self);
    bytes_unsigned(&m->elements, other);
    m->element_count = 1;
}

static void add_traps(struct wasm_module *m)
{
    struct wasm_bytes b = {0};

    CODE(&b, OP_UNREACHABLE);
    add(m, "trap_unreachable", 0, &b);
    CODE(&b, OP_LOCAL_GET, 0, OP_I32_CONST, 0, OP_I32_DIV_S, OP_DROP);
    add(m, "trap_divide", 0, &b);
    push(&b, INT32_MIN);
    CODE(&b, OP_I32_CONST, 0x7f, OP_I32_DIV_S, OP_DROP); /* 0x7f: -1 */
    add(m, "trap_overflow", 0, &b);
    CODE(&b, OP_LOCAL_GET, 0, OP_F64_LOAD, 3);
    bytes_unsigned(&b, CALL_PARAM);
    CODE(&b, OP_I32_TRUNC_F64_U, OP_DROP);
    add(m, "trap_cast", 0, &b);
    CODE(&b, OP_LOCAL_GET, 0, OP_I32_CONST, 1, OP_CALL_INDIRECT, TYPE_ABI, 0, OP_DROP);
    add(m, "trap_type", 0, &b);
    CODE(&b, OP_LOCAL_GET, 0, OP_I32_CONST, 2, OP_CALL_INDIRECT, TYPE_ABI, 0, OP_DROP);
    add(m, "trap_null", 0, &b);
    CODE(&b, OP_LOCAL_GET, 0, OP_I32_CONST, 3, OP_CALL_INDIRECT, TYPE_ABI, 0, OP_DROP);
    add(m, "trap_table", 0, &b);
}

static void add_accesses(struct wasm_module *m)
{
    static const struct {
        const char *peek, *poke;
        uint8_t load[2], store[2], bytes;
    } width[] = {
        {"peek8", "poke8", {OP_I32_LOAD8_U}, {OP_I32_STORE8}, 1},
        {"peek32", "poke32", {OP_I32_LOAD}, {OP_I32_STORE}, 1},
        {"peek64", "poke64", {OP_I64_LOAD}, {OP_I64_STORE}, 1},
        {"peek128", "poke128", {OP_FD, 0}, {OP_FD, 0x0b}, 2},
    };
    struct wasm_bytes b = {0};

    for (size_t i = 0; i < sizeof(width) / sizeof(width[0]); i++) {
        push_param(&b, 0);
        bytes_append(&b, width[i].load, width[i].bytes);
        CODE(&b, 0, 0, OP_DROP);
        add(m, width[i].peek, 0, &b);

        /* What is written is read from the module's own memory first. */
        push_param(&b, 0);
        push(&b, 16);
        bytes_append(&b, width[i].load, width[i].bytes);
        CODE(&b, 0, 0);
        bytes_append(&b, width[i].store, width[i].bytes);
        CODE(&b, 0, 0);
        add(m, width[i].poke, 0, &b);
    }
    push_param(&b, 0);
    push_param(&b, 1);
    push_param(&b, 2);
    CODE(&b, OP_FC, 0x0a, 0, 0);
    add(m, "copy", 0, &b);
    push_param(&b, 0);
    push(&b, 0x5a);
    push_param(&b, 1);
    CODE(&b, OP_FC, 0x0b, 0);
    add(m, "fill", 0, &b);
}

static void add_greed(struct wasm_module *m)
{
    struct wasm_bytes b = {0};

    /* local 1: the page that was just taken */
    CODE(&b, OP_BLOCK, VOID, OP_LOOP, VOID);
    CODE(&b, OP_I32_CONST, 1, OP_MEMORY_GROW, 0, OP_LOCAL_TEE, 1);
    CODE(&b, OP_I32_CONST, 0x7f, OP_I32_EQ, OP_BR_IF, 1); /* 0x7f: -1 */
    CODE(&b, OP_LOCAL_GET, 1, OP_I32_CONST, 16, OP_I32_SHL, OP_I32_CONST, 1, OP_I32_STORE8, 0, 0);
    CODE(&b, OP_BR, 0, OP_END, OP_END);
    add(m, "grow", 1, &b);

    push_field(&b, CALL_OUT_DATA);
    CODE(&b, OP_LOCAL_SET, 1);
    push(&b, -1);
    CODE(&b, OP_LOCAL_SET, 2);
    fill_loop(&b);
    add(m, "overrun", 3, &b);

    CODE(&b, OP_LOCAL_GET, 0, OP_LOCAL_SET, 1);
    push(&b, 0x8000);
    CODE(&b, OP_LOCAL_SET, 2);
    push(&b, 0xff);
    CODE(&b, OP_LOCAL_SET, 3);
    fill_loop(&b);
    add(m, "scribble", 3, &b);
}

static void add_liar(struct wasm_module *m)
{
    struct wasm_bytes b = {0};

    for (unsigned i = 0; i < 6; i++) {
        CODE(&b, OP_LOCAL_GET, 0);
        push_param(&b, i);
        CODE(&b, OP_I32_STORE, 2);
        bytes_unsigned(&b, CALL_OUT_TYPE + 4 * i);
    }
    add(m, "liar.shape", 0, &b);
    CODE(&b, OP_LOCAL_GET, 0, OP_F64_LOAD, 3);
    bytes_unsigned(&b, CALL_PARAM + 8 * 6);
    CODE(&b, OP_FC, 2);
    module_export(m, "liar.units", KIND_FUNCTION, module_function(m, TYPE_ABI, 0, &b));
    add(m, "liar", 0, &b);
}

static void make(struct wasm_bytes *out, uint32_t pages)
{
    static const char *const ops[] = {
#define OP(id, name, family, in, out, tolerance, ps, help) #name,
#include "kernels/ops.def"
#undef OP
    };
    enum { OPS = sizeof(ops) / sizeof(ops[0]) };
    struct wasm_module m;
    struct wasm_bytes b = {0};
    char name[64];

    module_init(&m);
    for (uint32_t i = 0; i < OPS; i++)
        module_import_function(&m, "simdd", ops[i], TYPE_ABI);
    module_memory(&m, pages, 65536);
    module_export(&m, "memory", KIND_MEMORY, 0);
    module_export(&m, "simdd_abi_1", KIND_FUNCTION, module_function(&m, TYPE_NONE, 0, &b));
    for (uint32_t i = 0; i < OPS; i++) {
        push_field(&b, CALL_IN_DATA);
        CODE(&b, OP_CALL);
        bytes_unsigned(&b, i);
        module_export(&m, ops[i], KIND_FUNCTION, module_function(&m, TYPE_ABI, 0, &b));
        push_param(&b, 0);
        CODE(&b, OP_CALL);
        bytes_unsigned(&b, i);
        snprintf(name, sizeof(name), "%s_at", ops[i]);
        module_export(&m, name, KIND_FUNCTION, module_function(&m, TYPE_ABI, 0, &b));
    }
    add_fail(&m);
    add_loops(&m);
    add_recursion(&m);
    add_traps(&m);
    add_accesses(&m);
    add_greed(&m);
    add_liar(&m);
    module_finish(&m, out);
}

void hostile_run(struct wasm_bytes *out)
{
    make(out, HOSTILE_RUN_PAGES);
}

void hostile_run_whole(struct wasm_bytes *out)
{
    make(out, 65536);
}

/* splitmix64, Steele, Lea & Flood 2014 */
uint64_t hostile_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

void hostile_flipped(struct wasm_bytes *out, uint64_t seed)
{
    size_t from = out->n;

    hostile_run(out);
    for (uint64_t flips = 1 + hostile_random(&seed) % 4; flips > 0; flips--) {
        uint64_t bit = hostile_random(&seed) % (8 * (out->n - from));
        out->p[from + bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
}
