/* Matrix products against their reference: see kernels_case.h for what is judged.
 *
 * Sizes are drawn from the borders where the kernels change their way: vectors, tiles, the stack
 * buffer's part of k, units, blocks of k and of columns, and the step from one phase to many. */
#include "kernels_case.h"

#include <math.h>
#include <string.h>

enum { ROUNDS_FOR_LARGE = 100 }; /* fewer means that a slow tool is watching */

struct shape {
    size_t m, n, k;
};

/* Near one of the multiples of `unit`, at least 1. */
static size_t near(struct kcase *k, size_t unit, size_t most)
{
    size_t at = unit * kcase_between(k, 1, most) + kcase_below(k, 3);
    return at > 1 ? at - 1 : 1;
}

static size_t lanes_of(const struct kcase *k)
{
    return kcase_vector_bytes(k) / sizeof(float);
}

static struct shape shape_small(struct kcase *k)
{
    return (struct shape){kcase_between(k, 1, 70), kcase_between(k, 1, 70),
                          kcase_between(k, 1, 70)};
}

static struct shape shape_vectors(struct kcase *k)
{
    return (struct shape){kcase_between(k, 1, 14), near(k, lanes_of(k), 4),
                          kcase_between(k, 1, 5)};
}

/* Few rows take wider tiles. */
static struct shape shape_flat(struct kcase *k)
{
    return (struct shape){kcase_between(k, 1, 4), near(k, 8 * lanes_of(k), 3),
                          kcase_between(k, 1, 40)};
}

static struct shape shape_narrow(struct kcase *k)
{
    return (struct shape){kcase_between(k, 90, 200), kcase_between(k, 1, 5),
                          kcase_between(k, 1, 40)};
}

static struct shape shape_deep(struct kcase *k)
{
    return (struct shape){kcase_between(k, 1, 3), kcase_between(k, 1, 20), near(k, 64, 20)};
}

static struct shape shape_units(struct kcase *k)
{
    return (struct shape){near(k, 96, 2), near(k, 128, 2), kcase_between(k, 1, 9)};
}

static struct shape shape_drawn(struct kcase *k)
{
    switch (kcase_below(k, 6)) {
    case 0:
        return shape_vectors(k);
    case 1:
        return shape_flat(k);
    case 2:
        return shape_narrow(k);
    case 3:
        return shape_deep(k);
    case 4:
        return shape_units(k);
    default:
        return shape_small(k);
    }
}

/* Barely large enough for b to be packed, since the reference is slow. That takes less of it if it
 * is transposed. u8 goes by pairs along k. */
static struct shape shape_packed(struct kcase *k, size_t kind, bool pairs)
{
    const size_t m = kcase_between(k, 97, 110), pair = pairs ? 2 : 1;
    switch (kind % 4) {
    case 0: /* blocks of columns */
        return (struct shape){m, 2048 + kcase_between(k, 1, 40), 9 * pair};
    case 1: /* blocks of k */
        return (struct shape){m, 33 + kcase_below(k, 40), near(k, 1024 * pair, 1)};
    case 2:
        return (struct shape){m, 17 + kcase_below(k, 20), near(k, 2048 * pair, 1)};
    default: /* blocks of rows, tiles of columns */
        return (struct shape){near(k, 192, 1), near(k, 256, 2), 66 * pair};
    }
}

/* The same where b is read in place: 25 million multiply-adds, so one of them is enough. */
static struct shape shape_packed_rows(struct kcase *k)
{
    return kcase_below(k, 2) == 0 ? (struct shape){97, 2048 + kcase_between(k, 1, 40), 129}
                                  : (struct shape){99, 260, 1024 + kcase_between(k, 1, 10)};
}

static struct kern_matmul arguments(struct kcase *k, enum kern_op op, struct shape s)
{
    struct kern_matmul mm = {.m = (uint32_t)s.m, .n = (uint32_t)s.n, .k = (uint32_t)s.k};
    mm.trans_a = kcase_below(k, 2) == 0;
    mm.trans_b = kcase_below(k, 2) == 0;
    mm.lda = mm.trans_a ? mm.m : mm.k;
    mm.ldb = mm.trans_b ? mm.k : mm.n;
    mm.ldc = mm.n;
    if (kcase_below(k, 2) == 0) {
        mm.lda += (uint32_t)kcase_below(k, 4);
        mm.ldb += (uint32_t)kcase_below(k, 4);
        mm.ldc += (uint32_t)kcase_below(k, 4);
    }
    static const float factors_f32[] = {1.0f, 0.0f, -1.0f, 0.37f, -1e30f};
    static const int32_t factors_i32[] = {1, 0, -1, 77777, INT32_MIN};
    static const int32_t zeros[] = {0, 1, 128, 254, 255};
    size_t x = kcase_below(k, 3) == 0 ? kcase_below(k, 5) : 0;
    size_t y = kcase_below(k, 3) == 0 ? kcase_below(k, 5) : 1;
    if (op == KERN_OP_matmul_f32) {
        mm.alpha.f32 = factors_f32[x];
        mm.beta.f32 = factors_f32[y];
    } else if (op == KERN_OP_matmul_i32) {
        mm.alpha.i32 = factors_i32[x];
        mm.beta.i32 = factors_i32[y];
    } else {
        mm.alpha.i32 = zeros[x];
        mm.beta.i32 = zeros[y == 1 ? 0 : y];
    }
    return mm;
}

