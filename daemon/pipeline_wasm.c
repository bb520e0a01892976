/* The workers' part of the pipeline for jobs that run in simdd-wasm.
 *
 * A batch goes over in one stream of tasks: each phase of each job is one, a worker's lane takes
 * them in order, and one wake-up serves them all. A job that is worth several workers is run range
 * by range instead, each through the lane of the worker that took it; so is a call whose module
 * says how it splits.
 *
 * Jobs are pure, so when a process dies those that were in it run again in its successor: the job
 * that was running then twice at most, the others as often as it takes, up to TRIES_MAX.
 */
#include "config.h"

#include "pipeline_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "module_errand.h"
#include "segment.h"
#include "wasm.h"

/* Each range costs a wake-up of its partner and one of its worker, some 50 us; so a few large ones
 * per worker, but none so long that it could not stop soon when its client has gone. */
enum { RANGES_PER_WORKER = 4, RANGE_MIN_NS = 500000, RANGE_MAX_NS = 5000000 };

enum { TRIES_MAX = 16, SUSPECT_MAX = 2 };

static enum wire_status status_of(uint32_t host)
{
    switch ((enum host_status)host) {
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

/* What stands behind the sentence: the words of whoever failed; of a function, after its number. */
struct task_words {
    char text[HOST_REASON_BYTES + 16];
};

static struct task_words task_words(const struct host_task *t)
{
    struct task_words words;
    if (t->status != HOST_FAILED)
        (void)snprintf(words.text, sizeof(words.text), "%s", t->reason);
    else
        (void)snprintf(words.text, sizeof(words.text), t->reason[0] != '\0' ? "%d: %s" : "%d%s",
                       (int)t->value, t->reason);
    return words;
}

/* Without memory for it the answer goes without. */
static void job_set_reason(struct job *job, const char *reason)
{
    if (reason[0] == '\0' || job->reason != NULL)
        return;
    job->reason = strdup(reason);
}

static void job_fail(struct job *job, enum wire_status status, const char *reason)
{
    if (job->status != WIRE_OK)
        return;
    job->status = (uint16_t)status;
    job_set_reason(job, reason);
}

static enum wire_status job_stop_status(const struct job *job)
{
    if (job_is_gone(job))
        return WIRE_CANCELLED;
    return job->deadline_ns != 0 && clock_ns() > job->deadline_ns ? WIRE_DEADLINE_EXCEEDED
                                                                  : WIRE_OK;
}

/* When a task that has run since started_ns must end. */
static uint64_t task_until(struct pipeline *p, const struct job *job, uint64_t started_ns)
{
    struct wasm_limits limits;
    wasm_get_limits(p->rooms.wasm, &limits);
    uint64_t until = started_ns + limits.max_run_ns;
    return job->deadline_ns != 0 && job->deadline_ns < until ? job->deadline_ns : until;
}

/* Why a process was killed over this job. */
static enum wire_status overtime_status(const struct job *job)
{
    return job->deadline_ns != 0 && clock_ns() >= job->deadline_ns ? WIRE_DEADLINE_EXCEEDED
                                                                   : WIRE_WASM_TIMEOUT;
}

static struct segment *job_segment(const struct job *job)
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

/* All of it but phase and range. */
static enum wire_status kernel_fill(struct pipeline *p, struct wasm_session *s,
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
        job_fail(st->head, status_of(t->status), task_words(t).text);
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
        head->status = (uint16_t)overtime_status(head);
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
        if (outcome != WASM_ALL_ENDED)
            stream_rewind(&st, outcome);
        wasm_leave(st.session);
        if (outcome == WASM_ALL_ENDED)
            return;
    }
}

/* ---- ranges of one large job ---- */

struct wasm_split {
    struct pipeline *p;
    struct job *job;
    struct wasm_session *session;
    struct host_task task; /* all but range, scratch and outcome */
    size_t scratch_bytes;
    /* any worker */
    _Atomic uint32_t status;    /* a failure, if there was one; who sets it sets the job's reason */
    _Atomic bool died, overtime;
    _Atomic uint64_t busy_ns;
};

/* One task by itself. */
struct single {
    struct wasm_split *split;
    const struct host_task *give;
    struct host_task *take;
    bool given;
};

static bool single_next(void *ctx, struct host_task *t)
{
    struct single *one = ctx;
    if (one->given)
        return false;
    one->given = true;
    t->kind = one->give->kind;
    t->u = one->give->u;
    return true;
}

static void single_ended(void *ctx, const struct host_task *t)
{
    struct single *one = ctx;
    *one->take = *t;
}

static uint64_t single_until(void *ctx, uint64_t started_ns)
{
    struct single *one = ctx;
    return task_until(one->split->p, one->split->job, started_ns);
}

static void split_fail(struct wasm_split *split, enum wire_status status, const char *reason)
{
    uint32_t none = WIRE_OK;
    /* relaxed: sched_for() orders what the others do before the job's worker goes on */
    if (atomic_compare_exchange_strong_explicit(&split->status, &none, (uint32_t)status,
                                                memory_order_relaxed, memory_order_relaxed))
        job_set_reason(split->job, reason);
}

/* Runs it on the calling worker's lane: true if it ended well. */
static bool task_run(struct wasm_split *split, unsigned worker, const struct host_task *give,
                     struct host_task *take)
{
    struct single one = {.split = split, .give = give, .take = take};
    const struct wasm_feed feed = {.next = single_next,
                                   .ended = single_ended,
                                   .until = single_until,
                                   .ctx = &one};
    switch (wasm_run(split->session, worker, &feed)) {
    case WASM_ALL_ENDED:
        if (take->status == HOST_OK)
            return true;
        split_fail(split, status_of(take->status), task_words(take).text);
        return false;
    case WASM_OVERTIME:
        atomic_store_explicit(&split->overtime, true, memory_order_relaxed);
        break;
    case WASM_DIED:
        atomic_store_explicit(&split->died, true, memory_order_relaxed);
        break;
    }
    return false;
}

static bool split_is_over(struct wasm_split *split)
{
    return atomic_load_explicit(&split->status, memory_order_relaxed) != WIRE_OK ||
           atomic_load_explicit(&split->died, memory_order_relaxed) ||
           atomic_load_explicit(&split->overtime, memory_order_relaxed);
}

static void split_range(struct sched_worker *w, void *ctx, size_t begin, size_t end)
{
    struct wasm_split *split = ctx;
    struct host_task task = {.kind = split->task.kind, .u = split->task.u}, ended;
    struct segment *segment = job_segment(split->job);
    void *scratch = NULL;

    pipeline_worker_step(&split->p->workers[sched_worker_index(w)]);
    if (split_is_over(split))
        return;
    enum wire_status stop = job_stop_status(split->job);
    if (stop != WIRE_OK) {
        split_fail(split, stop, "");
        return;
    }
    uint64_t start_ns = clock_ns();
    if (task.kind == HOST_TASK_KERNEL) {
        task.u.kernel.begin = (uint32_t)begin;
        task.u.kernel.end = (uint32_t)end;
        if (split->scratch_bytes > 0) {
            scratch = segment_take(segment, split->scratch_bytes);
            if (scratch == NULL) {
                split_fail(split, WIRE_OVERLOADED,
                           "wasm_segment_max: no room for the job's own memory");
                return;
            }
            task.u.kernel.scratch = (uint32_t)(WINDOW_SEGMENT + segment_offset(segment, scratch));
        }
    } else {
        task.u.call.begin = (uint32_t)begin;
        task.u.call.end = (uint32_t)end;
    }
    (void)task_run(split, sched_worker_index(w), &task, &ended);
    segment_give(segment, scratch);
    atomic_fetch_add_explicit(&split->busy_ns, clock_ns() - start_ns, memory_order_relaxed);
}

static size_t range_grain(const struct wasm_split *split, uint32_t phase_count, size_t units)
{
    uint64_t phase_ns = (uint64_t)split->job->estimate_ns / phase_count + 1;
    uint64_t range_ns = phase_ns / (split->p->worker_count * RANGES_PER_WORKER);
    range_ns = range_ns < RANGE_MIN_NS ? RANGE_MIN_NS
               : range_ns > RANGE_MAX_NS ? RANGE_MAX_NS : range_ns;
    uint64_t grain = (uint64_t)units * range_ns / phase_ns;
    return grain < 1 ? 1 : grain > units ? units : (size_t)grain;
}

static void run_kernel_ranges(struct wasm_split *split, struct sched_worker *w)
{
    struct job *job = split->job;
    const enum kern_isa isa = wasm_isa(split->p->rooms.wasm);
    const enum kern_op op = (enum kern_op)job->op;
    struct kern_plan plan;
    void *shared = NULL;

    kern_plan(&plan, op, isa, &job->args);
    pipeline_clear_gaps(job);
    split->task.kind = HOST_TASK_KERNEL;
    split->scratch_bytes = plan.scratch_bytes;
    enum wire_status status = kernel_fill(split->p, split->session, job, &split->task.u.kernel);
    if (status == WIRE_OK && plan.shared_bytes > 0) {
        shared = segment_take(job_segment(job), plan.shared_bytes);
        if (shared == NULL)
            status = WIRE_OVERLOADED;
        else
            split->task.u.kernel.shared = (uint32_t)(WINDOW_SEGMENT +
                                                     segment_offset(job_segment(job), shared));
    }
    if (status != WIRE_OK)
        split_fail(split, status, "");
    for (uint32_t phase = 0; phase < plan.phase_count && !split_is_over(split); phase++) {
        size_t units = kern_phase_units(op, isa, &job->args, phase);
        split->task.u.kernel.phase = phase;
        sched_for(w, units, range_grain(split, plan.phase_count, units), split_range, split);
    }
    segment_give(job_segment(job), shared);
}

/* ---- calls ---- */

static void array_to_host(struct host_array *to, const struct call_array *a, uint32_t at)
{
    *to = (struct host_array){.at = at, .type = a->type, .rank = a->rank, .bytes = (uint32_t)a->bytes};
    for (unsigned i = 0; i < 4; i++)
        to->dim[i] = i < a->rank ? a->dim[i] : 0;
}

/* Type and shape of the result, as the module says, or as operand 0 has them; and its memory. */
static bool call_result(struct wasm_split *split, unsigned worker, const struct host_function *f,
                        struct pool_local *local)
{
    struct job *job = split->job;
    struct call *call = job->call;
    struct host_task ended;
    if (!call->out_known) {
        call->out = call->in[0];
        if (f->shapes) {
            split->task.kind = HOST_TASK_SHAPE;
            if (!task_run(split, worker, &split->task, &ended))
                return false;
            call->out = (struct call_array){.type = (uint8_t)ended.result.type,
                                            .rank = (uint8_t)ended.result.rank};
            if (ended.result.type > UINT8_MAX || ended.result.rank > WIRE_RANK_MAX) {
                split_fail(split, WIRE_BAD_RESULT, "no such type or rank");
                return false;
            }
            memcpy(call->out.dim, ended.result.dim, sizeof(call->out.dim));
            for (unsigned i = call->out.rank; i < WIRE_RANK_MAX; i++)
                call->out.dim[i] = 0;
        }
        enum wire_status status = call_array_check(&call->out);
        if (status != WIRE_OK) {
            split_fail(split, WIRE_BAD_RESULT, wire_status_sentence(status));
            return false;
        }
        call->out_known = true;
    }
    struct wasm_limits limits;
    wasm_get_limits(split->p->rooms.wasm, &limits);
    if (call->out.bytes > limits.result_max) {
        split_fail(split, WIRE_RESULT_TOO_BIG, "");
        return false;
    }
    job->out_bytes = call->out.bytes;
    if (job->arenas[KERN_IN_MAX] == NULL && job->out_buf == NULL) {
        job->out_buf = job_result_new(local, job);
        if (job->out_buf == NULL) {
            split_fail(split, WIRE_OVERLOADED, "wasm_segment_max: no room for the result");
            return false;
        }
        job->args.out = job->out_buf->data;
    }
    uint32_t at;
    enum wire_status status = wasm_window_at(split->session, job->args.out, job->out_bytes,
                                             job->arenas[KERN_IN_MAX], &at);
    if (status != WIRE_OK) {
        split_fail(split, status, "");
        return false;
    }
    array_to_host(&split->task.u.call.out, &call->out, at);
    return true;
}

static bool call_fill(struct wasm_split *split, struct host_function *f)
{
    const struct job *job = split->job;
    const struct call *call = job->call;
    struct host_call *to = &split->task.u.call;
    const struct host_function *functions;
    size_t count, i = 0;
    char reason[HOST_REASON_BYTES] = "";

    *to = (struct host_call){.in_count = call->in_count, .param_count = call->param_count, .end = 1};
    enum wire_status status = wasm_module_load(split->session, call->module, &to->module,
                                               &functions, &count, reason);
    if (status == WIRE_WASM_CRASHED) {
        atomic_store_explicit(&split->died, true, memory_order_relaxed);
        return false;
    }
    if (status == WIRE_OK) {
        while (i < count && strcmp(functions[i].name, call->function) != 0)
            i++;
        if (i == count) {
            status = WIRE_FUNCTION_UNKNOWN;
            (void)snprintf(reason, sizeof(reason), "%s", call->function);
        }
    }
    for (unsigned k = 0; status == WIRE_OK && k < call->in_count; k++) {
        uint32_t at;
        status = wasm_window_at(split->session, job->args.in[k], call->in[k].bytes, job->arenas[k],
                                &at);
        array_to_host(&to->in[k], &call->in[k], at);
    }
    if (status != WIRE_OK) {
        split_fail(split, status, reason);
        return false;
    }
    to->function = (uint32_t)i;
    memcpy(to->param, call->param, sizeof(to->param));
    *f = functions[i];
    return true;
}

static void run_call(struct wasm_split *split, struct sched_worker *w)
{
    const unsigned worker = sched_worker_index(w);
    struct host_function f;
    struct host_task ended;
    if (!call_fill(split, &f) ||
        !call_result(split, worker, &f, split->p->workers[worker].local))
        return;
    size_t units = 1;
    if (f.splits) {
        split->task.kind = HOST_TASK_UNITS;
        if (!task_run(split, worker, &split->task, &ended))
            return;
        units = ended.value > 0 ? (size_t)ended.value : 1;
    }
    split->task.kind = HOST_TASK_CALL;
    /* Nothing is known of what a unit costs, so each worker gets a few ranges. */
    size_t grain = units / (split->p->worker_count * 4);
    sched_for(w, units, grain < 1 ? 1 : grain, split_range, split);
}

/* ---- */

static void run_errand(struct wasm_split *split)
{
    struct job *job = split->job;
    char reason[HOST_REASON_BYTES] = "";
    enum wire_status status = module_errand_run(job->module, split->session, reason);
    if (status == WIRE_WASM_CRASHED)
        atomic_store_explicit(&split->died, true, memory_order_relaxed);
    else if (status != WIRE_OK)
        split_fail(split, status, reason);
}

static void run_alone(struct pipeline *p, struct sched_worker *w, struct job *job)
{
    for (unsigned tries = 1;; tries++) {
        char reason[HOST_REASON_BYTES];
        struct wasm_split split = {.p = p, .job = job};
        job->status = (uint16_t)job_stop_status(job);
        if (job->status != WIRE_OK)
            return;
        enum wire_status status = wasm_enter(job->wasm, &split.session, reason);
        if (status != WIRE_OK) {
            job_fail(job, status, reason);
            return;
        }
        if (job->module != NULL)
            run_errand(&split);
        else if (job->call != NULL)
            run_call(&split, w);
        else
            run_kernel_ranges(&split, w);
        bool died = atomic_load_explicit(&split.died, memory_order_relaxed);
        bool overtime = atomic_load_explicit(&split.overtime, memory_order_relaxed);
        bool innocent = died && wasm_was_killed(split.session);
        wasm_leave(split.session);
        job->busy_ns = atomic_load_explicit(&split.busy_ns, memory_order_relaxed);
        status = (enum wire_status)atomic_load_explicit(&split.status, memory_order_relaxed);
        if (status != WIRE_OK) {
            job->status = (uint16_t)status;
            return;
        }
        if (overtime) {
            job_fail(job, overtime_status(job), "");
            return;
        }
        if (!died)
            return;
        if ((!innocent && ++job->suspected >= SUSPECT_MAX) || tries >= TRIES_MAX) {
            job_fail(job, WIRE_WASM_CRASHED, "");
            return;
        }
    }
}

void pipeline_run_wasm(struct pipeline *p, struct sched_worker *w, struct batch *batch)
{
    struct job *first = batch->first;
    if (first->split || first->call != NULL || first->module != NULL)
        run_alone(p, w, first);
    else
        run_stream(p, sched_worker_index(w), first);
}
