/* simdd's kit for modules of your own, ABI 1. docs/modules.md tells how to use it.
 *
 * A module is a WebAssembly file (wasm32) with functions that jobs call by name:
 *
 *     #include "simdd.h"
 *
 *     SIMDD_MODULE
 *
 *     SIMDD_FUNCTION(twice)
 *     {
 *         int err = simdd_want(call, 0, SIMDD_F32, 1);
 *         if (err != 0)
 *             return err;
 *         simdd_add_f32(call->in[0].data, call->in[0].data, call->out.data, call->in[0].dim[0]);
 *         return 0;
 *     }
 *
 *     clang-22 --target=wasm32 -O3 -msimd128 -mno-bulk-memory -mno-bulk-memory-opt -nostdlib \
 *         -Wl,--no-entry -Wl,--stack-first -o twice.wasm twice.c
 *
 * Operands and results lie outside the module's own memory, in the same address space: pointers
 * reach them as they reach anything else, but the instructions memory.copy and memory.fill do not,
 * and so the compiler is told to call memcpy and memset, which this header defines.
 *
 * What lies nowhere has no access: a touch there ends the call with an error answer, and nothing
 * else. The header needs no C library, only the compiler's own headers.
 */
#ifndef SIMDD_GUEST_H
#define SIMDD_GUEST_H

#ifndef __wasm32__
#error "simdd.h of the kit is for modules: compile with --target=wasm32"
#endif
#ifdef __wasm_bulk_memory_opt__
#error "memory.copy does not reach operands: compile with -mno-bulk-memory -mno-bulk-memory-opt"
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SIMDD_ABI = 1, SIMDD_IN_MAX = 3, SIMDD_RANK_MAX = 4, SIMDD_PARAM_MAX = 8 };
enum { SIMDD_REASON_BYTES = 240 };

enum simdd_type { SIMDD_F32, SIMDD_I32, SIMDD_U32, SIMDD_U8, SIMDD_U64, SIMDD_TYPE_COUNT };

/* What the kit's own checks answer. Numbers of your own begin at 16. */
enum { SIMDD_BAD_CALL = 1, SIMDD_NO_MEMORY = 2 };

/* ---- the ABI: what a function is given ---- */

/* An operand or a result: row-major, without gaps, aligned to 8 bytes at least; no dimension is 0.
 * A result overlaps no operand. */
struct simdd_array {
    void *data;
    uint32_t type; /* enum simdd_type */
    uint32_t rank; /* 1 to 4 */
    uint32_t dim[SIMDD_RANK_MAX]; /* those from the rank on are 1 */
    uint32_t bytes;
};

struct simdd_call {
    uint32_t version; /* SIMDD_ABI */
    uint32_t in_count;
    struct simdd_array in[SIMDD_IN_MAX];
    struct simdd_array out; /* without data while its shape is asked for */
    uint32_t begin, end;    /* the units to compute; [0, 1) if the function does not split */
    uint32_t param_count;
    uint32_t zero;
    double param[SIMDD_PARAM_MAX];
    char reason[SIMDD_REASON_BYTES]; /* of an error: UTF-8, terminated */
};

/* ---- the ABI: what the daemon's own ops are given ---- */

/* c[m,n] = alpha * op(a)[m,k] op(b)[k,n] + beta * c_in[m,n]. The leading dimensions count elements
 * from one row as stored to the next. matmul_u8 has the zero points of a and b, 0 to 255, in the
 * place of alpha and beta. */
struct simdd_matmul {
    uint32_t m, n, k;
    uint32_t lda, ldb, ldc; /* 0, for the wrappers below: rows without gaps */
    bool trans_a, trans_b;  /* a is stored as [k,m], b as [n,k] */
    union {
        float f32;
        int32_t i32;
    } alpha, beta;
};

enum simdd_border { SIMDD_KEEP, SIMDD_ZERO, SIMDD_REPLICATE, SIMDD_REFLECT101 };
enum simdd_rounding { SIMDD_NEAREST, SIMDD_TRUNCATE };

/* Correlation of image[h,w,channels] with kernel[r,s]; r and s are odd, channels 1, 3 or 4. */
struct simdd_conv2d {
    uint32_t h, w, channels;
    uint32_t r, s;
    uint32_t border;   /* enum simdd_border */
    uint32_t rounding; /* enum simdd_rounding; conv2d_u8 only */
};

struct simdd_op {
    const void *in[SIMDD_IN_MAX];
    void *out;
    uint32_t n;     /* elements; of a hash: bytes */
    uint32_t count; /* of a hash: messages */
    union {
        struct simdd_matmul matmul;
        struct simdd_conv2d conv2d;
    } u;
};

