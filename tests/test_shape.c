/* shape.h: sizes and refusals, one table per promise, and a model in 128 bits. */
#include "config.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/kern.h"
#include "protocol/shape.h"
#include "protocol/wire.h"
#include "suite.h"

#define F32_ONE 0x3f800000u
#define F32_MINUS_ZERO 0x80000000u
#define F32_NAN 0x7fc00000u
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define NO_LIMIT ((size_t)1 << 62)

static struct wire_request header(unsigned op, const uint32_t arg[static 8], unsigned flags)
{
    struct wire_request h = {.op = (uint16_t)op, .flags = (uint16_t)flags};
    memcpy(h.arg, arg, sizeof(h.arg));
    return h;
}

static const struct good {
    unsigned op;
    uint32_t arg[8];
    unsigned flags;
    unsigned in_count;
    size_t in_bytes[KERN_IN_MAX];
    size_t out_bytes;
} goods[] = {
    {KERN_OP_add_f32, {3}, 0, 2, {12, 12}, 12},
    {KERN_OP_add_u8, {5}, 0, 2, {5, 5}, 5},
    {KERN_OP_mix_u32, {7}, 0, 1, {28}, 28},
    {KERN_OP_mul_i32, {UINT32_MAX}, 0, 2, {17179869180, 17179869180}, 17179869180},
    /* tight: a[2,4] b[4,3] c[2,3] */
    {KERN_OP_matmul_f32, {2, 3, 4, 0, 0, 0, F32_ONE, 0}, 0, 2, {32, 48}, 24},
    /* the last row has no gap behind it: (2 - 1) * 10 + 4 elements, ... */
    {KERN_OP_matmul_f32, {2, 3, 4, 10, 5, 7, F32_ONE, 0}, 0, 2, {56, 72}, 40},
    /* transposed: a is stored as [4,2], b as [3,4] */
    {KERN_OP_matmul_f32,
     {2, 3, 4, 2, 4, 3, F32_ONE, 0},
     WIRE_F_TRANS_A | WIRE_F_TRANS_B,
     2,
     {32, 48},
     24},
    {KERN_OP_matmul_f32,
     {2, 3, 4, 6, 0, 0, F32_ONE, 0},
     WIRE_F_TRANS_A,
     2,
     {(3 * 6 + 2) * 4, 48},
     24},
    /* beta asks for c, stored like the result */
    {KERN_OP_matmul_f32, {2, 3, 4, 0, 0, 9, F32_ONE, F32_ONE}, 0, 3, {32, 48, 48}, 48},
    {KERN_OP_matmul_f32, {2, 3, 4, 0, 0, 0, F32_ONE, F32_NAN}, 0, 3, {32, 48, 24}, 24},
    {KERN_OP_matmul_f32, {2, 3, 4, 0, 0, 0, F32_NAN, F32_MINUS_ZERO}, 0, 2, {32, 48}, 24},
    {KERN_OP_matmul_i32, {2, 3, 4, 0, 0, 0, 1, 1}, 0, 3, {32, 48, 24}, 24},
    {KERN_OP_matmul_i32, {2, 3, 4, 0, 0, 0, 0, F32_MINUS_ZERO}, 0, 3, {32, 48, 24}, 24},
    /* bytes in, i32 out; a zero point is no beta */
    {KERN_OP_matmul_u8, {2, 3, 4, 0, 0, 0, 255, 255}, 0, 2, {8, 12}, 24},
    {KERN_OP_matmul_u8, {1, 1, 33000}, 0, 2, {33000, 33000}, 4},
    {KERN_OP_conv2d_f32, {2, 5, 3, 3, 1, 3, 0}, 0, 2, {120, 12}, 120},
    {KERN_OP_conv2d_i32, {2, 5, 4, 1, 5, 0, 0}, 0, 2, {160, 20}, 160},
    /* the kernel of an image of bytes is f32 */
    {KERN_OP_conv2d_u8, {2, 5, 1, 3, 3, 2, 1}, 0, 2, {10, 36}, 10},
    {KERN_OP_conv2d_u8, {1, 1, 1, 1023, 1023, 0, 0}, 0, 2, {1, 1023 * 1023 * 4}, 1},
    /* one message without offsets, even an empty one; then count + 1 offsets */
    {KERN_OP_hash_fast, {0, 0, 0}, 0, 1, {0}, 8},
    {KERN_OP_hash_fast, {0, 9, 0}, 0, 1, {9}, 8},
    {KERN_OP_hash_fnv1a_64, {1, 9, 0}, 0, 2, {9, 16}, 8},
    {KERN_OP_hash_fnv1a_64, {5, 1, 1}, 0, 2, {4294967297, 48}, 40},
    /* flags of other rooms do not matter here */
    {KERN_OP_add_i32, {1}, WIRE_F_ARENA | WIRE_F_CACHE_MASK, 2, {4, 4}, 4},
};

