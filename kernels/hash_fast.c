/* FNV-1a with the constants for 32 bits, in 64-bit arithmetic. */
#include "config.h"

#include "hash.h"
#include "vec.h"

KERN_DEFINE(hash_fast)
{
    hash_run(args, part, (struct hash_kind){.basis = 0x811c9dc5, .prime = 0x01000193});
}
