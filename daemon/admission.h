/* Who may have how much: quotas per uid, and turns between uids.
 *
 * A client here is a uid, however many connections it has. Jobs over its quota get an answer that
 * says so. Batches that wait for a worker wait per client and leave by deficit round robin over
 * their estimated time (Shreedhar & Varghese 1995), so one client's thousand long jobs delay
 * another's short one by one turn, not by a thousand. Thread: the loop.
 */
#ifndef DAEMON_ADMISSION_H
#define DAEMON_ADMISSION_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"

struct admission;
struct batch;
struct client;

struct admission_limits {
    size_t client_jobs;        /* jobs in flight per uid */
    size_t client_bytes;       /* operands and results in flight, and answers that wait, per uid */
    size_t client_arena_bytes; /* lent memory per uid */
    size_t client_arenas;      /* arenas per uid */
    size_t client_connections; /* connections per uid */
};

struct client_stats {
    uid_t uid;
    uint64_t connections, arenas;
    uint64_t jobs_in_flight;
    size_t bytes_in_flight, arena_bytes;
    uint64_t jobs_total, refused_total;
    uint64_t run_ns_total;
};

int admission_new(struct admission **out, const struct admission_limits *limits);
void admission_free(struct admission *a);
void admission_set_limits(struct admission *a, const struct admission_limits *limits);

/* One connection of `uid` more. NULL when over client_connections or out of memory. */
struct client *admission_connect(struct admission *a, uid_t uid);
void admission_disconnect(struct admission *a, struct client *c);

/* Counts a job of `bytes` in. WIRE_OK, or OVERLOADED and *retry_after_us. */
enum wire_status admission_enter(struct admission *a, struct client *c, size_t bytes,
                                 uint32_t *retry_after_us);

/* Counts it out; run_ns of worker time were spent on it. */
void admission_leave(struct admission *a, struct client *c, size_t bytes, uint64_t run_ns);

/* Counts what a connection holds outside of jobs, incomplete requests and answers that wait: `now`
 * instead of `before`. It is never refused, but it takes from client_bytes. */
void admission_hold(struct client *c, size_t before, size_t now);

/* What is left of client_bytes; 0 when it is used up. */
size_t admission_room(const struct admission *a, const struct client *c);

/* Counts an arena in: WIRE_OK or ARENA_LIMIT. */
enum wire_status admission_arena_enter(struct admission *a, struct client *c, size_t bytes);
void admission_arena_leave(struct admission *a, struct client *c, size_t bytes);

uid_t client_uid(const struct client *c);

/* Queues a batch for its client's turn. Takes it. */
void admission_queue(struct admission *a, struct batch *b);

/* Returns owned: the batch whose turn it is; NULL when none waits. */
struct batch *admission_next(struct admission *a);

/* Fills up to `max` rows, busiest first, and returns how many clients there are. */
size_t admission_stats(const struct admission *a, struct client_stats *rows, size_t max);

#endif