#define SIMDD_AT(type, field, offset)                                                              \
    _Static_assert(offsetof(struct type, field) == (offset), #type "." #field " is not where the " \
                                                             "daemon looks for it")
SIMDD_AT(simdd_array, type, 4);
SIMDD_AT(simdd_array, dim, 12);
SIMDD_AT(simdd_array, bytes, 28);
SIMDD_AT(simdd_call, in, 8);
SIMDD_AT(simdd_call, out, 104);
SIMDD_AT(simdd_call, begin, 136);
SIMDD_AT(simdd_call, param_count, 144);
SIMDD_AT(simdd_call, param, 152);
SIMDD_AT(simdd_call, reason, 216);
SIMDD_AT(simdd_matmul, trans_a, 24);
SIMDD_AT(simdd_matmul, alpha, 28);
SIMDD_AT(simdd_matmul, beta, 32);
SIMDD_AT(simdd_conv2d, rounding, 24);
SIMDD_AT(simdd_op, out, 12);
SIMDD_AT(simdd_op, n, 16);
SIMDD_AT(simdd_op, u, 24);
#undef SIMDD_AT
_Static_assert(sizeof(struct simdd_array) == 32, "size of struct simdd_array");
_Static_assert(sizeof(struct simdd_call) == 456, "size of struct simdd_call");
_Static_assert(sizeof(struct simdd_op) == 60, "size of struct simdd_op");

/* ---- exports ---- */

/* SIMDD_FUNCTION(name) { ... } is what jobs call: `call` in, 0 or an error number out, and the
 * units [call->begin, call->end) of the result written. SIMDD_UNITS(name) { ... } answers into how
 * many units, 1 or more, this call may be split: ranges of them then run side by side, each in
 * an instance with an own memory. SIMDD_SHAPE(name) { ... } fills type, rank and dim of call->out,
 * and answers 0 or an error number; without it the result is like operand 0. A client that says
 * itself what the result is has its way, and then the shape is not asked for: so check it with
 * simdd_want_result(). Keep nothing in globals from one call to the next: it may run in another
 * instance. */
#define SIMDD_FUNCTION(name) SIMDD_EXPORT(name, #name)
#define SIMDD_UNITS(name)    SIMDD_EXPORT(name##_units, #name ".units")
#define SIMDD_SHAPE(name)    SIMDD_EXPORT(name##_shape, #name ".shape")

#define SIMDD_EXPORT(name, as)                                                                     \
    static int simdd_body_##name(struct simdd_call *call);                                         \
    __attribute__((export_name(as))) int simdd_export_##name(struct simdd_call *call);             \
    int simdd_export_##name(struct simdd_call *call)                                               \
    {                                                                                              \
        simdd_top = (uintptr_t)&__heap_base;                                                       \
        return simdd_body_##name(call);                                                            \
    }                                                                                              \
    static int simdd_body_##name(struct simdd_call *call)

/* Once in a module, in any of its files: says which ABI it is for, and brings what compilers call
 * by themselves. */
#define SIMDD_MODULE                                                                               \
    uintptr_t simdd_top;                                                                           \
    __attribute__((export_name("simdd_abi_1"))) void simdd_abi_1(void);                            \
    void simdd_abi_1(void)                                                                         \
    {                                                                                              \
    }                                                                                              \
    SIMDD_NO_BUILTIN void *memcpy(void *restrict to, const void *restrict from, size_t n)          \
    {                                                                                              \
        simdd_copy_up(to, from, n);                                                                \
        return to;                                                                                 \
    }                                                                                              \
    SIMDD_NO_BUILTIN void *memmove(void *to, const void *from, size_t n)                           \
    {                                                                                              \
        if ((uintptr_t)to - (uintptr_t)from >= n)                                                  \
            simdd_copy_up(to, from, n);                                                            \
        else                                                                                       \
            simdd_copy_down(to, from, n);                                                          \
        return to;                                                                                 \
    }                                                                                              \
    SIMDD_NO_BUILTIN void *memset(void *to, int byte, size_t n)                                    \
    {                                                                                              \
        simdd_fill(to, (unsigned char)byte, n);                                                    \
        return to;                                                                                 \
    }                                                                                              \
    SIMDD_NO_BUILTIN int memcmp(const void *a, const void *b, size_t n)                            \
    {                                                                                              \
        const unsigned char *x = a, *y = b;                                                        \
        for (size_t i = 0; i < n; i++) {                                                           \
            if (x[i] != y[i])                                                                      \
                return x[i] < y[i] ? -1 : 1;                                                       \
        }                                                                                          \
        return 0;                                                                                  \
    }

