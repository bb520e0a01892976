/* FNV-1a, 64 bits (Fowler, Noll and Vo). */
#include "config.h"

#include "hash.h"
#include "vec.h"

#define PRIME UINT64_C(0x00000100000001b3)

static inline v_u64 times_prime(v_u64 h)
{
    return v_u64_mul(h, v_u64_set1(PRIME));
}

KERN_DEFINE(hash_fnv1a_64)
{
    hash_run(args, part, (struct hash_kind){0xcbf29ce484222325, PRIME, times_prime});
}
