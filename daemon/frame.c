/* Frames: the header as it lies in the stream, checked field by field.
 *
 * A refusal names its field and leaves the stream usable: payload_bytes is believed even where it
 * is refused, so the caller can skip that much and read on. Only a wrong magic or version, after
 * which nothing can be believed, is fatal.
 *
 * Not here: an op's dimensions (shape.h), a call's head (call.h), arenas and their bounds
 * (connection_arena.c).
 */
#include "config.h"

#include "frame.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#include "call.h"
#include "kernels/kern.h"
#include "protocol/shape.h"

enum {
    ARG_COUNT = 8,
    CALL_FLAGS = WIRE_F_ARENA | WIRE_F_CACHE_MASK,
    JOB_FLAGS = CALL_FLAGS | WIRE_F_TRANS_A | WIRE_F_TRANS_B
};

static const char *const arg_names[ARG_COUNT] = {"arg0", "arg1", "arg2", "arg3",
                                                 "arg4", "arg5", "arg6", "arg7"};

/* Arguments that a type other than WIRE_JOB has; the rest must be 0. */
static unsigned arg_count(uint8_t type)
{
    switch (type) {
    case WIRE_METRICS:
    case WIRE_ARENA_DROP:
    case WIRE_MODULE_SHOW:
        return 1;
    case WIRE_MODULE_REMOVE:
        return 2;
    case WIRE_ARENA_ADD:
    case WIRE_MODULE_ADD:
        return 3;
    case WIRE_CALL:
        return 4;
    default:
        return 0;
    }
}

static enum wire_status refuse(enum wire_status status, const char **field, const char *name)
{
    *field = name;
    return status;
}

static enum wire_status check_unused_args(const struct wire_request *h, const char **field)
{
    for (unsigned i = arg_count(h->type); i < ARG_COUNT; i++) {
        if (h->arg[i] != 0)
            return refuse(WIRE_BAD_RESERVED, field, arg_names[i]);
    }
    return WIRE_OK;
}

static enum wire_status check_job(const struct wire_request *h, int flags, const char **field)
{
    unsigned cache = (h->flags & WIRE_F_CACHE_MASK) >> WIRE_F_CACHE_SHIFT;

    if ((h->flags & ~flags) != 0 || cache > WIRE_CACHE_NEVER)
        return refuse(WIRE_BAD_FLAGS, field, "flags");
    if (h->backend > WIRE_BACKEND_WASM)
        return refuse(WIRE_BAD_BACKEND, field, "backend");
    if (h->priority > WIRE_PRIORITY_LOW)
        return refuse(WIRE_BAD_PRIORITY, field, "priority");
    return WIRE_OK;
}

/* A call's counts, and that its head fits into the payload. */
static enum wire_status check_call(const struct wire_request *h, const char **field)
{
    enum wire_status status = check_job(h, CALL_FLAGS, field);
    if (status != WIRE_OK)
        return status;
    if (h->op != 0)
        return refuse(WIRE_BAD_RESERVED, field, "op");
    if (h->backend == WIRE_BACKEND_NATIVE)
        return refuse(WIRE_BAD_BACKEND, field, "backend");
    if (h->arg[0] < 1 || h->arg[0] > WIRE_CALL_IN_MAX)
        return refuse(WIRE_BAD_PARAMETER, field, arg_names[0]);
    if (h->arg[1] > WIRE_PARAMS_MAX)
        return refuse(WIRE_BAD_PARAMETER, field, arg_names[1]);
    if (h->arg[2] > 2 * WIRE_NAME_MAX + 1)
        return refuse(WIRE_BAD_NAME, field, "name");
    if (h->arg[3] > 1)
        return refuse(WIRE_BAD_PARAMETER, field, arg_names[3]);
    if (h->payload_bytes < call_head_bytes(h))
        return refuse(WIRE_BAD_PAYLOAD_BYTES, field, "payload_bytes");
    return check_unused_args(h, field);
}

