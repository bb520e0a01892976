/* The kernels' WebAssembly module in the engine, beside native kernels of the same vector width:
 * wasm128 beside sse4, wasm128r beside fma128 (bench/isa/fma128.h). Same operands in the same
 * memory, one thread, in turn.
 *
 *     bench_wasm [--module FILE] [--v8 SCRIPT] [PART OF A CASE'S NAME ...]
 *
 * The module has wasm_plain.c in it too: the same jobs in plain loops, in the same engine, in turn.
 * Where jobs wait for memory, so is sse4 without streaming stores (bench/isa/store128.h).
 * With wasm_v8.mjs, cases that do not wait for memory also run in node's V8, right after the race.
 * All sides must give the same bits before they are timed. Prints the TSV rows that tsv.h tells
 * of and, at the end, the geometric mean of all cases that do not wait for memory. */
#include "config.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench/tsv.h"
#include "kernels/kern.h"
#include "tests/wasm_engine.h"

#define OP(id, name, ...) kern_fn kern_##name##_fma128;
#include "kernels/ops.def"
#undef OP

/* neon's tiles are fma128's, two of them below each other, so its plans do. */
static const struct kern_table table_fma128 = {.isa = KERN_ISA_NEON, .fused = true, .fn = {
#define OP(id, name, ...) [id] = kern_##name##_fma128,
#include "kernels/ops.def"
#undef OP
}};

/* sse4 without streaming stores. */
#define STORE_OPS(X) X(add_f32) X(add_i32) X(add_u8) X(mix_u32) X(mul_f32) X(mul_i32) X(mul_u8)
#define STORE_DECLARE(name) kern_fn kern_##name##_store128;
#define STORE_ENTRY(name)   [KERN_OP_##name] = kern_##name##_store128,
STORE_OPS(STORE_DECLARE)
static const struct kern_table table_store128 = {
    .isa = KERN_ISA_SSE4, .fn = {STORE_OPS(STORE_ENTRY)}};
#undef STORE_OPS
#undef STORE_DECLARE
#undef STORE_ENTRY

enum { ROUNDS = 15, NAME_BYTES = 64, RIVALS = 2 };

/* Another way to the same bits, which needs neither phases nor working memory. */
struct rival {
    const char *name;
    const struct kern_table *table; /* NULL: there is none; it may lack ops */
    bool memory_bound; /* wanted for jobs that wait for memory alone */
};

/* Two ISAs that give the same bits. */
struct pair {
    const char *name, *native_name;
    const struct kern_table *wasm, *native;
    struct rival rivals[RIVALS];
};

struct bench {
    struct pair pairs[2];
    size_t pair_count;
    const char *module, *v8; /* paths; v8 NULL: no such peer */
    const char *const *wanted; /* parts of names; NULL-terminated, may be empty */
    uint8_t *memory; /* borrowed: the window's operands */
    size_t used;
    double log_sum; /* of the ratios of cases that do not wait for memory */
    size_t log_count;
    double worst;
};

/* A case for one pair. */
struct job {
    const struct kern_table *table;
    enum kern_op op;
    struct kern_args args;
    uint32_t phase_count;
    void *shared, *scratch;
};

/* ---- memory ---- */

static void *take(struct bench *b, size_t bytes)
{
    void *p = b->memory + b->used;
    b->used += (bytes + 4095) / 4096 * 4096 + 64; /* not all in the same sets of a cache */
    tsv_check(b->used <= (size_t)1 << 30, "too little memory in the window");
    return p;
}

static void fill(void *to, enum kern_type type, size_t count, unsigned seed)
{
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        if (type == KERN_u8)
            ((uint8_t *)to)[i] = (uint8_t)(state >> 24);
        else if (type == KERN_f32)
            ((float *)to)[i] = (float)(int32_t)state * 0x1p-31f;
        else
            ((uint32_t *)to)[i] = state;
    }
}

static const void *operand(struct bench *b, enum kern_type type, size_t count, unsigned seed)
{
    void *p = take(b, count * kern_type_bytes(type));
    fill(p, type, count, seed);
    return p;
}

/* ---- runs ---- */

