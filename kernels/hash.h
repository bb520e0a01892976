/* How a hash of the FNV kind walks its messages.
 *
 * One message is a chain of dependent multiplications: its speed is their latency. Many messages
 * are hashed in lockstep instead, one per 64-bit lane of HASH_VECTORS vectors, eight bytes at
 * a time; a lane whose message ends takes the next one. The last bytes of a message, fewer than
 * eight, are hashed one by one. When no message is left for a lane, it repeats another's work. */
#ifndef KERNELS_HASH_H
#define KERNELS_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "vec.h"

enum {
    HASH_VECTORS = 4, /* about the cycles that a multiplication takes; see hash_lockstep() */
    HASH_LANES = HASH_VECTORS * V_U64_LANES,
    HASH_FEW = 2 /* so few messages are as fast one after the other */
};

/* What tells one hash from another. */
struct hash_kind {
    uint64_t basis, prime; /* constants, so that the compiler drops one way of hash_times() */
};

/* Lanes 0..live-1 are at work. */
struct hash_lanes {
    uint64_t h[HASH_LANES];
    const uint8_t *at[HASH_LANES];
    size_t left[HASH_LANES];    /* bytes */
    size_t message[HASH_LANES]; /* its number */
    size_t live;
};

static inline uint64_t hash_bytes(uint64_t h, const uint8_t *p, size_t n, uint64_t prime)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ p[i]) * prime;
    return h;
}

/* Gives message i to a lane. */
static inline void hash_take(struct hash_lanes *lanes, size_t lane, const struct kern_args *args,
                             size_t i, uint64_t basis)
{
    const uint8_t *bytes = args->in[0];
    const uint64_t *offsets = args->in[1];
    size_t from = offsets != NULL ? (size_t)offsets[i] : 0;
    size_t to = offsets != NULL ? (size_t)offsets[i + 1] : args->u.hash.n_bytes;
    lanes->h[lane] = basis;
    lanes->at[lane] = to > from ? bytes + from : bytes; /* bytes may be NULL if there are none */
    lanes->left[lane] = to - from;
    lanes->message[lane] = i;
}

/* Ends a lane's message and puts the last live lane in its place. */
static inline void hash_end(struct hash_lanes *lanes, size_t lane, uint64_t *out, uint64_t prime)
{
    size_t last = --lanes->live;
    out[lanes->message[lane]] =
        hash_bytes(lanes->h[lane], lanes->at[lane], lanes->left[lane], prime);
    lanes->h[lane] = lanes->h[last];
    lanes->at[lane] = lanes->at[last];
    lanes->left[lane] = lanes->left[last];
    lanes->message[lane] = lanes->message[last];
}

static inline v_u64 hash_times(v_u64 h, uint64_t prime)
{
    return prime <= UINT32_MAX ? v_u64_mul_u32(h, (uint32_t)prime)
                               : v_u64_mul(h, v_u64_set1(prime));
}

/* All lanes go on by `words` times eight bytes. The four vectors have names, since gcc 12 would
 * keep an array of them in memory. */
static inline void hash_lockstep(struct hash_lanes *lanes, size_t words, uint64_t prime)
{
    enum { L = V_U64_LANES };
    const v_u64 low = v_u64_set1(0xff);
    v_u64 h0 = v_u64_load(lanes->h), h1 = v_u64_load(lanes->h + L);
    v_u64 h2 = v_u64_load(lanes->h + 2 * L), h3 = v_u64_load(lanes->h + 3 * L);
    for (size_t w = 0; w < words; w++) {
        v_u64 d0 = v_u64_gather(lanes->at, 8 * w);
        v_u64 d1 = v_u64_gather(lanes->at + L, 8 * w);
        v_u64 d2 = v_u64_gather(lanes->at + 2 * L, 8 * w);
        v_u64 d3 = v_u64_gather(lanes->at + 3 * L, 8 * w);
        for (int byte = 0; byte < 8; byte++) {
            h0 = hash_times(v_u64_xor_and(h0, d0, low), prime);
            h1 = hash_times(v_u64_xor_and(h1, d1, low), prime);
            h2 = hash_times(v_u64_xor_and(h2, d2, low), prime);
            h3 = hash_times(v_u64_xor_and(h3, d3, low), prime);
            d0 = v_u64_shr(d0, 8);
            d1 = v_u64_shr(d1, 8);
            d2 = v_u64_shr(d2, 8);
            d3 = v_u64_shr(d3, 8);
        }
    }
    v_u64_store(lanes->h, h0);
    v_u64_store(lanes->h + L, h1);
    v_u64_store(lanes->h + 2 * L, h2);
    v_u64_store(lanes->h + 3 * L, h3);
    for (size_t i = 0; i < lanes->live; i++) {
        lanes->at[i] += 8 * words;
        lanes->left[i] -= 8 * words;
    }
}

/* Words that every live lane has. Idle lanes are set to repeat lane 0 for so long. */
static inline size_t hash_common_words(struct hash_lanes *lanes)
{
    size_t shortest = lanes->left[0];
    for (size_t i = 1; i < lanes->live; i++)
        shortest = lanes->left[i] < shortest ? lanes->left[i] : shortest;
    for (size_t i = lanes->live; i < HASH_LANES; i++)
        lanes->at[i] = lanes->at[0];
    return shortest / 8;
}

static inline void hash_run(const struct kern_args *args, const struct kern_part *part,
                            struct hash_kind kind)
{
    struct hash_lanes lanes = {.live = 0};
    size_t next = part->begin, end = kern_end(part, args->u.hash.count);
    for (;;) {
        for (; lanes.live < HASH_LANES && next < end; next++)
            hash_take(&lanes, lanes.live++, args, next, kind.basis);
        if (lanes.live <= HASH_FEW)
            break;
        hash_lockstep(&lanes, hash_common_words(&lanes), kind.prime);
        for (size_t i = lanes.live; i-- > 0;) {
            if (lanes.left[i] < 8)
                hash_end(&lanes, i, args->out, kind.prime);
        }
    }
    while (lanes.live > 0)
        hash_end(&lanes, lanes.live - 1, args->out, kind.prime);
}

#endif