static void check_good(const struct good *g)
{
    struct wire_request h = header(g->op, g->arg, g->flags);
    struct shape s;
    const char *field = "none";

    ck_assert_uint_eq(shape_check(&s, &h, NO_LIMIT, &field), WIRE_OK);
    ck_assert_ptr_eq(s.info, kern_op_info(g->op));
    ck_assert_uint_eq(s.in_count, g->in_count);
    size_t inline_bytes = 0;
    for (unsigned i = 0; i < KERN_IN_MAX; i++) {
        ck_assert_uint_eq(s.in_bytes[i], g->in_bytes[i]);
        inline_bytes += (g->in_bytes[i] + 7) / 8 * 8;
        ck_assert_ptr_null(s.args.in[i]);
    }
    ck_assert_ptr_null(s.args.out);
    ck_assert_uint_eq(s.out_bytes, g->out_bytes);
    ck_assert_uint_eq(s.inline_bytes, inline_bytes);
    ck_assert_uint_eq(s.total_bytes, inline_bytes + (g->out_bytes + 7) / 8 * 8);
}

START_TEST(sizes_follow_from_the_header)
{
    for (size_t i = 0; i < COUNT(goods); i++)
        check_good(&goods[i]);
}
END_TEST

static const struct bad {
    unsigned op;
    uint32_t arg[8];
    unsigned flags;
    enum wire_status status;
    const char *field;
} bads[] = {
    {0, {1}, 0, WIRE_BAD_OP, "op"},
    {KERN_OP_END, {1}, 0, WIRE_BAD_OP, "op"},
    {65535, {1}, 0, WIRE_BAD_OP, "op"},
    {KERN_OP_add_f32, {0}, 0, WIRE_BAD_SHAPE, "n"},
    {KERN_OP_mix_u32, {0}, 0, WIRE_BAD_SHAPE, "n"},
    {KERN_OP_add_f32, {1, 1}, 0, WIRE_BAD_RESERVED, "arg1"},
    {KERN_OP_mix_u32, {1, 0, 0, 0, 0, 0, 0, 1}, 0, WIRE_BAD_RESERVED, "arg7"},
    {KERN_OP_add_f32, {1}, WIRE_F_TRANS_A, WIRE_BAD_FLAGS, "flags"},
    {KERN_OP_hash_fast, {0, 1}, WIRE_F_TRANS_B, WIRE_BAD_FLAGS, "flags"},
    {KERN_OP_matmul_f32, {0, 1, 1}, 0, WIRE_BAD_SHAPE, "m"},
    {KERN_OP_matmul_f32, {1, 0, 1}, 0, WIRE_BAD_SHAPE, "n"},
    {KERN_OP_matmul_i32, {1, 1, 0}, 0, WIRE_BAD_SHAPE, "k"},
    {KERN_OP_matmul_f32, {2, 3, 4, 3}, 0, WIRE_BAD_PARAMETER, "lda"},
    {KERN_OP_matmul_f32, {2, 3, 4, 1}, WIRE_F_TRANS_A, WIRE_BAD_PARAMETER, "lda"},
    {KERN_OP_matmul_f32, {2, 3, 4, 0, 2}, 0, WIRE_BAD_PARAMETER, "ldb"},
    {KERN_OP_matmul_f32, {2, 3, 4, 0, 3}, WIRE_F_TRANS_B, WIRE_BAD_PARAMETER, "ldb"},
    {KERN_OP_matmul_f32, {2, 3, 4, 0, 0, 2}, 0, WIRE_BAD_PARAMETER, "ldc"},
    {KERN_OP_matmul_u8, {1, 1, 33001}, 0, WIRE_BAD_SHAPE, "k"},
    {KERN_OP_matmul_u8, {1, 1, 1, 0, 0, 0, 256, 0}, 0, WIRE_BAD_PARAMETER, "zero_a"},
    {KERN_OP_matmul_u8, {1, 1, 1, 0, 0, 0, 0, UINT32_MAX}, 0, WIRE_BAD_PARAMETER, "zero_b"},
    {KERN_OP_matmul_f32, {UINT32_MAX, 1, UINT32_MAX}, 0, WIRE_SIZE_OVERFLOW, "a"},
    {KERN_OP_matmul_f32, {1, UINT32_MAX, UINT32_MAX}, 0, WIRE_SIZE_OVERFLOW, "b"},
    {KERN_OP_matmul_f32, {UINT32_MAX, UINT32_MAX, 1}, 0, WIRE_SIZE_OVERFLOW, "c"},
    {KERN_OP_matmul_u8, {UINT32_MAX, UINT32_MAX, 1}, 0, WIRE_SIZE_OVERFLOW, "c"},
    {KERN_OP_matmul_f32,
     {UINT32_MAX, UINT32_MAX, 1, 0, 0, 0, 0, F32_ONE},
     0,
     WIRE_SIZE_OVERFLOW,
     "c"},
    {KERN_OP_matmul_f32, {2000000000, 1, 1, UINT32_MAX}, 0, WIRE_SIZE_OVERFLOW, "a"},
    /* three operands of under 2^63 bytes each, over 2^64 together */
    {KERN_OP_matmul_f32, {1073741824, 1073741824, 1073741824}, 0, WIRE_TOO_BIG, NULL},
    {KERN_OP_matmul_f32, {1500000000, 1500000000, 1500000000}, 0, WIRE_SIZE_OVERFLOW, NULL},
    {KERN_OP_conv2d_f32, {0, 1, 1, 1, 1}, 0, WIRE_BAD_SHAPE, "h"},
    {KERN_OP_conv2d_f32, {1, 0, 1, 1, 1}, 0, WIRE_BAD_SHAPE, "w"},
    {KERN_OP_conv2d_f32, {1, 1, 0, 1, 1}, 0, WIRE_BAD_SHAPE, "channels"},
    {KERN_OP_conv2d_f32, {1, 1, 2, 1, 1}, 0, WIRE_BAD_SHAPE, "channels"},
    {KERN_OP_conv2d_f32, {1, 1, 5, 1, 1}, 0, WIRE_BAD_SHAPE, "channels"},
    {KERN_OP_conv2d_f32, {1, 1, 1, 0, 1}, 0, WIRE_BAD_SHAPE, "r"},
    {KERN_OP_conv2d_f32, {1, 1, 1, 2, 1}, 0, WIRE_BAD_SHAPE, "r"},
    {KERN_OP_conv2d_f32, {1, 1, 1, 1025, 1}, 0, WIRE_BAD_SHAPE, "r"},
    {KERN_OP_conv2d_f32, {1, 1, 1, 1, 0}, 0, WIRE_BAD_SHAPE, "s"},
    {KERN_OP_conv2d_f32, {1, 1, 1, 1, 4}, 0, WIRE_BAD_SHAPE, "s"},
    {KERN_OP_conv2d_f32, {1, 1, 1, 1, UINT32_MAX}, 0, WIRE_BAD_SHAPE, "s"},
    {KERN_OP_conv2d_f32, {1, 1, 1, 1, 1, 4}, 0, WIRE_BAD_PARAMETER, "border"},
    {KERN_OP_conv2d_f32, {1, 1, 1, 1, 1, 0, 1}, 0, WIRE_BAD_RESERVED, "rounding"},
    {KERN_OP_conv2d_u8, {1, 1, 1, 1, 1, 0, 2}, 0, WIRE_BAD_PARAMETER, "rounding"},
    {KERN_OP_conv2d_u8, {1, 1, 1, 1, 1, 0, 0, 1}, 0, WIRE_BAD_RESERVED, "arg7"},
    {KERN_OP_conv2d_f32, {UINT32_MAX, UINT32_MAX, 1, 1, 1}, 0, WIRE_SIZE_OVERFLOW, "image"},
    {KERN_OP_conv2d_u8, {UINT32_MAX, UINT32_MAX, 4, 1, 1}, 0, WIRE_SIZE_OVERFLOW, "image"},
    {KERN_OP_hash_fast, {0, 1, 0, 1}, 0, WIRE_BAD_RESERVED, "arg3"},
    {KERN_OP_hash_fast, {WIRE_MESSAGES_MAX + 1, 0}, 0, WIRE_BAD_SHAPE, "count"},
    {KERN_OP_hash_fast, {0, UINT32_MAX, UINT32_MAX}, 0, WIRE_SIZE_OVERFLOW, "bytes"},
    {KERN_OP_hash_fast, {0, UINT32_MAX - 7, UINT32_MAX}, 0, WIRE_SIZE_OVERFLOW, NULL},
    {KERN_OP_hash_fast, {1, 0, UINT32_MAX}, 0, WIRE_TOO_BIG, NULL},
};

