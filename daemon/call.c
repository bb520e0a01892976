/* Calls: the head of a request, checked field by field.
 *
 * Sums saturate at SIZE_MAX as in protocol/shape.c: one look at the end finds what did not fit.
 *
 * Not here: whether there is such a module and function, and whether the operands suit it.
 */
#include "config.h"

#include "call.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/kern.h"
#include "module_store.h"
#include "protocol/shape.h"

_Static_assert((int)WIRE_CALL_IN_MAX == (int)KERN_IN_MAX, "a job's operands have as many places");

enum { ARRAY_OUT = WIRE_CALL_IN_MAX };

/* What error answers call the fields of the arrays. */
static const struct {
    const char *array, *type, *rank, *zero, *dim[WIRE_RANK_MAX];
} names[WIRE_CALL_IN_MAX + 1] = {
    {"in0", "in0.type", "in0.rank", "in0.zero", {"in0.dim0", "in0.dim1", "in0.dim2", "in0.dim3"}},
    {"in1", "in1.type", "in1.rank", "in1.zero", {"in1.dim0", "in1.dim1", "in1.dim2", "in1.dim3"}},
    {"in2", "in2.type", "in2.rank", "in2.zero", {"in2.dim0", "in2.dim1", "in2.dim2", "in2.dim3"}},
    {"result", "result.type", "result.rank", "result.zero",
     {"result.dim0", "result.dim1", "result.dim2", "result.dim3"}},
};

static const char *const param_names[WIRE_PARAMS_MAX] = {
    "param0", "param1", "param2", "param3", "param4", "param5", "param6", "param7",
};

static enum wire_status refuse(enum wire_status status, const char **field, const char *name)
{
    *field = name;
    return status;
}

static size_t add_sat(size_t a, size_t b)
{
    return b > SIZE_MAX - a ? SIZE_MAX : a + b;
}

size_t call_head_bytes(const struct wire_request *h)
{
    return sizeof(struct wire_call) + wire_pad(h->arg[2]);
}

/* ---- names ---- */

bool call_name_is_valid(const char *name, size_t name_bytes)
{
    if (name_bytes == 0 || name_bytes > WIRE_NAME_MAX || name[0] == '.')
        return false;
    for (size_t i = 0; i < name_bytes; i++) {
        char c = name[i];
        bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                    c == '_' || c == '.' || c == '-';
        if (!fine)
            return false;
    }
    return true;
}

/* Functions are called what their compiler called them: anything that can be printed, but '/'. */
static bool function_is_valid(const char *name, size_t name_bytes)
{
    if (name_bytes == 0 || name_bytes > WIRE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name_bytes; i++) {
        unsigned char c = (unsigned char)name[i];
        if (c <= 0x20 || c == 0x7f || c == '/')
            return false;
    }
    return true;
}

enum wire_status call_set_name(struct call *call, struct call_name *name, const char *text,
                               size_t text_bytes)
{
    const char *slash = memchr(text, '/', text_bytes);
    if (slash == NULL)
        return WIRE_BAD_NAME;
    size_t module_bytes = (size_t)(slash - text);
    size_t function_bytes = text_bytes - module_bytes - 1;
    if (!call_name_is_valid(text, module_bytes) || !function_is_valid(slash + 1, function_bytes))
        return WIRE_BAD_NAME;
    memcpy(name->module, text, module_bytes);
    name->module[module_bytes] = '\0';
    memcpy(call->function, slash + 1, function_bytes);
    call->function[function_bytes] = '\0';
    return WIRE_OK;
}

/* ---- arrays ---- */

static enum wire_status array_check(struct call_array *a, unsigned *dim)
{
    struct wire_array w = {.type = a->type, .rank = a->rank};
    memcpy(w.dim, a->dim, sizeof(w.dim));
    return shape_array(&w, &a->bytes, dim);
}

enum wire_status call_array_check(struct call_array *a)
{
    unsigned dim;
    return array_check(a, &dim);
}

