/* Cache keys: a 128-bit keyed digest of everything that decides a job's result. */
#ifndef DAEMON_DIGEST_H
#define DAEMON_DIGEST_H

#include <stdint.h>
#include <sys/types.h>

#include "cache.h"
#include "job.h"

enum { DIGEST_SECRET_BYTES = 192 };

struct digest {
    uint8_t secret[DIGEST_SECRET_BYTES]; /* drawn at start; keeps collisions from being planned */
};

/* 0, or -errno when the kernel gives no random bytes. */
int digest_init(struct digest *d);

/**
 * XXH3-128 under the secret over the uid, the op, all parameters and the operands' bytes.
 * Thread: any; operands in arenas may change meanwhile, which spoils this client's cache only.
 */
struct cache_key digest_job(const struct digest *d, uid_t uid, const struct job *job);

#endif
