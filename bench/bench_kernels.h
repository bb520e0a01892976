/* The cases of bench_kernels. Each checks what it times, prints its rows, and ends the program if
 * a result is wrong. */
#ifndef BENCH_BENCH_KERNELS_H
#define BENCH_BENCH_KERNELS_H

#include <stddef.h>

void bench_matmul(void);
void bench_conv2d(const char *directory); /* where filter2d.so may lie */
void bench_elements(void);
void bench_hash(void);

/* -1 <= x < 1, the same for each run. */
void fill_floats(float *x, size_t count, unsigned seed);

#endif