static void job_run(void *ctx)
{
    struct job *job = ctx;
    kern_run(job->table, job->op, &job->args, job->shared, job->scratch);
}

/* The same calls, which find nothing to do. */
static void job_run_empty(void *ctx)
{
    struct job *job = ctx;
    struct kern_part part = {.shared = job->shared, .scratch = job->scratch};
    for (part.phase = 0; part.phase < job->phase_count; part.phase++) {
        part.begin = part.end = kern_phase_units(job->op, job->table->isa, &job->args, part.phase);
        job->table->fn[job->op](&job->args, &part);
    }
}

/* A rival's job. */
static void job_run_whole(void *ctx)
{
    struct job *job = ctx;
    const struct kern_part all = {.end = SIZE_MAX};
    job->table->fn[job->op](&job->args, &all);
}

/* Nanoseconds of one run, and of the calls alone, which have a row of their own. */
struct times {
    double run[ROUNDS], empty[ROUNDS];
};

static void times_take(struct times *t, size_t round, struct job *job)
{
    t->run[round] = tsv_call_ns(job_run, job);
    t->empty[round] = tsv_call_ns(job_run_empty, job);
}

static double times_kernel_ns(struct times *t)
{
    return tsv_median(t->run, ROUNDS) - tsv_median(t->empty, ROUNDS);
}

static bool is_wanted(const struct bench *b, const char *name)
{
    if (b->wanted[0] == NULL)
        return true;
    for (size_t i = 0; b->wanted[i] != NULL; i++) {
        if (strstr(name, b->wanted[i]) != NULL)
            return true;
    }
    return false;
}

static struct job job_of(struct bench *b, const struct kern_table *table, enum kern_op op,
                         const struct kern_args *args)
{
    struct job job = {.table = table, .op = op, .args = *args};
    struct kern_plan plan;
    kern_plan(&plan, op, table->isa, args);
    job.phase_count = plan.phase_count;
    job.shared = take(b, plan.shared_bytes);
    job.scratch = take(b, plan.scratch_bytes);
    return job;
}

/* ---- V8 ---- */

/* One run, as wasm_v8.mjs reads it. */
static void v8_write(FILE *file, const struct bench *b, const struct job *job)
{
    struct kern_part part = {.shared = job->shared, .scratch = job->scratch};
    struct host_kernel task;
    const uint32_t header[] = {WINDOW_CALL, WINDOW_SEGMENT, (uint32_t)b->used, sizeof task,
                               job->phase_count};

    fwrite(header, sizeof header, 1, file);
    fwrite(b->memory, b->used, 1, file);
    for (part.phase = 0; part.phase < job->phase_count; part.phase++) {
        part.end = kern_phase_units(job->op, job->table->isa, &job->args, part.phase);
        wasm_engine_task(&task, job->op, job->table->isa, &job->args, &part);
        fwrite(&task, sizeof task, 1, file);
    }
    tsv_check(fflush(file) == 0, "cannot write the case for V8");
}

/* Nanoseconds of a run, or 0 without V8. The result must be `expected`. */
static double v8_ns(const struct bench *b, const struct job *job, const uint8_t *expected,
                    size_t out_bytes)
{
    char path[] = "/tmp/bench-wasm-XXXXXX", command[4096];
    const long out_at = (long)((const uint8_t *)job->args.out - b->memory);
    double ns = 0;
    int fd = b->v8 != NULL ? mkstemp(path) : -1;
    FILE *file = fd >= 0 ? fdopen(fd, "w+b") : NULL;

    if (file == NULL)
        return 0;
    v8_write(file, b, job);
    /* Before it was always there, relaxed SIMD had to be asked for. */
    snprintf(command, sizeof command,
             "node $(node --v8-options |"
             " grep -o -m 1 -e --experimental-wasm-relaxed-simd) '%s' '%s' '%s'",
             b->v8, b->module, path);
    FILE *node = popen(command, "r");
    bool ran = node != NULL && fscanf(node, "%lf", &ns) == 1;
    ran = node != NULL && pclose(node) == 0 && ran;
    if (ran) {
        uint8_t *got = malloc(out_bytes);
        tsv_check(got != NULL && fseek(file, out_at, SEEK_SET) == 0 &&
                      fread(got, 1, out_bytes, file) == out_bytes &&
                      memcmp(got, expected, out_bytes) == 0,
                  "V8: not the native bits");
        free(got);
    }
    fclose(file);
    unlink(path);
    return ran ? ns : 0;
}

