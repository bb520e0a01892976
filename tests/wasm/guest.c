/* A module with which the tests of the host look at what a guest can and cannot do. */
#include "simdd.h"

SIMDD_MODULE

/* Numbers that a window address needs, from a parameter. */
static uint32_t number(const struct simdd_call *call, uint32_t i)
{
    return (uint32_t)simdd_param(call, i, 0);
}

SIMDD_FUNCTION(twice)
{
    int err = simdd_want(call, 0, SIMDD_F32, 1);
    if (err != 0)
        return err;
    simdd_add_f32(call->in[0].data, call->in[0].data, call->out.data, call->in[0].dim[0]);
    return 0;
}

/* Fills its rows with their numbers. */
SIMDD_FUNCTION(rows)
{
    uint8_t *out = simdd_out_u8(call);
    for (uint32_t y = call->begin; y < call->end; y++)
        memset(out + y * call->out.dim[1], (int)y, call->out.dim[1]);
    return 0;
}

SIMDD_UNITS(rows)
{
    return (int)call->out.dim[0] - (int)number(call, 0);
}

/* The shape that the parameters say: type, rank, dim. */
SIMDD_SHAPE(rows)
{
    if (call->param_count == 0)
        return simdd_fail(call, 21, "no shape was said");
    return simdd_result(call, number(call, 0), number(call, 1),
                        (uint32_t[]){number(call, 2), number(call, 3), number(call, 4), 1});
}

SIMDD_FUNCTION(refuse)
{
    return simdd_fail(call, -7, "no \xc3\xa9ggs\x01 \xff here");
}

/* A reason without an end, up to the last byte. */
SIMDD_FUNCTION(chatter)
{
    memset(call->reason, 'x', sizeof(call->reason));
    return 1;
}

SIMDD_FUNCTION(peek)
{
    return *(volatile unsigned char *)(uintptr_t)number(call, 0) & 0;
}

SIMDD_FUNCTION(poke)
{
    *(volatile unsigned char *)(uintptr_t)number(call, 0) = 1;
    return 0;
}

SIMDD_FUNCTION(peek_wide)
{
    return *(volatile int *)(uintptr_t)number(call, 0) & 0;
}

/* Recursion that needs no stack in memory... */
static volatile int one = 1;

static __attribute__((noinline)) int dig(int depth)
{
    int below = depth < 0 ? 0 : dig(depth + one);
    return below + one;
}

SIMDD_FUNCTION(recurse)
{
    return dig((int)call->begin);
}

/* ... and one that does: it lies below the module's data, and ends at address 0. */
static __attribute__((noinline)) int dig_memory(volatile int *depth)
{
    volatile int here = *depth + 1;
    return here < 0 ? 0 : dig_memory(&here) + here;
}

SIMDD_FUNCTION(recurse_memory)
{
    volatile int depth = (int)call->begin;
    return dig_memory(&depth);
}

SIMDD_FUNCTION(give_up)
{
    (void)call;
    __builtin_trap();
}

SIMDD_FUNCTION(divide)
{
    volatile int zero = (int)call->zero;
    return 12345 / zero; /* 1 / zero would need no division */
}

SIMDD_FUNCTION(cast)
{
    return __builtin_wasm_trunc_s_i32_f64(simdd_param(call, 0, 1e30));
}

SIMDD_FUNCTION(bad_call)
{
    int (*volatile f)(float, double) = (int (*)(float, double))(void *)simdd_export_twice;
    (void)call;
    return f(1, 2);
}

SIMDD_FUNCTION(wild_call)
{
    int (*volatile f)(void) = (int (*)(void))(uintptr_t)(100000 + call->zero);
    return f();
}

/* Grows until that fails and answers the pages it has. */
SIMDD_FUNCTION(grow)
{
    (void)call;
    while (__builtin_wasm_memory_grow(0, 1) != SIZE_MAX)
        ;
    unsigned char *last = (unsigned char *)(__builtin_wasm_memory_size(0) << 16) - 1;
    *last = 1;
    return (int)__builtin_wasm_memory_size(0);
}

/* Counts how often this instance was called. */
SIMDD_FUNCTION(count)
{
    static int calls;
    (void)call;
    return ++calls;
}

SIMDD_FUNCTION(spin)
{
    for (volatile int go = 1; go;)
        ;
    return (int)call->zero;
}

/* add_f32 with the given pointers and count, and nothing checked here. */
SIMDD_FUNCTION(raw_add)
{
    struct simdd_op op = {.in = {(void *)(uintptr_t)number(call, 0),
                                 (void *)(uintptr_t)number(call, 1)},
                          .out = (void *)(uintptr_t)number(call, 2),
                          .n = number(call, 3)};
    return simdd_import_add_f32(&op);
}

/* The description itself lies where the parameter says. */
SIMDD_FUNCTION(raw_op)
{
    return simdd_import_mix_u32((const void *)(uintptr_t)number(call, 0));
}

SIMDD_FUNCTION(raw_matmul)
{
    struct simdd_op op = {
        .in = {call->in[0].data, call->in[1].data},
        .out = call->out.data,
        .u.matmul = {.m = number(call, 0), .n = number(call, 1), .k = number(call, 2),
                     .lda = number(call, 3), .ldb = number(call, 4), .ldc = number(call, 5),
                     .alpha.f32 = 1},
    };
    return simdd_import_matmul_f32(&op);
}

SIMDD_FUNCTION(raw_conv2d)
{
    struct simdd_op op = {
        .in = {call->in[0].data, call->in[1].data},
        .out = call->out.data,
        .u.conv2d = {number(call, 0), number(call, 1), number(call, 2), number(call, 3),
                     number(call, 4), number(call, 5), number(call, 6)},
    };
    return simdd_import_conv2d_u8(&op);
}

/* in: bytes, offsets (u64). */
SIMDD_FUNCTION(hashes)
{
    simdd_hash_fnv1a_64(call->in[0].data, call->in[0].dim[0], call->in[1].data,
                        call->in[1].dim[0] - 1, call->out.data);
    return 0;
}
