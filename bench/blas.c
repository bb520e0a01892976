#include "config.h"

#include "bench/blas.h"

#include <dlfcn.h>

#include "bench/tsv.h"

enum { ROW_MAJOR = 101, NO_TRANS = 111 }; /* as cblas.h numbers them */

size_t blas_open(struct blas out[static BLAS_MAX])
{
    static const struct {
        const char *name, *file, *set_threads;
    } known[BLAS_MAX] = {
        {"OpenBLAS", "libopenblas.so.0", "openblas_set_num_threads"},
        {"BLIS", "libblis.so.4", NULL},
    };
    size_t count = 0;
    for (size_t i = 0; i < BLAS_MAX; i++) {
        struct blas *b = &out[count];
        void *lib = dlopen(known[i].file, RTLD_NOW | RTLD_LOCAL);
        if (lib == NULL) {
            tsv_skip(known[i].name, "no library");
            continue;
        }
        b->name = known[i].name;
        /* POSIX's way round ISO C, which has no cast from object to function pointers */
        *(void **)&b->sgemm = dlsym(lib, "cblas_sgemm");
        b->set_threads = NULL;
        if (known[i].set_threads != NULL)
            *(void **)&b->set_threads = dlsym(lib, known[i].set_threads);
        if (b->sgemm == NULL)
            tsv_skip(known[i].name, "no cblas_sgemm in it");
        else
            count++;
    }
    return count;
}

void blas_multiply(const struct blas *blas, size_t m, size_t n, size_t k, const float *a,
                   const float *b, float *c)
{
    blas->sgemm(ROW_MAJOR, NO_TRANS, NO_TRANS, (int)m, (int)n, (int)k, 1.0f, a, (int)k, b, (int)n,
                0.0f, c, (int)n);
}
