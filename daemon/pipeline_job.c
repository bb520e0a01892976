/* One job's way through the pipeline: admitted, looked up, batched, finished.
 *
 * Results for inline answers are allocated before the job runs, so that a lack of memory is an
 * early answer and never a half-done job. Large operands are digested, and large cached results
 * copied, by a worker: the loop would stall every other client meanwhile.
 */
#include "config.h"

#include "pipeline_priv.h"

#include <assert.h>
#include <string.h>

#include "call.h"
#include "wasm.h"

/* Operands up to this are digested, and results copied, by the loop: some 5 us. */
enum { LOOP_BYTES_MAX = 64 * 1024 };

/* When memory is short, somebody's job must end first. */
enum { MEMORY_RETRY_US = 10000 };

/* A result is worth a lookup if computing it takes several times what digesting it does. */
enum { DIGEST_PS_PER_BYTE = 100, DIGEST_FIXED_NS = 200, CACHE_GAIN = 4, CACHE_MIN_NS = 5000 };

static void count_done(struct pipeline *p, struct job *job, uint64_t ran_ns)
{
    struct monitor_thread *t = monitor_loop(p->rooms.monitor);
    switch (job->status) {
    case WIRE_OK:
        monitor_add(t, MONITOR_jobs_done, 1);
        monitor_bump(&t->op_jobs[job->op], 1);
        monitor_bump(&t->op_run_ns[job->op], ran_ns);
        monitor_bump(&t->op_work[job->op], job->work);
        break;
    case WIRE_CANCELLED:
        monitor_add(t, MONITOR_jobs_cancelled, 1);
        break;
    default:
        monitor_add(t, MONITOR_jobs_failed, 1);
    }
    if (job->started_ns != 0) {
        monitor_observe(t, MONITOR_STAGE_batch, job->batched_ns - job->arrived_ns);
        monitor_observe(t, MONITOR_STAGE_queue, job->started_ns - job->batched_ns);
        monitor_observe(t, MONITOR_STAGE_run, job->ended_ns - job->started_ns);
    }
}

void pipeline_job_finish(struct pipeline *p, struct job *job, uint64_t ran_ns)
{
    if (job->status == WIRE_OVERLOADED && job->retry_after_us == 0)
        job->retry_after_us = MEMORY_RETRY_US;
    count_done(p, job, ran_ns);
    if (job->wasm != NULL)
        wasm_count_job(p->rooms.wasm, client_uid(job->client),
                       job->call != NULL ? job->call->module : NULL, job->status == WIRE_OK,
                       job->status == WIRE_OK ? ran_ns : 0);
    if (job->keyed && !job->cached && job->status == WIRE_OK && job->out_buf != NULL)
        (void)cache_put(p->rooms.cache, job->key, job->out_buf, job->out_bytes);
    admission_leave(p->rooms.admission, job->client, job->total_bytes, ran_ns);
    p->in_flight--;
    job->done(job);
}

void pipeline_fail(struct pipeline *p, struct job *job, enum wire_status status)
{
    job->status = (uint16_t)status;
    pipeline_job_finish(p, job, 0);
}

/* The user's segment is full: somebody's job must end first. */
static void job_fail_memory(struct pipeline *p, struct job *job)
{
    pipeline_fail(p, job, WIRE_OVERLOADED);
}

/* Sends one job to a worker by itself. */
static void job_send(struct pipeline *p, struct job *job, enum batch_errand errand)
{
    struct batch *batch = batch_of_one(p->rooms.batcher, job, errand);
    if (batch == NULL) {
        pipeline_fail(p, job, WIRE_OUT_OF_MEMORY);
        return;
    }
    if (errand != BATCH_RUN)
        batch->estimate_ns = job->total_bytes * DIGEST_PS_PER_BYTE / 1000;
    pipeline_batch_leave(p, batch);
}

static void job_batch(struct pipeline *p, struct job *job)
{
    /* It would hold the whole chunk that it was read into for as long. Without memory it does. */
    if (job->estimate_ns > p->limits.inline_max_ns && job->wasm == NULL)
        (void)job_own_operands(p->rooms.local, job);
    /* Too large to run here however small its company, so waiting for some is no use. */
    if (job->info == NULL || job->estimate_ns > p->limits.inline_max_ns) {
        job->split = job->info != NULL && job->estimate_ns > p->limits.split_min_ns;
        job_send(p, job, BATCH_RUN);
        return;
    }
    struct batch *full;
    if (batch_add(p->rooms.batcher, job, &full) < 0)
        pipeline_fail(p, job, WIRE_OUT_OF_MEMORY);
    else if (full != NULL)
        pipeline_batch_leave(p, full);
}

