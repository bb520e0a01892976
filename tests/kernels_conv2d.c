/* Images and kernels against their reference: see kernels_case.h for what is judged.
 *
 * Sizes are drawn from the borders where the kernels change their way: vectors, rows at once,
 * tiles of columns, images smaller than the kernel. */
#include "kernels_case.h"

#include <math.h>
#include <string.h>

enum {
    ROUNDS_FOR_LARGE = 40, /* fewer means that a slow tool is watching */
    LARGEST = 1023         /* rows or columns of a kernel */
};

struct shape {
    size_t h, w, channels, r, s;
};

static size_t odd(struct kcase *k, size_t most)
{
    return 2 * kcase_below(k, (most + 1) / 2) + 1;
}

static size_t channels(struct kcase *k)
{
    static const size_t counts[] = {1, 3, 4};
    return counts[kcase_below(k, 3)];
}

static struct shape shape_photo(struct kcase *k)
{
    return (struct shape){kcase_between(k, 1, 20), kcase_between(k, 1, 70), channels(k), odd(k, 7),
                          odd(k, 7)};
}

/* Widths near a multiple of a vector, heights near a multiple of the rows done at once. */
static struct shape shape_vectors(struct kcase *k)
{
    const size_t lanes = kcase_vector_bytes(k) / sizeof(float);
    size_t w = lanes * kcase_between(k, 1, 9) + kcase_below(k, 3) - 1;
    return (struct shape){kcase_between(k, 1, 11), w, kcase_below(k, 3) == 0 ? 3 : 1, odd(k, 5),
                          odd(k, 5)};
}

/* Reflected more than once. */
static struct shape shape_tiny(struct kcase *k)
{
    return (struct shape){kcase_between(k, 1, 5), kcase_between(k, 1, 5), channels(k), odd(k, 31),
                          odd(k, 31)};
}

static struct shape shape_one_row(struct kcase *k)
{
    return (struct shape){kcase_between(k, 1, 9), kcase_between(k, 1, 60), channels(k), 1,
                          odd(k, 99)};
}

static struct shape shape_one_column(struct kcase *k)
{
    return (struct shape){kcase_between(k, 1, 60), kcase_between(k, 1, 20), channels(k),
                          odd(k, 99), 1};
}

/* Taller kernels have narrower tiles. */
static struct shape shape_tiles(struct kcase *k)
{
    static const struct shape shapes[] = {
        {2, 4080, 4, 1, 3}, {2, 3570, 3, 3, 3}, {5, 1900, 1, 31, 1}, {6, 600, 1, 101, 1},
        {5, 120, 4, 101, 3}, {3, 60, 3, 801, 1}};
    struct shape s = shapes[kcase_below(k, sizeof shapes / sizeof *shapes)];
    s.w += kcase_below(k, 40);
    return s;
}

static struct shape shape_drawn(struct kcase *k)
{
    switch (kcase_below(k, 7)) {
    case 0:
        return shape_tiny(k);
    case 1:
        return shape_one_row(k);
    case 2:
        return shape_one_column(k);
    case 3:
        return shape_tiles(k);
    case 4:
    case 5:
        return shape_vectors(k);
    default:
        return shape_photo(k);
    }
}

/* Uniform in -most..most with all bits in use: sums that show their order and each rounding. */
static void fill_uniform(struct kcase *k, float *x, size_t count, float most)
{
    for (size_t i = 0; i < count; i++)
        x[i] = (float)(int32_t)kcase_random(k) / 2147483648.0f * most;
}

static enum kern_type kernel_type(enum kern_op op)
{
    return op == KERN_OP_conv2d_i32 ? KERN_i32 : KERN_f32;
}

/* The kernel of floats may be small quarters, whose sums with bytes often end in a half; or numbers
 * whose sums lie round 0..255. */
static void operands(struct kcase *k, enum kern_op op, const struct shape *s)
{
    const enum kern_type type = kern_op_info(op)->in;
    const size_t image_count = s->h * s->w * s->channels, kernel_count = s->r * s->s;
    const bool edge = kcase_below(k, 4) == 0;
    void *image = kcase_in(k, 0, type, image_count, edge ? FILL_EDGE : kcase_fill(k));
    void *kernel = kcase_in(k, 1, kernel_type(op), kernel_count, edge ? FILL_EDGE : kcase_fill(k));

    if (kernel_type(op) == KERN_f32 && !edge && kcase_below(k, 2) == 0) {
        fill_uniform(k, kernel, kernel_count, 4.0f / sqrtf((float)kernel_count));
        if (type == KERN_f32)
            fill_uniform(k, image, image_count, 1.0f);
    }
    kcase_out(k, type, image_count);
}