/* ---- memory ---- */

extern uintptr_t simdd_top;       /* end of what simdd_scratch() has given to this call */
extern unsigned char __heap_base; /* end of the module's own data and stack; from the linker */

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);

/**
 * Memory for this call, aligned to 64 bytes and not initialised; gone when the function returns.
 * Returns NULL if the limit on a module's memory does not allow it: answer SIMDD_NO_MEMORY.
 */
static inline void *simdd_scratch(size_t bytes)
{
    uintptr_t at = (simdd_top + 63) & ~(uintptr_t)63;
    uintptr_t have = __builtin_wasm_memory_size(0) << 16;

    if (bytes > UINT32_MAX - 65535 - at)
        return NULL;
    if (at + bytes > have &&
        __builtin_wasm_memory_grow(0, (at + bytes - have + 65535) >> 16) == SIZE_MAX)
        return NULL;
    simdd_top = at + bytes;
    return (void *)at;
}

/* Without it such loops would be taken for calls of memcpy, memset (which then call themselves) and
 * strlen (which there is not). */
#define SIMDD_NO_BUILTIN __attribute__((no_builtin))

/* Sixteen bytes at any address; one instruction with -msimd128. */
typedef unsigned char simdd_bytes16 __attribute__((vector_size(16), aligned(1), may_alias));

/* Each reads a vector before it writes the one below or above, so memmove may use both. */
SIMDD_NO_BUILTIN static inline void simdd_copy_up(void *to, const void *from, size_t n)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    size_t i = 0;

    for (; n - i >= 16; i += 16)
        *(simdd_bytes16 *)(t + i) = *(const simdd_bytes16 *)(f + i);
    for (; i < n; i++)
        t[i] = f[i];
}

SIMDD_NO_BUILTIN static inline void simdd_copy_down(void *to, const void *from, size_t n)
{
    unsigned char *t = to;
    const unsigned char *f = from;

    for (; n % 16 != 0; n--)
        t[n - 1] = f[n - 1];
    for (; n > 0; n -= 16)
        *(simdd_bytes16 *)(t + n - 16) = *(const simdd_bytes16 *)(f + n - 16);
}

SIMDD_NO_BUILTIN static inline void simdd_fill(void *to, unsigned char byte, size_t n)
{
    unsigned char *t = to;
    simdd_bytes16 all = (simdd_bytes16){0} + byte;
    size_t i = 0;

    for (; n - i >= 16; i += 16)
        *(simdd_bytes16 *)(t + i) = all;
    for (; i < n; i++)
        t[i] = byte;
}

/* ---- errors ---- */

/* Adds to the reason that goes with an error; what does not fit is left out. */
SIMDD_NO_BUILTIN static inline void simdd_say(struct simdd_call *call, const char *text)
{
    size_t at = 0;

    while (call->reason[at] != 0)
        at++;
    while (*text != 0 && at < SIMDD_REASON_BYTES - 1)
        call->reason[at++] = *text++;
    call->reason[at] = 0;
}

static inline void simdd_say_number(struct simdd_call *call, uint32_t number)
{
    char digits[11];
    size_t at = sizeof(digits) - 1;

    digits[at] = 0;
    do {
        digits[--at] = (char)('0' + number % 10);
    } while ((number /= 10) != 0);
    simdd_say(call, digits + at);
}

/* `return simdd_fail(call, 16, "rows differ");`: answers `number`, not 0, with that reason. */
static inline int simdd_fail(struct simdd_call *call, int number, const char *reason)
{
    call->reason[0] = 0;
    simdd_say(call, reason);
    return number;
}

static inline const char *simdd_type_name(uint32_t type)
{
    static const char names[SIMDD_TYPE_COUNT][4] = {"f32", "i32", "u32", "u8", "u64"};
    return type < SIMDD_TYPE_COUNT ? names[type] : "unknown";
}

static inline void simdd_say_array(struct simdd_call *call, uint32_t type, uint32_t rank,
                                   const uint32_t *dim)
{
    simdd_say(call, type < SIMDD_TYPE_COUNT ? simdd_type_name(type) : "of no type");
    for (uint32_t i = 0; i < rank && i < SIMDD_RANK_MAX; i++) {
        simdd_say(call, i == 0 ? "[" : ",");
        simdd_say_number(call, dim[i]);
    }
    simdd_say(call, "]");
}

