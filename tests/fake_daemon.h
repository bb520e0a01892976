/* A daemon for tests of the client: answers frames by the plain references, or misbehaves as a
 * script says. One thread per connection; no limits, no batching, no mercy. */
#ifndef TESTS_FAKE_DAEMON_H
#define TESTS_FAKE_DAEMON_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"

struct fake;

/* What becomes of one job. */
enum fake_action {
    FAKE_ANSWER,
    FAKE_HOLD,        /* answer later: latest first, when a job is answered at once */
    FAKE_SILENT,      /* never answer */
    FAKE_BREAK,       /* close the connection instead */
    FAKE_BREAK_HALF,  /* close it in the middle of the answer */
    FAKE_OVERLOADED,  /* refuse with a pause of 1 ms */
    FAKE_DRAINING,    /* refuse as shutting down */
    FAKE_REFUSE,      /* refuse as bad_shape, "k: the fake says no" */
    FAKE_REFUSE_EARLY, /* likewise, before reading the payload */
    FAKE_BAD_MAGIC,   /* answer with nonsense */
    FAKE_BAD_ID,      /* answer a job that nobody sent */
    FAKE_BAD_SIZE,    /* answer with a result that is too short */
    FAKE_BAD_VERSION, /* say that the stream cannot be followed, and close */
    FAKE_NOISE        /* answer with one bit of the header wrong, a different one each time */
};

/* Asked for each job and call (of the actions these know ANSWER, HOLD, BREAK, BREAK_HALF,
 * OVERLOADED, BAD_SIZE), and for each ARENA_ADD (then OVERLOADED stands for arena_limit). `index`
 * counts jobs over all connections, from 0. */
typedef enum fake_action fake_script_fn(void *user, const struct wire_request *h, unsigned index);

struct fake_counts {
    atomic_uint connections, jobs, arena_jobs, inline_results, arenas_added, arenas_dropped;
};

/* Listens at `path`. script NULL: answers everything. 0 or -errno. */
int fake_start(struct fake **out, const char *path, fake_script_fn *script, void *user);

/* Closes all connections and the socket; removes the path. NULL is fine. */
void fake_stop(struct fake *f);

const struct fake_counts *fake_counts(const struct fake *f);

#endif
