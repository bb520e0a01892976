/* The batch processor: jobs of one client, op, backend and priority that travel together.
 *
 * batch_add() puts a job into the open batch of its kind. A batch closes when it is full by count
 * or bytes, when its oldest job is batch_max_delay old, or when the caller asks since nothing
 * more is to be read. One failing job fails alone: each has its own status. Thread: the loop;
 * while a worker runs a batch it belongs to that worker.
 */
#ifndef DAEMON_BATCH_H
#define DAEMON_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "job.h"
#include "scheduler.h"

struct batcher;

struct batch {
    struct sched_task task; /* first: the scheduler sees only this */
    struct batch *next;
    struct job *first, *last;
    struct client *client;
    uint64_t oldest_ns;   /* arrival of its first job */
    uint64_t estimate_ns; /* sum over its jobs */
    size_t bytes;
    uint32_t count;
    uint8_t op, backend, priority;
    void *owner; /* the pipeline, for task.run */
    uint64_t started_ns, ended_ns;
};

struct batch_limits {
    uint32_t max_jobs;
    size_t max_bytes;
    uint64_t max_delay_ns;
};

enum batch_cause { BATCH_FULL_JOBS, BATCH_FULL_BYTES, BATCH_AGE, BATCH_IDLE, BATCH_CAUSES };

struct batch_stats {
    uint64_t jobs_total, bytes_total;
    uint64_t batches_total;
    uint64_t closed_total[BATCH_CAUSES]; /* why they left */
    uint64_t inline_total; /* batches that ran on the loop; counted by the pipeline */
    size_t open_jobs; /* now */
};

/* Borrows `l`, the loop's. */
int batcher_new(struct batcher **out, const struct batch_limits *limits, struct pool_local *l);
void batcher_free(struct batcher *b);
void batcher_set_limits(struct batcher *b, const struct batch_limits *limits);

/* Takes the job. *full is the batch that this job filled, owned by the caller, or NULL.
 * -ENOMEM: the caller still owns the job. */
int batch_add(struct batcher *b, struct job *job, struct batch **full);

/* Returns owned: the oldest open batch, closed for `cause`; NULL when there is none. */
struct batch *batch_close(struct batcher *b, enum batch_cause cause);

/* Returns borrowed: the oldest open batch, which batch_close() would return; NULL when none. */
const struct batch *batch_oldest(const struct batcher *b);

/* Gives an emptied batch back. Its jobs must be gone. */
void batch_free(struct batcher *b, struct batch *batch);

void batch_stats(const struct batcher *b, struct batch_stats *out);

#endif
