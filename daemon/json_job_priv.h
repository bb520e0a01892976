/* One JSON request on its way from members to header: what the parts of json_job share. */
#ifndef DAEMON_JSON_JOB_PRIV_H
#define DAEMON_JSON_JOB_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "json_array.h"
#include "json_job.h"
#include "kernels/kern.h"
#include "protocol/wire.h"

struct json_parse {
    json_t *root; /* an object */
    struct json_request *out;
    char *field;                     /* of json_job_parse(); written by json_parse_refuse() only */
    const struct kern_op_info *info; /* NULL: no job, or a call */
    struct {                         /* where operand i comes from; a hash names its form in 0 */
        const char *name;
        const json_t *value;
        struct json_dims dims;
        enum kern_type type;
    } operand[KERN_IN_MAX];
};

/* Writes the name of the member at fault and returns `status`. */
enum wire_status json_parse_refuse(struct json_parse *p, enum wire_status status,
                                   const char *name);

/* Every member there is must go with the request: BAD_FIELD names the first that does not. */
enum wire_status json_parse_members(struct json_parse *p);

/* The number `name`; *out stays as it is if there is no such member. */
enum wire_status json_parse_number(struct json_parse *p, void *out, enum kern_type type,
                                   const char *name);

/* A dimension, likewise; BAD_SHAPE if it is 0. */
enum wire_status json_parse_dim(struct json_parse *p, uint32_t *out, const char *name);

/* The place of the word `name` in `words`, which end in NULL, likewise; any other word is refused
 * with `unknown`. */
enum wire_status json_parse_word(struct json_parse *p, uint32_t *out, const char *const *words,
                                 const char *name, enum wire_status unknown);

/* Sets `flag` in the header if the member is true. */
enum wire_status json_parse_flag(struct json_parse *p, unsigned flag, const char *name);

/* True if `v` is exactly that string. */
bool json_is_word(const json_t *v, const char *word);

/* Members -> header.arg[] and operand[], by the op's family. */
enum wire_status json_parse_describe(struct json_parse *p);

/* The operands, each padded with zeros, to dst: out->shape.inline_bytes, as a frame has them. */
enum wire_status json_parse_fill(struct json_parse *p, uint8_t *dst);

/* One operand that is no hash's: `bytes` of it and its padding. Returns where the next one begins
 * in *dst. */
enum wire_status json_parse_fill_operand(struct json_parse *p, unsigned i, uint8_t **dst,
                                         size_t bytes);

/* Members of a call -> out->call, and its operands -> operand[]. `name` is "MODULE/FUNCTION". */
enum wire_status json_parse_call(struct json_parse *p, const char *name, size_t name_bytes,
                                 size_t job_max_bytes);

/* Its operands, likewise: call_inline_bytes(). */
enum wire_status json_parse_call_fill(struct json_parse *p, uint8_t *dst);

#endif
