/* Random jobs and their right answers. */
#include "config.h"

#include "daemon_jobs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <check.h>

/* ---- chance ---- */

/* splitmix64, by Vigna */
uint64_t chance_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t chance_below(uint64_t *state, uint64_t n)
{
    return chance_next(state) % n;
}

uint64_t chance_seed(void)
{
    const char *text = getenv("SIMDD_TEST_SEED");
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t seed = text != NULL ? strtoull(text, NULL, 0)
                                 : (uint64_t)t.tv_sec * 1000003u + (uint64_t)t.tv_nsec;
    printf("SIMDD_TEST_SEED=%" PRIu64 "\n", seed);
    return seed;
}

/* ---- shapes ---- */

static uint32_t side(uint64_t *state, size_t max)
{
    return (uint32_t)(1 + chance_below(state, max));
}

static uint32_t bits_of(float f)
{
    uint32_t bits;
    memcpy(&bits, &f, sizeof(bits));
    return bits;
}

static size_t root(size_t n)
{
    size_t r = 1;
    while ((r + 1) * (r + 1) <= n)
        r++;
    return r;
}

static void matmul_arguments(struct wire_request *h, uint64_t *state, size_t elements_max)
{
    size_t max = root(elements_max);
    uint32_t m = side(state, max), n = side(state, max), k = side(state, max);
    uint64_t dice = chance_next(state);
    bool trans_a = dice & 1, trans_b = dice & 2;
    const struct kern_op_info *info = kern_op_info(h->op);
    h->flags = (uint16_t)((trans_a ? WIRE_F_TRANS_A : 0) | (trans_b ? WIRE_F_TRANS_B : 0));
    h->arg[0] = m;
    h->arg[1] = n;
    h->arg[2] = k;
    if (dice & 4) {
        h->arg[3] = (trans_a ? m : k) + (uint32_t)chance_below(state, 5);
        h->arg[4] = (trans_b ? k : n) + (uint32_t)chance_below(state, 5);
        h->arg[5] = n + (uint32_t)chance_below(state, 5);
    }
    bool plain = dice & 8;
    if (info->in == KERN_f32) {
        h->arg[6] = bits_of(plain ? 1.0f : 0.75f);
        h->arg[7] = bits_of(plain ? 0.0f : -1.25f);
    } else if (info->in == KERN_i32) {
        h->arg[6] = plain ? 1 : (uint32_t)-3;
        h->arg[7] = plain ? 0 : 7;
    } else {
        h->arg[6] = plain ? 0 : (uint32_t)chance_below(state, 256);
        h->arg[7] = plain ? 0 : (uint32_t)chance_below(state, 256);
    }
}

static void conv2d_arguments(struct wire_request *h, uint64_t *state, size_t elements_max)
{
    static const uint32_t channels[] = {1, 3, 4};
    uint32_t c = channels[chance_below(state, 3)];
    h->arg[0] = side(state, root(elements_max / c + 1));
    h->arg[1] = side(state, root(elements_max / c + 1));
    h->arg[2] = c;
    h->arg[3] = 1 + 2 * (uint32_t)chance_below(state, 4);
    h->arg[4] = 1 + 2 * (uint32_t)chance_below(state, 4);
    h->arg[5] = (uint32_t)chance_below(state, KERN_BORDER_COUNT);
    h->arg[6] = h->op == KERN_OP_conv2d_u8 ? (uint32_t)chance_below(state, KERN_ROUND_COUNT) : 0;
}

static void arguments(struct wire_request *h, uint64_t *state, size_t elements_max)
{
    switch (kern_op_info(h->op)->family) {
    case KERN_zip:
    case KERN_map:
        h->arg[0] = side(state, elements_max);
        break;
    case KERN_matmul:
        matmul_arguments(h, state, elements_max);
        break;
    case KERN_conv2d:
        conv2d_arguments(h, state, elements_max);
        break;
    case KERN_hash:
        h->arg[0] = (uint32_t)chance_below(state, 20);
        h->arg[1] = (uint32_t)chance_below(state, elements_max);
        break;
    }
}

/* ---- contents ---- */

/* Floats that round when they are multiplied and added, but are never NaN. */
static void fill(uint8_t *p, size_t bytes, enum kern_type type, uint64_t *state)
{
    if (type != KERN_f32) {
        for (size_t i = 0; i < bytes; i++)
            p[i] = (uint8_t)chance_next(state);
        return;
    }
    for (size_t i = 0; i + sizeof(float) <= bytes; i += sizeof(float)) {
        float f = (float)(int32_t)(chance_next(state) >> 32) / 1073741824.0f;
        memcpy(p + i, &f, sizeof(f));
    }
}

static void fill_offsets(uint8_t *p, size_t count, size_t n_bytes, uint64_t *state)
{
    uint64_t at = 0;
    for (size_t i = 0; i <= count; i++) {
        at += chance_below(state, n_bytes - at + 1) / (chance_below(state, 4) + 1);
        memcpy(p + i * sizeof(at), &at, sizeof(at));
    }
}

