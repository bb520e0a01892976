/* A JSON line -> the header and payload that a frame would have carried.
 *
 * The line is looked over once for its id and its depth, then parsed into a tree. A family's
 * describe function (json_job_shape.c) turns members into the header's arguments; from there on
 * all jobs go one way: shape_check(), which judges every size before memory is asked for, then
 * the operands one after the other. So JSON can ask for nothing that a frame cannot, and both are
 * refused alike.
 *
 * Left out on purpose: leading dimensions, since nested arrays have no gaps, and arenas.
 */
#include "config.h"

#include "json_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "json_job_priv.h"
#include "json_scan.h"

enum {
    DEPTH_MAX = 16,    /* a request needs 4; status.def tells the number */
    ID_BYTES_MAX = 256 /* it is kept for as long as the job, and sent back */
};

/* What every job may say about how it is run. */
static enum wire_status take_manner(struct json_parse *p)
{
    static const char *const backends[] = {"auto", "native", "wasm", NULL};
    static const char *const priorities[] = {"normal", "high", "low", NULL};
    static const char *const caches[] = {"auto", "always", "never", NULL};
    uint32_t backend = WIRE_BACKEND_AUTO, priority = WIRE_PRIORITY_NORMAL, cache = WIRE_CACHE_AUTO;
    enum wire_status status;

    status = json_parse_word(p, &backend, backends, "backend", WIRE_BAD_BACKEND);
    if (status == WIRE_OK)
        status = json_parse_word(p, &priority, priorities, "priority", WIRE_BAD_PRIORITY);
    if (status == WIRE_OK)
        status = json_parse_word(p, &cache, caches, "cache", WIRE_BAD_PARAMETER);
    if (status != WIRE_OK)
        return status;
    p->out->header.backend = (uint8_t)backend;
    p->out->header.priority = (uint8_t)priority;
    p->out->header.flags |= (uint16_t)(cache << WIRE_F_CACHE_SHIFT);
    return json_parse_number(p, &p->out->header.deadline_us, KERN_u32, "deadline_us");
}

static enum wire_status parse_job(struct json_parse *p, size_t job_max_bytes, struct pool_local *l)
{
    struct json_request *out = p->out;
    const char *at_fault = NULL;
    enum wire_status status = json_parse_members(p);

    if (status == WIRE_OK)
        status = take_manner(p);
    if (status == WIRE_OK)
        status = json_parse_describe(p);
    if (status != WIRE_OK)
        return status;
    status = shape_check(&out->shape, &out->header, job_max_bytes, &at_fault);
    if (status != WIRE_OK)
        return json_parse_refuse(p, status, at_fault != NULL ? at_fault : "");
    out->payload = buf_new(l, out->shape.inline_bytes);
    if (out->payload == NULL)
        return WIRE_OVERLOADED;
    out->header.payload_bytes = out->shape.inline_bytes;
    return json_parse_fill(p, out->payload->data);
}

/* A function of a user's module. */
static enum wire_status parse_call(struct json_parse *p, const json_t *op, size_t job_max_bytes,
                                   struct pool_local *l)
{
    struct json_request *out = p->out;
    enum wire_status status =
        json_parse_call(p, json_string_value(op), json_string_length(op), job_max_bytes);
    if (status == WIRE_OK)
        status = take_manner(p);
    if (status == WIRE_OK && out->header.backend == WIRE_BACKEND_NATIVE)
        status = json_parse_refuse(p, WIRE_BAD_BACKEND, "backend");
    if (status != WIRE_OK)
        return status;
    size_t inline_bytes = call_inline_bytes(out->call);
    out->payload = buf_new(l, inline_bytes);
    if (out->payload == NULL)
        return WIRE_OVERLOADED;
    out->header.payload_bytes = inline_bytes;
    return json_parse_call_fill(p, out->payload->data);
}

static enum wire_status parse_request(struct json_parse *p, size_t job_max_bytes,
                                      struct pool_local *l)
{
    const json_t *op = json_object_get(p->root, "op");