static bool cache_is_worth(const struct job *job)
{
    /* A call may be anything, and a user's guests can write where results of wasm jobs lie. */
    if (job->info == NULL || (job->wasm != NULL && job->cache_mode == WIRE_CACHE_AUTO))
        return false;
    /* A result with gaps between its rows would carry the gaps along. */
    if (job->info->family == KERN_matmul && job->args.u.matmul.ldc != job->args.u.matmul.n)
        return false;
    if (job->cache_mode != WIRE_CACHE_AUTO)
        return job->cache_mode == WIRE_CACHE_ALWAYS;
    uint64_t digest_ns = DIGEST_FIXED_NS + job->total_bytes * DIGEST_PS_PER_BYTE / 1000;
    return job->estimate_ns > CACHE_MIN_NS && job->estimate_ns / CACHE_GAIN > digest_ns;
}

void pipeline_job_look_up(struct pipeline *p, struct job *job)
{
    size_t bytes;
    struct buf *hit = cache_get(p->rooms.cache, job->key, &bytes);
    job->keyed = true;
    if (hit == NULL) {
        job_batch(p, job);
        return;
    }
    assert(bytes == job->out_bytes); /* the key covers the shape */
    job->cached = true;
    buf_put(p->rooms.local, job->out_buf);
    job->out_buf = hit;
    if (job->arenas[KERN_IN_MAX] != NULL) {
        if (bytes > LOOP_BYTES_MAX) {
            job_send(p, job, BATCH_COPY);
            return;
        }
        memcpy(job->args.out, hit->data, bytes);
    }
    job->status = WIRE_OK;
    pipeline_job_finish(p, job, 0);
}

static void job_consider_cache(struct pipeline *p, struct job *job)
{
    if (!cache_is_worth(job)) {
        cache_bypass(p->rooms.cache);
        job_batch(p, job);
    } else if (job->total_bytes <= LOOP_BYTES_MAX) {
        job->key = digest_job(&p->digest, client_uid(job->client), job);
        pipeline_job_look_up(p, job);
    } else {
        job_send(p, job, BATCH_DIGEST);
    }
}

/* Memory for an answer that carries its result. */
static bool job_take_result(struct pipeline *p, struct job *job)
{
    /* A call's result may be known only when its function has been asked. */
    if (job->arenas[KERN_IN_MAX] != NULL || job->info == NULL)
        return true;
    job->out_buf = job_result_new(p->rooms.local, job);
    if (job->out_buf == NULL)
        return false;
    job->args.out = job->out_buf->data;
    return true;
}

enum wire_status pipeline_route(struct pipeline *p, struct job *job)
{
    if (job->backend == WIRE_BACKEND_AUTO)
        job->backend = (uint8_t)(job->info == NULL ? WIRE_BACKEND_WASM : p->rooms.backend);
    if (job->backend != WIRE_BACKEND_WASM)
        return job->info != NULL ? WIRE_OK : WIRE_NO_BACKEND;
    if (p->rooms.wasm == NULL || !wasm_usable(p->rooms.wasm))
        return WIRE_NO_BACKEND;
    struct wasm_user *user = wasm_user_of(p->rooms.wasm, client_uid(job->client));
    if (user == NULL || wasm_user_segment(user) == NULL)
        return WIRE_OVERLOADED;
    if (job->total_bytes >= WINDOW_END - WINDOW_ARENAS)
        return WIRE_TOO_BIG;
    job->wasm = user;
    return WIRE_OK;
}

enum wire_status pipeline_admit(struct pipeline *p, struct job *job)
{
    if (p->draining)
        return WIRE_SHUTTING_DOWN;
    enum wire_status status = admission_enter(p->rooms.admission, job->client, job->total_bytes,
                                              &job->retry_after_us);
    if (status != WIRE_OK)
        return status;
    if (!job_take_result(p, job)) {
        admission_leave(p->rooms.admission, job->client, job->total_bytes, 0);
        job->retry_after_us = MEMORY_RETRY_US;
        return WIRE_OVERLOADED;
    }
    monitor_add(monitor_loop(p->rooms.monitor), MONITOR_jobs_accepted, 1);
    p->in_flight++;
    return WIRE_OK;
}

void pipeline_submit(struct pipeline *p, struct job *job)
{
    int64_t moved = job_share_operands(p->rooms.local, job);
    if (moved < 0) {
        job_fail_memory(p, job);
        return;
    }
    if (moved > 0)
        wasm_count_copied(job->wasm, (uint64_t)moved);
    const struct cost *cost = job->wasm != NULL ? &p->wasm_cost : &p->cost;
    job->estimate_ns = JOB_OVERHEAD_NS + cost_estimate_ns(cost, (enum kern_op)job->op, job->work);
    job->isa = (uint16_t)(job->wasm != NULL ? wasm_isa(p->rooms.wasm) : p->rooms.native->isa);
    job_consider_cache(p, job);
}