static enum wire_status check_named(struct call_array *a, unsigned at, const char **field)
{
    unsigned dim;
    enum wire_status status = array_check(a, &dim);
    if (status == WIRE_OK)
        return WIRE_OK;
    if (dim < WIRE_RANK_MAX)
        *field = names[at].dim[dim];
    else if (status == WIRE_BAD_PARAMETER)
        *field = names[at].type;
    else
        *field = status == WIRE_BAD_SHAPE ? names[at].rank : names[at].array;
    return status;
}

size_t call_inline_bytes(const struct call *call)
{
    size_t bytes = 0;
    for (unsigned i = 0; i < call->in_count; i++)
        bytes = add_sat(bytes, wire_pad(call->in[i].bytes));
    return bytes;
}

size_t call_total_bytes(const struct call *call)
{
    size_t result_bytes = call->out_known ? call->out.bytes : call->in[0].bytes;
    return add_sat(call_inline_bytes(call), wire_pad(result_bytes));
}

enum wire_status call_check(struct call *call, size_t max_bytes, const char **field)
{
    enum wire_status status = WIRE_OK;
    for (unsigned i = 0; i < call->in_count && status == WIRE_OK; i++)
        status = check_named(&call->in[i], i, field);
    if (status == WIRE_OK && call->out_known)
        status = check_named(&call->out, ARRAY_OUT, field);
    if (status != WIRE_OK)
        return status;
    size_t total_bytes = call_total_bytes(call);
    if (total_bytes == SIZE_MAX)
        return refuse(WIRE_SIZE_OVERFLOW, field, NULL);
    return total_bytes > max_bytes ? refuse(WIRE_TOO_BIG, field, NULL) : WIRE_OK;
}

/* ---- the head ---- */

static enum wire_status take_array(struct call_array *out, const struct wire_array *w, bool used,
                                   unsigned at, const char **field)
{
    static const struct wire_array zero;
    if (!used)
        return memcmp(w, &zero, sizeof(zero)) == 0
                   ? WIRE_OK
                   : refuse(WIRE_BAD_RESERVED, field, names[at].array);
    if (w->zero != 0)
        return refuse(WIRE_BAD_RESERVED, field, names[at].zero);
    out->type = w->type;
    out->rank = w->rank;
    memcpy(out->dim, w->dim, sizeof(out->dim));
    return WIRE_OK;
}

static enum wire_status take_params(struct call *call, const struct wire_call *w,
                                    const char **field)
{
    static const double zero;
    for (unsigned i = 0; i < WIRE_PARAMS_MAX; i++) {
        /* the bits: a negative zero is no zero here */
        if (i >= call->param_count && memcmp(&w->param[i], &zero, sizeof(zero)) != 0)
            return refuse(WIRE_BAD_RESERVED, field, param_names[i]);
        call->param[i] = w->param[i];
    }
    return WIRE_OK;
}

enum wire_status call_parse(struct call *out, struct call_name *name, const struct wire_request *h,
                            const uint8_t *p, size_t max_bytes, const char **field)
{
    struct wire_call w;
    memcpy(&w, p, sizeof(w));
    *field = NULL;
    *out = (struct call){
        .in_count = (uint8_t)h->arg[0],
        .param_count = (uint8_t)h->arg[1],
        .out_known = h->arg[3] == 1,
    };

    enum wire_status status = call_set_name(out, name, (const char *)p + sizeof(w), h->arg[2]);
    if (status != WIRE_OK)
        return refuse(status, field, "name");
    for (unsigned i = 0; i < WIRE_CALL_IN_MAX && status == WIRE_OK; i++)
        status = take_array(&out->in[i], &w.in[i], i < out->in_count, i, field);
    if (status == WIRE_OK)
        status = take_array(&out->out, &w.out, out->out_known, ARRAY_OUT, field);
    if (status == WIRE_OK)
        status = take_params(out, &w, field);
    return status == WIRE_OK ? call_check(out, max_bytes, field) : status;
}

void call_free(struct call *call)
{
    if (call == NULL)
        return;
    module_put(call->module);
    free(call);
}
