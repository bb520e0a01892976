/* frame.h: what a header may and may not say, and how an answer looks. */
#include "config.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "frame.h"
#include "kernels/kern.h"
#include "suite.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define NO_LIMIT UINT64_MAX
#define OFF(field) offsetof(struct wire_request, field)
#define ARG(i) (offsetof(struct wire_request, arg) + 4 * (i))

static struct wire_request request(unsigned type)
{
    struct wire_request h = {.magic = WIRE_MAGIC,
                             .version = WIRE_VERSION,
                             .type = (uint8_t)type,
                             .id = 0x1122334455667788};
    switch (type) { /* the least that those with a name must have */
    case WIRE_CALL:
        h.arg[0] = 1;
        h.arg[2] = 3;
        h.payload_bytes = sizeof(struct wire_call) + 8;
        break;
    case WIRE_MODULE_ADD:
        h.arg[0] = 5;
        h.arg[2] = 90;
        h.payload_bytes = 8 + 96;
        break;
    case WIRE_MODULE_SHOW:
    case WIRE_MODULE_REMOVE:
        h.arg[0] = 5;
        h.payload_bytes = 8;
        break;
    default:
        break;
    }
    return h;
}

/* Parses exactly the header's bytes, from memory of exactly that size. */
static enum frame_result parse(const struct wire_request *h, struct wire_request *out,
                               struct frame_reject *why, uint64_t max)
{
    uint8_t *p = malloc(sizeof(*h));
    ck_assert_ptr_nonnull(p);
    memcpy(p, h, sizeof(*h));
    enum frame_result result = frame_parse(out, why, p, sizeof(*h), max);
    free(p);
    return result;
}

START_TEST(header_fields_lie_where_the_protocol_says)
{
    ck_assert_uint_eq(OFF(magic), 0);
    ck_assert_uint_eq(OFF(version), 4);
    ck_assert_uint_eq(OFF(type), 5);
    ck_assert_uint_eq(OFF(flags), 6);
    ck_assert_uint_eq(OFF(id), 8);
    ck_assert_uint_eq(OFF(payload_bytes), 16);
    ck_assert_uint_eq(OFF(op), 24);
    ck_assert_uint_eq(OFF(backend), 26);
    ck_assert_uint_eq(OFF(priority), 27);
    ck_assert_uint_eq(OFF(deadline_us), 28);
    ck_assert_uint_eq(OFF(arg), 32);
    ck_assert_uint_eq(offsetof(struct wire_answer, payload_bytes), 16);
    ck_assert_uint_eq(offsetof(struct wire_answer, status), 24);
    ck_assert_uint_eq(offsetof(struct wire_answer, isa), 26);
    ck_assert_uint_eq(offsetof(struct wire_answer, retry_after_us), 28);
    ck_assert_uint_eq(offsetof(struct wire_answer, result_bytes), 32);
    ck_assert_uint_eq(offsetof(struct wire_answer, queued_ns), 40);
    ck_assert_uint_eq(offsetof(struct wire_answer, ran_ns), 44);
    ck_assert_uint_eq(offsetof(struct wire_answer, dim), 48);
}
END_TEST

START_TEST(a_part_of_a_header_needs_more)
{
    struct wire_request h = request(WIRE_JOB), out;
    struct frame_reject why;

    for (size_t bytes = 0; bytes < sizeof(h); bytes++) {
        uint8_t *p = malloc(bytes > 0 ? bytes : 1);
        ck_assert_ptr_nonnull(p);
        memcpy(p, &h, bytes);
        ck_assert_int_eq(frame_parse(&out, &why, p, bytes, NO_LIMIT), FRAME_NEED_MORE);
        free(p);
    }
    ck_assert_int_eq(frame_parse(&out, &why, NULL, 0, NO_LIMIT), FRAME_NEED_MORE);
}
END_TEST

START_TEST(a_good_header_comes_back_whole)
{
    struct wire_request out, h = request(WIRE_JOB);
    struct frame_reject why;

    h.flags = WIRE_F_ARENA | WIRE_F_TRANS_A | WIRE_F_TRANS_B |
              WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT;
    h.payload_bytes = 4096;
    h.op = 65535; /* the shape's business */
    h.backend = WIRE_BACKEND_WASM;
    h.priority = WIRE_PRIORITY_LOW;
    h.deadline_us = UINT32_MAX;
    for (uint32_t i = 0; i < 8; i++)
        h.arg[i] = UINT32_MAX - i;
    ck_assert_int_eq(parse(&h, &out, &why, 4096), FRAME_OK);
    ck_assert_mem_eq(&out, &h, sizeof(h));
}
END_TEST

