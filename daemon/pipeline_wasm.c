/* The workers' part of the pipeline for jobs that run in simdd-wasm.
 *
 * A batch goes over in one stream of tasks: each phase of each job is one, a worker's lane takes
 * them in order, and one wake-up serves them all. A job that is worth several workers is run range
 * by range instead, each through the lane of the worker that took it; so is a call whose module
 * says how it splits (pipeline_wasm_split.c).
 *
 * Jobs are pure, so when a process dies those that were in it run again in its successor: the job
 * that was running then twice at most, the others as often as it takes, up to TRIES_MAX.
 */
#include "config.h"

#include "pipeline_wasm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* A task whose client has gone may go on for so long: to end it costs the others in the process a
 * second run. */
#define GONE_NS ((uint64_t)100000000)

/* ---- what both ways share ---- */

enum wire_status task_status(const struct host_task *t)
{
    switch ((enum host_status)t->status) {
    case HOST_OK:
        return WIRE_OK;
    case HOST_FAILED:
        return WIRE_WASM_FAILED;
    case HOST_TRAP_MEMORY:
    case HOST_TRAP_STACK:
    case HOST_TRAP_CODE:
    case HOST_TRAP_MATH:
        return WIRE_WASM_TRAP;
    case HOST_BAD_IMPORT:
        return WIRE_WASM_BAD_IMPORT;
    case HOST_BAD_SHAPE:
        return WIRE_BAD_RESULT;
    case HOST_NO_MEMORY:
        return WIRE_WASM_MEMORY;
    case HOST_NO_FUNCTION:
        return WIRE_FUNCTION_UNKNOWN;
    case HOST_INTERNAL:
    case HOST_STATUS_COUNT:
        break;
    }
    return WIRE_INTERNAL;
}

struct task_words task_words(const struct host_task *t)
{
    struct task_words words;
    if (t->status != HOST_FAILED)
        (void)snprintf(words.text, sizeof(words.text), "%s", t->reason);
    else
        (void)snprintf(words.text, sizeof(words.text), t->reason[0] != '\0' ? "%d: %s" : "%d%s",
                       (int)t->value, t->reason);
    return words;
}

void job_set_reason(struct job *job, const char *reason)
{
    if (reason[0] == '\0' || job->reason != NULL)
        return;
    job->reason = strdup(reason);
}

void job_fail(struct job *job, enum wire_status status, const char *reason)
{
    if (job->status != WIRE_OK)
        return;
    job->status = (uint16_t)status;
    job_set_reason(job, reason);
}

enum wire_status job_stop_status(const struct job *job)
{
    if (job_is_gone(job))
        return WIRE_CANCELLED;
    return job->deadline_ns != 0 && clock_ns() > job->deadline_ns ? WIRE_DEADLINE_EXCEEDED
                                                                  : WIRE_OK;
}

uint64_t task_until(struct pipeline *p, const struct job *job, uint64_t started_ns)
{
    struct wasm_limits limits;
    wasm_get_limits(p->rooms.wasm, &limits);
    uint64_t until = started_ns + limits.max_run_ns;
    if (job_is_gone(job) && started_ns + GONE_NS < until)
        until = started_ns + GONE_NS;
    return job->deadline_ns != 0 && job->deadline_ns < until ? job->deadline_ns : until;
}

enum wire_status task_overtime_status(const struct job *job)
{
    if (job_is_gone(job))
        return WIRE_CANCELLED;
    return job->deadline_ns != 0 && clock_ns() >= job->deadline_ns ? WIRE_DEADLINE_EXCEEDED
                                                                   : WIRE_WASM_TIMEOUT;
}

struct segment *job_segment(const struct job *job)
{
    return wasm_user_segment_made(job->wasm);
}

/* ---- a daemon's op as a task ---- */

static enum wire_status kernel_addresses(struct wasm_session *s, const struct job *job,
                                         struct host_kernel *k)
{
    for (unsigned i = 0; i < KERN_IN_MAX; i++) {
        enum wire_status status = wasm_window_at(s, job->args.in[i], job->in_bytes[i],
                                                 job->arenas[i], &k->in[i]);
        if (status != WIRE_OK)
            return status;
    }
    return wasm_window_at(s, job->args.out, job->out_bytes, job->arenas[KERN_IN_MAX], &k->out);
}

static void kernel_sizes(const struct job *job, struct host_kernel *k)
{
    switch (job->info->family) {
    case KERN_zip:
        k->n = (uint32_t)job->args.u.zip.n;
        break;
    case KERN_map:
        k->n = (uint32_t)job->args.u.map.n;
        break;
    case KERN_hash:
        k->n = (uint32_t)job->args.u.hash.n_bytes;
        k->count = (uint32_t)job->args.u.hash.count;
        break;
    case KERN_matmul:
        k->u.matmul = job->args.u.matmul;
        break;
    case KERN_conv2d:
        k->u.conv2d = job->args.u.conv2d;
        break;
    }
}

enum wire_status kernel_fill(struct pipeline *p, struct wasm_session *s,
                                    const struct job *job, struct host_kernel *k)
{
    *k = (struct host_kernel){.op = job->op, .isa = (uint32_t)wasm_isa(p->rooms.wasm)};
    kernel_sizes(job, k);
    return kernel_addresses(s, job, k);
}

/* ---- a stream of small jobs ---- */

struct stream {
    struct pipeline *p;
    struct wasm_session *session;
    struct job *push; /* whose task comes next */
    uint32_t push_phase;
    struct job *head; /* whose task is the oldest that has not ended */
    uint32_t head_phase;
    struct host_kernel kernel; /* of `push`, but for phase and range */
    bool lost; /* the process died while `push` was made ready for it */
};