/* What a module's frame must carry, exactly. */
static enum wire_status check_module(const struct wire_request *h, const char **field)
{
    uint64_t want_bytes = wire_pad(h->arg[0]);
    if (h->arg[0] > WIRE_NAME_MAX)
        return refuse(WIRE_BAD_NAME, field, "name");
    if (h->type != WIRE_MODULE_SHOW && h->arg[1] > WIRE_MODULE_ALL)
        return refuse(WIRE_BAD_PARAMETER, field, arg_names[1]);
    if (h->type == WIRE_MODULE_ADD)
        want_bytes += wire_pad(h->arg[2]);
    if (h->payload_bytes != want_bytes)
        return refuse(WIRE_BAD_PAYLOAD_BYTES, field, "payload_bytes");
    return WIRE_OK;
}

static enum wire_status check_control(const struct wire_request *h, const char **field)
{
    if (h->flags != 0)
        return refuse(WIRE_BAD_FLAGS, field, "flags");
    if (h->op != 0)
        return refuse(WIRE_BAD_RESERVED, field, "op");
    if (h->backend != 0)
        return refuse(WIRE_BAD_RESERVED, field, "backend");
    if (h->priority != 0)
        return refuse(WIRE_BAD_RESERVED, field, "priority");
    if (h->deadline_us != 0)
        return refuse(WIRE_BAD_RESERVED, field, "deadline_us");
    enum wire_status status = check_unused_args(h, field);
    if (status != WIRE_OK)
        return status;
    if (h->type == WIRE_METRICS && h->arg[0] > WIRE_METRICS_OPENMETRICS)
        return refuse(WIRE_BAD_PARAMETER, field, arg_names[0]);
    /* an arena of that number could never be named by a job */
    if (h->type == WIRE_ARENA_ADD && h->arg[0] == WIRE_INLINE)
        return refuse(WIRE_BAD_PARAMETER, field, arg_names[0]);
    if (h->type == WIRE_MODULE_ADD || h->type == WIRE_MODULE_SHOW || h->type == WIRE_MODULE_REMOVE)
        return check_module(h, field);
    if (h->payload_bytes != 0)
        return refuse(WIRE_BAD_PAYLOAD_BYTES, field, "payload_bytes");
    return WIRE_OK;
}

static enum wire_status check_header(const struct wire_request *h, uint64_t max_payload_bytes,
                                     const char **field)
{
    if (h->type < WIRE_JOB || h->type > WIRE_MODULE_REMOVE)
        return refuse(WIRE_BAD_TYPE, field, "type");
    enum wire_status status = h->type == WIRE_JOB    ? check_job(h, JOB_FLAGS, field)
                              : h->type == WIRE_CALL ? check_call(h, field)
                                                     : check_control(h, field);
    if (status != WIRE_OK)
        return status;
    if (h->type == WIRE_CALL) /* the limit is for operands */
        max_payload_bytes += call_head_bytes(h);
    if (h->payload_bytes % WIRE_ALIGN != 0)
        return refuse(WIRE_BAD_PAYLOAD_BYTES, field, "payload_bytes");
    if (h->payload_bytes > max_payload_bytes)
        return refuse(WIRE_TOO_BIG, field, "payload_bytes");
    return WIRE_OK;
}

enum frame_result frame_parse(struct wire_request *out, struct frame_reject *why, const uint8_t *p,
                              size_t p_bytes, uint64_t max_payload_bytes)
{
    size_t header_bytes = p_bytes < sizeof(*out) ? p_bytes : sizeof(*out);
    struct wire_request h = {0};

    if (header_bytes > 0) /* p may be NULL when there is nothing yet */
        memcpy(&h, p, header_bytes);
    /* A stranger may send less than a header and then wait: tell him at his first wrong byte. */
    uint32_t here = p_bytes < sizeof(h.magic) ? (UINT32_C(1) << 8 * p_bytes) - 1 : UINT32_MAX;
    if (((h.magic ^ WIRE_MAGIC) & here) != 0) {
        *out = (struct wire_request){0};
        *why = (struct frame_reject){WIRE_BAD_MAGIC, "magic"};
        return FRAME_FATAL;
    }
    if (p_bytes < sizeof(*out))
        return FRAME_NEED_MORE;

    *out = h;
    if (h.version != WIRE_VERSION) {
        *why = (struct frame_reject){WIRE_BAD_VERSION, "version"};
        return FRAME_FATAL;
    }
    const char *field = NULL;
    enum wire_status status = check_header(&h, max_payload_bytes, &field);
    if (status == WIRE_OK)
        return FRAME_OK;
    *why = (struct frame_reject){status, field};
    return FRAME_REJECTED;
}