START_TEST(a_wrong_header_is_refused_by_the_name_of_its_field)
{
    for (size_t i = 0; i < COUNT(bads); i++) {
        const struct bad *b = &bads[i];
        struct wire_request h = header(b->op, b->arg, b->flags);
        struct shape s;
        const char *field = "none";
        enum wire_status status = shape_check(&s, &h, NO_LIMIT, &field);

        ck_assert_msg(status == b->status, "row %zu: %s", i, wire_status_name(status));
        ck_assert_pstr_eq(field, b->field);
    }
}
END_TEST

START_TEST(the_limit_is_inclusive_and_counts_the_result)
{
    struct wire_request h = header(KERN_OP_add_f32, (const uint32_t[8]){3}, 0);
    struct shape s;
    const char *field = NULL;

    /* 12 bytes, padded to 16, three times */
    ck_assert_uint_eq(shape_check(&s, &h, 48, &field), WIRE_OK);
    ck_assert_uint_eq(shape_check(&s, &h, 47, &field), WIRE_TOO_BIG);
    ck_assert_uint_eq(shape_check(&s, &h, 0, &field), WIRE_TOO_BIG);
}
END_TEST

START_TEST(parameters_reach_the_kernel_as_they_were_sent)
{
    struct wire_request h =
        header(KERN_OP_matmul_f32, (const uint32_t[8]){2, 3, 4, 0, 8, 0, F32_ONE, 0xc0000000u},
               WIRE_F_TRANS_A);
    struct shape s;
    const char *field = NULL;

    ck_assert_uint_eq(shape_check(&s, &h, NO_LIMIT, &field), WIRE_OK);
    const struct kern_matmul *p = &s.args.u.matmul;
    ck_assert_uint_eq(p->m, 2);
    ck_assert_uint_eq(p->n, 3);
    ck_assert_uint_eq(p->k, 4);
    ck_assert_uint_eq(p->lda, 2); /* a is stored as [k,m] */
    ck_assert_uint_eq(p->ldb, 8);
    ck_assert_uint_eq(p->ldc, 3);
    ck_assert(p->trans_a && !p->trans_b);
    ck_assert(p->alpha.f32 == 1.0f && p->beta.f32 == -2.0f);

    h = header(KERN_OP_conv2d_u8, (const uint32_t[8]){9, 8, 3, 5, 7, 2, 1}, 0);
    ck_assert_uint_eq(shape_check(&s, &h, NO_LIMIT, &field), WIRE_OK);
    const struct kern_conv2d *c = &s.args.u.conv2d;
    ck_assert(c->h == 9 && c->w == 8 && c->channels == 3 && c->r == 5 && c->s == 7);
    ck_assert(c->border == KERN_BORDER_REPLICATE && c->rounding == KERN_ROUND_TRUNCATE);

    h = header(KERN_OP_hash_fast, (const uint32_t[8]){0, 6, 1}, 0);
    ck_assert_uint_eq(shape_check(&s, &h, NO_LIMIT, &field), WIRE_OK);
    ck_assert_uint_eq(s.args.u.hash.count, 1);
    ck_assert_uint_eq(s.args.u.hash.n_bytes, 4294967302);
}
END_TEST