START_TEST(the_first_wrong_byte_of_the_magic_is_fatal)
{
    static const char *const strangers[] = {"G", "SM\r", "SMDd", "GET / HTTP/1.1\r\n\r\n", "\n{"};

    for (size_t i = 0; i < COUNT(strangers); i++) {
        struct wire_request out;
        struct frame_reject why;
        ck_assert_int_eq(frame_parse(&out, &why, (const uint8_t *)strangers[i],
                                     strlen(strangers[i]), NO_LIMIT),
                         FRAME_FATAL);
        ck_assert_uint_eq(why.status, WIRE_BAD_MAGIC);
        ck_assert_str_eq(why.field, "magic");
        ck_assert_uint_eq(out.id, 0);
        ck_assert_uint_eq(out.payload_bytes, 0);
    }
}
END_TEST

START_TEST(another_version_is_fatal_and_keeps_its_id)
{
    struct wire_request h = request(WIRE_PING), out;
    struct frame_reject why;

    for (unsigned version = 0; version < 256; version++) {
        h.version = (uint8_t)version;
        enum frame_result result = parse(&h, &out, &why, NO_LIMIT);
        if (version == WIRE_VERSION) {
            ck_assert_int_eq(result, FRAME_OK);
            continue;
        }
        ck_assert_int_eq(result, FRAME_FATAL);
        ck_assert_uint_eq(why.status, WIRE_BAD_VERSION);
        ck_assert_str_eq(why.field, "version");
        ck_assert_uint_eq(out.id, h.id);
    }
}
END_TEST

