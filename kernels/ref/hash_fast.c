/* FNV-1a with the constants for 32 bits, in 64-bit arithmetic. The low 32 bits are FNV-1a-32. */
#include "config.h"

#include "ref.h"

KERN_DEFINE(hash_fast)
{
    const uint8_t *bytes = args->in[0];
    const uint64_t *offsets = args->in[1];
    uint64_t *out = args->out;
    for (size_t i = part->begin; i < part->end && i < args->u.hash.count; i++) {
        uint64_t from = offsets != NULL ? offsets[i] : 0;
        uint64_t to = offsets != NULL ? offsets[i + 1] : args->u.hash.n_bytes;
        uint64_t h = 0x811c9dc5;
        for (uint64_t j = from; j < to; j++) {
            h ^= bytes[j];
            h *= 0x01000193;
        }
        out[i] = h;
    }
}
