/* Other people's sgemm, found at run time, so that a machine without it can run the rest. */
#ifndef BENCH_BLAS_H
#define BENCH_BLAS_H

#include <stddef.h>

struct blas {
    const char *name;
    /* cblas_sgemm(): order, transpositions, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc */
    void (*sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                  const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
    void (*set_threads)(int count); /* NULL: one thread only */
};

enum { BLAS_MAX = 2 };

/* OpenBLAS, then BLIS, as far as they are installed. Returns how many; names those that are not on
 * stderr. They are never unloaded. */
size_t blas_open(struct blas out[static BLAS_MAX]);

/* c[m,n] = a[m,k] b[k,n], row-major and tight. */
void blas_multiply(const struct blas *blas, size_t m, size_t n, size_t k, const float *a,
                   const float *b, float *c);

#endif