/* ---- a race ---- */

/* False if the rival does not run such a job. */
static bool rival_job(struct job *job, const struct rival *rival, enum kern_op op,
                      const struct kern_args *args, bool memory_bound)
{
    *job = (struct job){.table = rival->table, .op = op, .args = *args};
    return rival->table != NULL && rival->table->fn[op] != NULL &&
           (memory_bound || !rival->memory_bound);
}

/* work: what one run does, in 1e9 `unit`s per second when divided by nanoseconds. args->out has
 * out_bytes. */
static void race(struct bench *b, const char *what, const char *unit, double work,
                 bool memory_bound, enum kern_op op, const struct kern_args *args,
                 size_t out_bytes)
{
    const size_t used = b->used;
    for (size_t i = 0; i < b->pair_count; i++, b->used = used) {
        const struct pair *pair = &b->pairs[i];
        struct times ours, theirs;
        double rival_ns[RIVALS][ROUNDS];
        struct job rivals[RIVALS];
        size_t rival_count = 0;
        char name[NAME_BYTES];
        struct tsv_case c = {"wasm", name, unit, TSV_MORE, ROUNDS, 0};
        struct job wasm = job_of(b, pair->wasm, op, args);
        struct job native = job_of(b, pair->native, op, args);

        while (rival_count < RIVALS &&
               rival_job(&rivals[rival_count], &pair->rivals[rival_count], op, args, memory_bound))
            rival_count++;
        snprintf(name, sizeof name, "%s %s", what, pair->name);
        if (!is_wanted(b, name))
            continue;
        job_run(&native);
        uint8_t *expected = take(b, out_bytes);
        memcpy(expected, args->out, out_bytes);
        memset(args->out, 0xa5, out_bytes);
        job_run(&wasm);
        tsv_check(memcmp(expected, args->out, out_bytes) == 0, "%s: not the native bits", name);
        for (size_t k = 0; k < rival_count; k++) {
            memset(args->out, 0xa5, out_bytes);
            job_run_whole(&rivals[k]);
            tsv_check(memcmp(expected, args->out, out_bytes) == 0, "%s: not the bits of %s", name,
                      pair->rivals[k].name);
        }
        for (size_t round = 0; round < ROUNDS; round++) {
            times_take(&ours, round, &wasm);
            times_take(&theirs, round, &native);
            for (size_t k = 0; k < rival_count; k++)
                rival_ns[k][round] = tsv_call_ns(job_run_whole, &rivals[k]);
        }
        double our = work / times_kernel_ns(&ours), their = work / times_kernel_ns(&theirs);
        tsv_row(&c, our, pair->native_name, their);
        for (size_t k = 0; k < rival_count; k++)
            tsv_row(&c, our, pair->rivals[k].name, work / tsv_median(rival_ns[k], ROUNDS));
        if (!memory_bound) {
            double v8 = v8_ns(b, &wasm, expected, out_bytes);
            if (v8 > 0)
                tsv_row(&c, our, "V8", work / v8);
            b->log_sum += log(our / their);
            b->log_count++;
            b->worst = fmin(b->worst, our / their);
        }
    }
    b->used = 0;
    madvise(b->memory, (size_t)1 << 30, MADV_DONTNEED);
}

/* ---- cases ---- */

static void bench_zip(struct bench *b, enum kern_op op, const char *where, size_t bytes)
{
    const struct kern_op_info *info = kern_op_info(op);
    const size_t n = bytes / kern_type_bytes(info->in);
    char what[NAME_BYTES];
    struct kern_args args = {.u.zip.n = n};

    snprintf(what, sizeof what, "%s %s", info->name, where);
    args.in[0] = operand(b, info->in, n, 1);
    args.in[1] = operand(b, info->in, n, 2);
    args.out = take(b, bytes);
    race(b, what, "GB/s", 3.0 * (double)bytes, strcmp(where, "DRAM") == 0, op, &args, bytes);
}

