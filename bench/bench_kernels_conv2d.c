/* conv2d_u8 beside a plain loop and, where it was built, OpenCV's filter2D. */
#include "config.h"

#include "bench/bench_kernels.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/kernel_call.h"
#include "bench/loops.h"
#include "bench/tsv.h"

enum { SIDE = 4096, SMALL_SIDE = 96, KERNEL_MAX = 31 };

typedef void filter2d_fn(size_t h, size_t w, const uint8_t *image, size_t k, const float *kernel,
                         uint8_t *out);

struct picture {
    size_t side, k;
    const uint8_t *image; /* borrowed */
    float kernel[KERNEL_MAX * KERNEL_MAX];
    float *row;            /* owned */
    uint8_t *ours, *theirs; /* owned */
    filter2d_fn *filter2d; /* NULL: none */
    struct kernel_call call;
};

static void picture_init(struct picture *p, size_t side, const uint8_t *image, size_t k,
                         filter2d_fn *filter2d)
{
    *p = (struct picture){.side = side, .k = k, .image = image, .filter2d = filter2d};
    p->row = kernel_memory(side * sizeof *p->row);
    p->ours = kernel_memory(side * side);
    p->theirs = kernel_memory(side * side);
    /* No product of a column and a row, and some weights below 0; the sum is 1. */
    float sum = 0;
    fill_floats(p->kernel, k * k, 3);
    for (size_t i = 0; i < k * k; i++)
        sum += p->kernel[i] += 0.5f;
    for (size_t i = 0; i < k * k; i++)
        p->kernel[i] /= sum;
    struct kern_args args = {
        .in = {image, p->kernel},
        .out = p->ours,
        .u.conv2d = {.h = (uint32_t)side, .w = (uint32_t)side, .channels = 1, .r = (uint32_t)k,
                     .s = (uint32_t)k, .border = KERN_BORDER_KEEP, .rounding = KERN_ROUND_NEAREST},
    };
    kernel_call_init(&p->call, KERN_OP_conv2d_u8, &args);
}

static void picture_fini(struct picture *p)
{
    kernel_call_fini(&p->call);
    free(p->row);
    free(p->ours);
    free(p->theirs);
}

static void loop_call(void *ctx)
{
    struct picture *p = ctx;
    loop_conv2d_u8(p->side, p->side, p->image, p->k, p->kernel, p->row, p->theirs);
}

static void filter2d_call(void *ctx)
{
    struct picture *p = ctx;
    p->filter2d(p->side, p->side, p->image, p->k, p->kernel, p->theirs);
}

/* Compares `theirs`, where it is computed, with `ours`: equal to within `slack`. */
static void verify_interior(const struct picture *p, const char *who, int slack)
{
    size_t half = p->k / 2;
    for (size_t y = half; y + half < p->side; y++) {
        for (size_t x = half; x + half < p->side; x++) {
            int a = p->ours[y * p->side + x], b = p->theirs[y * p->side + x];
            tsv_check(abs(a - b) <= slack, "conv2d_u8, k = %zu: pixel %zu,%zu is %d, %s says %d",
                      p->k, y, x, a, who, b);
        }
    }
}

/* Every bit and the border, by the plain reference. */
static void verify_small(const uint8_t *image, size_t k)
{
    struct picture p;
    picture_init(&p, SMALL_SIDE, image, k, NULL);
    kernel_call_run(&p.call);
    kernel_call_reference(&p.call, p.theirs);
    tsv_check(memcmp(p.ours, p.theirs, SMALL_SIDE * SMALL_SIDE) == 0,
              "conv2d_u8, k = %zu: not the bits of the reference", k);
    picture_fini(&p);
}

static double pixel_ns(const struct picture *p, double ns)
{
    return ns / ((double)p->side * (double)p->side);
}

static double run_ours(void *ctx)
{
    struct picture *p = ctx;
    return pixel_ns(p, tsv_call_ns(kernel_call_run, &p->call));
}

static double run_loop(void *ctx)
{
    return pixel_ns(ctx, tsv_call_ns(loop_call, ctx));
}

static double run_filter2d(void *ctx)
{
    return pixel_ns(ctx, tsv_call_ns(filter2d_call, ctx));
}

static void bench_kernel(const uint8_t *image, size_t k, filter2d_fn *filter2d)
{
    char name[64];
    struct picture p;
    verify_small(image, k);
    picture_init(&p, SIDE, image, k, filter2d);
    kernel_call_run(&p.call);
    loop_call(&p);
    /* The loop's order of operations is that of the fused class. */
    verify_interior(&p, loops_compiler, p.call.table->fused ? 0 : 1);
    struct tsv_side sides[3] = {{"simdd", run_ours, &p}, {loops_compiler, run_loop, &p}};
    if (filter2d != NULL) {
        filter2d_call(&p);
        verify_interior(&p, "OpenCV", 1); /* it adds in another order */
        sides[2] = (struct tsv_side){"OpenCV", run_filter2d, &p};
    }
    snprintf(name, sizeof name, "conv2d_u8 k=%zu %dx%d", k, SIDE, SIDE);
    struct tsv_case c = {"kernels", name, "ns/pixel", TSV_LESS, 7, 2.0};
    tsv_race(&c, sides, filter2d != NULL ? 3 : 2);
    picture_fini(&p);
}

void bench_conv2d(const char *directory)
{
    static const size_t sizes[] = {3, 5, 7, 9, 11, 15, 31};
    char path[4096];
    filter2d_fn *filter2d = NULL;
    snprintf(path, sizeof path, "%s/filter2d.so", directory);
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (lib != NULL)
        *(void **)&filter2d = dlsym(lib, "filter2d"); /* ISO C has no cast for it */
    if (filter2d == NULL)
        tsv_skip("OpenCV", "no filter2d.so: its headers were not there");
    uint8_t *image = kernel_memory((size_t)SIDE * SIDE);
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++)
        image[i] = (uint8_t)((i * 2654435761u) >> 13);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        bench_kernel(image, sizes[i], filter2d);
    free(image);
}
