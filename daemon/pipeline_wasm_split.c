/* Wasm jobs that have a worker to themselves, or several: large ones in ranges, calls of users'
 * functions, errands. See pipeline_wasm.c. */
#include "config.h"

#include "pipeline_wasm.h"

#include <stdio.h>
#include <string.h>

#include "call.h"
#include "clock.h"
#include "module_errand.h"

/* Each range costs a wake-up of its partner and one of its worker, some 50 us; so a few large ones
 * per worker, but none so long that it could not stop soon when its client has gone. */
enum { RANGES_PER_WORKER = 4, RANGE_MIN_NS = 500000, RANGE_MAX_NS = 5000000 };

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

/* The first one counts; a process that has died is none: the job may run again. */
static void split_fail(struct wasm_split *split, enum wire_status status, const char *reason)
{
    uint32_t none = WIRE_OK;
    /* relaxed: sched_for() orders what the others do before the job's worker goes on */
    if (status == WIRE_WASM_CRASHED) {
        atomic_store_explicit(&split->died, true, memory_order_relaxed);
        return;
    }
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
        split_fail(split, task_status(take), task_words(take).text);
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

static uint64_t range_ns(const struct wasm_split *split, const struct kern_plan *plan)
{
    uint64_t phase_ns = split->job->estimate_ns / plan->phase_count;
    uint64_t ns = phase_ns / (split->p->worker_count * RANGES_PER_WORKER);
    return ns < RANGE_MIN_NS ? RANGE_MIN_NS : ns > RANGE_MAX_NS ? RANGE_MAX_NS : ns;
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
        sched_for(w, units,
                  pipeline_range_grain(job, &plan, units, range_ns(split, &plan)), split_range,
                  split);
    }
    segment_give(job_segment(job), shared);
}

/* ---- calls ---- */

static void array_to_host(struct host_array *to, const struct call_array *a, uint32_t at)
{
    *to = (struct host_array){
        .at = at, .type = a->type, .rank = a->rank, .bytes = (uint32_t)a->bytes};
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

    *to = (struct host_call){
        .in_count = call->in_count, .param_count = call->param_count, .end = 1};
    enum wire_status status = wasm_module_load(split->session, call->module, &to->module,
                                               &functions, &count, reason);
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
    if (status != WIRE_OK)
        split_fail(split, status, reason);
}

/* What is added may take long to compile, or kill the process; others of the user run meanwhile. */
static bool job_is_adding(const struct job *job)
{
    return job->module != NULL && job->module->kind == MODULE_ERRAND_ADD;
}

void pipeline_run_wasm_alone(struct pipeline *p, struct sched_worker *w, struct job *job)
{
    for (unsigned tries = 1;; tries++) {
        char reason[HOST_REASON_BYTES];
        struct wasm_split split = {.p = p, .job = job};
        job->status = (uint16_t)job_stop_status(job);
        if (job->status != WIRE_OK)
            return;
        enum wire_status status = job_is_adding(job)
                                      ? wasm_enter_alone(job->wasm, &split.session, reason)
                                      : wasm_enter(job->wasm, &split.session, reason);
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
            job_fail(job, task_overtime_status(job), "");
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
