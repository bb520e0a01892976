/* The batch processor: jobs of one client, op, backend and priority that travel together.
 *
 * batch_add() puts a job into the open batch of its kind. A batch leaves when it is full by count
 * or bytes; otherwise the caller closes it, when its oldest job is old enough or when nothing more
 * is to be read and a worker is free. One failing job fails alone: each has its own status. Thread:
 * the loop; while a worker runs a batch it belongs to that worker.
 */
#ifndef DAEMON_BATCH_H
#define DAEMON_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "job.h"
#include "scheduler.h"

struct batcher;

/* What a worker does with a batch. DIGEST and COPY have one large job, and are no batches to the
 * outside: they only use the same road to a worker and back. */
enum batch_errand {
    BATCH_RUN,
    BATCH_DIGEST, /* work out the job's cache key */
    BATCH_COPY    /* copy a cached result into the job's arena */
};

struct batch {
    struct sched_task task; /* first: the scheduler sees only this */
    struct batch *next;     /* in its client's queue, or the next newer one while open */
    struct batch *older;    /* while open */
    struct job *first, *last;
    struct client *client;
    uint64_t oldest_ns;   /* arrival of its first job */
    uint64_t estimate_ns; /* sum over its jobs */
    size_t bytes;
    uint32_t count;
    uint8_t op, backend, priority;
    enum batch_errand errand;
    void *owner; /* the pipeline, for task.run */
    uint64_t started_ns, ended_ns;
};

struct batch_limits {
    uint32_t max_jobs;
    size_t max_bytes;
    uint64_t max_delay_ns;
};

/* Full by count or by bytes, too old, nothing more to read, or a job too large to wait. */
enum batch_cause {
    BATCH_FULL_JOBS,
    BATCH_FULL_BYTES,
    BATCH_AGE,
    BATCH_IDLE,
    BATCH_LARGE,
    BATCH_CAUSES
};

struct batch_stats {
    uint64_t jobs_total, bytes_total;
    uint64_t batches_total;
    uint64_t closed_total[BATCH_CAUSES]; /* why they left */
    size_t open_jobs; /* now */
};

/* Borrows `l`, the loop's. */
int batcher_new(struct batcher **out, const struct batch_limits *limits, struct pool_local *l);
void batcher_free(struct batcher *b);
void batcher_set_limits(struct batcher *b, const struct batch_limits *limits);

/* Takes the job. *full is the batch that this job filled, owned by the caller, or NULL.
 * -ENOMEM: the caller still owns the job. */
int batch_add(struct batcher *b, struct job *job, struct batch **full);

/* Returns owned: a batch of this job alone that was never open; NULL: out of memory, and the
 * caller still owns the job. Only errand BATCH_RUN is counted. */
struct batch *batch_of_one(struct batcher *b, struct job *job, enum batch_errand errand);

/* Returns borrowed: the open batch with the oldest first job; its `next` is the next newer one.
 * NULL when none is open. */
struct batch *batch_oldest(const struct batcher *b);

/* Closes an open batch; it is the caller's now. */
void batch_close(struct batcher *b, struct batch *batch, enum batch_cause cause);

/* When the oldest open batch reaches max_delay; UINT64_MAX when there is none. */
uint64_t batch_deadline_ns(const struct batcher *b);

/* Gives an emptied batch back. Its jobs must be gone. */
void batch_free(struct batcher *b, struct batch *batch);

void batch_stats(const struct batcher *b, struct batch_stats *out);

#endif
