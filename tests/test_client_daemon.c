/* libsimdd against the whole daemon: the same bits as the references, whichever way the operands
 * travel; and nothing lost when the daemon is busy, leaves or is killed. */
#include "config.h"

#include "client/simdd.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <check.h>

#include "daemon_bed.h"
#include "kernels/kern.h"
#include "protocol/shape.h"
#include "suite.h"

enum { OPERAND_MAX = 1 << 20, JOBS_MAX = 4096 };

static struct simdd *open_client(const struct bed *b)
{
    struct simdd *s;
    ck_assert_int_eq(simdd_connect(&s, b->socket), 0);
    return s;
}

static unsigned next(unsigned *seed, unsigned below)
{
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

/* Dimensions of some shape; as large as some hundred KiB, to be lent and split. */
static void choose(struct simdd_job *job, const struct kern_op_info *info, unsigned *seed)
{
    switch (info->family) {
    case KERN_zip:
    case KERN_map:
        job->u.n = 1 + next(seed, 60000);
        break;
    case KERN_matmul:
        job->u.matmul.m = 1 + next(seed, 60);
        job->u.matmul.n = 1 + next(seed, 60);
        job->u.matmul.k = 1 + next(seed, 60);
        job->u.matmul.ldc = next(seed, 2) == 0 ? 0 : job->u.matmul.n + 3;
        job->u.matmul.trans_a = (int)next(seed, 2);
        job->u.matmul.trans_b = (int)next(seed, 2);
        if (info->in == KERN_f32) {
            job->u.matmul.alpha.f32 = 1.5f;
            job->u.matmul.beta.f32 = next(seed, 2) == 0 ? 0.0f : -0.5f;
        } else {
            job->u.matmul.alpha.i32 = (int32_t)next(seed, 256);
            job->u.matmul.beta.i32 = (int32_t)next(seed, 2);
        }
        break;
    case KERN_conv2d:
        job->u.conv2d.h = 1 + next(seed, 50);
        job->u.conv2d.w = 1 + next(seed, 50);
        job->u.conv2d.channels = next(seed, 2) == 0 ? 1 : 3 + next(seed, 2);
        job->u.conv2d.r = 1 + 2 * next(seed, 3);
        job->u.conv2d.s = 1 + 2 * next(seed, 3);
        job->u.conv2d.border = (enum simdd_border)next(seed, 4);
        if (info->in == KERN_u8)
            job->u.conv2d.rounding = (enum simdd_rounding)next(seed, 2);
        break;
    case KERN_hash:
        job->u.hash.bytes = next(seed, 100000);
        break;
    }
}

/* The frame's header for a job, which shape_check() wants: the test's own encoding. */
static struct wire_request header_of(const struct simdd_job *job, const struct kern_op_info *info)
{
    struct wire_request h = {.op = (uint16_t)job->op};
    const struct simdd_matmul *m = &job->u.matmul;
    const struct simdd_conv2d *c = &job->u.conv2d;
    switch (info->family) {
    case KERN_zip:
    case KERN_map:
        h.arg[0] = job->u.n;
        break;
    case KERN_matmul:
        memcpy(h.arg, (const uint32_t[]){m->m, m->n, m->k, 0, 0, m->ldc}, 6 * sizeof(uint32_t));
        memcpy(&h.arg[6], &m->alpha, sizeof(uint32_t));
        memcpy(&h.arg[7], &m->beta, sizeof(uint32_t));
        h.flags = (uint16_t)((m->trans_a ? WIRE_F_TRANS_A : 0) | (m->trans_b ? WIRE_F_TRANS_B : 0));
        break;
    case KERN_conv2d:
        memcpy(h.arg,
               (const uint32_t[]){c->h, c->w, c->channels, c->r, c->s, (uint32_t)c->border,
                                  (uint32_t)c->rounding},
               7 * sizeof(uint32_t));
        break;
    case KERN_hash:
        h.arg[1] = (uint32_t)job->u.hash.bytes;
        break;
    }
    return h;
}

/* Small whole numbers of the type, so that no NaN meets another. */
static void fill(void *p, size_t bytes, enum kern_type type, unsigned *seed)
{
    if (type == KERN_f32) {
        for (size_t i = 0; i < bytes / sizeof(float); i++)
            ((float *)p)[i] = (float)((int)next(seed, 2001) - 1000) / 64.0f;
    } else {
        for (size_t i = 0; i < bytes; i++)
            ((uint8_t *)p)[i] = (uint8_t)next(seed, 256);
    }
}

static void run_reference(enum kern_op op, const char *isa_name, struct kern_args *args)
{
    enum kern_isa isa;
    ck_assert_int_eq(kern_isa_find(&isa, isa_name), 0);
    kern_run(kern_table_ref(kern_table(isa)->fused), op, args, NULL, NULL);
}

/* One random job of `op`, by memory from `take`. */
static void compare(struct simdd *s, unsigned op, unsigned *seed, int lent)
{
    const struct kern_op_info *info = kern_op_info(op);
    struct simdd_job job;
    memset(&job, 0, sizeof(job));
    job.op = op;
    choose(&job, info, seed);
    const struct wire_request h = header_of(&job, info);
    struct shape shape;
    const char *field;
    ck_assert_int_eq((int)shape_check(&shape, &h, SIZE_MAX, &field), WIRE_OK);

    void *in[KERN_IN_MAX] = {NULL};
    for (unsigned i = 0; i < shape.in_count; i++) {
        in[i] = lent ? simdd_alloc(s, shape.in_bytes[i], NULL) : malloc(shape.in_bytes[i] + 1);
        bool is_kernel = info->family == KERN_conv2d && i == 1 && info->in == KERN_u8;
        fill(in[i], shape.in_bytes[i], is_kernel ? KERN_f32 : info->in, seed);
        job.in[i] = shape.args.in[i] = in[i];
    }
    job.out = lent ? simdd_alloc(s, shape.out_bytes, NULL) : malloc(shape.out_bytes + 1);
    uint8_t *want = malloc(shape.out_bytes);
    memset(job.out, 0x5a, shape.out_bytes);
    memset(want, 0x5a, shape.out_bytes); /* gaps between rows keep it */
    shape.args.out = want;

    struct simdd_result result;
    int status = simdd_call(s, &job, &result);
    ck_assert_msg(status == 0, "%s: %s", info->name, result.reason);
    ck_assert_int_eq(result.in_arena, lent);
    run_reference((enum kern_op)op, result.isa, &shape.args);
    ck_assert_msg(memcmp(job.out, want, shape.out_bytes) == 0, "%s: not the reference's bits",
                  info->name);
    for (unsigned i = 0; i < shape.in_count; i++) {
        if (lent)
            simdd_free(s, in[i]);
        else
            free(in[i]);
    }
    if (lent)
        simdd_free(s, job.out);
    else
        free(job.out);
    free(want);
}

START_TEST(every_op_gives_the_references_bits_inline_and_lent)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    struct simdd *s = open_client(&b);
    unsigned seed = (unsigned)time(NULL);
    (void)printf("every_op_gives_the_references_bits_inline_and_lent: seed %u\n", seed);
    for (unsigned round = 0; round < bed_scaled(6); round++)
        for (unsigned op = 1; op < KERN_OP_END; op++)
            compare(s, op, &seed, (int)(round % 2));
    simdd_close(s);
    bed_close(&b);
}
END_TEST

