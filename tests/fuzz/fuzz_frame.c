/* A stream of frames: whatever the bytes, headers are read within them, sizes that are let through
 * are true, and a refusal has a status and a field. */
#include "config.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
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
    size_t n = frame_reason(reason, sizeof(reason), status, field, NULL);

    check(status != WIRE_OK && n > 0 && n == strlen(reason));
    check(strcmp(wire_status_name(status), "unknown") != 0);
}

static void check_refs(unsigned in_count, const uint8_t *p, size_t bytes)
{
    struct wire_ref refs[KERN_IN_MAX + 1];
    const char *field = NULL;
    enum wire_status status = frame_parse_refs(refs, in_count + 1, p, bytes, &field);

    if (status != WIRE_OK) {
        check_refusal(status, field);
        return;
    }
    for (unsigned i = 0; i <= in_count; i++) {
        check(refs[i].offset % WIRE_ALIGN == 0 && refs[i].zero == 0);
        check(refs[i].arena != WIRE_INLINE || i == in_count);
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
        check_refs(s.in_count, payload, (size_t)h->payload_bytes);
}

static void check_array(const struct call_array *a)
{
    size_t bytes = kern_type_bytes((enum kern_type)a->type);
    check(a->rank >= 1 && a->rank <= WIRE_RANK_MAX);
    for (unsigned i = 0; i < a->rank; i++)
        bytes *= a->dim[i];
    check(bytes > 0 && bytes == a->bytes && bytes <= MAX_BYTES);
}

static void check_call(const struct wire_request *h, const uint8_t *payload, size_t have_bytes)
{
    struct call call;
    struct call_name name;
    const char *field = NULL;
    size_t head = call_head_bytes(h);

    check(head <= h->payload_bytes);
    if (have_bytes < head)
        return;
    enum wire_status status = call_parse(&call, &name, h, payload, MAX_BYTES, &field);
    if (status != WIRE_OK) {
        check_refusal(status, field);
        return;
    }
    check(call_name_is_valid(name.module, strlen(name.module)) && call.function[0] != '\0');
    check(strlen(name.module) + strlen(call.function) + 1 == h->arg[2]);
    check(call.in_count >= 1 && call.in_count <= KERN_IN_MAX);
    for (unsigned i = 0; i < call.in_count; i++)
        check_array(&call.in[i]);
    if (call.out_known)
        check_array(&call.out);
    check(call_inline_bytes(&call) <= call_total_bytes(&call));
    check(call_total_bytes(&call) <= MAX_BYTES);
    if ((h->flags & WIRE_F_ARENA) != 0 && h->payload_bytes <= have_bytes)
        check_refs(call.in_count, payload + head, (size_t)h->payload_bytes - head);
}

/* What the header says of a module's frame fits into its payload. */
static void check_module(const struct wire_request *h)
{
    check(h->arg[0] <= WIRE_NAME_MAX && wire_pad(h->arg[0]) <= h->payload_bytes);
    if (h->type == WIRE_MODULE_ADD)
        check(wire_pad(h->arg[0]) + wire_pad(h->arg[2]) == h->payload_bytes);
    if (h->type == WIRE_MODULE_LIST)
        check(h->payload_bytes == 0);
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
        else if (h.type == WIRE_CALL)
            check_call(&h, data, data_bytes);
        else if (h.type >= WIRE_MODULE_ADD)
            check_module(&h);
        else
            check(h.payload_bytes == 0);
        if (h.payload_bytes > data_bytes)
            return 0;
        data += h.payload_bytes;
        data_bytes -= (size_t)h.payload_bytes;
    }
    return 0;
}
