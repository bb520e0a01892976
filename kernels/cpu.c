/* What the CPU can run.
 *
 * The compiler's run-time library asks cpuid and xgetbv once, before main() starts, and counts
 * AVX and AVX-512 as there only if the operating system saves their registers; so nothing is
 * remembered here. Each list below is the list of -m flags in local.mk. */
#include "config.h"

#include "cpu.h"

bool cpu_runs(enum kern_isa isa)
{
    switch (isa) {
    case KERN_ISA_SCALAR:
        return true;
#ifdef HAVE_KERN_X86
    case KERN_ISA_SSE4:
        return __builtin_cpu_supports("sse4.2");
    case KERN_ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
               __builtin_cpu_supports("bmi2");
    case KERN_ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               cpu_runs(KERN_ISA_AVX2);
#endif
#ifdef HAVE_KERN_NEON
    case KERN_ISA_NEON:
        return true; /* part of every AArch64 CPU */
#endif
    default:
        return false;
    }
}