START_TEST(padding_rounds_up_to_eight)
{
    ck_assert_uint_eq(wire_pad(0), 0);
    ck_assert_uint_eq(wire_pad(1), 8);
    ck_assert_uint_eq(wire_pad(8), 8);
    ck_assert_uint_eq(wire_pad(SIZE_MAX - 7), SIZE_MAX - 7);
}
END_TEST

/* The model: the same sizes with room for every product, or false where the header is bad for
 * another reason than its size. */
typedef unsigned __int128 wide; /* GNU: a test may */

static wide wide_pad(wide n)
{
    return (n + 7) / 8 * 8;
}

static wide wide_matrix(wide rows, wide cols, wide ld, wide element)
{
    return ((rows - 1) * (ld == 0 ? cols : ld) + cols) * element;
}

static unsigned model(wide bytes[static 4], const struct wire_request *h,
                      const struct kern_op_info *info)
{
    const uint32_t *a = h->arg;
    wide in = kern_type_bytes(info->in), out = kern_type_bytes(info->out);
    bool ta = (h->flags & WIRE_F_TRANS_A) != 0, tb = (h->flags & WIRE_F_TRANS_B) != 0;
    bool float_zero = info->in == KERN_f32 && (a[7] == 0 || a[7] == F32_MINUS_ZERO);

    switch (info->family) {
    case KERN_zip:
        bytes[0] = bytes[1] = a[0] * in;
        bytes[3] = a[0] * out;
        return 2;
    case KERN_map:
        bytes[0] = bytes[3] = a[0] * in;
        return 1;
    case KERN_matmul:
        bytes[0] = wide_matrix(ta ? a[2] : a[0], ta ? a[0] : a[2], a[3], in);
        bytes[1] = wide_matrix(tb ? a[1] : a[2], tb ? a[2] : a[1], a[4], in);
        bytes[3] = wide_matrix(a[0], a[1], a[5], out);
        if (info->in == KERN_u8 || float_zero || a[7] == 0)
            return 2;
        bytes[2] = bytes[3];
        return 3;
    case KERN_conv2d:
        bytes[0] = bytes[3] = (wide)a[0] * a[1] * a[2] * in;
        bytes[1] = (wide)a[3] * a[4] * 4;
        return 2;
    case KERN_hash:
        bytes[0] = (wide)a[2] << 32 | a[1];
        bytes[1] = ((wide)a[0] + 1) * 8;
        bytes[3] = (a[0] == 0 ? 1 : (wide)a[0]) * 8;
        return a[0] == 0 ? 1 : 2;
    }
    return 0;
}

