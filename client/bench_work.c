/* The job that `simdctl bench` sends.
 *
 * The answer is computed here, apart from the daemon's kernels. A product of matrices would take
 * n^3 steps, so b is made of a permutation and a rank-one part, 2 P + 1 v': then
 * c[i][j] = 2 a[i][p(j)] + v[j] * (sum of row i of a), which takes n^2.
 */
#include "config.h"

#include "bench_work.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KERNEL_SIDE = 3 };

static const int kernel_weights[KERNEL_SIDE * KERNEL_SIDE] = {1, 2, 1, 2, 4, 2, 1, 2, 1};

/* One number, stored as the op has it. */
static void put(enum kern_type type, void *p, size_t i, int64_t value)
{
    switch (type) {
    case KERN_f32:
        ((float *)p)[i] = (float)value;
        break;
    case KERN_i32:
        ((int32_t *)p)[i] = (int32_t)value;
        break;
    case KERN_u32:
        ((uint32_t *)p)[i] = (uint32_t)value;
        break;
    case KERN_u8:
        ((uint8_t *)p)[i] = (uint8_t)value;
        break;
    case KERN_u64:
        ((uint64_t *)p)[i] = (uint64_t)value;
        break;
    }
}

static int64_t clamp_u8(enum kern_type type, int64_t value)
{
    return type == KERN_u8 && value > 255 ? 255 : value;
}

static void fill_zip(const struct bench_work *w, void *x, void *y)
{
    bool adds = strncmp(w->shape.info->name, "add", 3) == 0;
    enum kern_type type = w->shape.info->in;
    for (size_t i = 0; i < w->shape.args.u.zip.n; i++) {
        int64_t a = (int64_t)(i % 251), b = (int64_t)(i % 13 + 1);
        put(type, x, i, a);
        put(type, y, i, b);
        put(type, w->expected, i, clamp_u8(type, adds ? a + b : a * b));
    }
}

static void fill_map(const struct bench_work *w, uint32_t *x)
{
    for (size_t i = 0; i < w->shape.args.u.map.n; i++) {
        uint32_t v = (uint32_t)i * 2654435761u;
        x[i] = v;
        for (int round = 0; round < 2; round++) {
            v *= 0x9e3779b9u;
            v ^= v >> 13;
        }
        ((uint32_t *)(void *)w->expected)[i] = v;
    }
}

static void fill_hash(const struct bench_work *w, uint8_t *bytes)
{
    bool fast = strcmp(w->shape.info->name, "hash_fast") == 0;
    uint64_t h = fast ? 0x811c9dc5u : 0xcbf29ce484222325u;
    uint64_t prime = fast ? 0x01000193u : 0x100000001b3u;
    for (size_t i = 0; i < w->shape.args.u.hash.n_bytes; i++) {
        bytes[i] = (uint8_t)(i * 31 + (i >> 8));
        h = (h ^ bytes[i]) * prime;
    }
    put(KERN_u64, w->expected, 0, (int64_t)h);
}

static void fill_matmul(const struct bench_work *w, void *a, void *b)
{
    enum kern_type in = w->shape.info->in, out = w->shape.info->out;
    size_t n = w->shape.args.u.matmul.n;
    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < n; j++)
            put(in, b, k * n + j, (k == (j + 1) % n ? 2 : 0) + (int64_t)(j % 5));
    for (size_t i = 0; i < n; i++) {
        int64_t sum = 0;
        for (size_t k = 0; k < n; k++) {
            int64_t value = (int64_t)((i * 3 + k) % 7);
            put(in, a, i * n + k, value);
            sum += value;
        }
        for (size_t j = 0; j < n; j++) {
            int64_t picked = (int64_t)((i * 3 + (j + 1) % n) % 7);
            put(out, w->expected, i * n + j, 2 * picked + (int64_t)(j % 5) * sum);
        }
    }
}

static int64_t pixel(size_t y, size_t x)
{
    return (int64_t)((y * 5 + x * 3) % 200);
}

/* Sixteenths, so that f32 is exact: the kernel's weights are whole sixteenths too. */
static int64_t conv2d_sum(size_t y, size_t x)
{
    int64_t sum = 0;
    for (size_t i = 0; i < KERNEL_SIDE; i++)
        for (size_t j = 0; j < KERNEL_SIDE; j++)
            sum += kernel_weights[i * KERNEL_SIDE + j] * pixel(y + i - 1, x + j - 1);
    return sum;
}