static size_t stored(size_t rows, size_t cols, size_t ld)
{
    return (rows - 1) * ld + cols;
}

/* Uniform in -1..1 with all bits in use: sums that show their order and each rounding. */
static void fill_uniform(struct kcase *k, float *x, size_t count)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(int32_t)kcase_random(k) / 2147483648.0f;
}

/* Declares an operand. In f32 sums of small quarters would all be exact, so uniform ones
 * take their place. */
static void operand(struct kcase *k, unsigned index, enum kern_type type, size_t count,
                    enum kcase_fill fill)
{
    void *x = kcase_in(k, index, type, count, fill);
    if (type == KERN_f32 && fill == FILL_SMALL)
        fill_uniform(k, x, count);
}

/* Declares the operands and runs. A c_in that beta switches off is there at times all the same,
 * full of what must not be read. */
static void run(struct kcase *k, enum kern_op op, const struct kern_matmul *mm,
                enum kcase_fill fill)
{
    const struct kern_op_info *info = kern_op_info(op);
    const size_t a_count = mm->trans_a ? stored(mm->k, mm->m, mm->lda)
                                       : stored(mm->m, mm->k, mm->lda);
    const size_t b_count = mm->trans_b ? stored(mm->n, mm->k, mm->ldb)
                                       : stored(mm->k, mm->n, mm->ldb);
    const size_t c_count = stored(mm->m, mm->n, mm->ldc);
    bool uses_c_in = op == KERN_OP_matmul_f32 ? mm->beta.f32 != 0.0f
                                              : op == KERN_OP_matmul_i32 && mm->beta.i32 != 0;

    operand(k, 0, info->in, a_count, fill);
    operand(k, 1, info->in, b_count, fill);
    if (uses_c_in || (op != KERN_OP_matmul_u8 && kcase_below(k, 4) == 0))
        operand(k, 2, info->out, c_count, uses_c_in ? fill : FILL_EDGE);
    kcase_out(k, info->out, c_count);
    struct kern_args args = {.u.matmul = *mm};
    kcase_run(k, &args, "m=%u n=%u k=%u lda=%u ldb=%u ldc=%u trans=%d%d alpha=%g/%d beta=%g/%d",
              mm->m, mm->n, mm->k, mm->lda, mm->ldb, mm->ldc, mm->trans_a, mm->trans_b,
              (double)mm->alpha.f32, mm->alpha.i32, (double)mm->beta.f32, mm->beta.i32);
}

/* ---- anchors: results worked out by hand ---- */

/* A dense product; c_in may be NULL. */
static void anchor(struct kcase *k, enum kern_op op, struct kern_matmul mm, const void *a,
                   const void *b, const void *c_in, const void *result, const char *what)
{
    const struct kern_op_info *info = kern_op_info(op);
    const size_t in_bytes = kern_type_bytes(info->in), out_bytes = kern_type_bytes(info->out);
    const size_t a_count = (size_t)mm.m * mm.k, b_count = (size_t)mm.k * mm.n;
    const size_t c_count = (size_t)mm.m * mm.n;

    mm.lda = mm.trans_a ? mm.m : mm.k;
    mm.ldb = mm.trans_b ? mm.k : mm.n;
    mm.ldc = mm.n;
    memcpy(kcase_in(k, 0, info->in, a_count, FILL_SMALL), a, a_count * in_bytes);
    memcpy(kcase_in(k, 1, info->in, b_count, FILL_SMALL), b, b_count * in_bytes);
    if (c_in != NULL)
        memcpy(kcase_in(k, 2, info->out, c_count, FILL_SMALL), c_in, c_count * out_bytes);
    kcase_out(k, info->out, c_count);
    kcase_expect(k, result);
    struct kern_args args = {.u.matmul = mm};
    kcase_run(k, &args, "%s", what);
}