/* Not in place: then both sides would have other data each time. */
static void bench_map(struct bench *b, enum kern_op op, const char *where, size_t bytes)
{
    const struct kern_op_info *info = kern_op_info(op);
    char what[NAME_BYTES];
    struct kern_args args = {.u.map.n = bytes / 4};

    snprintf(what, sizeof what, "%s %s", info->name, where);
    args.in[0] = operand(b, info->in, bytes / 4, 1);
    args.out = take(b, bytes);
    race(b, what, "GB/s", 2.0 * (double)bytes, strcmp(where, "DRAM") == 0, op, &args, bytes);
}

static void bench_matmul(struct bench *b, enum kern_op op, uint32_t n)
{
    const struct kern_op_info *info = kern_op_info(op);
    char what[NAME_BYTES];
    struct kern_args args = {.u.matmul = {.m = n, .n = n, .k = n, .lda = n, .ldb = n, .ldc = n}};

    snprintf(what, sizeof what, "%s %u", info->name, n);
    if (op == KERN_OP_matmul_f32)
        args.u.matmul.alpha.f32 = 1.0f;
    else if (op == KERN_OP_matmul_i32)
        args.u.matmul.alpha.i32 = 1;
    args.in[0] = operand(b, info->in, (size_t)n * n, 1);
    args.in[1] = operand(b, info->in, (size_t)n * n, 2);
    args.out = take(b, (size_t)n * n * 4);
    race(b, what, "GOP/s", 2.0 * n * n * n, false, op, &args, (size_t)n * n * 4);
}

static void bench_conv2d(struct bench *b, enum kern_op op, uint32_t k)
{
    enum { H = 480, W = 640 };
    const struct kern_op_info *info = kern_op_info(op);
    const size_t bytes = (size_t)H * W * kern_type_bytes(info->in);
    char what[NAME_BYTES];
    struct kern_args args = {.u.conv2d = {.h = H, .w = W, .channels = 1, .r = k, .s = k,
                                          .border = KERN_BORDER_REPLICATE}};

    snprintf(what, sizeof what, "%s k=%u", info->name, k);
    args.in[0] = operand(b, info->in, (size_t)H * W, 1);
    args.in[1] = operand(b, op == KERN_OP_conv2d_i32 ? KERN_i32 : KERN_f32, (size_t)k * k, 2);
    args.out = take(b, bytes);
    race(b, what, "Gpixel/s", (double)H * W, false, op, &args, bytes);
}

static void bench_hash(struct bench *b, enum kern_op op, const char *which, size_t count,
                       size_t bytes)
{
    char what[NAME_BYTES];
    struct kern_args args = {.u.hash = {.n_bytes = count * bytes, .count = count}};

    snprintf(what, sizeof what, "%s %s", kern_op_info(op)->name, which);
    args.in[0] = operand(b, KERN_u8, count * bytes, 1);
    if (count > 1) {
        uint64_t *offsets = take(b, (count + 1) * sizeof *offsets);
        for (size_t i = 0; i <= count; i++)
            offsets[i] = i * bytes;
        args.in[1] = offsets;
    }
    args.out = take(b, count * sizeof(uint64_t));
    race(b, what, "GB/s", (double)(count * bytes), false, op, &args, count * sizeof(uint64_t));
}