/* 0 if operand i is there, of that type and rank (0: of any); else an error to answer as it is,
 * such as "operand 1 is i32[5], not f32 of rank 2". */
static inline int simdd_want(struct simdd_call *call, uint32_t i, enum simdd_type type,
                             uint32_t rank)
{
    const struct simdd_array *in = &call->in[i];

    if (i < call->in_count && in->type == type && (rank == 0 || in->rank == rank))
        return 0;
    call->reason[0] = 0;
    simdd_say(call, "operand ");
    simdd_say_number(call, i);
    simdd_say(call, " is ");
    if (i < call->in_count)
        simdd_say_array(call, in->type, in->rank, in->dim);
    else
        simdd_say(call, "missing");
    simdd_say(call, ", not ");
    simdd_say(call, simdd_type_name(type));
    if (rank != 0) {
        simdd_say(call, " of rank ");
        simdd_say_number(call, rank);
    }
    return SIMDD_BAD_CALL;
}

/* 0 if the result is of that type and shape; else an error to answer as it is, such as
 * "the result is f32[7,5], not f32[5,7]". */
static inline int simdd_want_result(struct simdd_call *call, enum simdd_type type, uint32_t rank,
                                    const uint32_t *dim)
{
    bool same = call->out.type == type && call->out.rank == rank;

    for (uint32_t i = 0; same && i < rank; i++)
        same = call->out.dim[i] == dim[i];
    if (same)
        return 0;
    call->reason[0] = 0;
    simdd_say(call, "the result is ");
    simdd_say_array(call, call->out.type, call->out.rank, call->out.dim);
    simdd_say(call, ", not ");
    simdd_say_array(call, type, rank, dim);
    return SIMDD_BAD_CALL;
}

/* ---- operands, results, parameters ---- */

/* Operand i and the result under their type. Another type is a mistake of the module, and ends the
 * call as a trap: ask simdd_want() first. */
#define SIMDD_ACCESS(name, NAME, ctype)                                                            \
    static inline const ctype *simdd_in_##name(const struct simdd_call *call, uint32_t i)          \
    {                                                                                              \
        if (i >= call->in_count || call->in[i].type != NAME)                                       \
            __builtin_trap();                                                                      \
        return call->in[i].data;                                                                   \
    }                                                                                              \
    static inline ctype *simdd_out_##name(const struct simdd_call *call)                           \
    {                                                                                              \
        if (call->out.type != NAME)                                                                \
            __builtin_trap();                                                                      \
        return call->out.data;                                                                     \
    }
SIMDD_ACCESS(f32, SIMDD_F32, float)
SIMDD_ACCESS(i32, SIMDD_I32, int32_t)
SIMDD_ACCESS(u32, SIMDD_U32, uint32_t)
SIMDD_ACCESS(u8, SIMDD_U8, uint8_t)
SIMDD_ACCESS(u64, SIMDD_U64, uint64_t)
#undef SIMDD_ACCESS

/* Parameter i, or `otherwise` if the client gave fewer. */
static inline double simdd_param(const struct simdd_call *call, uint32_t i, double otherwise)
{
    return i < call->param_count && i < SIMDD_PARAM_MAX ? call->param[i] : otherwise;
}

/* Says what the result is, in SIMDD_SHAPE: simdd_result(call, SIMDD_U8, 2, (uint32_t[]){h, w}).
 * Returns 0. */
static inline int simdd_result(struct simdd_call *call, enum simdd_type type, uint32_t rank,
                               const uint32_t *dim)
{
    call->out.type = type;
    call->out.rank = rank;
    for (uint32_t i = 0; i < SIMDD_RANK_MAX; i++)
        call->out.dim[i] = i < rank ? dim[i] : 1;
    return 0;
}

/* ---- the daemon's own ops ----
 *
 * They run at once, on this thread, at the machine's full width; their operands and result may lie
 * in the call's operands and result or in the module's own memory. A pointer or a shape that is
 * wrong ends the call: these functions return only when all went well. What each op computes stands
 * in docs/protocol.md. */