enum wire_status frame_parse_refs(struct wire_ref *refs, size_t count, const uint8_t *p,
                                  size_t p_bytes, const char **field)
{
    static const struct {
        const char *arena, *zero, *offset;
    } names[KERN_IN_MAX + 1] = {
        {"ref0.arena", "ref0.zero", "ref0.offset"},
        {"ref1.arena", "ref1.zero", "ref1.offset"},
        {"ref2.arena", "ref2.zero", "ref2.offset"},
        {"ref3.arena", "ref3.zero", "ref3.offset"},
    };

    assert(count >= 1 && count <= KERN_IN_MAX + 1);
    if (p_bytes != count * sizeof(*refs))
        return refuse(WIRE_BAD_PAYLOAD_BYTES, field, "payload_bytes");
    memcpy(refs, p, p_bytes);
    for (size_t i = 0; i < count; i++) {
        bool is_result = i == count - 1;
        if (refs[i].zero != 0)
            return refuse(WIRE_BAD_RESERVED, field, names[i].zero);
        if (refs[i].arena == WIRE_INLINE && !is_result)
            return refuse(WIRE_ARENA_UNKNOWN, field, names[i].arena);
        if (refs[i].arena == WIRE_INLINE && refs[i].offset != 0)
            return refuse(WIRE_BAD_RESERVED, field, names[i].offset);
        if (refs[i].offset % WIRE_ALIGN != 0)
            return refuse(WIRE_ARENA_MISALIGNED, field, names[i].offset);
    }
    return WIRE_OK;
}

void frame_answer(struct wire_answer *out, uint8_t request_type, uint64_t id,
                  enum wire_status status, uint64_t result_bytes)
{
    *out = (struct wire_answer){
        .magic = WIRE_MAGIC,
        .version = WIRE_VERSION,
        .type = (uint8_t)(WIRE_ANSWER | request_type),
        .id = id,
        .payload_bytes = (result_bytes + (WIRE_ALIGN - 1)) & ~(uint64_t)(WIRE_ALIGN - 1),
        .status = (uint16_t)status,
        .result_bytes = result_bytes,
    };
}

/* Bytes of the character at p, which is terminated; 0 if it is no UTF-8. */
static size_t character_bytes(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t n = u[0] < 0x80 ? 1 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    if ((u[0] >= 0x80 && u[0] < 0xc2) || u[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xf0 && u[1] < 0x90);
    bool surrogate = u[0] == 0xed && u[1] > 0x9f;
    bool beyond = u[0] == 0xf4 && u[1] > 0x8f;
    return overlong || surrogate || beyond ? 0 : n;
}

/* Appends text that somebody else wrote. */
static size_t append(char *out, size_t at, size_t cap, const char *text)
{
    while (*text != '\0') {
        size_t n = character_bytes(text);
        bool plain = n > 1 || (n == 1 && *text >= 0x20 && *text != 0x7f);
        size_t want = n == 0 ? 1 : n;
        if (want >= cap - at)
            break;
        if (plain)
            memcpy(out + at, text, want);
        else
            out[at] = '?';
        at += want;
        text += want;
    }
    out[at] = '\0';
    return at;
}

size_t frame_reason(char *out, size_t cap, enum wire_status status, const char *field,
                    const char *reason)
{
    if (cap == 0)
        return 0;
    size_t at = 0;
    if (field != NULL && field[0] != '\0') {
        at = append(out, at, cap, field);
        at = append(out, at, cap, ": ");
    }
    at = append(out, at, cap, wire_status_sentence(status));
    if (reason != NULL && reason[0] != '\0') {
        at = append(out, at, cap, ": ");
        at = append(out, at, cap, reason);
    }
    return at;
}