    if (!json_is_string(op))
        return json_parse_refuse(p, WIRE_BAD_FIELD, "op");
    if (json_is_word(op, "ping") || json_is_word(op, "metrics")) {
        p->out->header.type = json_is_word(op, "ping") ? WIRE_PING : WIRE_METRICS;
        return json_parse_members(p);
    }
    if (memchr(json_string_value(op), '/', json_string_length(op)) != NULL)
        return parse_call(p, op, job_max_bytes, l);
    p->out->header.op = (uint16_t)kern_op_find(json_string_value(op), json_string_length(op));
    p->info = kern_op_info(p->out->header.op);
    if (p->info == NULL)
        return json_parse_refuse(p, WIRE_BAD_OP, "op");
    return parse_job(p, job_max_bytes, l);
}

static json_t *load(const char *text, size_t bytes, size_t flags, json_error_t *error)
{
    return json_loadb(text, bytes,
                      flags | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
                      error);
}

/* Copies the id as it was written, if it is a scalar that can go back as it is. */
static enum wire_status take_id(struct json_parse *p, const struct json_scan *scan)
{
    json_error_t error;

    if (scan->id == NULL)
        return WIRE_OK;
    if (scan->id_bytes > ID_BYTES_MAX)
        return json_parse_refuse(p, WIRE_BAD_FIELD, "id");
    json_t *id = load(scan->id, scan->id_bytes, JSON_DECODE_ANY, &error);
    if (id == NULL) /* the whole line will be refused for it */
        return WIRE_OK;
    json_decref(id);
    p->out->id_text = strndup(scan->id, scan->id_bytes);
    return p->out->id_text != NULL ? WIRE_OK : WIRE_OUT_OF_MEMORY;
}

/* jansson tells which in its text: duplicate object key near '"x"'. */
static enum wire_status duplicate_error(struct json_parse *p, const json_error_t *error)
{
    char name[sizeof(error->text)];
    const char *from = strchr(error->text, '"');
    size_t n = from != NULL ? strcspn(from + 1, "\"") : 0;
    memcpy(name, n > 0 ? from + 1 : "member", n > 0 ? n : sizeof("member"));
    if (n > 0)
        name[n] = '\0';
    return json_parse_refuse(p, WIRE_BAD_FIELD, name);
}

static enum wire_status load_error(struct json_parse *p, const json_error_t *error)
{
    enum json_error_code code = json_error_code(error);

    if (code == json_error_out_of_memory)
        return WIRE_OUT_OF_MEMORY;
    if (code == json_error_duplicate_key)
        return duplicate_error(p, error);
    char where[24];
    snprintf(where, sizeof(where), "byte %d", error->position);
    return json_parse_refuse(
        p, code == json_error_numeric_overflow ? WIRE_BAD_VALUE : WIRE_BAD_JSON, where);
}

enum wire_status json_job_parse(struct json_request *out, char field[static 64], const char *line,
                                size_t line_bytes, size_t job_max_bytes, struct pool_local *l)
{
    struct json_parse p = {.out = out, .field = field};
    struct json_scan scan;
    json_error_t error;

    field[0] = '\0';
    *out = (struct json_request){
        .header = {.magic = WIRE_MAGIC, .version = WIRE_VERSION, .type = WIRE_JOB}};
    int too_deep = json_scan(&scan, line, line_bytes, DEPTH_MAX);
    enum wire_status status = take_id(&p, &scan);
    if (status != WIRE_OK)
        return status;
    if (too_deep < 0)
        return WIRE_BAD_JSON;

    json_t *root = load(line, line_bytes, 0, &error);
    if (root == NULL)
        return load_error(&p, &error);
    p.root = root;
    if (!json_is_object(root))
        status = WIRE_BAD_JSON;
    else if (out->id_text == NULL && json_object_get(root, "id") != NULL)
        /* an array, an object, or a key in disguise */
        status = json_parse_refuse(&p, WIRE_BAD_FIELD, "id");
    else
        status = parse_request(&p, job_max_bytes, l);
    json_decref(root);
    if (status != WIRE_OK) {
        buf_put(l, out->payload);
        call_free(out->call);
        out->payload = NULL;
        out->call = NULL;
    }
    return status;
}
