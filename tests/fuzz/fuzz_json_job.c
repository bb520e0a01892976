/* Lines of JSON: any bytes become a job that a frame could have asked for, or a refusal; both are
 * answered by one line that a reader of JSON takes, and nothing is left behind. */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "buf.h"
#include "frame.h"
#include "json_job.h"
#include "pool.h"

#define JOB_MAX_BYTES ((size_t)1 << 16)
#define check(truth) ((truth) ? (void)0 : fail(#truth))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static void fail(const char *what)
{
    fprintf(stderr, "not true: %s\n", what);
    abort();
}

/* One line, valid, with the id of the request. */
static void check_answer(const struct json_answer *a)
{
    size_t bytes = 0;
    char *line = json_job_print(a, &bytes);
    json_error_t error;

    check(line != NULL && bytes > 0 && memchr(line, '\n', bytes) == line + bytes - 1);
    json_t *root = json_loadb(line, bytes,
                              JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL,
                              &error);
    check(json_is_object(root));
    check(strcmp(json_string_value(json_object_get(root, "status")),
                 wire_status_name(a->status)) == 0);
    json_decref(root);
    size_t id_bytes = a->id_text != NULL ? strlen(a->id_text) : 4;
    check(memcmp(line + 6, a->id_text != NULL ? a->id_text : "null", id_bytes) == 0);
    free(line);
}

static void check_job(const struct json_request *r)
{
    struct shape s;
    const char *at = NULL;

    check(shape_check(&s, &r->header, JOB_MAX_BYTES, &at) == WIRE_OK);
    check(r->payload != NULL && r->payload->bytes >= s.inline_bytes);
    check(s.inline_bytes == r->header.payload_bytes && s.out_bytes == r->shape.out_bytes);
    uint8_t *result = malloc(s.out_bytes);
    check(result != NULL);
    /* bytes of the operands make floats of every kind */
    for (size_t i = 0; i < s.out_bytes; i++)
        result[i] = s.inline_bytes == 0 ? 0 : r->payload->data[(i * 7) % s.inline_bytes];
    struct json_answer a = {.id_text = r->id_text, .shape = &r->shape, .result = result};
    check_answer(&a);
    free(result);
}

static void check_call(const struct json_request *r)
{
    const struct call *c = r->call;
    check(call_name_is_valid(r->call_name.module, strlen(r->call_name.module)));
    check(c->in_count >= 1 && c->param_count <= WIRE_PARAMS_MAX);
    check(r->payload != NULL && r->payload->bytes >= call_inline_bytes(c));
    check(r->header.payload_bytes == call_inline_bytes(c));
    check(call_total_bytes(c) <= JOB_MAX_BYTES);
    const struct call_array *out = c->out_known ? &c->out : &c->in[0];
    uint8_t *result = malloc(out->bytes);
    check(result != NULL);
    for (size_t i = 0; i < out->bytes; i++)
        result[i] = r->payload->data[(i * 7) % call_inline_bytes(c)];
    struct json_answer a = {.id_text = r->id_text, .array = out, .result = result};
    check_answer(&a);
    free(result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    struct pool *pool = NULL;
    struct pool_local *local = NULL;
    struct json_request r;
    struct pool_stats stats;
    char field[64], reason[256];

    check(pool_new(&pool, JOB_MAX_BYTES * 4, 0) == 0 && pool_local_new(&local, pool) == 0);
    enum wire_status status = json_job_parse(&r, field, (const char *)data, data_bytes,
                                             JOB_MAX_BYTES, local);
    if (status != WIRE_OK) {
        check(r.payload == NULL && r.call == NULL && memchr(field, '\0', sizeof(field)) != NULL);
        frame_reason(reason, sizeof(reason), status, field, NULL);
        struct json_answer a = {.status = status, .id_text = r.id_text, .reason = reason};
        check_answer(&a);
    } else if (r.header.type == WIRE_JOB) {
        check_job(&r);
    } else if (r.header.type == WIRE_CALL) {
        check_call(&r);
    } else {
        struct json_answer a = {.id_text = r.id_text};
        check_answer(&a);
    }
    buf_put(local, r.payload);
    call_free(r.call);
    free(r.id_text);
    pool_stats(pool, &stats);
    check(stats.used_bytes == 0);
    pool_local_free(local);
    pool_free(pool);
    return 0;
}
