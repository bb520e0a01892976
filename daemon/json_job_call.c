/* Members of a call -> what a frame's head would have said.
 *
 * A JSON array has no type: one that stands alone is f32, any other stands in an object that says
 * so, {"type":"u8","data":[...]}. There a flat array may have a shape beside it.
 */
#include "config.h"

#include "json_job_priv.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "json_array.h"
#include "protocol/shape.h"

/* By enum kern_type. */
static const char *const type_names[] = {"f32", "i32", "u32", "u8", "u64", NULL};

/* Members of the object `v`, which are those in `names` and no others. */
static bool has_only(const json_t *v, const char *const *names)
{
    const char *key;
    json_t *value, *object = (json_t *)(uintptr_t)v; /* jansson's iterators are not const */
    json_object_foreach (object, key, value) {
        size_t i = 0;
        while (names[i] != NULL && strcmp(names[i], key) != 0)
            i++;
        if (names[i] == NULL)
            return false;
    }
    return true;
}

/* "type" of the object `v`; f32 if it has none. */
static enum wire_status take_type(uint8_t *type, const json_t *v)
{
    const json_t *name = json_object_get(v, "type");
    *type = KERN_f32;
    if (name == NULL)
        return WIRE_OK;
    for (uint8_t i = 0; type_names[i] != NULL; i++) {
        if (json_is_word(name, type_names[i])) {
            *type = i;
            return WIRE_OK;
        }
    }
    return json_is_string(name) ? WIRE_BAD_VALUE : WIRE_BAD_FIELD;
}

/* "shape" of the object `v` into the array's rank and dim. */
static enum wire_status take_shape(struct call_array *a, const json_t *v)
{
    const json_t *shape = json_object_get(v, "shape");
    if (!json_is_array(shape))
        return WIRE_BAD_FIELD;
    size_t rank = json_array_size(shape);
    if (rank < 1 || rank > WIRE_RANK_MAX)
        return WIRE_BAD_SHAPE;
    a->rank = (uint8_t)rank;
    for (size_t i = 0; i < rank; i++) {
        enum wire_status status = json_number(&a->dim[i], KERN_u32, json_array_get(shape, i));
        if (status != WIRE_OK)
            return status;
        if (a->dim[i] == 0)
            return WIRE_BAD_SHAPE;
    }
    return WIRE_OK;
}

/* The shape as the array nests. */
static enum wire_status shape_of_nesting(struct call_array *a, const struct json_dims *d)
{
    a->rank = (uint8_t)d->rank;
    for (unsigned i = 0; i < d->rank; i++) {
        if (d->size[i] > UINT32_MAX)
            return WIRE_BAD_SHAPE;
        a->dim[i] = (uint32_t)d->size[i];
    }
    return WIRE_OK;
}

/* A shape that is told beside the data: the data is flat and holds as much, or nests so. */
static enum wire_status check_told(const struct call_array *a, const struct json_dims *d)
{
    bool same = a->rank == d->rank;
    uint64_t elements = 1;
    for (unsigned i = 0; i < a->rank; i++) {
        same = same && a->dim[i] == d->size[i];
        if (elements > d->size[0]) /* and it only grows */
            break;
        elements *= a->dim[i];
    }
    return same || (d->rank == 1 && elements == d->size[0]) ? WIRE_OK : WIRE_SHAPE_MISMATCH;
}

static enum wire_status describe_array(struct json_parse *p, unsigned i, const json_t *v)
{
    static const char *const names[] = {"type", "shape", "data", NULL};
    struct call_array *a = &p->out->call->in[i];
    const json_t *data = v;
    bool told = false;
    enum wire_status status = WIRE_OK;

    a->type = KERN_f32;
    if (json_is_object(v)) {
        data = json_object_get(v, "data");
        told = json_object_get(v, "shape") != NULL;
        status = has_only(v, names) ? take_type(&a->type, v) : WIRE_BAD_FIELD;
        if (status == WIRE_OK && told)
            status = take_shape(a, v);
    }
    if (status == WIRE_OK)
        status = json_array_dims(&p->operand[i].dims, data);
    if (status == WIRE_OK)
        status = told ? check_told(a, &p->operand[i].dims)
                      : shape_of_nesting(a, &p->operand[i].dims);
    p->operand[i].value = data;
    p->operand[i].type = (enum kern_type)a->type;
    return status;
}

