/* matmul_f32 beside sgemm of others, and beside the limit that multiply-adds set. */
#include "config.h"

#include "bench/bench_kernels.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/blas.h"
#include "bench/kernel_call.h"
#include "bench/loops.h"
#include "bench/tsv.h"

/* Up to so many multiply-adds the plain reference judges every bit. */
#define REFERENCE_MAX (130.0 * 130.0 * 130.0)

struct product {
    size_t m, n, k;
    float *a, *b, *c;         /* owned */
    double *exact, *magnitude; /* owned: one row */
    struct kernel_call call;
};

/* A peer at work on a product. */
struct blas_call {
    const struct blas *blas;
    const struct product *p;
};

static void product_init(struct product *p, size_t m, size_t n, size_t k)
{
    *p = (struct product){.m = m, .n = n, .k = k};
    p->a = kernel_memory(m * k * sizeof *p->a);
    p->b = kernel_memory(k * n * sizeof *p->b);
    p->c = kernel_memory(m * n * sizeof *p->c);
    p->exact = kernel_memory(n * sizeof *p->exact);
    p->magnitude = kernel_memory(n * sizeof *p->magnitude);
    fill_floats(p->a, m * k, 1);
    fill_floats(p->b, k * n, 2);
    struct kern_args args = kernel_args_matmul(m, n, k, p->a, p->b, p->c);
    kernel_call_init(&p->call, KERN_OP_matmul_f32, &args);
}

static void product_fini(struct product *p)
{
    kernel_call_fini(&p->call);
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->exact);
    free(p->magnitude);
}

/* Some 32 rows of c, all of a small one, against double precision: each rounding may be off by
 * half a unit of the sum of magnitudes. */
static void verify_rows(struct product *p, const char *who)
{
    size_t step = p->m > 64 ? p->m / 32 : 1;
    double bound = ((double)p->k + 2) * (double)FLT_EPSILON;
    for (size_t i = 0; i < p->m; i++) {
        if (i % step != 0 && i != p->m - 1)
            continue;
        loop_matmul_row(p->n, p->k, p->a + i * p->k, p->b, p->exact, p->magnitude);
        for (size_t j = 0; j < p->n; j++) {
            double off = fabs((double)p->c[i * p->n + j] - p->exact[j]);
            tsv_check(off <= bound * p->magnitude[j], "%s: %zux%zux%zu: c[%zu,%zu] is off by %g",
                      who, p->m, p->n, p->k, i, j, off);
        }
    }
}

static void verify_bits(struct product *p)
{
    float *reference = kernel_memory(p->m * p->n * sizeof *reference);
    kernel_call_reference(&p->call, reference);
    tsv_check(memcmp(reference, p->c, p->m * p->n * sizeof *reference) == 0,
              "matmul_f32: %zux%zux%zu: not the bits of the reference", p->m, p->n, p->k);
    free(reference);
}

static void blas_call(void *ctx)
{
    const struct blas_call *call = ctx;
    const struct product *p = call->p;
    blas_multiply(call->blas, p->m, p->n, p->k, p->a, p->b, p->c);
}

static double gflops(const struct product *p, double ns)
{
    return 2.0 * (double)p->m * (double)p->n * (double)p->k / ns;
}

static double run_ours(void *ctx)
{
    struct product *p = ctx;
    return gflops(p, tsv_call_ns(kernel_call_run, &p->call));
}

static double run_blas(void *ctx)
{
    struct blas_call *call = ctx;
    return gflops(call->p, tsv_call_ns(blas_call, call));
}

static double run_peak(void *ctx)
{
    (void)ctx;
    return loop_fma_peak();
}

static void bench_product(size_t m, size_t n, size_t k, const struct blas *blas, size_t blas_count)
{
    char name[64];
    struct product p;
    struct blas_call calls[BLAS_MAX];
    struct tsv_side sides[2 + BLAS_MAX] = {{"simdd", run_ours, &p}};
    product_init(&p, m, n, k);
    kernel_call_run(&p.call);
    verify_rows(&p, "matmul_f32");
    if ((double)m * (double)n * (double)k <= REFERENCE_MAX)
        verify_bits(&p);
    for (size_t i = 0; i < blas_count; i++) {
        calls[i] = (struct blas_call){&blas[i], &p};
        memset(p.c, 0xff, m * n * sizeof *p.c);
        blas_call(&calls[i]);
        verify_rows(&p, blas[i].name);
        sides[1 + i] = (struct tsv_side){blas[i].name, run_blas, &calls[i]};
    }
    sides[1 + blas_count] = (struct tsv_side){"fma peak", run_peak, NULL};
    if (m == n && n == k)
        snprintf(name, sizeof name, "matmul_f32 %zu", n);
    else
        snprintf(name, sizeof name, "matmul_f32 %zux%zux%zu", m, n, k);
    struct tsv_case c = {"kernels", name, "GFLOP/s", TSV_MORE, 11, 1.0};
    tsv_race(&c, sides, 2 + blas_count);
    product_fini(&p);
}

void bench_matmul(void)
{
    static const size_t squares[] = {16,  17,  33,  64,  65,  100, 127,  128, 129,
                                     256, 257, 511, 512, 513, 1000, 1024, 2048};
    static const size_t thin[][3] = {{1, 1024, 1024},  {32, 1024, 1024}, {1024, 32, 1024},
                                     {1024, 1024, 32}, {4096, 64, 64},   {100, 300, 500}};
    struct blas blas[BLAS_MAX];
    size_t blas_count = blas_open(blas);
    for (size_t i = 0; i < sizeof squares / sizeof squares[0]; i++)
        bench_product(squares[i], squares[i], squares[i], blas, blas_count);
    for (size_t i = 0; i < sizeof thin / sizeof thin[0]; i++)
        bench_product(thin[i][0], thin[i][1], thin[i][2], blas, blas_count);
}
