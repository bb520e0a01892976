/* A job's memory: what it holds and where its operands lie.
 *
 * A job borrows nothing but its connection and client: operands, results and arenas are counted
 * references, so a job may outlive the frame it came in and the arena's number. What it means for
 * a shape to be right is protocol/shape.c; here only contents are looked at (hash offsets).
 */
#include "config.h"

#include "job.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "module_errand.h"
#include "wasm.h"

/* The pool's class of 256 holds it; the next one is four times as large. */
_Static_assert(sizeof(struct job) <= 448, "a job has grown; look at what it needs");

/* A buffer so many times as large as the job is not its own. */
enum { OWN_FACTOR = 4 };

struct job *job_new(struct pool_local *l)
{
    struct job *job = pool_take(l, sizeof(*job));
    if (job != NULL)
        memset(job, 0, sizeof(*job));
    return job;
}

void job_free(struct pool_local *l, struct job *job)
{
    if (job == NULL)
        return;
    buf_put(l, job->in_buf);
    buf_put(l, job->offsets_buf);
    buf_put(l, job->out_buf);
    if (job->arenas_used) {
        for (size_t i = 0; i < KERN_IN_MAX + 1; i++)
            arena_put(job->arenas[i]);
    }
    call_free(job->call);
    module_errand_free(job->module);
    free(job->reason);
    free(job->json_id);
    pool_give(l, job, sizeof(*job));
}

/* What every job's header says. */
static void set_manner(struct job *job, const struct wire_request *h)
{
    job->id = h->id;
    job->backend = h->backend;
    job->priority = h->priority;
    job->cache_mode = (uint8_t)((h->flags & WIRE_F_CACHE_MASK) >> WIRE_F_CACHE_SHIFT);
}

void job_set_call(struct job *job, struct call *call, const struct wire_request *h)
{
    set_manner(job, h);
    job->backend = WIRE_BACKEND_WASM; /* auto means nothing else here */
    job->call = call;
    job->in_count = call->in_count;
    for (unsigned i = 0; i < call->in_count; i++)
        job->in_bytes[i] = call->in[i].bytes;
    job->out_bytes = call->out_known ? call->out.bytes : 0;
    job->total_bytes = call_total_bytes(call);
}

void job_set_shape(struct job *job, const struct shape *shape, const struct wire_request *h)
{
    set_manner(job, h);
    job->info = shape->info;
    job->args = shape->args;
    job->op = (uint8_t)h->op;
    job->in_count = (uint8_t)shape->in_count;
    for (unsigned i = 0; i < shape->in_count; i++)
        job->in_bytes[i] = shape->in_bytes[i];
    job->out_bytes = shape->out_bytes;
    job->total_bytes = shape->total_bytes;
    job->work = kern_work((enum kern_op)h->op, &shape->args);
}

void job_set_inline(struct job *job, struct buf *buf, const uint8_t *payload)
{
    job->in_buf = buf_get(buf);
    for (unsigned i = 0; i < job->in_count; i++) {
        job->args.in[i] = payload;
        payload += wire_pad(job->in_bytes[i]);
    }
    if (job->module != NULL) {
        job->module->bytes = job->args.in[0];
        job->module->byte_count = job->in_bytes[0];
    }
}

/* The offsets of a message are read several times, so they must not change in between. */
static enum wire_status offsets_copy(struct pool_local *l, struct job *job)
{
    job->offsets_buf = buf_new(l, job->in_bytes[1]);
    if (job->offsets_buf == NULL)
        return WIRE_OVERLOADED;
    memcpy(job->offsets_buf->data, job->args.in[1], job->in_bytes[1]);
    job->args.in[1] = job->offsets_buf->data;
    return WIRE_OK;
}

enum wire_status job_check_offsets(struct pool_local *l, struct job *job)
{
    if (job->info == NULL || job->info->family != KERN_hash || job->in_count < 2)
        return WIRE_OK;
    /* In a guest they can do no more than end it by a trap. */
    if (job->wasm == NULL && (job->in_buf == NULL || job->in_buf->segment != NULL)) {
        enum wire_status status = offsets_copy(l, job);
        if (status != WIRE_OK)
            return status;
    }
    const uint64_t *offsets = job->args.in[1];
    uint64_t before = 0;
    for (size_t i = 0; i <= job->args.u.hash.count; i++) {
        if (offsets[i] < before || offsets[i] > job->args.u.hash.n_bytes)
            return WIRE_BAD_OFFSETS;
        before = offsets[i];
    }
    return WIRE_OK;
}

struct buf *job_buf_new(struct pool_local *l, const struct job *job, size_t bytes)
{
    if (job->wasm == NULL)
        return buf_new(l, bytes);
    return buf_new_shared(l, wasm_user_segment_made(job->wasm), bytes);
}

/* Returns the bytes moved, or -ENOMEM. */
static int64_t operands_move(struct pool_local *l, struct job *job)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < job->in_count; i++)
        bytes += wire_pad(job->in_bytes[i]);
    struct buf *shared = job_buf_new(l, job, bytes);
    if (shared == NULL)
        return -ENOMEM;
    size_t at = 0;
    for (unsigned i = 0; i < job->in_count; i++) {
        memcpy(shared->data + at, job->args.in[i], job->in_bytes[i]);
        job->args.in[i] = shared->data + at;
        at += wire_pad(job->in_bytes[i]);
    }
    buf_put(l, job->in_buf);
    job->in_buf = shared;
    return (int64_t)bytes;
}

int64_t job_share_operands(struct pool_local *l, struct job *job)
{
    if (job->wasm == NULL || job->in_buf == NULL || job->in_buf->segment != NULL)
        return 0;
    return operands_move(l, job);
}

int job_own_operands(struct pool_local *l, struct job *job)
{
    if (job->in_buf == NULL || job->in_buf->bytes / OWN_FACTOR < job->total_bytes)
        return 0;
    return operands_move(l, job) < 0 ? -ENOMEM : 0;
}

struct buf *job_result_new(struct pool_local *l, const struct job *job)
{
    size_t padded = wire_pad(job->out_bytes);
    struct buf *b = job_buf_new(l, job, padded);
    if (b != NULL)
        memset(b->data + job->out_bytes, 0, padded - job->out_bytes);
    return b;
}