static enum wire_status take_operands(struct json_parse *p)
{
    static const char *const names[] = {"x", "y", "z"};
    struct call *call = p->out->call;

    for (unsigned i = 0; i < WIRE_CALL_IN_MAX; i++) {
        const json_t *v = json_object_get(p->root, names[i]);
        if (v == NULL) /* the first there must be, and none behind a gap */
            continue;
        if (call->in_count != i)
            return json_parse_refuse(p, WIRE_BAD_FIELD, names[call->in_count]);
        p->operand[i].name = names[i];
        enum wire_status status = describe_array(p, i, v);
        if (status != WIRE_OK)
            return json_parse_refuse(p, status, names[i]);
        call->in_count++;
    }
    return call->in_count > 0 ? WIRE_OK : json_parse_refuse(p, WIRE_BAD_FIELD, names[0]);
}

static enum wire_status take_params(struct json_parse *p)
{
    const json_t *v = json_object_get(p->root, "params");
    struct call *call = p->out->call;

    if (v == NULL)
        return WIRE_OK;
    if (!json_is_array(v))
        return json_parse_refuse(p, WIRE_BAD_FIELD, "params");
    if (json_array_size(v) > WIRE_PARAMS_MAX)
        return json_parse_refuse(p, WIRE_BAD_PARAMETER, "params");
    call->param_count = (uint8_t)json_array_size(v);
    for (size_t i = 0; i < call->param_count; i++) {
        const json_t *number = json_array_get(v, i);
        if (!json_is_number(number))
            return json_parse_refuse(p, WIRE_BAD_FIELD, "params");
        call->param[i] = json_number_value(number);
    }
    return WIRE_OK;
}

static enum wire_status take_result(struct json_parse *p)
{
    static const char *const names[] = {"type", "shape", NULL};
    const json_t *v = json_object_get(p->root, "result");
    struct call *call = p->out->call;

    if (v == NULL)
        return WIRE_OK;
    call->out_known = true;
    enum wire_status status = WIRE_BAD_FIELD;
    if (json_is_object(v) && has_only(v, names))
        status = take_type(&call->out.type, v);
    if (status == WIRE_OK)
        status = take_shape(&call->out, v);
    return status == WIRE_OK ? WIRE_OK : json_parse_refuse(p, status, "result");
}

enum wire_status json_parse_call(struct json_parse *p, const char *name, size_t name_bytes,
                                 size_t job_max_bytes)
{
    struct call *call = p->out->call = calloc(1, sizeof(*call));
    const char *at_fault = NULL;

    if (call == NULL)
        return WIRE_OUT_OF_MEMORY;
    p->out->header.type = WIRE_CALL;
    enum wire_status status = json_parse_members(p);
    if (status != WIRE_OK)
        return status;
    if (call_set_name(call, &p->out->call_name, name, name_bytes) != WIRE_OK)
        return json_parse_refuse(p, WIRE_BAD_NAME, "op");
    status = take_operands(p);
    if (status == WIRE_OK)
        status = take_params(p);
    if (status == WIRE_OK)
        status = take_result(p);
    if (status != WIRE_OK)
        return status;
    status = call_check(call, job_max_bytes, &at_fault);
    return status == WIRE_OK
               ? WIRE_OK
               : json_parse_refuse(p, status, at_fault != NULL ? at_fault : "");
}

enum wire_status json_parse_call_fill(struct json_parse *p, uint8_t *dst)
{
    const struct call *call = p->out->call;
    enum wire_status status = WIRE_OK;

    for (unsigned i = 0; i < call->in_count && status == WIRE_OK; i++)
        status = json_parse_fill_operand(p, i, &dst, call->in[i].bytes);
    return status;
}