static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Small, around powers of two, and anything: sizes that fit and sizes that do not. */
static uint32_t draw(uint64_t *state)
{
    uint64_t r = next(state);
    switch (r % 4) {
    case 0:
        return (uint32_t)(r >> 8) % 6;
    case 1:
        return (1u << ((r >> 8) % 32)) + (uint32_t)((r >> 16) % 3) - 1;
    case 2:
        return (uint32_t)(r >> 8) % 40000;
    default:
        return (uint32_t)(r >> 32);
    }
}

static struct wire_request draw_header(uint64_t *state)
{
    struct wire_request h = {.op = (uint16_t)(next(state) % (KERN_OP_END + 1))};
    const struct kern_op_info *info = kern_op_info(h.op);

    for (unsigned i = 0; i < 8; i++)
        h.arg[i] = draw(state);
    if (info == NULL || next(state) % 8 == 0)
        return h;
    /* mostly headers that get as far as their sizes */
    static const unsigned used[] = {
        [KERN_zip] = 1, [KERN_map] = 1, [KERN_matmul] = 8, [KERN_conv2d] = 7, [KERN_hash] = 3};
    for (unsigned i = used[info->family]; i < 8; i++)
        h.arg[i] = 0;
    if (info->family == KERN_matmul) {
        h.flags = next(state) % 8 & (WIRE_F_TRANS_A | WIRE_F_TRANS_B);
        for (unsigned i = 3; i < 6; i++)
            h.arg[i] = next(state) % 2 == 0 ? 0 : h.arg[i];
        if (info->in == KERN_u8)
            h.arg[6] = h.arg[7] = h.arg[6] % 256;
    }
    if (info->family == KERN_conv2d) {
        h.arg[2] = (const uint32_t[]){1, 3, 4}[next(state) % 3];
        h.arg[3] = (h.arg[3] % 1023) | 1;
        h.arg[4] = (h.arg[4] % 1023) | 1;
        h.arg[5] %= 4;
        h.arg[6] = info->in == KERN_u8 ? h.arg[6] % 2 : 0;
    }
    return h;
}

