/* What a call asks for: a function of a user's module, its operands, parameters and result.
 *
 * Pure functions over memory: the module is found by whoever has the store. Here sizes are judged,
 * so that none overflows later, and names, so that none surprises whoever prints it.
 */
#ifndef DAEMON_CALL_H
#define DAEMON_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"

struct module;

/* Row-major, without gaps. */
struct call_array {
    uint8_t type; /* enum kern_type */
    uint8_t rank; /* 1 to WIRE_RANK_MAX */
    uint32_t dim[WIRE_RANK_MAX]; /* at least 1; those from rank on are 0 */
    size_t bytes;
};

struct call {
    struct module *module; /* owned reference; call_free() drops it */
    char function[WIRE_NAME_MAX + 1];
    uint8_t in_count, param_count;
    bool out_known; /* the client told type and shape of the result */
    struct call_array in[WIRE_CALL_IN_MAX];
    struct call_array out; /* zero until it is known */
    double param[WIRE_PARAMS_MAX]; /* those from param_count on are 0 */
};

/* The module's name of a request, as it came: terminated here, checked. */
struct call_name {
    char module[WIRE_NAME_MAX + 1];
};

/* struct wire_call and the name behind it: so many bytes of the payload must be there before
 * anything can be said about the rest. The header has been through frame_parse(). */
size_t call_head_bytes(const struct wire_request *h);

/**
 * Reads the head of a call: call_head_bytes(h) at p.
 * max_bytes  bound on operands and a known result together, each padded (job_max_bytes)
 * name       written on success: the module to look up for out->module, which is NULL
 * field      written on failure: what is at fault, a constant ("in1.dim2", "name"); NULL if it is
 *            the call as a whole
 * Returns WIRE_OK, BAD_NAME, BAD_SHAPE, BAD_PARAMETER, BAD_RESERVED, SIZE_OVERFLOW or TOO_BIG.
 */
enum wire_status call_parse(struct call *out, struct call_name *name, const struct wire_request *h,
                            const uint8_t *p, size_t max_bytes, const char **field);

/* Splits "MODULE/FUNCTION": WIRE_OK, or BAD_NAME. Writes nothing else of the call. */
enum wire_status call_set_name(struct call *call, struct call_name *name, const char *text,
                               size_t text_bytes);

/* Judges sizes once all arrays have type, rank and dim: fills in their bytes. As call_parse(). */
enum wire_status call_check(struct call *call, size_t max_bytes, const char **field);

/* Bytes of an array by its type, rank and dim, into a->bytes: WIRE_OK, BAD_PARAMETER (type),
 * BAD_SHAPE or SIZE_OVERFLOW. For what a module says of its result too. */
enum wire_status call_array_check(struct call_array *a);

/* What an inline call carries behind its head: the operands, each padded. */
size_t call_inline_bytes(const struct call *call);

/* What admission counts: operands and result, each padded; a result that is not known yet counts as
 * large as operand 0, which it is unless the module says otherwise. */
size_t call_total_bytes(const struct call *call);

/* 1 to 63 bytes of A-Z a-z 0-9 _ . -, not beginning with a point: what a module may be called, and
 * what is safe as a file's name. */
bool call_name_is_valid(const char *name, size_t name_bytes);

/* Drops the module and the call (malloc'ed). NULL is fine. */
void call_free(struct call *call);

#endif
