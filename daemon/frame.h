/* Frames: bytes -> request, answer -> bytes. Pure functions over memory. */
#ifndef DAEMON_FRAME_H
#define DAEMON_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"

struct frame_reject {
    enum wire_status status;
    const char *field; /* constant; names the header field at fault, NULL if none */
};

enum frame_result {
    FRAME_NEED_MORE, /* fewer than WIRE_HEADER_BYTES, and the magic is right so far */
    FRAME_OK,
    FRAME_REJECTED,  /* the header is bad: answer, skip payload_bytes, go on */
    FRAME_FATAL      /* the stream cannot be followed: answer and close */
};

/**
 * Reads one header: magic, version, type, flags, payload length (a multiple of 8, at most
 * max_payload_bytes, fitting the type), and that fields of no use to the type are 0.
 * A wrong magic is FATAL from its first byte on, and *out is then zero: it meant something else.
 * out is written unless NEED_MORE; why on REJECTED and FATAL. Does not look at a job's shape, nor
 * into a payload; but one that begins with a name or a call's head is long enough for it.
 */
enum frame_result frame_parse(struct wire_request *out, struct frame_reject *why,
                              const uint8_t *p, size_t p_bytes, uint64_t max_payload_bytes);

/* The references of an arena job: `count` of them (1 to KERN_IN_MAX + 1) from its payload of
 * p_bytes, the last one the result's. Checks what needs no arena: zero fields, alignment, that
 * only a result is WIRE_INLINE. Bounds and overlap are the caller's. */
enum wire_status frame_parse_refs(struct wire_ref *refs, size_t count, const uint8_t *p,
                                  size_t p_bytes, const char **field);

/* Fills an answer header: magic, version, type, id, status, result and payload length; the rest
 * zero. */
void frame_answer(struct wire_answer *out, uint8_t request_type, uint64_t id,
                  enum wire_status status, uint64_t result_bytes);

/**
 * The sentence of an error answer, for example "k: a dimension is zero, even or out of range".
 * reason  what the sentence does not say, such as a module's own words, which follow it: whatever
 *         in them is no UTF-8 or no printed character becomes '?'; NULL: nothing
 * Returns its length, at most cap - 1; always terminated, and never cut within a character.
 */
size_t frame_reason(char *out, size_t cap, enum wire_status status, const char *field,
                    const char *reason);

#endif