static void run(struct kcase *k, const struct shape *s, enum kern_border border,
                enum kern_rounding rounding)
{
    static const char *const names[KERN_BORDER_COUNT] = {"keep", "zero", "replicate", "reflect101"};
    struct kern_args args = {.u.conv2d = {.h = (uint32_t)s->h,
                                          .w = (uint32_t)s->w,
                                          .channels = (uint32_t)s->channels,
                                          .r = (uint32_t)s->r,
                                          .s = (uint32_t)s->s,
                                          .border = border,
                                          .rounding = rounding}};
    kcase_run(k, &args, "h=%zu w=%zu channels=%zu r=%zu s=%zu %s%s", s->h, s->w, s->channels, s->r,
              s->s, names[border], rounding == KERN_ROUND_NEAREST ? "" : " truncate");
}

static void run_drawn(struct kcase *k, enum kern_op op, const struct shape *s)
{
    enum kern_rounding rounding = KERN_ROUND_NEAREST;
    if (op == KERN_OP_conv2d_u8 && kcase_below(k, 2) == 0)
        rounding = KERN_ROUND_TRUNCATE;
    operands(k, op, s);
    run(k, s, (enum kern_border)kcase_below(k, KERN_BORDER_COUNT), rounding);
}

/* ---- anchors: results worked out by hand ---- */

/* Numbers that every type of image, kernel and result holds. */
static void place_numbers(void *to, enum kern_type type, const int *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (type == KERN_f32)
            ((float *)to)[i] = (float)numbers[i];
        else if (type == KERN_i32)
            ((int32_t *)to)[i] = numbers[i];
        else
            ((uint8_t *)to)[i] = (uint8_t)numbers[i];
    }
}

static void anchor(struct kcase *k, enum kern_op op, const struct shape *s, enum kern_border border,
                   const int *image, const int *kernel, const int *result)
{
    const enum kern_type type = kern_op_info(op)->in;
    const size_t count = s->h * s->w * s->channels;
    int32_t expected[32];

    place_numbers(kcase_in(k, 0, type, count, FILL_SMALL), type, image, count);
    place_numbers(kcase_in(k, 1, kernel_type(op), s->r * s->s, FILL_SMALL), kernel_type(op), kernel,
                  s->r * s->s);
    kcase_out(k, type, count);
    place_numbers(expected, type, result, count);
    kcase_expect(k, expected);
    run(k, s, border, KERN_ROUND_NEAREST);
}