static void anchors_f32(struct kcase *k)
{
    const enum kern_op op = KERN_OP_matmul_f32;
    static const float a[] = {1, 2, 3, 4, 5, 6}, b[] = {7, 8, 9, 10, 11, 12};
    static const float product[] = {58, 64, 139, 154};
    static const float c_in[] = {1, 2, 4, 8}, combined[] = {31, 36, 77.5f, 93};
    static const float poison[] = {NAN, INFINITY, -INFINITY, NAN};
    struct kern_matmul mm = {.m = 2, .n = 2, .k = 3, .alpha.f32 = 1.0f};

    anchor(k, op, mm, a, b, poison, product, "2 x 3 by 3 x 2, beta 0, c_in full of NaN");
    mm.alpha.f32 = 0.5f;
    mm.beta.f32 = 2.0f;
    anchor(k, op, mm, a, b, c_in, combined, "alpha 0.5, beta 2");

    static const float a_columns[] = {1, 4, 2, 5, 3, 6}, b_columns[] = {7, 9, 11, 8, 10, 12};
    mm.trans_a = mm.trans_b = true;
    anchor(k, op, mm, a_columns, b_columns, c_in, combined, "alpha 0.5, beta 2, both transposed");

    /* In any other order the one would survive. */
    static const float large[] = {1e8f, 1.0f, -1e8f}, ones[] = {1, 1, 1}, nothing[] = {0};
    mm = (struct kern_matmul){.m = 1, .n = 1, .k = 3, .alpha.f32 = 1.0f};
    anchor(k, op, mm, large, ones, NULL, nothing, "1e8 + 1 - 1e8 in order");
}

static void anchors_i32(struct kcase *k)
{
    static const int32_t a[] = {65536, 3, INT32_MAX, 1}, b[] = {65536, 1, 5, 2};
    static const int32_t c_in[] = {1, 0, 0, INT32_MIN};
    static const int32_t product[] = {15, 65542, -65531, INT32_MIN + 1};
    static const int32_t combined[] = {48, 65542 * 3, -65531 * 3, 3};
    struct kern_matmul mm = {.m = 2, .n = 2, .k = 2, .alpha.i32 = 1};

    anchor(k, KERN_OP_matmul_i32, mm, a, b, NULL, product, "products and sums that wrap");
    mm.alpha.i32 = 3;
    mm.beta.i32 = 3;
    anchor(k, KERN_OP_matmul_i32, mm, a, b, c_in, combined, "alpha 3, beta 3, wrapping");
}

/* The longest sums that must be exact. */
static void anchors_u8(struct kcase *k)
{
    enum { LONGEST = 33000 };
    static uint8_t high[LONGEST], low[LONGEST];
    static const int32_t most[] = {LONGEST * 255 * 255}, least[] = {-LONGEST * 255 * 255};
    struct kern_matmul mm = {.m = 1, .n = 1, .k = LONGEST};

    memset(high, 255, sizeof high);
    anchor(k, KERN_OP_matmul_u8, mm, high, high, NULL, most, "k = 33000, all factors 255");
    mm.alpha.i32 = 255;
    anchor(k, KERN_OP_matmul_u8, mm, low, high, NULL, least, "k = 33000, all factors -255 and 255");
    mm.k = LONGEST - 1;
    mm.beta.i32 = 255;
    static const int32_t odd[] = {(LONGEST - 1) * 255 * 255};
    anchor(k, KERN_OP_matmul_u8, mm, low, low, NULL, odd, "k = 32999, all factors -255");
}

void kcases_matmul(struct kcase *k, enum kern_op op)
{
    const size_t rounds = kcase_rounds(k);

    if (op == KERN_OP_matmul_f32)
        anchors_f32(k);
    else if (op == KERN_OP_matmul_i32)
        anchors_i32(k);
    else
        anchors_u8(k);
    if (rounds >= ROUNDS_FOR_LARGE && op != KERN_OP_matmul_u8) {
        struct kern_matmul mm = arguments(k, op, shape_packed_rows(k));
        mm.trans_b = false;
        mm.ldb = mm.n + mm.ldb % 3;
        run(k, op, &mm, FILL_SMALL);
    }
    for (size_t i = 0; i < rounds; i++) {
        /* Packed shapes are 100 times as much work as the others, so their cases are few and
         * fixed: each kind of shape, with sums that more is done to. */
        if (i % 32 == 0) {
            struct kern_matmul mm =
                arguments(k, op, shape_packed(k, i / 32, op == KERN_OP_matmul_u8));
            mm.trans_b = mm.trans_b || op != KERN_OP_matmul_u8;
            if (mm.trans_b)
                mm.ldb = mm.k + mm.ldb % 3;
            if (op == KERN_OP_matmul_f32)
                mm.alpha.f32 = mm.beta.f32 = 0.37f;
            else if (op == KERN_OP_matmul_i32)
                mm.alpha.i32 = mm.beta.i32 = 77777;
            run(k, op, &mm, op == KERN_OP_matmul_f32 ? FILL_SMALL : FILL_ANY);
        } else {
            struct kern_matmul mm = arguments(k, op, shape_drawn(k));
            run(k, op, &mm, kcase_fill(k));
        }
    }
}