/* Many small jobs, each completing once. */
struct load {
    float x[JOBS_MAX], z[JOBS_MAX];
    unsigned completed[JOBS_MAX];
    unsigned total, failed;
};

struct tag {
    struct load *load;
    unsigned index;
};

static void on_done(struct simdd *s, const struct simdd_result *result)
{
    (void)s;
    struct tag *tag = result->arg;
    tag->load->completed[tag->index]++;
    tag->load->total++;
    tag->load->failed += result->status != 0;
}

/* Submits jobs from..to. Half of each hundred is lent. */
static void submit(struct simdd *s, struct load *l, struct tag *tags, float *lent, unsigned from,
                   unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        float *x = i % 100 < 50 ? &l->x[i] : &lent[2 * i];
        *x = (float)i;
        tags[i] = (struct tag){l, i};
        struct simdd_job job;
        simdd_job_zip(&job, SIMDD_ADD_F32, 1, x, x, &l->z[i]);
        ck_assert_int_eq(simdd_submit(s, &job, on_done, &tags[i]), 0);
    }
}

static void check_all(const struct load *l, unsigned count)
{
    ck_assert_uint_eq(l->total, count);
    ck_assert_uint_eq(l->failed, 0);
    for (unsigned i = 0; i < count; i++) {
        ck_assert_uint_eq(l->completed[i], 1);
        ck_assert_msg(l->z[i] == (float)(2 * i), "job %u", i);
    }
}

/* The daemon goes by `signal_number` while jobs are on their way, and another comes. */
static void replace_daemon(int signal_number)
{
    static struct load l;
    static struct tag tags[JOBS_MAX];
    struct bed b;
    bed_open(&b, NULL, NULL);
    struct simdd *s = open_client(&b);
    ck_assert_int_eq(simdd_set(s, SIMDD_OPT_RECONNECTS, 1000), 0); /* a slow start is no failure */
    float *lent = simdd_alloc(s, 2 * JOBS_MAX * sizeof(float), NULL);
    unsigned count = bed_scaled(JOBS_MAX), sent = 0;
    for (unsigned round = 1; round <= 3; round++) {
        unsigned to = count * round / 3;
        submit(s, &l, tags, lent, sent, to);
        sent = to;
        ck_assert_int_ge(simdd_process(s, -1), 0);
        ck_assert_int_eq(kill(b.pid, signal_number), 0);
        int code = bed_wait(&b);
        ck_assert_int_eq(code, signal_number == SIGTERM ? 0 : 128 + signal_number);
        ck_assert(bed_start(&b, NULL));
    }
    ck_assert_int_eq(simdd_wait(s), 0);
    check_all(&l, count);
    simdd_close(s);
    bed_close(&b);
}