static void anchors(struct kcase *k, enum kern_op op)
{
    static const int image[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
    static const struct shape square = {3, 4, 1, 3, 3};

    /* Not flipped: the kernel's last row and column see what lies below and to the right. */
    static const int corner[] = {0, 0, 0, 0, 0, 0, 0, 0, 1};
    static const int moved[] = {6, 7, 8, 0, 10, 11, 12, 0, 0, 0, 0, 0};
    anchor(k, op, &square, KERN_BORDER_ZERO, image, corner, moved);
    static const int kept[] = {1, 2, 3, 4, 5, 11, 12, 8, 9, 10, 11, 12};
    anchor(k, op, &square, KERN_BORDER_KEEP, image, corner, kept);
    static const int repeated[] = {6, 7, 8, 8, 10, 11, 12, 12, 10, 11, 12, 12};
    anchor(k, op, &square, KERN_BORDER_REPLICATE, image, corner, repeated);
    static const int reflected[] = {6, 7, 8, 7, 10, 11, 12, 11, 6, 7, 8, 7};
    anchor(k, op, &square, KERN_BORDER_REFLECT101, image, corner, reflected);

    static const int ones[] = {1, 1, 1, 1, 1, 1, 1, 1, 1};
    static const int sums[] = {14, 24, 30, 22, 33, 54, 63, 45, 30, 48, 54, 38};
    anchor(k, op, &square, KERN_BORDER_ZERO, image, ones, sums);

    /* Channels do not mix: two pixels of three, a row of kernel. */
    static const struct shape colour = {1, 2, 3, 1, 3};
    static const int weights[] = {1, 10, 3};
    static const int mixed[] = {22, 35, 48, 41, 52, 63};
    anchor(k, op, &colour, KERN_BORDER_ZERO, image, weights, mixed);

    /* 3 elements reflect as 1 2 3 2 1 2 3 2 1 ..., one element as itself. */
    static const struct shape narrow = {1, 3, 1, 1, 9};
    static const int far_left[] = {1, 0, 0, 0, 0, 0, 0, 0, 0}, far[] = {1, 2, 3};
    anchor(k, op, &narrow, KERN_BORDER_REFLECT101, image, far_left, far);
    static const struct shape single = {1, 1, 1, 3, 3};
    static const int nine[] = {9};
    anchor(k, op, &single, KERN_BORDER_REFLECT101, ones, ones, nine);
    anchor(k, op, &single, KERN_BORDER_KEEP, ones, ones, ones);
}

static void anchor_u8(struct kcase *k, enum kern_rounding rounding, const uint8_t *result)
{
    static const uint8_t image[] = {1, 3, 5, 7, 255, 0};
    static const struct shape s = {1, 6, 1, 1, 1};

    memcpy(kcase_in(k, 0, KERN_u8, sizeof image, FILL_SMALL), image, sizeof image);
    *(float *)kcase_in(k, 1, KERN_f32, 1, FILL_SMALL) = 0.5f;
    kcase_out(k, KERN_u8, sizeof image);
    kcase_expect(k, result);
    run(k, &s, KERN_BORDER_KEEP, rounding);
}

/* One pixel of 1 times a kernel of one number. */
static void anchor_number(struct kcase *k, float number, uint8_t result)
{
    static const struct shape s = {1, 1, 1, 1, 1};

    *(uint8_t *)kcase_in(k, 0, KERN_u8, 1, FILL_SMALL) = 1;
    *(float *)kcase_in(k, 1, KERN_f32, 1, FILL_SMALL) = number;
    kcase_out(k, KERN_u8, 1);
    kcase_expect(k, &result);
    run(k, &s, KERN_BORDER_ZERO, KERN_ROUND_NEAREST);
}

static void anchors_u8(struct kcase *k)
{
    static const uint8_t even[] = {0, 2, 2, 4, 128, 0}, down[] = {0, 1, 2, 3, 127, 0};

    anchor_u8(k, KERN_ROUND_NEAREST, even);
    anchor_u8(k, KERN_ROUND_TRUNCATE, down);
    anchor_number(k, NAN, 0);
    anchor_number(k, INFINITY, 255);
    anchor_number(k, -INFINITY, 0);
    anchor_number(k, 255.5f, 255);
    anchor_number(k, -0.5f, 0);
    anchor_number(k, 3e38f, 255);
}

/* In any other order the one would survive. */
static void anchor_order(struct kcase *k)
{
    static const float image[] = {1e8f, 1.0f, -1e8f}, ones[] = {1, 1, 1};
    static const float across[] = {1e8f, 0.0f, -1e8f};
    static const struct shape s = {1, 3, 1, 1, 3};

    memcpy(kcase_in(k, 0, KERN_f32, 3, FILL_SMALL), image, sizeof image);
    memcpy(kcase_in(k, 1, KERN_f32, 3, FILL_SMALL), ones, sizeof ones);
    kcase_out(k, KERN_f32, 3);
    kcase_expect(k, across);
    run(k, &s, KERN_BORDER_ZERO, KERN_ROUND_NEAREST);
}

static void anchor_wrap(struct kcase *k)
{
    static const int32_t image[] = {65537, INT32_MAX}, kernel[] = {65536, 65536, 3};
    static const int32_t result[] = {INT32_MIN + 65533, 0};
    static const struct shape s = {1, 2, 1, 1, 3};

    memcpy(kcase_in(k, 0, KERN_i32, 2, FILL_SMALL), image, sizeof image);
    memcpy(kcase_in(k, 1, KERN_i32, 3, FILL_SMALL), kernel, sizeof kernel);
    kcase_out(k, KERN_i32, 2);
    kcase_expect(k, result);
    run(k, &s, KERN_BORDER_ZERO, KERN_ROUND_NEAREST);
}

void kcases_conv2d(struct kcase *k, enum kern_op op)
{
    const size_t rounds = kcase_rounds(k);

    anchors(k, op);
    if (op == KERN_OP_conv2d_u8)
        anchors_u8(k);
    else if (op == KERN_OP_conv2d_f32)
        anchor_order(k);
    else
        anchor_wrap(k);
    if (rounds >= ROUNDS_FOR_LARGE) {
        const struct shape all = {1, 1, 1, LARGEST, LARGEST}, wide = {2, 70, 4, 1, LARGEST},
                           tall = {3, 70, 1, LARGEST, 1};
        run_drawn(k, op, &all);
        run_drawn(k, op, &wide);
        run_drawn(k, op, &tall);
    }
    for (size_t i = 0; i < rounds; i++) {
        struct shape s = shape_drawn(k);
        run_drawn(k, op, &s);
    }
}
