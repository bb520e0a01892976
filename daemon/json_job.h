/* JSON lines: one request line -> the same header and payload that a frame would carry, and an
 * answer -> one line. Pure functions over memory (and the allocator they are given).
 */
#ifndef DAEMON_JSON_JOB_H
#define DAEMON_JSON_JOB_H

#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "call.h"
#include "protocol/shape.h"
#include "protocol/wire.h"

struct json_request {
    struct wire_request header; /* type WIRE_JOB, WIRE_CALL, WIRE_PING or WIRE_METRICS */
    struct shape shape;         /* of a job */
    struct call *call;          /* owned: of a call; its module is yet to be found, by call_name */
    struct call_name call_name;
    struct buf *payload;        /* owned: the operands as an inline frame carries them */
    char *id_text;              /* owned (free): the "id" member as JSON text; NULL: none given */
};

/**
 * Parses one line, without its newline.
 * On success the caller owns payload, call and id_text. On failure *field (at most 64 bytes,
 * terminated) names the member at fault, or the byte where the JSON broke, or is empty; id_text is
 * set when the line got as far as an id. Returns WIRE_OK, or BAD_JSON, BAD_FIELD, BAD_VALUE,
 * BAD_OP, BAD_SHAPE, TOO_BIG, ...
 */
enum wire_status json_job_parse(struct json_request *out, char field[static 64], const char *line,
                                size_t line_bytes, size_t job_max_bytes, struct pool_local *l);

/* What is printed: an error, a result, a text, or (a ping) just the id and the status. */
struct json_answer {
    enum wire_status status;
    const char *id_text; /* NULL prints null */
    const char *reason;  /* sentence of an error */
    uint32_t retry_after_us;
    const struct shape *shape; /* of a job that is OK, */
    const struct call_array *array; /* or the result of a call that is */
    const void *result;             /* as many bytes as that says */
    const char *text;          /* instead of a result: a JSON value as it stands (metrics) */
    const char *isa;
    int cached;
    uint64_t queued_ns, ran_ns;
};

/* Returns owned (free): one line with its newline, *bytes long; NULL when out of memory. */
char *json_job_print(const struct json_answer *a, size_t *bytes);

#endif
