/* Users' functions and modules: their requests, and what their answers bring.
 *
 * A function's result may be of a size that only its module knows. It is then read into memory of
 * the request's, like the text of a metrics request, and handed over with its type and shape.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "handle.h"

_Static_assert((int)SIMDD_F32 == KERN_f32 && (int)SIMDD_I32 == KERN_i32 &&
                   (int)SIMDD_U32 == KERN_u32 && (int)SIMDD_U8 == KERN_u8 &&
                   (int)SIMDD_U64 == KERN_u64 && (int)SIMDD_MODULE_ALL == (int)WIRE_MODULE_ALL,
               "the public enums are the wire's");

enum { NAME_BYTES_MAX = 2 * WIRE_NAME_MAX + 1 };

void simdd_function_init(struct simdd_function *f, const char *name, uint32_t in_count,
                         const struct simdd_array *in, struct simdd_array *out)
{
    memset(f, 0, sizeof(*f));
    f->name = name;
    f->in_count = in_count;
    for (uint32_t i = 0; i < in_count && i < WIRE_CALL_IN_MAX; i++)
        f->in[i] = in[i];
    f->out = out;
}

/* ---- requests ---- */

static struct wire_array array_to_wire(const struct simdd_array *a)
{
    /* what does not fit is what no type or rank has */
    struct wire_array w = {.type = (uint8_t)((unsigned)a->type > UINT8_MAX ? UINT8_MAX : a->type),
                           .rank = (uint8_t)(a->rank > UINT8_MAX ? UINT8_MAX : a->rank)};
    for (uint32_t i = 0; i < WIRE_RANK_MAX && i < a->rank; i++)
        w.dim[i] = a->dim[i];
    return w;
}

static int check_function(const struct simdd_function *f, const char **field)
{
    if (f->name == NULL || f->out == NULL)
        return -EINVAL;
    if (strlen(f->name) > NAME_BYTES_MAX) {
        *field = "name";
        return WIRE_BAD_NAME;
    }
    if (f->in_count < 1 || f->in_count > WIRE_CALL_IN_MAX) {
        *field = "in_count";
        return WIRE_BAD_PARAMETER;
    }
    if (f->param_count > WIRE_PARAMS_MAX) {
        *field = "param_count";
        return WIRE_BAD_PARAMETER;
    }
    if ((unsigned)f->priority > UINT8_MAX || (unsigned)f->cache > WIRE_CACHE_NEVER)
        return -EINVAL;
    return f->out->rank != 0 && f->out->data == NULL ? -EINVAL : 0;
}

/* Operands and result into the head of the payload and into d. */
static int describe(struct wire_call *w, struct request_data *d, const struct simdd_function *f,
                    const char **field)
{
    static const char *const names[] = {"in0", "in1", "in2"};
    unsigned dim;
    d->in_count = f->in_count;
    for (uint32_t i = 0; i < f->in_count; i++) {
        w->in[i] = array_to_wire(&f->in[i]);
        int status = (int)shape_array(&w->in[i], &d->in_bytes[i], &dim);
        if (status != WIRE_OK) {
            *field = names[i];
            return status;
        }
        d->in[i] = f->in[i].data;
    }
    memcpy(w->param, f->param, f->param_count * sizeof(f->param[0]));
    if (f->out->rank == 0)
        return 0;
    w->out = array_to_wire(f->out);
    *field = "result";
    d->out = f->out->data;
    return (int)shape_array(&w->out, &d->out_bytes, &dim);
}

int request_encode_function(struct request *r, struct memory *m, const char **field)
{
    const struct simdd_function *f = r->function;
    int err = check_function(f, field);
    if (err != 0)
        return err;
    size_t name_bytes = strlen(f->name);
    size_t head_bytes = sizeof(struct wire_call) + wire_pad(name_bytes);
    struct wire_call w = {.in = {{.type = 0}}};
    struct request_data d = {.out = NULL};
    err = describe(&w, &d, f, field);
    if (err != 0)
        return err;
    *field = NULL;
    if (r->head == NULL && (r->head = calloc(1, head_bytes)) == NULL)
        return -ENOMEM;
    memcpy(r->head, &w, sizeof(w));
    memcpy((uint8_t *)r->head + sizeof(w), f->name, name_bytes);

    request_encode_header(r, WIRE_CALL);
    r->header.priority = (uint8_t)f->priority;
    r->header.deadline_us = f->deadline_us;
    r->header.flags = (uint16_t)((unsigned)f->cache << WIRE_F_CACHE_SHIFT);
    r->header.arg[0] = f->in_count;
    r->header.arg[1] = f->param_count;
    r->header.arg[2] = (uint32_t)name_bytes;
    r->header.arg[3] = f->out->rank != 0;
    return request_encode_data(r, m, &d, head_bytes);
}

