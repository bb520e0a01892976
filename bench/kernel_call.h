/* A kernel, its arguments and the memory it works in: ready to be called again and again, on the
 * best instruction set of this CPU, by one thread. */
#ifndef BENCH_KERNEL_CALL_H
#define BENCH_KERNEL_CALL_H

#include <stddef.h>

#include "kernels/kern.h"

struct kernel_call {
    const struct kern_table *table;
    enum kern_op op;
    struct kern_args args; /* may be pointed elsewhere; sizes are fixed */
    void *shared, *scratch; /* owned */
};

/* Ends the program if there is no memory. */
void kernel_call_init(struct kernel_call *call, enum kern_op op, const struct kern_args *args);
void kernel_call_fini(struct kernel_call *call);

/* ctx: struct kernel_call. */
void kernel_call_run(void *ctx);

/* The same by the plain reference, into `out`. */
void kernel_call_reference(const struct kernel_call *call, void *out);

/* a[m,k] b[k,n] -> c[m,n], tight, alpha 1, beta 0. */
struct kern_args kernel_args_matmul(size_t m, size_t n, size_t k, const float *a, const float *b,
                                    float *c);

/* Memory as the daemon hands it to kernels: 64-byte aligned, every page touched. Ends the program
 * if there is none. Freed with free(). */
void *kernel_memory(size_t bytes);

#endif