/* One header of `type`, good but for one field. */
static const struct bad {
    unsigned type;
    size_t offset, bytes;
    uint64_t value;
    enum wire_status status;
    const char *field;
} bads[] = {
    {WIRE_JOB, OFF(type), 1, 0, WIRE_BAD_TYPE, "type"},
    {WIRE_JOB, OFF(type), 1, WIRE_MODULE_REMOVE + 1, WIRE_BAD_TYPE, "type"},
    {WIRE_JOB, OFF(type), 1, WIRE_ANSWER | WIRE_JOB, WIRE_BAD_TYPE, "type"},
    {WIRE_JOB, OFF(flags), 2, 0x0008, WIRE_BAD_FLAGS, "flags"},
    {WIRE_JOB, OFF(flags), 2, 0x0040, WIRE_BAD_FLAGS, "flags"},
    {WIRE_JOB, OFF(flags), 2, 0x8000, WIRE_BAD_FLAGS, "flags"},
    {WIRE_JOB, OFF(flags), 2, 0x0030, WIRE_BAD_FLAGS, "flags"}, /* cache mode 3 */
    {WIRE_JOB, OFF(backend), 1, 3, WIRE_BAD_BACKEND, "backend"},
    {WIRE_JOB, OFF(priority), 1, 3, WIRE_BAD_PRIORITY, "priority"},
    {WIRE_JOB, OFF(payload_bytes), 8, 12, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_JOB, OFF(payload_bytes), 8, UINT64_MAX, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_JOB, OFF(payload_bytes), 8, 1032, WIRE_TOO_BIG, "payload_bytes"},
    {WIRE_JOB, OFF(payload_bytes), 8, UINT64_MAX - 7, WIRE_TOO_BIG, "payload_bytes"},
    {WIRE_PING, OFF(payload_bytes), 8, 8, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_METRICS, OFF(payload_bytes), 8, 8, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_ARENA_ADD, OFF(payload_bytes), 8, 8, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_ARENA_DROP, OFF(payload_bytes), 8, 1, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_PING, OFF(flags), 2, WIRE_F_ARENA, WIRE_BAD_FLAGS, "flags"},
    {WIRE_ARENA_ADD, OFF(flags), 2, WIRE_F_ARENA, WIRE_BAD_FLAGS, "flags"},
    {WIRE_PING, OFF(op), 2, 1, WIRE_BAD_RESERVED, "op"},
    {WIRE_METRICS, OFF(backend), 1, 1, WIRE_BAD_RESERVED, "backend"},
    {WIRE_ARENA_ADD, OFF(priority), 1, 1, WIRE_BAD_RESERVED, "priority"},
    {WIRE_ARENA_DROP, OFF(deadline_us), 4, 1, WIRE_BAD_RESERVED, "deadline_us"},
    {WIRE_PING, ARG(0), 4, 1, WIRE_BAD_RESERVED, "arg0"},
    {WIRE_METRICS, ARG(1), 4, 1, WIRE_BAD_RESERVED, "arg1"},
    {WIRE_METRICS, ARG(0), 4, 3, WIRE_BAD_PARAMETER, "arg0"},
    {WIRE_ARENA_ADD, ARG(3), 4, 1, WIRE_BAD_RESERVED, "arg3"},
    {WIRE_ARENA_ADD, ARG(0), 4, WIRE_INLINE, WIRE_BAD_PARAMETER, "arg0"},
    {WIRE_ARENA_DROP, ARG(7), 4, 1, WIRE_BAD_RESERVED, "arg7"},
    {WIRE_CALL, OFF(flags), 2, WIRE_F_TRANS_A, WIRE_BAD_FLAGS, "flags"},
    {WIRE_CALL, OFF(flags), 2, 0x0030, WIRE_BAD_FLAGS, "flags"},
    {WIRE_CALL, OFF(op), 2, 1, WIRE_BAD_RESERVED, "op"},
    {WIRE_CALL, OFF(backend), 1, WIRE_BACKEND_NATIVE, WIRE_BAD_BACKEND, "backend"},
    {WIRE_CALL, OFF(backend), 1, 3, WIRE_BAD_BACKEND, "backend"},
    {WIRE_CALL, OFF(priority), 1, 3, WIRE_BAD_PRIORITY, "priority"},
    {WIRE_CALL, ARG(0), 4, 0, WIRE_BAD_PARAMETER, "arg0"},
    {WIRE_CALL, ARG(0), 4, 4, WIRE_BAD_PARAMETER, "arg0"},
    {WIRE_CALL, ARG(1), 4, 9, WIRE_BAD_PARAMETER, "arg1"},
    {WIRE_CALL, ARG(2), 4, 128, WIRE_BAD_NAME, "name"},
    {WIRE_CALL, ARG(2), 4, UINT32_MAX, WIRE_BAD_NAME, "name"},
    {WIRE_CALL, ARG(3), 4, 2, WIRE_BAD_PARAMETER, "arg3"},
    {WIRE_CALL, ARG(4), 4, 1, WIRE_BAD_RESERVED, "arg4"},
    {WIRE_CALL, OFF(payload_bytes), 8, 0, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_CALL, OFF(payload_bytes), 8, 144, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_CALL, OFF(payload_bytes), 8, 1024 + 152 + 8, WIRE_TOO_BIG, "payload_bytes"},
    {WIRE_CALL, OFF(payload_bytes), 8, UINT64_MAX - 7, WIRE_TOO_BIG, "payload_bytes"},
    {WIRE_MODULE_ADD, OFF(op), 2, 1, WIRE_BAD_RESERVED, "op"},
    {WIRE_MODULE_ADD, OFF(flags), 2, WIRE_F_ARENA, WIRE_BAD_FLAGS, "flags"},
    {WIRE_MODULE_ADD, ARG(0), 4, 64, WIRE_BAD_NAME, "name"},
    {WIRE_MODULE_ADD, ARG(1), 4, 2, WIRE_BAD_PARAMETER, "arg1"},
    {WIRE_MODULE_ADD, ARG(2), 4, 101, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_MODULE_ADD, ARG(2), 4, UINT32_MAX, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_MODULE_ADD, ARG(3), 4, 1, WIRE_BAD_RESERVED, "arg3"},
    {WIRE_MODULE_ADD, OFF(payload_bytes), 8, 96, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_MODULE_LIST, ARG(0), 4, 1, WIRE_BAD_RESERVED, "arg0"},
    {WIRE_MODULE_LIST, OFF(payload_bytes), 8, 8, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_MODULE_SHOW, ARG(1), 4, 1, WIRE_BAD_RESERVED, "arg1"},
    {WIRE_MODULE_SHOW, ARG(0), 4, 64, WIRE_BAD_NAME, "name"},
    {WIRE_MODULE_SHOW, OFF(payload_bytes), 8, 16, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {WIRE_MODULE_REMOVE, ARG(1), 4, 2, WIRE_BAD_PARAMETER, "arg1"},
    {WIRE_MODULE_REMOVE, ARG(2), 4, 1, WIRE_BAD_RESERVED, "arg2"},
};

START_TEST(a_bad_field_is_refused_by_name_and_the_stream_goes_on)
{
    for (size_t i = 0; i < COUNT(bads); i++) {
        const struct bad *b = &bads[i];
        struct wire_request h = request(b->type), out;
        struct frame_reject why = {WIRE_OK, NULL};

        ck_assert_int_eq(parse(&h, &out, &why, 1024), FRAME_OK);
        memcpy((uint8_t *)&h + b->offset, &b->value, b->bytes);
        ck_assert_int_eq(parse(&h, &out, &why, 1024), FRAME_REJECTED);
        ck_assert_msg(why.status == b->status, "row %zu: %s", i, wire_status_name(why.status));
        ck_assert_str_eq(why.field, b->field);
        /* what the caller needs to answer and to skip */
        ck_assert_uint_eq(out.id, h.id);
        ck_assert_uint_eq(out.payload_bytes, h.payload_bytes);
    }
}
END_TEST

START_TEST(arguments_of_control_frames_are_let_through)
{
    struct wire_request out, h = request(WIRE_ARENA_ADD);
    struct frame_reject why;

    h.arg[0] = WIRE_INLINE - 1;
    h.arg[1] = h.arg[2] = UINT32_MAX;
    ck_assert_int_eq(parse(&h, &out, &why, 0), FRAME_OK);
    h = request(WIRE_METRICS);
    h.arg[0] = WIRE_METRICS_OPENMETRICS;
    ck_assert_int_eq(parse(&h, &out, &why, 0), FRAME_OK);
    h = request(WIRE_ARENA_DROP);
    h.arg[0] = 7;
    ck_assert_int_eq(parse(&h, &out, &why, 0), FRAME_OK);
}
END_TEST

START_TEST(the_payload_limit_is_inclusive)
{
    struct wire_request h = request(WIRE_JOB), out;
    struct frame_reject why;

    h.payload_bytes = 1024;
    ck_assert_int_eq(parse(&h, &out, &why, 1024), FRAME_OK);
    ck_assert_int_eq(parse(&h, &out, &why, 1023), FRAME_REJECTED);
    ck_assert_uint_eq(why.status, WIRE_TOO_BIG);
}
END_TEST

static enum wire_status parse_refs(const struct wire_ref *in, size_t count, size_t bytes,
                                   struct wire_ref *out, const char **field)
{
    uint8_t *p = malloc(bytes > 0 ? bytes : 1);
    ck_assert_ptr_nonnull(p);
    memcpy(p, in, bytes);
    enum wire_status status = frame_parse_refs(out, count, p, bytes, field);
    free(p);
    return status;
}

START_TEST(references_come_back_whole)
{
    const struct wire_ref in[4] = {
        {7, 0, 0}, {0, 0, 64}, {7, 0, UINT64_MAX - 7}, {WIRE_INLINE, 0, 0}};
    struct wire_ref out[4];
    const char *field = NULL;

    for (size_t count = 1; count <= 4; count++) {
        /* the last one is the result's: only it may be inline */
        const struct wire_ref *p = in + 4 - count;
        ck_assert_uint_eq(parse_refs(p, count, count * 16, out, &field), WIRE_OK);
        ck_assert_mem_eq(out, p, count * 16);
    }
}
END_TEST

START_TEST(a_bad_reference_is_refused_by_name)
{
    static const struct {
        struct wire_ref refs[3];
        size_t bytes;
        enum wire_status status;
        const char *field;
    } rows[] = {
        {{{1, 0, 0}, {1, 0, 8}, {1, 0, 16}}, 32, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
        {{{1, 0, 0}, {1, 0, 8}, {1, 0, 16}}, 0, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
        {{{1, 1, 0}, {1, 0, 8}, {1, 0, 16}}, 48, WIRE_BAD_RESERVED, "ref0.zero"},
        {{{1, 0, 0}, {1, 0, 8}, {1, UINT32_MAX, 16}}, 48, WIRE_BAD_RESERVED, "ref2.zero"},
        {{{1, 0, 0}, {1, 0, 9}, {1, 0, 16}}, 48, WIRE_ARENA_MISALIGNED, "ref1.offset"},
        {{{1, 0, 0}, {1, 0, 8}, {1, 0, 4}}, 48, WIRE_ARENA_MISALIGNED, "ref2.offset"},
        {{{WIRE_INLINE, 0, 0}, {1, 0, 8}, {1, 0, 16}}, 48, WIRE_ARENA_UNKNOWN, "ref0.arena"},
        {{{1, 0, 0}, {WIRE_INLINE, 0, 0}, {1, 0, 16}}, 48, WIRE_ARENA_UNKNOWN, "ref1.arena"},
        {{{1, 0, 0}, {1, 0, 8}, {WIRE_INLINE, 0, 8}}, 48, WIRE_BAD_RESERVED, "ref2.offset"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wire_ref out[3];
        const char *field = NULL;
        ck_assert_str_eq(
            wire_status_name(parse_refs(rows[i].refs, 3, rows[i].bytes, out, &field)),
            wire_status_name(rows[i].status));
        ck_assert_str_eq(field, rows[i].field);
    }
}
END_TEST

START_TEST(an_answer_is_complete_and_zero_elsewhere)
{
    static const uint64_t results[][2] = {
        {0, 0}, {1, 8}, {7, 8}, {8, 8}, {9, 16}, {4294967297, 4294967304}};

    for (size_t i = 0; i < COUNT(results); i++) {
        struct wire_answer a, want;
        memset(&a, 0xff, sizeof(a));
        memset(&want, 0, sizeof(want));
        want.magic = WIRE_MAGIC;
        want.version = 1;
        want.type = 0x81;
        want.id = 42;
        want.status = WIRE_TOO_BIG;
        want.result_bytes = results[i][0];
        want.payload_bytes = results[i][1];
        frame_answer(&a, WIRE_JOB, 42, WIRE_TOO_BIG, results[i][0]);
        ck_assert_mem_eq(&a, &want, sizeof(a));
    }
}
END_TEST

START_TEST(a_reason_names_the_field_if_there_is_one)
{
    char out[200], tiny[6];

    size_t n = frame_reason(out, sizeof(out), WIRE_BAD_SHAPE, "k", NULL);
    ck_assert_str_eq(out, "k: a dimension is zero, even or out of range");
    ck_assert_uint_eq(n, strlen(out));
    n = frame_reason(out, sizeof(out), WIRE_OVERLOADED, NULL, NULL);
    ck_assert_str_eq(out, wire_status_sentence(WIRE_OVERLOADED));
    ck_assert_uint_eq(n, strlen(out));
    frame_reason(out, sizeof(out), WIRE_BAD_JSON, "", NULL);
    ck_assert_str_eq(out, wire_status_sentence(WIRE_BAD_JSON));

    n = frame_reason(tiny, sizeof(tiny), WIRE_BAD_SHAPE, "k", NULL);
    ck_assert_str_eq(tiny, "k: a ");
    ck_assert_uint_eq(n, 5);
    tiny[0] = 'x';
    ck_assert_uint_eq(frame_reason(tiny, 0, WIRE_BAD_SHAPE, "k", NULL), 0);
    ck_assert_int_eq(tiny[0], 'x');
    ck_assert_uint_eq(frame_reason(tiny, 1, WIRE_BAD_SHAPE, "k", NULL), 0);
    ck_assert_int_eq(tiny[0], '\0');
}
END_TEST

START_TEST(a_reason_in_others_words_comes_after_the_sentence_as_clean_text)
{
    static const struct {
        const char *reason, *want;
    } rows[] = {
        {"3: no such \"thing\"", "3: no such \"thing\""},
        {"na\xc3\xafve \xe2\x82\xac \xf0\x9f\x99\x82",
         "na\xc3\xafve \xe2\x82\xac \xf0\x9f\x99\x82"},
        {"a\nb\tc\x7f\x01", "a?b?c??"},
        {"\xff\xfe", "??"},
        {"\xc3", "?"},
        {"\xc3(", "?("},
        {"\xe2\x82", "??"},
        {"\xc0\xaf", "??"},             /* overlong */
        {"\xe0\x80\xaf", "???"},       /* likewise */
        {"\xed\xa0\x80", "???"},       /* a surrogate */
        {"\xf4\x90\x80\x80", "????"}, /* beyond Unicode */
    };
    char out[200], want[200];

    for (size_t i = 0; i < COUNT(rows); i++) {
        size_t n = frame_reason(out, sizeof(out), WIRE_WASM_FAILED, NULL, rows[i].reason);
        snprintf(want, sizeof(want), "%s: %s", wire_status_sentence(WIRE_WASM_FAILED),
                 rows[i].want);
        ck_assert_str_eq(out, want);
        ck_assert_uint_eq(n, strlen(want));
    }
    frame_reason(out, sizeof(out), WIRE_MODULE_REFUSED, "name", "why");
    snprintf(want, sizeof(want), "name: %s: why", wire_status_sentence(WIRE_MODULE_REFUSED));
    ck_assert_str_eq(out, want);
    frame_reason(out, sizeof(out), WIRE_WASM_FAILED, NULL, "");
    ck_assert_str_eq(out, wire_status_sentence(WIRE_WASM_FAILED));
}
END_TEST

START_TEST(a_long_reason_is_cut_between_characters)
{
    char out[100], reason[300];
    size_t bytes = strlen(wire_status_sentence(WIRE_WASM_TRAP)) + 2;

    for (size_t i = 0; i + 1 < sizeof(reason); i += 2)
        memcpy(reason + i, "\xc3\xa4", 2);
    reason[sizeof(reason) - 2] = '\0';
    for (size_t cap = bytes + 1; cap <= sizeof(out); cap++) {
        size_t n = frame_reason(out, cap, WIRE_WASM_TRAP, NULL, reason);
        ck_assert_uint_eq(n, strlen(out));
        ck_assert_uint_eq(n, bytes + (cap - 1 - bytes) / 2 * 2);
    }
}
END_TEST

START_TEST(every_status_has_a_name_and_a_sentence_of_its_own)
{
    static const struct {
        unsigned code;
        const char *name;
    } rows[] = {
#define STATUS(code, upper, name, sentence) {code, name},
#include "protocol/status.def"
#undef STATUS
    };
    size_t count = COUNT(rows);

    for (size_t i = 0; i < count; i++) {
        ck_assert_str_eq(wire_status_name(rows[i].code), rows[i].name);
        ck_assert_uint_gt(strlen(wire_status_sentence(rows[i].code)), 0);
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(rows[i].name, rows[j].name);
            ck_assert_str_ne(wire_status_sentence(rows[i].code),
                             wire_status_sentence(rows[j].code));
        }
    }
    ck_assert_str_eq(wire_status_name(29), "unknown");
    ck_assert_str_eq(wire_status_sentence(65535), "unknown status");
}
END_TEST

static Suite *frame_suite(void)
{
    Suite *suite = suite_create("frame");
    TCase *tc = tcase_create("frame");

    tcase_add_test(tc, header_fields_lie_where_the_protocol_says);
    tcase_add_test(tc, a_part_of_a_header_needs_more);
    tcase_add_test(tc, a_good_header_comes_back_whole);
    tcase_add_test(tc, the_first_wrong_byte_of_the_magic_is_fatal);
    tcase_add_test(tc, another_version_is_fatal_and_keeps_its_id);
    tcase_add_test(tc, a_bad_field_is_refused_by_name_and_the_stream_goes_on);
    tcase_add_test(tc, arguments_of_control_frames_are_let_through);
    tcase_add_test(tc, the_payload_limit_is_inclusive);
    tcase_add_test(tc, references_come_back_whole);
    tcase_add_test(tc, a_bad_reference_is_refused_by_name);
    tcase_add_test(tc, an_answer_is_complete_and_zero_elsewhere);
    tcase_add_test(tc, a_reason_names_the_field_if_there_is_one);
    tcase_add_test(tc, a_reason_in_others_words_comes_after_the_sentence_as_clean_text);
    tcase_add_test(tc, a_long_reason_is_cut_between_characters);
    tcase_add_test(tc, every_status_has_a_name_and_a_sentence_of_its_own);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(frame_suite());
}
