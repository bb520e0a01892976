/* What the kernels reach on one thread, beside a BLAS, OpenCV and plain loops.
 *
 *     bench_kernels [matmul|conv2d|elements|hash ...]        all of them unless named
 *
 * Prints the TSV rows that tsv.h tells of. libkern is called in this process, on the best
 * instruction set that the CPU has.
 */
#include "config.h"

#include "bench/bench_kernels.h"

#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "bench/tsv.h"

void fill_floats(float *x, size_t count, unsigned seed)
{
    uint32_t state = seed * 2654435761u + 1;
    for (size_t i = 0; i < count; i++) {
        state = state * 1664525u + 1013904223u;
        x[i] = (float)(int32_t)state * 0x1p-31f;
    }
}

/* The directory of this program, without a slash at the end. */
static const char *own_directory(char path[static 4096])
{
    ssize_t n = readlink("/proc/self/exe", path, 4095);
    tsv_check(n > 0, "no /proc");
    path[n] = '\0';
    return dirname(path);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"matmul", "conv2d", "elements", "hash"};
    enum { COUNT = sizeof names / sizeof names[0] };
    bool wanted[COUNT] = {false};
    char path[4096];
    for (int i = 1; i < argc; i++) {
        size_t k = 0;
        while (k < COUNT && strcmp(argv[i], names[k]) != 0)
            k++;
        if (k == COUNT) {
            fprintf(stderr, "usage: bench_kernels [matmul|conv2d|elements|hash ...]\n");
            return 64;
        }
        wanted[k] = true;
    }
    if (argc < 2 || wanted[0])
        bench_matmul();
    if (argc < 2 || wanted[1])
        bench_conv2d(own_directory(path));
    if (argc < 2 || wanted[2])
        bench_elements();
    if (argc < 2 || wanted[3])
        bench_hash();
    return 0;
}