void job_case_of(struct job_case *k, const struct wire_request *h, uint64_t *state)
{
    const char *field = NULL;
    *k = (struct job_case){.h = *h};
    enum wire_status status = shape_check(&k->shape, &k->h, (size_t)1 << 30, &field);
    ck_assert_msg(status == WIRE_OK, "%s: %s", field == NULL ? "" : field,
                  wire_status_name(status));
    k->payload = calloc(1, k->shape.inline_bytes + 1);
    ck_assert_ptr_nonnull(k->payload);
    uint8_t *p = k->payload;
    for (unsigned i = 0; i < k->shape.in_count; i++) {
        enum kern_type type = k->shape.info->in;
        if (h->op == KERN_OP_conv2d_u8 && i == 1)
            type = KERN_f32;
        if (k->shape.info->family == KERN_hash && i == 1)
            fill_offsets(p, k->shape.args.u.hash.count, k->shape.args.u.hash.n_bytes, state);
        else
            fill(p, k->shape.in_bytes[i], type, state);
        p += wire_pad(k->shape.in_bytes[i]);
    }
}

void job_case_random(struct job_case *k, uint64_t *state, size_t elements_max)
{
    struct wire_request h = client_request(WIRE_JOB, 0);
    h.op = (uint16_t)(1 + chance_below(state, KERN_OP_END - 1));
    h.priority = (uint8_t)chance_below(state, 3);
    arguments(&h, state, elements_max);
    job_case_of(k, &h, state);
}

void job_case_endless(struct job_case *k)
{
    uint64_t state = 1;
    struct wire_request h = client_request(WIRE_JOB, 0);
    h.op = KERN_OP_conv2d_f32;
    h.flags = WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT;
    h.arg[0] = 8000;
    h.arg[1] = 256;
    h.arg[2] = 1;
    h.arg[3] = h.arg[4] = SHAPE_CONV2D_KERNEL_MAX;
    h.arg[5] = KERN_BORDER_REPLICATE;
    job_case_of(k, &h, &state);
}

void job_case_product(struct job_case *k, uint64_t *state, uint32_t rows)
{
    struct wire_request h = client_request(WIRE_JOB, 0);
    h.op = KERN_OP_matmul_f32;
    h.flags = WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT;
    h.arg[0] = rows;
    h.arg[1] = 256;
    h.arg[2] = 256;
    h.arg[6] = bits_of(1.0f);
    job_case_of(k, &h, state);
}

void job_case_free(struct job_case *k)
{
    free(k->payload);
    free(k->expected[0]);
    free(k->expected[1]);
    *k = (struct job_case){.payload = NULL};
}

/* ---- answers ---- */

const uint8_t *job_case_operand(const struct job_case *k, unsigned i)
{
    const uint8_t *p = k->payload;
    for (unsigned before = 0; before < i; before++)
        p += wire_pad(k->shape.in_bytes[before]);
    return p;
}

/* The two that no table of ours has run elsewhere. */
static bool isa_is_fused(enum kern_isa isa)
{
    if (isa == KERN_ISA_WASM128 || isa == KERN_ISA_WASM128R)
        return isa == KERN_ISA_WASM128R;
    const struct kern_table *judged = kern_table(isa);
    ck_assert_ptr_nonnull(judged);
    return judged->fused;
}

const uint8_t *job_case_expected(struct job_case *k, unsigned isa)
{
    ck_assert_uint_lt(isa, KERN_ISA_COUNT);
    const bool fused = isa_is_fused((enum kern_isa)isa);
    uint8_t **expected = &k->expected[fused];
    if (*expected != NULL)
        return *expected;

    const struct kern_table *ref = kern_table_ref(fused);
    enum kern_op op = (enum kern_op)k->h.op;
    struct kern_args args = k->shape.args;
    struct kern_plan plan;
    *expected = calloc(1, k->shape.out_bytes);
    ck_assert_ptr_nonnull(*expected);
    for (unsigned i = 0; i < k->shape.in_count; i++)
        args.in[i] = job_case_operand(k, i);
    args.out = *expected;
    kern_plan(&plan, op, ref->isa, &args);
    void *shared = aligned_alloc(64, (plan.shared_bytes / 64 + 1) * 64);
    void *scratch = aligned_alloc(64, (plan.scratch_bytes / 64 + 1) * 64);
    kern_run(ref, op, &args, shared, scratch);
    free(shared);
    free(scratch);
    return *expected;
}

void job_case_send(struct job_case *k, int fd, uint64_t id)
{
    k->h.id = id;
    client_send_frame(fd, &k->h, k->payload, k->shape.inline_bytes);
}

void job_case_check(struct job_case *k, struct answer *a)
{
    ck_assert_msg(a->h.status == WIRE_OK, "%s: %s", wire_status_name(a->h.status),
                  (const char *)a->payload);
    ck_assert_uint_eq(a->h.result_bytes, k->shape.out_bytes);
    ck_assert_msg(memcmp(a->payload, job_case_expected(k, a->h.isa), k->shape.out_bytes) == 0,
                  "%s on %s has wrong bits; arguments %u %u %u %u %u %u %x %x, flags %x",
                  k->shape.info->name, kern_isa_name((enum kern_isa)a->h.isa), k->h.arg[0],
                  k->h.arg[1], k->h.arg[2], k->h.arg[3], k->h.arg[4], k->h.arg[5], k->h.arg[6],
                  k->h.arg[7], k->h.flags);
    free(a->payload);
    a->payload = NULL;
}

void job_case_round(struct job_case *k, int fd, uint64_t id)
{
    struct answer a;
    job_case_send(k, fd, id);
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.id, id);
    job_case_check(k, &a);
}
