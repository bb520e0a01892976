/* Cache keys.
 *
 * The uid goes into every key, so no user can learn what another computed, nor plant an answer.
 * Parameters are written out one by one: padding inside structs must not reach the digest.
 */
#include "config.h"

#include "digest.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

#define XXH_STATIC_LINKING_ONLY /* the state lives on the stack */
#include <xxhash.h>

_Static_assert(DIGEST_SECRET_BYTES >= XXH3_SECRET_SIZE_MIN, "xxhash refuses shorter secrets");

int digest_init(struct digest *d)
{
    size_t have = 0;
    while (have < sizeof(d->secret)) {
        ssize_t got = getrandom(d->secret + have, sizeof(d->secret) - have, 0);
        if (got < 0 && errno != EINTR)
            return -errno;
        if (got > 0)
            have += (size_t)got;
    }
    return 0;
}

/* Every parameter of a family as words; returns how many. */
static size_t params_words(uint64_t words[static 16], const struct job *job)
{
    size_t n = 0;
    switch (job->info->family) {
    case KERN_zip:
        words[n++] = job->args.u.zip.n;
        break;
    case KERN_map:
        words[n++] = job->args.u.map.n;
        break;
    case KERN_matmul: {
        const struct kern_matmul *mm = &job->args.u.matmul;
        words[n++] = mm->m;
        words[n++] = mm->n;
        words[n++] = mm->k;
        words[n++] = mm->lda;
        words[n++] = mm->ldb;
        words[n++] = mm->ldc;
        words[n++] = (uint64_t)mm->trans_a | (uint64_t)mm->trans_b << 1;
        words[n++] = (uint32_t)mm->alpha.i32; /* the bits, whichever type they have */
        words[n++] = (uint32_t)mm->beta.i32;
        break;
    }
    case KERN_conv2d: {
        const struct kern_conv2d *c = &job->args.u.conv2d;
        words[n++] = c->h;
        words[n++] = c->w;
        words[n++] = c->channels;
        words[n++] = c->r;
        words[n++] = c->s;
        words[n++] = (uint64_t)c->border;
        words[n++] = (uint64_t)c->rounding;
        break;
    }
    case KERN_hash:
        words[n++] = job->args.u.hash.n_bytes;
        words[n++] = job->args.u.hash.count;
        break;
    }
    return n;
}

struct cache_key digest_job(const struct digest *d, uid_t uid, const struct job *job)
{
    uint64_t words[16];
    size_t count = params_words(words, job);
    words[count++] = uid;
    words[count++] =
        (uint64_t)job->op | (uint64_t)job->backend << 8 | (uint64_t)job->in_count << 16;

    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_128bits_reset_withSecret(&state, d->secret, sizeof(d->secret));
    XXH3_128bits_update(&state, words, count * sizeof(words[0]));
    for (unsigned i = 0; i < job->in_count; i++)
        XXH3_128bits_update(&state, job->args.in[i], job->in_bytes[i]);
    XXH128_hash_t h = XXH3_128bits_digest(&state);
    return (struct cache_key){.lo = h.low64, .hi = h.high64};
}
