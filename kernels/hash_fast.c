/* FNV-1a with the constants for 32 bits, in 64-bit arithmetic. */
#include "config.h"

#include "hash.h"
#include "vec.h"

#define PRIME 0x01000193u

static inline v_u64 times_prime(v_u64 h)
{
    return v_u64_mul_u32(h, PRIME);
}

KERN_DEFINE(hash_fast)
{
    hash_run(args, part, (struct hash_kind){0x811c9dc5, PRIME, times_prime});
}
