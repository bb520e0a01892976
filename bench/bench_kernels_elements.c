/* Kernels that are bound by memory or by one chain of instructions, beside plain loops. */
#include "config.h"

#include "bench/bench_kernels.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kernel_call.h"
#include "bench/loops.h"
#include "bench/tsv.h"

struct zip {
    size_t n;
    float *x, *y, *z; /* owned */
    void (*loop)(size_t n, const float *restrict x, const float *restrict y, float *restrict z);
    struct kernel_call call;
};

static void zip_loop(void *ctx)
{
    struct zip *t = ctx;
    t->loop(t->n, t->x, t->y, t->z);
}

/* Two operands are read and one result written. */
static double run_zip(void *ctx)
{
    struct zip *t = ctx;
    return 12.0 * (double)t->n / tsv_call_ns(kernel_call_run, &t->call);
}

static double run_zip_loop(void *ctx)
{
    const struct zip *t = ctx;
    return 12.0 * (double)t->n / tsv_call_ns(zip_loop, ctx);
}

static void bench_zip(const char *op_name, enum kern_op op, const char *place, size_t n,
                      void (*loop)(size_t, const float *restrict, const float *restrict,
                                   float *restrict))
{
    char name[64];
    struct zip t = {.n = n, .loop = loop};
    t.x = kernel_memory(n * sizeof *t.x);
    t.y = kernel_memory(n * sizeof *t.y);
    t.z = kernel_memory(n * sizeof *t.z);
    float *ours = kernel_memory(n * sizeof *ours);
    fill_floats(t.x, n, 1);
    fill_floats(t.y, n, 2);
    struct kern_args args = {.in = {t.x, t.y}, .out = t.z, .u.zip = {n}};
    kernel_call_init(&t.call, op, &args);
    kernel_call_run(&t.call);
    memcpy(ours, t.z, n * sizeof *ours);
    zip_loop(&t);
    tsv_check(memcmp(ours, t.z, n * sizeof *ours) == 0, "%s: not what the loop says", op_name);
    free(ours);
    struct tsv_side sides[] = {{"simdd", run_zip, &t}, {loops_compiler, run_zip_loop, &t}};
    snprintf(name, sizeof name, "%s %s", op_name, place);
    struct tsv_case c = {"kernels", name, "GB/s", TSV_MORE, 21, 3.0};
    tsv_race(&c, sides, 2);
    kernel_call_fini(&t.call);
    free(t.x);
    free(t.y);
    free(t.z);
}

struct mix {
    size_t n;
    uint32_t *x; /* owned; in place, so every call mixes what the last one left */
    struct kernel_call call;
};

static void mix_loop(void *ctx)
{
    struct mix *t = ctx;
    loop_mix_u32(t->n, t->x);
}

static double run_mix(void *ctx)
{
    struct mix *t = ctx;
    return 8.0 * (double)t->n / tsv_call_ns(kernel_call_run, &t->call);
}

static double run_mix_loop(void *ctx)
{
    const struct mix *t = ctx;
    return 8.0 * (double)t->n / tsv_call_ns(mix_loop, ctx);
}

static void bench_mix(const char *place, size_t n)
{
    char name[64];
    struct mix t = {.n = n, .x = kernel_memory(n * sizeof *t.x)};
    uint32_t *ours = kernel_memory(n * sizeof *ours);
    for (size_t i = 0; i < n; i++)
        t.x[i] = (uint32_t)i * 2246822519u;
    struct kern_args args = {.in = {t.x}, .out = ours, .u.map = {n}};
    kernel_call_init(&t.call, KERN_OP_mix_u32, &args);
    kernel_call_run(&t.call);
    mix_loop(&t);
    tsv_check(memcmp(ours, t.x, n * sizeof *ours) == 0, "mix_u32: not what the loop says");
    free(ours);
    t.call.args.out = t.x;
    struct tsv_side sides[] = {{"simdd", run_mix, &t}, {loops_compiler, run_mix_loop, &t}};
    snprintf(name, sizeof name, "mix_u32 %s", place);
    struct tsv_case c = {"kernels", name, "GB/s", TSV_MORE, 21, 3.0};
    tsv_race(&c, sides, 2);
    kernel_call_fini(&t.call);
    free(t.x);
}

void bench_elements(void)
{
    static const struct {
        const char *place;
        size_t n; /* three arrays of it lie there, with room for what else there is */
    } sizes[] = {{"L1", 2048}, {"L2", 32768}, {"DRAM", (size_t)16 << 20}};
    for (size_t i = 0; i < 3; i++)
        bench_zip("add_f32", KERN_OP_add_f32, sizes[i].place, sizes[i].n, loop_add_f32);
    for (size_t i = 0; i < 3; i++)
        bench_zip("mul_f32", KERN_OP_mul_f32, sizes[i].place, sizes[i].n, loop_mul_f32);
    bench_mix("L1", 4096);
    bench_mix("DRAM", (size_t)32 << 20);
}

struct hash {
    size_t n, count;
    uint8_t *bytes;                    /* owned */
    uint64_t *offsets, *ours, *theirs; /* owned */
    struct kernel_call call;
};

static void hash_loop(void *ctx)
{
    struct hash *t = ctx;
    for (size_t i = 0; i < t->count; i++)
        t->theirs[i] = loop_hash_fast(t->offsets[i + 1] - t->offsets[i], t->bytes + t->offsets[i]);
}

static double run_hash(void *ctx)
{
    struct hash *t = ctx;
    return (double)t->n / tsv_call_ns(kernel_call_run, &t->call);
}

static double run_hash_loop(void *ctx)
{
    const struct hash *t = ctx;
    return (double)t->n / tsv_call_ns(hash_loop, ctx);
}

static void bench_messages(const char *name, size_t count, size_t message_bytes)
{
    struct hash t = {.n = count * message_bytes, .count = count};
    t.bytes = kernel_memory(t.n);
    t.offsets = kernel_memory((count + 1) * sizeof *t.offsets);
    t.ours = kernel_memory(count * sizeof *t.ours);
    t.theirs = kernel_memory(count * sizeof *t.theirs);
    for (size_t i = 0; i < t.n; i++)
        t.bytes[i] = (uint8_t)((i * 2654435761u) >> 11);
    for (size_t i = 0; i <= count; i++)
        t.offsets[i] = i * message_bytes;
    struct kern_args args = {.in = {t.bytes, count > 1 ? t.offsets : NULL}, .out = t.ours,
                             .u.hash = {t.n, count}};
    kernel_call_init(&t.call, KERN_OP_hash_fast, &args);
    kernel_call_run(&t.call);
    hash_loop(&t);
    tsv_check(memcmp(t.ours, t.theirs, count * sizeof *t.ours) == 0,
              "hash_fast: not what the loop says");
    struct tsv_side sides[] = {{"simdd", run_hash, &t}, {loops_compiler, run_hash_loop, &t}};
    struct tsv_case c = {"kernels", name, "GB/s", TSV_MORE, 21, 3.0};
    tsv_race(&c, sides, 2);
    kernel_call_fini(&t.call);
    free(t.bytes);
    free(t.offsets);
    free(t.ours);
    free(t.theirs);
}

void bench_hash(void)
{
    bench_messages("hash_fast one stream of 256 KiB", 1, 256 * 1024);
    bench_messages("hash_fast 4096 messages of 64 B", 4096, 64);
}