/* A request about a module: its name, then `bytes`. */
static int encode_module(struct request *r, enum wire_type type, const char *name, unsigned flags,
                         const void *bytes, size_t byte_count)
{
    size_t name_bytes = name != NULL ? strlen(name) : 0;
    if (name_bytes > WIRE_NAME_MAX)
        return WIRE_BAD_NAME;
    if (byte_count > UINT32_MAX)
        return WIRE_MODULE_TOO_BIG;
    if (flags > WIRE_MODULE_ALL || (bytes == NULL && byte_count > 0))
        return -EINVAL;
    request_encode_plain(r, type, (uint32_t)name_bytes);
    r->header.arg[1] = flags;
    r->header.arg[2] = (uint32_t)byte_count;
    if (name_bytes == 0)
        return type == WIRE_MODULE_LIST ? 0 : WIRE_BAD_NAME;
    r->head = strdup(name);
    if (r->head == NULL)
        return -ENOMEM;
    r->part[0] = r->head;
    r->part_bytes[0] = name_bytes;
    r->part[1] = bytes;
    r->part_bytes[1] = byte_count;
    r->part_count = byte_count > 0 ? 2 : 1;
    r->header.payload_bytes = wire_pad(name_bytes) + wire_pad(byte_count);
    r->frame_bytes = WIRE_HEADER_BYTES + (size_t)r->header.payload_bytes;
    return 0;
}

/* ---- answers ---- */

static struct wire_array array_of_answer(const struct wire_answer *a)
{
    struct wire_array w = {
        .type = (uint8_t)((a->flags & WIRE_A_TYPE_MASK) >> WIRE_A_TYPE_SHIFT),
        .rank = (uint8_t)((a->flags & WIRE_A_RANK_MASK) >> WIRE_A_RANK_SHIFT)};
    memcpy(w.dim, a->dim, sizeof(w.dim));
    return w;
}

bool request_answer_fits(const struct request *r, const struct wire_answer *a)
{
    struct wire_array is = array_of_answer(a), want = array_to_wire(r->function->out);
    size_t bytes;
    unsigned dim;
    if (r->function->out->rank != 0 && memcmp(&is, &want, sizeof(is)) != 0)
        return false;
    return shape_array(&is, &bytes, &dim) == WIRE_OK &&
           ((a->flags & WIRE_A_IN_ARENA) != 0 || bytes == a->result_bytes);
}

void request_deliver_function(struct request *r)
{
    struct wire_array w = array_of_answer(&r->answer);
    struct simdd_array *out = r->function->out;
    if (out->rank != 0)
        return;
    out->type = (enum simdd_type)w.type;
    out->rank = w.rank;
    memcpy(out->dim, w.dim, sizeof(out->dim));
    out->data = r->text;
    r->text = NULL;
}

/* ---- the interface ---- */

/* Returns owned (free): a copy with its name behind it, or NULL. */
static struct simdd_function *function_copy(const struct simdd_function *f)
{
    size_t name_bytes = f->name != NULL ? strlen(f->name) + 1 : 0;
    struct simdd_function *copy = malloc(sizeof(*copy) + name_bytes);
    if (copy == NULL)
        return NULL;
    *copy = *f;
    if (name_bytes > 0)
        copy->name = memcpy(copy + 1, f->name, name_bytes);
    return copy;
}

int simdd_function_submit(struct simdd *s, const struct simdd_function *f, simdd_done_fn *done,
                          void *arg)
{
    struct request *r;
    int err = handle_begin(s, &r);
    if (err < 0)
        return err;
    r->function = function_copy(f);
    return r->function != NULL ? handle_submit(s, r, done, arg) : handle_give_up(s, r, -ENOMEM);
}

int simdd_function_call(struct simdd *s, const struct simdd_function *f,
                        struct simdd_result *result)
{
    struct handle_call call = {.done = false};
    int err = handle_call_begin(s);
    if (err == 0)
        err = simdd_function_submit(s, f, handle_call_done, &call);
    return handle_call_end(s, &call, err, result);
}

/* One request that its caller waits for. */
static int call_module(struct simdd *s, enum wire_type type, const char *name, unsigned flags,
                       const void *bytes, size_t byte_count, char **text)
{
    struct request *r;
    struct handle_call call = {.text = text};
    int err = handle_call_begin(s);
    if (err == 0)
        err = handle_begin(s, &r);
    if (err < 0)
        return err;
    err = encode_module(r, type, name, flags, bytes, byte_count);
    if (err != 0)
        return handle_give_up(s, r, err);
    handle_queue(s, r, handle_call_done, &call);
    return handle_call_end(s, &call, 0, NULL);
}

int simdd_module_add(struct simdd *s, const char *name, const void *bytes, size_t byte_count,
                     unsigned flags)
{
    return call_module(s, WIRE_MODULE_ADD, name, flags, bytes, byte_count, NULL);
}

int simdd_module_remove(struct simdd *s, const char *name, unsigned flags)
{
    return call_module(s, WIRE_MODULE_REMOVE, name, flags, NULL, 0, NULL);
}

/* A request whose answer is text. */
static int call_text(struct simdd *s, enum wire_type type, const char *name, char **text)
{
    char *got = NULL;
    int err = call_module(s, type, name, 0, NULL, 0, &got);
    if (err == 0 && got == NULL) {
        handle_fail(s, -EPROTO, NULL);
        err = -EPROTO;
    }
    if (err == 0)
        *text = got;
    return err;
}

int simdd_module_list(struct simdd *s, char **text)
{
    return call_text(s, WIRE_MODULE_LIST, NULL, text);
}

int simdd_module_show(struct simdd *s, const char *name, char **text)
{
    return call_text(s, WIRE_MODULE_SHOW, name, text);
}