static void fill_conv2d(const struct bench_work *w, void *image, void *kernel)
{
    enum kern_type type = w->shape.info->in;
    size_t side_y = w->shape.args.u.conv2d.h, side_x = w->shape.args.u.conv2d.w;
    for (size_t i = 0; i < KERNEL_SIDE * KERNEL_SIDE; i++) {
        if (type == KERN_i32)
            ((int32_t *)kernel)[i] = kernel_weights[i];
        else
            ((float *)kernel)[i] = (float)kernel_weights[i] / 16.0f;
    }
    for (size_t y = 0; y < side_y; y++) {
        for (size_t x = 0; x < side_x; x++) {
            size_t at = y * side_x + x;
            put(type, image, at, pixel(y, x));
            bool inside = y > 0 && x > 0 && y + 1 < side_y && x + 1 < side_x;
            int64_t sum = inside ? conv2d_sum(y, x) : 16 * pixel(y, x);
            if (type == KERN_f32)
                ((float *)(void *)w->expected)[at] = (float)sum / 16.0f;
            else if (type == KERN_u8)
                put(type, w->expected, at, (int64_t)nearbyint((double)sum / 16.0));
            else
                put(type, w->expected, at, inside ? sum : pixel(y, x));
        }
    }
}

/* Dimensions of about the wanted size, at least 1. */
static void choose_dims(struct wire_request *h, const struct kern_op_info *info, size_t bytes)
{
    size_t element = kern_type_bytes(info->in);
    size_t n = 1;
    switch (info->family) {
    case KERN_zip:
        n = bytes / (2 * element);
        break;
    case KERN_map:
        n = bytes / element;
        break;
    case KERN_hash:
        h->arg[1] = (uint32_t)bytes;
        h->arg[2] = (uint32_t)((uint64_t)bytes >> 32);
        return;
    case KERN_matmul:
        n = (size_t)sqrt((double)bytes / (double)(2 * element));
        break;
    case KERN_conv2d:
        n = (size_t)sqrt((double)bytes / (double)element);
        break;
    }
    uint32_t dim = n < 1 ? 1 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
    h->arg[0] = dim;
    if (info->family == KERN_conv2d) {
        const uint32_t args[5] = {dim, dim, 1, KERNEL_SIDE, KERNEL_SIDE};
        memcpy(h->arg, args, sizeof(args));
    } else if (info->family == KERN_matmul) {
        const float one = 1.0f;
        h->arg[1] = h->arg[2] = dim;
        if (info->in == KERN_f32)
            memcpy(&h->arg[6], &one, sizeof(one));
        else
            h->arg[6] = info->in == KERN_i32 ? 1 : 0;
    }
}

static void fill(const struct bench_work *w)
{
    uint8_t *x = w->operands, *y = w->operands + wire_pad(w->shape.in_bytes[0]);
    switch (w->shape.info->family) {
    case KERN_zip:
        fill_zip(w, x, y);
        break;
    case KERN_map:
        fill_map(w, (uint32_t *)(void *)x);
        break;
    case KERN_hash:
        fill_hash(w, x);
        break;
    case KERN_matmul:
        fill_matmul(w, x, y);
        break;
    case KERN_conv2d:
        fill_conv2d(w, x, y);
        break;
    }
}

int bench_work_init(struct bench_work *w, unsigned op, size_t operand_bytes)
{
    *w = (struct bench_work){.header = {.magic = WIRE_MAGIC, .version = WIRE_VERSION,
                                        .type = WIRE_JOB, .op = (uint16_t)op}};
    const struct kern_op_info *info = kern_op_info(op);
    if (info == NULL)
        return WIRE_BAD_OP;
    choose_dims(&w->header, info, operand_bytes);
    const char *field;
    enum wire_status status = shape_check(&w->shape, &w->header, SIZE_MAX / 2, &field);
    if (status != WIRE_OK)
        return (int)status;
    w->operands = calloc(1, w->shape.inline_bytes + 1);
    w->expected = calloc(1, wire_pad(w->shape.out_bytes) + 1);
    if (w->operands == NULL || w->expected == NULL) {
        bench_work_fini(w);
        return -ENOMEM;
    }
    fill(w);
    return 0;
}

void bench_work_fini(struct bench_work *w)
{
    free(w->operands);
    free(w->expected);
    w->operands = w->expected = NULL;
}
