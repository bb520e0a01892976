/* FNV-1a, 64 bits (Fowler, Noll and Vo; draft-eastlake-fnv). */
#include "config.h"

#include "ref.h"

KERN_DEFINE(hash_fnv1a_64)
{
    const uint8_t *bytes = args->in[0];
    const uint64_t *offsets = args->in[1];
    uint64_t *out = args->out;
    for (size_t i = part->begin; i < part->end && i < args->u.hash.count; i++) {
        uint64_t from = offsets != NULL ? offsets[i] : 0;
        uint64_t to = offsets != NULL ? offsets[i + 1] : args->u.hash.n_bytes;
        uint64_t h = 0xcbf29ce484222325;
        for (uint64_t j = from; j < to; j++) {
            h ^= bytes[j];
            h *= 0x00000100000001b3;
        }
        out[i] = h;
    }
}
