/* The batch processor: add, close, and why.
 *
 * Open batches form one list by age. A job looks for the batch of its kind from the newest end:
 * the jobs of one read are mostly of one kind, so the first look finds it. Few kinds are open at a
 * time, since the loop closes what it can at the end of each pass.
 */
#include "config.h"

#include "batch.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct batcher {
    struct batch *oldest, *newest;
    struct pool_local *local;
    struct batch_limits limits;
    struct batch_stats stats;
};

int batcher_new(struct batcher **out, const struct batch_limits *limits, struct pool_local *l)
{
    struct batcher *b = calloc(1, sizeof(*b));
    if (b == NULL)
        return -ENOMEM;
    b->limits = *limits;
    b->local = l;
    *out = b;
    return 0;
}

void batcher_free(struct batcher *b)
{
    assert(b == NULL || b->oldest == NULL);
    free(b);
}

void batcher_set_limits(struct batcher *b, const struct batch_limits *limits)
{
    b->limits = *limits;
}

static bool batch_is_for(const struct batch *batch, const struct job *job)
{
    return batch->op == job->op && batch->client == job->client &&
           batch->backend == job->backend && batch->priority == job->priority;
}

static struct batch *batch_new(struct batcher *b, const struct job *job)
{
    struct batch *batch = pool_take_vital(b->local, sizeof(*batch)); /* its jobs have theirs */
    if (batch == NULL)
        return NULL;
    memset(batch, 0, sizeof(*batch));
    batch->client = job->client;
    batch->op = job->op;
    batch->backend = job->backend;
    batch->priority = job->priority;
    batch->oldest_ns = job->arrived_ns;
    return batch;
}

static void batch_append(struct batch *batch, struct job *job)
{
    job->next = NULL;
    if (batch->last != NULL)
        batch->last->next = job;
    else
        batch->first = job;
    batch->last = job;
    batch->count++;
    batch->bytes += job->total_bytes;
    /* Bounded, since whose turn it is comes by portions of it. */
    batch->estimate_ns += job->estimate_ns < UINT32_MAX ? job->estimate_ns : UINT32_MAX;
}

static void count_left(struct batcher *b, const struct batch *batch, enum batch_cause cause)
{
    b->stats.batches_total++;
    b->stats.jobs_total += batch->count;
    b->stats.bytes_total += batch->bytes;
    b->stats.closed_total[cause]++;
}

int batch_add(struct batcher *b, struct job *job, struct batch **full)
{
    struct batch *batch = b->newest;
    while (batch != NULL && !batch_is_for(batch, job))
        batch = batch->older;
    if (batch == NULL) {
        batch = batch_new(b, job);
        if (batch == NULL)
            return -ENOMEM;
        batch->older = b->newest;
        if (b->newest != NULL)
            b->newest->next = batch;
        else
            b->oldest = batch;
        b->newest = batch;
    }
    batch_append(batch, job);
    b->stats.open_jobs++;

    *full = NULL;
    if (batch->count >= b->limits.max_jobs) {
        batch_close(b, batch, BATCH_FULL_JOBS);
        *full = batch;
    } else if (batch->bytes >= b->limits.max_bytes) {
        batch_close(b, batch, BATCH_FULL_BYTES);
        *full = batch;
    }
    return 0;
}

struct batch *batch_of_one(struct batcher *b, struct job *job, enum batch_errand errand)
{
    struct batch *batch = batch_new(b, job);
    if (batch == NULL)
        return NULL;
    batch->errand = errand;
    batch_append(batch, job);
    if (errand == BATCH_RUN)
        count_left(b, batch, BATCH_LARGE);
    return batch;
}

struct batch *batch_oldest(const struct batcher *b)
{
    return b->oldest;
}

void batch_close(struct batcher *b, struct batch *batch, enum batch_cause cause)
{
    if (batch->older != NULL)
        batch->older->next = batch->next;
    else
        b->oldest = batch->next;
    if (batch->next != NULL)
        batch->next->older = batch->older;
    else
        b->newest = batch->older;
    batch->next = batch->older = NULL;
    b->stats.open_jobs -= batch->count;
    count_left(b, batch, cause);
}

uint64_t batch_deadline_ns(const struct batcher *b)
{
    return b->oldest == NULL ? UINT64_MAX : b->oldest->oldest_ns + b->limits.max_delay_ns;
}

void batch_free(struct batcher *b, struct batch *batch)
{
    pool_give(b->local, batch, sizeof(*batch));
}

void batch_stats(const struct batcher *b, struct batch_stats *out)
{
    *out = b->stats;
}