static void stream_release(struct job *job)
{
    segment_give(job_segment(job), job->work_memory);
    job->work_memory = NULL;
    job->phases = 0;
}

/* The job's tasks can be filled in now, or it has its status and no tasks. */
static void stream_prepare(struct stream *st, struct job *job)
{
    struct kern_plan plan;
    job->phases = 0;
    job->status = (uint16_t)job_stop_status(job);
    if (job->status != WIRE_OK)
        return;
    pipeline_clear_gaps(job);
    kern_plan(&plan, (enum kern_op)job->op, wasm_isa(st->p->rooms.wasm), &job->args);
    job->status = (uint16_t)kernel_fill(st->p, st->session, job, &st->kernel);
    if (job->status != WIRE_OK)
        return;
    const size_t shared_bytes = (plan.shared_bytes + 63) / 64 * 64;
    if (shared_bytes + plan.scratch_bytes > 0) {
        job->work_memory = segment_take(job_segment(job), shared_bytes + plan.scratch_bytes);
        if (job->work_memory == NULL) {
            job_fail(job, WIRE_OVERLOADED, "wasm_segment_max: no room for the job's own memory");
            return;
        }
        uint32_t at = (uint32_t)(WINDOW_SEGMENT + segment_offset(job_segment(job),
                                                                 job->work_memory));
        st->kernel.shared = at;
        st->kernel.scratch = at + (uint32_t)shared_bytes;
    }
    job->phases = plan.phase_count;
}

static bool stream_next(void *ctx, struct host_task *t)
{
    struct stream *st = ctx;
    while (st->push != NULL && st->push_phase == 0) {
        stream_prepare(st, st->push);
        if (st->push->phases > 0)
            break;
        st->lost = st->push->status == WIRE_WASM_CRASHED;
        if (st->lost)
            return false;
        if (st->head == st->push)
            st->head = st->push->next;
        st->push = st->push->next;
    }
    struct job *job = st->push;
    if (job == NULL)
        return false;
    st->kernel.phase = st->push_phase;
    st->kernel.begin = 0;
    st->kernel.end = (uint32_t)kern_phase_units((enum kern_op)job->op, wasm_isa(st->p->rooms.wasm),
                                                &job->args, st->push_phase);
    t->kind = HOST_TASK_KERNEL;
    t->u.kernel = st->kernel;
    if (++st->push_phase == job->phases) {
        st->push = job->next;
        st->push_phase = 0;
    }
    return true;
}

/* The head's tasks are over: so is the head, and those behind it that never had any. */
static void stream_pop(struct stream *st)
{
    stream_release(st->head);
    st->head_phase = 0;
    do
        st->head = st->head->next;
    while (st->head != st->push && st->head != NULL && st->head->phases == 0);
}

static void stream_ended(void *ctx, const struct host_task *t)
{
    struct stream *st = ctx;
    if (t->status != HOST_OK)
        job_fail(st->head, task_status(t), task_words(t).text);
    if (++st->head_phase == st->head->phases)
        stream_pop(st);
}

static uint64_t stream_until(void *ctx, uint64_t started_ns)
{
    struct stream *st = ctx;
    return task_until(st->p, st->head, started_ns);
}

/* What is left begins anew; the job that was running may be to blame. */
static void stream_rewind(struct stream *st, enum wasm_outcome outcome)
{
    struct job *head = st->head;
    for (struct job *job = head; job != NULL; job = job->next) {
        if (job->phases > 0)
            stream_release(job);
    }
    head->tries++;
    if (outcome == WASM_OVERTIME) {
        head->status = (uint16_t)task_overtime_status(head);
        st->head = head->next;
    } else if (!wasm_was_killed(st->session) && ++head->suspected >= SUSPECT_MAX) {
        head->status = WIRE_WASM_CRASHED;
        st->head = head->next;
    } else if (head->tries >= TRIES_MAX) {
        head->status = WIRE_WASM_CRASHED;
        st->head = head->next;
    }
    st->push = st->head;
    st->push_phase = st->head_phase = 0;
}

static void run_stream(struct pipeline *p, unsigned worker, struct job *first)
{
    struct stream st = {.p = p, .push = first, .head = first};
    const struct wasm_feed feed = {.next = stream_next,
                                   .ended = stream_ended,
                                   .until = stream_until,
                                   .ctx = &st};
    while (st.head != NULL) {
        char reason[HOST_REASON_BYTES];
        enum wire_status status = wasm_enter(first->wasm, &st.session, reason);
        if (status != WIRE_OK) {
            for (; st.head != NULL; st.head = st.head->next) {
                st.head->status = WIRE_OK;
                job_fail(st.head, status, reason);
            }
            return;
        }
        enum wasm_outcome outcome = wasm_run(st.session, worker, &feed);
        if (outcome == WASM_ALL_ENDED && st.lost)
            outcome = WASM_DIED;
        if (outcome != WASM_ALL_ENDED)
            stream_rewind(&st, outcome);
        st.lost = false;
        wasm_leave(st.session);
        if (outcome == WASM_ALL_ENDED)
            return;
    }
}

/* ---- */

void pipeline_run_wasm(struct pipeline *p, struct sched_worker *w, struct batch *batch)
{
    struct job *first = batch->first;
    if (first->split || first->call != NULL || first->module != NULL)
        pipeline_run_wasm_alone(p, w, first);
    else
        run_stream(p, sched_worker_index(w), first);
}