START_TEST(jobs_outlive_a_daemon_that_is_killed)
{
    replace_daemon(SIGKILL);
}
END_TEST

START_TEST(jobs_outlive_a_daemon_that_drains)
{
    replace_daemon(SIGTERM);
}
END_TEST

START_TEST(jobs_over_the_quota_are_done_later)
{
    static struct load l;
    static struct tag tags[JOBS_MAX];
    struct bed b;
    bed_open(&b, "[jobs]\nclient_jobs_max = 8\n", NULL);
    struct simdd *s = open_client(&b);
    ck_assert_int_eq(simdd_set(s, SIMDD_OPT_OVERLOAD_RETRIES, 1000000), 0);
    float *lent = simdd_alloc(s, 2 * JOBS_MAX * sizeof(float), NULL);
    unsigned count = bed_scaled(500);
    submit(s, &l, tags, lent, 0, count);
    ck_assert_int_eq(simdd_wait(s), 0);
    check_all(&l, count);
    simdd_close(s);
    bed_close(&b);
}
END_TEST

START_TEST(daemon_that_maps_no_arena_gets_the_bytes)
{
    struct bed b;
    bed_open(&b, "[jobs]\nclient_arena_bytes_max = 4KiB\n", NULL);
    struct simdd *s = open_client(&b);
    enum { N = 100000 };
    float *x = simdd_alloc(s, N * sizeof(*x), NULL), *z = simdd_alloc(s, N * sizeof(*z), NULL);
    for (int i = 0; i < N; i++)
        x[i] = (float)i;
    struct simdd_job job;
    struct simdd_result result;
    simdd_job_zip(&job, SIMDD_ADD_F32, N, x, x, z);
    ck_assert_int_eq(simdd_call(s, &job, &result), 0);
    ck_assert_int_eq(result.in_arena, 0);
    int right = 0;
    while (right < N && z[right] == (float)(2 * right))
        right++;
    ck_assert_int_eq(right, N);
    simdd_close(s);
    bed_close(&b);
}
END_TEST

START_TEST(refusals_come_by_name)
{
    struct bed b;
    bed_open(&b, "[jobs]\njob_max_bytes = 4KiB\n[wasm]\nwasm_host = /nonexistent\n", NULL);
    struct simdd *s = open_client(&b);
    static float x[4096], z[4096];
    struct simdd_job job;
    simdd_job_zip(&job, SIMDD_ADD_F32, 4096, x, x, z);
    ck_assert_int_eq(simdd_call(s, &job, NULL), SIMDD_TOO_BIG);
    ck_assert_ptr_nonnull(strstr(simdd_last_error(s), "job_max_bytes"));
    simdd_job_zip(&job, SIMDD_ADD_F32, 4, x, x, z);
    job.backend = SIMDD_BACKEND_WASM;
    ck_assert_int_eq(simdd_call(s, &job, NULL), SIMDD_NO_BACKEND);
    job.backend = (enum simdd_backend)7;
    ck_assert_int_eq(simdd_call(s, &job, NULL), SIMDD_BAD_BACKEND);
    job.backend = SIMDD_BACKEND_AUTO;
    job.priority = (enum simdd_priority)9;
    ck_assert_int_eq(simdd_call(s, &job, NULL), SIMDD_BAD_PRIORITY);
    job.priority = SIMDD_PRIORITY_NORMAL;
    uint64_t offsets[3] = {0, 9, 2}, hashes[2];
    ck_assert_int_eq(simdd_call(s, &job, NULL), 0);
    simdd_job_hash(&job, SIMDD_HASH_FAST, x, 4, hashes);
    job.in[1] = offsets;
    job.u.hash.count = 2;
    ck_assert_int_eq(simdd_call(s, &job, NULL), SIMDD_BAD_OFFSETS);
    char *text = NULL;
    ck_assert_int_eq(simdd_metrics(s, SIMDD_METRICS_OPENMETRICS, &text), 0);
    ck_assert_ptr_nonnull(strstr(text, "# EOF"));
    free(text);
    simdd_close(s);
    bed_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client_daemon");
    TCase *tc = tcase_create("daemon");
    tcase_set_timeout(tc, BED_PATIENCE_S);
    tcase_add_test(tc, every_op_gives_the_references_bits_inline_and_lent);
    tcase_add_test(tc, refusals_come_by_name);
    tcase_add_test(tc, daemon_that_maps_no_arena_gets_the_bytes);
    tcase_add_test(tc, jobs_over_the_quota_are_done_later);
    tcase_add_test(tc, jobs_outlive_a_daemon_that_drains);
    tcase_add_test(tc, jobs_outlive_a_daemon_that_is_killed);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