#define SIMDD_IMPORT(name)                                                                         \
    __attribute__((import_module("simdd"), import_name(#name))) int simdd_import_##name(           \
        const struct simdd_op *op)
SIMDD_IMPORT(add_f32);
SIMDD_IMPORT(add_i32);
SIMDD_IMPORT(add_u8);
SIMDD_IMPORT(mul_f32);
SIMDD_IMPORT(mul_i32);
SIMDD_IMPORT(mul_u8);
SIMDD_IMPORT(matmul_f32);
SIMDD_IMPORT(matmul_i32);
SIMDD_IMPORT(matmul_u8);
SIMDD_IMPORT(conv2d_f32);
SIMDD_IMPORT(conv2d_i32);
SIMDD_IMPORT(conv2d_u8);
SIMDD_IMPORT(hash_fast);
SIMDD_IMPORT(hash_fnv1a_64);
SIMDD_IMPORT(mix_u32);
#undef SIMDD_IMPORT

/* x[n], y[n] -> z[n]; z may be x or y. */
#define SIMDD_ZIP(name, ctype)                                                                     \
    static inline void simdd_##name(const ctype *x, const ctype *y, ctype *z, uint32_t n)          \
    {                                                                                              \
        struct simdd_op op = {.in = {x, y}, .out = z, .n = n};                                     \
        simdd_import_##name(&op);                                                                  \
    }
SIMDD_ZIP(add_f32, float)
SIMDD_ZIP(add_i32, int32_t)
SIMDD_ZIP(add_u8, uint8_t)
SIMDD_ZIP(mul_f32, float)
SIMDD_ZIP(mul_i32, int32_t)
SIMDD_ZIP(mul_u8, uint8_t)
#undef SIMDD_ZIP

/* x[n] -> y[n]; y may be x. */
static inline void simdd_mix_u32(const uint32_t *x, uint32_t *y, uint32_t n)
{
    struct simdd_op op = {.in = {x}, .out = y, .n = n};
    simdd_import_mix_u32(&op);
}

static inline void simdd_tight(struct simdd_matmul *how)
{
    if (how->lda == 0)
        how->lda = how->trans_a ? how->m : how->k;
    if (how->ldb == 0)
        how->ldb = how->trans_b ? how->k : how->n;
    if (how->ldc == 0)
        how->ldc = how->n;
}

/* c = alpha a b + beta c_in, which may be NULL if beta is 0. alpha has to be said:
 *     simdd_matmul_f32(a, b, NULL, c, (struct simdd_matmul){
 *         .m = m, .n = n, .k = k, .trans_b = true, .alpha.f32 = 1}); */
static inline void simdd_matmul_f32(const float *a, const float *b, const float *c_in, float *c,
                                    struct simdd_matmul how)
{
    struct simdd_op op = {.in = {a, b, c_in}, .out = c, .u.matmul = how};
    simdd_tight(&op.u.matmul);
    simdd_import_matmul_f32(&op);
}

static inline void simdd_matmul_i32(const int32_t *a, const int32_t *b, const int32_t *c_in,
                                    int32_t *c, struct simdd_matmul how)
{
    struct simdd_op op = {.in = {a, b, c_in}, .out = c, .u.matmul = how};
    simdd_tight(&op.u.matmul);
    simdd_import_matmul_i32(&op);
}

static inline void simdd_matmul_u8(const uint8_t *a, const uint8_t *b, int32_t *c,
                                   struct simdd_matmul how)
{
    struct simdd_op op = {.in = {a, b}, .out = c, .u.matmul = how};
    simdd_tight(&op.u.matmul);
    simdd_import_matmul_u8(&op);
}

#define SIMDD_CONV2D(name, ctype, ktype)                                                           \
    static inline void simdd_##name(const ctype *image, const ktype *kernel, ctype *out,           \
                                    struct simdd_conv2d how)                                       \
    {                                                                                              \
        struct simdd_op op = {.in = {image, kernel}, .out = out, .u.conv2d = how};                 \
        simdd_import_##name(&op);                                                                  \
    }
SIMDD_CONV2D(conv2d_f32, float, float)
SIMDD_CONV2D(conv2d_i32, int32_t, int32_t)
SIMDD_CONV2D(conv2d_u8, uint8_t, float)
#undef SIMDD_CONV2D

/* count messages in one run of bytes -> hashes[count]. offsets[count + 1] rise within 0..n; NULL:
 * one message of n bytes, and count is 1. */
#define SIMDD_HASH(name)                                                                           \
    static inline void simdd_##name(const void *bytes, uint32_t n, const uint64_t *offsets,        \
                                    uint32_t count, uint64_t *hashes)                              \
    {                                                                                              \
        struct simdd_op op = {.in = {bytes, offsets}, .out = hashes, .n = n, .count = count};      \
        simdd_import_##name(&op);                                                                  \
    }
SIMDD_HASH(hash_fast)
SIMDD_HASH(hash_fnv1a_64)
#undef SIMDD_HASH

#endif
