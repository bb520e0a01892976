/* One task in a module.
 *
 * Its description is copied into the instance's call page; operands and results lie in the window
 * already and are not touched here.
 */
#include "config.h"

#include "call.h"

#include <string.h>

#include "guest.h"
#include "instance.h"
#include "reason.h"

static void *call_page(const struct instance *i)
{
    return window_base(i->window) + WINDOW_CALL;
}

void kernel_run(struct partner *p, struct host_task *task)
{
    struct instance *i = instance_get(p, p->house->kernels, task);
    if (i == NULL)
        return;
    memcpy(call_page(i), &task->u.kernel, sizeof task->u.kernel);
    instance_call(i, &i->kern, (int32_t)WINDOW_CALL, NULL, task);
}

/* ---- users' modules ---- */

/* A guest may multiply all four dimensions. */
static struct host_array described(struct host_array a)
{
    for (uint32_t d = a.rank; d < 4; d++)
        a.dim[d] = 1;
    return a;
}

static void describe(struct guest_call *out, const struct host_call *call)
{
    memset(out, 0, sizeof *out);
    out->version = GUEST_VERSION;
    out->in_count = call->in_count;
    for (uint32_t i = 0; i < KERN_IN_MAX; i++)
        out->in[i] = described(call->in[i]);
    out->out = described(call->out);
    out->begin = call->begin;
    out->end = call->end;
    out->param_count = call->param_count;
    memcpy(out->param, call->param, sizeof out->param);
}

/* Calls FUNCTION followed by `tail`. Returns whether it answered 0 or more; *answer has it. */
static bool enter(struct instance *i, const struct host_function *f, const char *tail,
                  int32_t *answer, struct host_task *task)
{
    char name[sizeof f->name + 8];
    wasmtime_func_t function;

    size_t bytes = strlen(f->name), tail_bytes = strlen(tail);
    memcpy(name, f->name, bytes);
    memcpy(name + bytes, tail, tail_bytes);
    if (!instance_function(i, name, bytes + tail_bytes, &function)) {
        task->status = HOST_NO_FUNCTION;
        return false;
    }
    return instance_call(i, &function, (int32_t)WINDOW_CALL, answer, task);
}

/* The function's own error number. */
static void fail(struct host_task *task, int32_t number, const struct guest_call *page)
{
    char text[HOST_REASON_BYTES];

    task->status = HOST_FAILED;
    task->value = number;
    memcpy(text, page->reason, sizeof text);
    reason_copy(task->reason, text, strnlen(text, sizeof text));
}

static void run_function(struct instance *i, const struct host_function *f, struct host_task *task)
{
    struct guest_call *page = call_page(i);
    int32_t answer = 0;

    describe(page, &task->u.call);
    if (enter(i, f, "", &answer, task) && answer != 0)
        fail(task, answer, page);
}

static void run_units(struct instance *i, const struct host_function *f, struct host_task *task)
{
    int32_t answer = 1;

    if (f->splits) {
        describe(call_page(i), &task->u.call);
        if (!enter(i, f, ".units", &answer, task))
            return;
    }
    task->value = answer;
    if (answer < 1) {
        task->status = HOST_BAD_SHAPE;
        reason_format(task->reason, "%s.units answered %d: a call has 1 unit at least", f->name,
                      answer);
    }
}

/* Completes a type and a shape with its size, or says why it cannot be. */
static void check_shape(struct host_array *a, const char *function, struct host_task *task)
{
    uint64_t bytes = a->type <= KERN_u64 ? kern_type_bytes((enum kern_type)a->type) : 0;

    task->status = HOST_BAD_SHAPE;
    if (bytes == 0) {
        reason_format(task->reason, "%s.shape: type %u is none", function, a->type);
        return;
    }
    if (a->rank < 1 || a->rank > 4) {
        reason_format(task->reason, "%s.shape: rank %u is not 1 to 4", function, a->rank);
        return;
    }
    for (uint32_t d = 0; d < 4; d++) {
        if (d >= a->rank) {
            a->dim[d] = 0;
            continue;
        }
        if (a->dim[d] == 0) {
            reason_format(task->reason, "%s.shape: dim[%u] is 0", function, d);
            return;
        }
        bytes *= a->dim[d]; /* both below 2^32 */
        if (bytes > UINT32_MAX) {
            reason_format(task->reason, "%s.shape: the result has 4 GiB or more", function);
            return;
        }
    }
    task->status = HOST_OK;
    a->at = 0;
    a->bytes = (uint32_t)bytes;
    task->result = *a;
}

static void run_shape(struct instance *i, const struct host_function *f, struct host_task *task)
{
    struct guest_call *page = call_page(i);
    struct host_array shape = task->u.call.in[0];
    int32_t answer = 0;

    if (f->shapes) {
        describe(page, &task->u.call);
        memset(&page->out, 0, sizeof page->out);
        if (!enter(i, f, ".shape", &answer, task))
            return;
        if (answer != 0) {
            fail(task, answer, page);
            return;
        }
        shape = page->out;
    }
    check_shape(&shape, f->name, task);
}

static void run_in(struct partner *p, struct module *m, struct host_task *task)
{
    const struct host_call *call = &task->u.call;

    if (call->function >= m->function_count) {
        task->status = HOST_NO_FUNCTION;
        return;
    }
    const struct host_function *f = &m->functions[call->function];
    struct instance *i = instance_get(p, m, task);
    if (i == NULL)
        return;
    if (task->kind == HOST_TASK_CALL)
        run_function(i, f, task);
    else if (task->kind == HOST_TASK_UNITS)
        run_units(i, f, task);
    else
        run_shape(i, f, task);
}

void call_run(struct partner *p, struct host_task *task)
{
    struct module *m = modules_get(p->house->modules, task->u.call.module);
    if (m == NULL) {
        task->status = HOST_NO_FUNCTION;
        return;
    }
    run_in(p, m, task);
    module_put(m);
}