static void compare(const struct wire_request *h, size_t max_bytes)
{
    struct shape s;
    const char *field = NULL;
    enum wire_status status = shape_check(&s, h, max_bytes, &field);
    const struct kern_op_info *info = kern_op_info(h->op);

    if (status != WIRE_OK && status != WIRE_SIZE_OVERFLOW && status != WIRE_TOO_BIG) {
        ck_assert_ptr_nonnull(field);
        return;
    }
    ck_assert_ptr_nonnull(info);
    wide bytes[4] = {0}, total = 0;
    unsigned in_count = model(bytes, h, info);
    bool fits = true;
    for (unsigned i = 0; i < 4; i++) {
        wide padded = i < in_count || i == 3 ? wide_pad(bytes[i]) : 0;
        fits = fits && padded < SIZE_MAX;
        total += padded;
    }
    fits = fits && total < SIZE_MAX;
    if (!fits) {
        ck_assert_uint_eq(status, WIRE_SIZE_OVERFLOW);
    } else if (total > max_bytes) {
        ck_assert_uint_eq(status, WIRE_TOO_BIG);
    } else {
        ck_assert_uint_eq(status, WIRE_OK);
        ck_assert_uint_eq(s.in_count, in_count);
        ck_assert(s.total_bytes == total && s.out_bytes == bytes[3]);
        ck_assert(s.inline_bytes == total - wide_pad(bytes[3]));
        for (unsigned i = 0; i < in_count; i++)
            ck_assert(s.in_bytes[i] == bytes[i]);
    }
}

START_TEST(any_header_agrees_with_a_model_that_cannot_overflow)
{
    const char *given = getenv("SIMDD_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL) * 2 + 1;
    uint64_t state = seed | 1; /* xorshift must not start at 0 */

    printf("test_shape: SIMDD_TEST_SEED=%" PRIu64 "\n", seed);
    for (unsigned i = 0; i < 10000; i++) {
        struct wire_request h = draw_header(&state);
        compare(&h, i % 2 == 0 ? SIZE_MAX : (size_t)1 << (next(&state) % 64));
    }
}
END_TEST

static Suite *shape_suite(void)
{
    Suite *suite = suite_create("shape");
    TCase *tc = tcase_create("shape");

    tcase_add_test(tc, sizes_follow_from_the_header);
    tcase_add_test(tc, a_wrong_header_is_refused_by_the_name_of_its_field);
    tcase_add_test(tc, the_limit_is_inclusive_and_counts_the_result);
    tcase_add_test(tc, parameters_reach_the_kernel_as_they_were_sent);
    tcase_add_test(tc, padding_rounds_up_to_eight);
    tcase_add_test(tc, any_header_agrees_with_a_model_that_cannot_overflow);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(shape_suite());
}
