/* FNV-1a, 64 bits (Fowler, Noll and Vo). */
#include "config.h"

#include "hash.h"
#include "vec.h"

KERN_DEFINE(hash_fnv1a_64)
{
    hash_run(args, part,
             (struct hash_kind){.basis = 0xcbf29ce484222325, .prime = 0x00000100000001b3});
}
