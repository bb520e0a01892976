/* A stream of frames: whatever the bytes, headers are read within them, sizes that are let through
 * are true, and a refusal has a status and a field. */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "kernels/kern.h"
#include "protocol/shape.h"
#include "protocol/wire.h"

#define MAX_BYTES ((size_t)1 << 30)
#define check(truth) ((truth) ? (void)0 : fail(#truth))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static void fail(const char *what)
{
    fprintf(stderr, "not true: %s\n", what);
    abort();
}

/* The sentence of a refusal is a line that ends. */
static void check_refusal(enum wire_status status, const char *field)
{
    char reason[128];
    size_t n = frame_reason(reason, sizeof(reason), status, field);

    check(status != WIRE_OK && n > 0 && n == strlen(reason));
    check(strcmp(wire_status_name(status), "unknown") != 0);
}

static void check_refs(const struct shape *s, const uint8_t *p, size_t bytes)
{
    struct wire_ref refs[KERN_IN_MAX + 1];
    const char *field = NULL;
    enum wire_status status = frame_parse_refs(refs, s->in_count + 1, p, bytes, &field);

    if (status != WIRE_OK) {
        check_refusal(status, field);
        return;
    }
    for (unsigned i = 0; i <= s->in_count; i++) {
        check(refs[i].offset % WIRE_ALIGN == 0 && refs[i].zero == 0);
        check(refs[i].arena != WIRE_INLINE || i == s->in_count);
    }
}

static void check_job(const struct wire_request *h, const uint8_t *payload, size_t have_bytes)
{
    struct shape s;
    const char *field = NULL;
    enum wire_status status = shape_check(&s, h, MAX_BYTES, &field);
    size_t sum = 0;

    if (status != WIRE_OK) {
        check_refusal(status, field);
        return;
    }
    check(s.info == kern_op_info(h->op) && s.in_count >= 1 && s.in_count <= KERN_IN_MAX);
    for (unsigned i = 0; i < s.in_count; i++) {
        check(s.in_bytes[i] <= MAX_BYTES);
        sum += wire_pad(s.in_bytes[i]);
    }
    check(sum == s.inline_bytes && sum + wire_pad(s.out_bytes) == s.total_bytes);
    check(s.out_bytes > 0 && s.total_bytes <= MAX_BYTES);
    if ((h->flags & WIRE_F_ARENA) != 0 && h->payload_bytes <= have_bytes)
        check_refs(&s, payload, (size_t)h->payload_bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    while (data_bytes > 0) {
        struct wire_request h;
        struct frame_reject why = {WIRE_OK, NULL};
        enum frame_result result = frame_parse(&h, &why, data, data_bytes, MAX_BYTES);

        check(result != FRAME_NEED_MORE || data_bytes < WIRE_HEADER_BYTES);
        if (result == FRAME_NEED_MORE || result == FRAME_FATAL)
            return 0;
        data += WIRE_HEADER_BYTES;
        data_bytes -= WIRE_HEADER_BYTES;
        if (result == FRAME_REJECTED)
            check_refusal(why.status, why.field);
        else if (h.type == WIRE_JOB)
            check_job(&h, data, data_bytes);
        else
            check(h.payload_bytes == 0);
        if (h.payload_bytes > data_bytes)
            return 0;
        data += h.payload_bytes;
        data_bytes -= (size_t)h.payload_bytes;
    }
    return 0;
}
