/* The limit of multiply-adds. Speaks the kernels' vocabulary, so that the widest registers of the
 * machine it is built on are meant; built, like loops.c, with -march=native. */
#include "config.h"

#include "bench/loops.h"

#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
#define KERN_ISA avx512
#elif defined(__AVX2__) && defined(__FMA__)
#define KERN_ISA avx2
#elif defined(__x86_64__)
#define KERN_ISA sse4
#else
#define KERN_ISA neon
#endif

#include "clock.h"
#include "kernels/vec.h"

enum { CHAINS = 12, STEPS = 500000 };

/* Twelve chains hide a latency of four cycles at two starts a cycle, with some to spare. */
double loop_fma_peak(void)
{
    float start[V_F32_LANES + CHAINS]; /* each chain its own, or the compiler would run one only */
    for (size_t i = 0; i < V_F32_LANES + CHAINS; i++)
        start[i] = 1.0f + (float)i;
    volatile float factor = 0.5f; /* the compiler is not to know it */
    v_f32 f = v_f32_set1(factor), one = v_f32_set1(1.0f);
    v_f32 c0 = v_f32_load(start), c1 = v_f32_load(start + 1), c2 = v_f32_load(start + 2);
    v_f32 c3 = v_f32_load(start + 3), c4 = v_f32_load(start + 4), c5 = v_f32_load(start + 5);
    v_f32 c6 = v_f32_load(start + 6), c7 = v_f32_load(start + 7), c8 = v_f32_load(start + 8);
    v_f32 c9 = v_f32_load(start + 9), c10 = v_f32_load(start + 10), c11 = v_f32_load(start + 11);
    uint64_t start_ns = clock_ns();
    for (size_t i = 0; i < STEPS; i++) {
        c0 = v_f32_fma(c0, f, one), c1 = v_f32_fma(c1, f, one), c2 = v_f32_fma(c2, f, one);
        c3 = v_f32_fma(c3, f, one), c4 = v_f32_fma(c4, f, one), c5 = v_f32_fma(c5, f, one);
        c6 = v_f32_fma(c6, f, one), c7 = v_f32_fma(c7, f, one), c8 = v_f32_fma(c8, f, one);
        c9 = v_f32_fma(c9, f, one), c10 = v_f32_fma(c10, f, one), c11 = v_f32_fma(c11, f, one);
    }
    uint64_t ns = clock_ns() - start_ns;
    c0 = v_f32_add(v_f32_add(c0, c1), v_f32_add(c2, c3));
    c4 = v_f32_add(v_f32_add(c4, c5), v_f32_add(c6, c7));
    c8 = v_f32_add(v_f32_add(c8, c9), v_f32_add(c10, c11));
    v_f32_store(start, v_f32_add(c0, v_f32_add(c4, c8)));
    factor = start[0]; /* and it may not leave anything out */
    return 2.0 * (double)CHAINS * (double)STEPS * V_F32_LANES / (double)ns;
}