static void bench_all(struct bench *b)
{
    static const enum kern_op zips[] = {KERN_OP_add_f32, KERN_OP_add_i32, KERN_OP_add_u8,
                                        KERN_OP_mul_f32, KERN_OP_mul_i32, KERN_OP_mul_u8};
    static const enum kern_op convs[] = {KERN_OP_conv2d_u8, KERN_OP_conv2d_f32,
                                         KERN_OP_conv2d_i32};
    static const enum kern_op hashes[] = {KERN_OP_hash_fast, KERN_OP_hash_fnv1a_64};

    for (size_t i = 0; i < sizeof zips / sizeof *zips; i++) {
        bench_zip(b, zips[i], "L1", 8192);
        bench_zip(b, zips[i], "DRAM", (size_t)64 << 20);
    }
    bench_map(b, KERN_OP_mix_u32, "L1", 8192);
    bench_map(b, KERN_OP_mix_u32, "DRAM", (size_t)64 << 20);
    bench_matmul(b, KERN_OP_matmul_f32, 256);
    bench_matmul(b, KERN_OP_matmul_f32, 1024);
    bench_matmul(b, KERN_OP_matmul_i32, 256);
    bench_matmul(b, KERN_OP_matmul_i32, 1024);
    bench_matmul(b, KERN_OP_matmul_u8, 256);
    bench_matmul(b, KERN_OP_matmul_u8, 1024);
    for (size_t i = 0; i < sizeof convs / sizeof *convs; i++) {
        bench_conv2d(b, convs[i], 3);
        bench_conv2d(b, convs[i], 7);
    }
    for (size_t i = 0; i < sizeof hashes / sizeof *hashes; i++) {
        bench_hash(b, hashes[i], "one stream", 1, 16384);
        bench_hash(b, hashes[i], "many messages", 256, 64);
    }
}

/* What a call costs that finds nothing to do. */
static void bench_calls(struct bench *b)
{
    const struct kern_args args = {.in = {b->memory, b->memory}, .out = b->memory, .u.zip.n = 0};
    for (size_t i = 0; i < b->pair_count; i++) {
        char name[NAME_BYTES];
        struct tsv_case c = {"wasm", name, "ns", TSV_LESS, ROUNDS, 0};
        struct job wasm = job_of(b, b->pairs[i].wasm, KERN_OP_add_f32, &args);
        struct job native = job_of(b, b->pairs[i].native, KERN_OP_add_f32, &args);
        double ours[ROUNDS], theirs[ROUNDS];

        snprintf(name, sizeof name, "a call %s", b->pairs[i].name);
        if (!is_wanted(b, name))
            continue;
        for (size_t round = 0; round < ROUNDS; round++) {
            ours[round] = tsv_call_ns(job_run_empty, &wasm);
            theirs[round] = tsv_call_ns(job_run_empty, &native);
        }
        tsv_row(&c, tsv_median(ours, ROUNDS), b->pairs[i].native_name,
                tsv_median(theirs, ROUNDS));
    }
}

int main(int argc, char **argv)
{
    const char *module = BENCH_WASM, *v8 = NULL;
    struct tsv_case c = {"wasm", "geometric mean in caches", "of native", TSV_MORE, ROUNDS, 0};
    int first = 1;
    size_t window_bytes;

    for (; argc - first >= 2 && strncmp(argv[first], "--", 2) == 0; first += 2) {
        if (strcmp(argv[first], "--module") == 0)
            module = argv[first + 1];
        else if (strcmp(argv[first], "--v8") == 0)
            v8 = argv[first + 1];
    }
    wasm_engine_open(module);
    struct bench b = {.module = module,
                      .v8 = v8,
                      .wanted = (const char *const *)argv + first,
                      .worst = 1};
    b.memory = wasm_engine_operands(&window_bytes);
    tsv_check(mmap(b.memory, (size_t)1 << 30, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == b.memory,
              "no memory for the window");
    b.pairs[b.pair_count++] =
        (struct pair){"wasm128", "sse4", wasm_engine_table(KERN_ISA_WASM128),
                      kern_table(KERN_ISA_SSE4),
                      {{"plain loops", wasm_engine_plain(), false},
                       {"sse4, plain stores", &table_store128, true}}};
    if (kern_isa_usable(KERN_ISA_AVX2))
        b.pairs[b.pair_count++] = (struct pair){
            "wasm128r", "fma128", wasm_engine_table(KERN_ISA_WASM128R), &table_fma128, {{0}}};
    bench_all(&b);
    bench_calls(&b);
    if (b.log_count != 0) {
        tsv_row(&c, exp(b.log_sum / (double)b.log_count), NULL, 0);
        c.name = "worst in caches";
        tsv_row(&c, b.worst, NULL, 0);
    }
    wasm_engine_close();
    return 0;
}
