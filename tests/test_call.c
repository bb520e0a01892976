/* call.h: the head of a call, its names and its sizes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "kernels/kern.h"
#include "protocol/shape.h"
#include "suite.h"

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

enum { NAME_AT = sizeof(struct wire_call) };

/* A call of m/f on f32[2,3] and u8[5], with two params and no word on the result. */
static struct wire_request header;
static struct wire_call head;
static const char *name;
static uint32_t name_bytes;

static void set_up(void)
{
    header = (struct wire_request){.type = WIRE_CALL, .arg = {2, 2, 3, 0}};
    head = (struct wire_call){
        .in = {{KERN_f32, 2, 0, {2, 3}}, {KERN_u8, 1, 0, {5}}},
        .param = {1.5, -0.0},
    };
    name = "m/f";
    name_bytes = 3;
}

/* Parses from memory of exactly the head's size. */
static enum wire_status parse(struct call *call, struct call_name *module, size_t max_bytes,
                              const char **field)
{
    header.arg[2] = name_bytes;
    size_t bytes = call_head_bytes(&header);
    uint8_t *p = calloc(1, bytes);
    ck_assert_ptr_nonnull(p);
    memcpy(p, &head, sizeof(head));
    memcpy(p + NAME_AT, name, name_bytes);
    enum wire_status status = call_parse(call, module, &header, p, max_bytes, field);
    free(p);
    return status;
}

static void refused(enum wire_status status, const char *at_fault)
{
    struct call call;
    struct call_name module;
    const char *field = "none";
    enum wire_status got = parse(&call, &module, (size_t)1 << 30, &field);
    ck_assert_msg(got == status, "%s instead of %s (%s)", wire_status_name(got),
                  wire_status_name(status), at_fault != NULL ? at_fault : "");
    if (at_fault == NULL)
        ck_assert_ptr_null(field);
    else
        ck_assert_str_eq(field, at_fault);
    set_up();
}

START_TEST(a_head_comes_back_whole)
{
    struct call call;
    struct call_name module;
    const char *field;

    ck_assert_uint_eq(call_head_bytes(&header), 144 + 8);
    ck_assert_uint_eq(parse(&call, &module, 1000, &field), WIRE_OK);
    ck_assert_ptr_null(call.module);
    ck_assert_str_eq(module.module, "m");
    ck_assert_str_eq(call.function, "f");
    ck_assert_uint_eq(call.in_count, 2);
    ck_assert_uint_eq(call.param_count, 2);
    ck_assert(!call.out_known);
    ck_assert_uint_eq(call.in[0].type, KERN_f32);
    ck_assert_uint_eq(call.in[0].rank, 2);
    ck_assert_uint_eq(call.in[0].dim[1], 3);
    ck_assert_uint_eq(call.in[0].bytes, 24);
    ck_assert_uint_eq(call.in[1].bytes, 5);
    ck_assert(call.param[0] == 1.5);
    ck_assert_uint_eq(call_inline_bytes(&call), 24 + 8);
    ck_assert_uint_eq(call_total_bytes(&call), 24 + 8 + 24); /* the result as operand 0 */
}
END_TEST

START_TEST(a_result_that_is_told_is_counted)
{
    struct call call;
    struct call_name module;
    const char *field;

    header.arg[3] = 1;
    head.out = (struct wire_array){KERN_u64, 4, 0, {1, 2, 3, 4}};
    ck_assert_uint_eq(parse(&call, &module, 32 + 192, &field), WIRE_OK);
    ck_assert(call.out_known);
    ck_assert_uint_eq(call.out.bytes, 192);
    ck_assert_uint_eq(call_total_bytes(&call), 32 + 192);
    header.arg[3] = 1;
    ck_assert_uint_eq(parse(&call, &module, 32 + 191, &field), WIRE_TOO_BIG);
    ck_assert_ptr_null(field);
}
END_TEST

START_TEST(names_are_safe_as_file_names)
{
    static const char *const good[] = {"a", "A-b_c.9", "_", "-", "a.", "a..b"};
    static const char *const bad[] = {"", ".", "..", ".a", "a b", "a/b", "\xc3\xa4", "a\n", "a:b"};
    char longest[65];

    for (size_t i = 0; i < COUNT(good); i++)
        ck_assert_msg(call_name_is_valid(good[i], strlen(good[i])), "%s", good[i]);
    for (size_t i = 0; i < COUNT(bad); i++)
        ck_assert_msg(!call_name_is_valid(bad[i], strlen(bad[i])), "%s", bad[i]);
    ck_assert(!call_name_is_valid("a\0b", 3));
    memset(longest, 'x', sizeof(longest));
    ck_assert(call_name_is_valid(longest, 63));
    ck_assert(!call_name_is_valid(longest, 64));
}
END_TEST

START_TEST(a_wrong_name_is_refused)
{
    static const struct {
        const char *name;
        size_t bytes;
    } rows[] = {
        {"", 0},       {"m", 1},      {"m/", 2},       {"/f", 2},         {"m/f/g", 5},
        {"../f", 4},   {".m/f", 4},   {"m\0/f", 4},    {"m/f\0", 4},      {"m/f g", 5},
        {"m/\x7f", 3}, {"m/f\n", 4},  {"m m/f", 5},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        name = rows[i].name;
        name_bytes = (uint32_t)rows[i].bytes;
        refused(WIRE_BAD_NAME, "name");
    }

    char both[127];
    memset(both, 'x', sizeof(both));
    both[63] = '/';
    struct call call;
    struct call_name module;
    ck_assert_uint_eq(call_set_name(&call, &module, both, 127), WIRE_OK);
    ck_assert_uint_eq(strlen(module.module), 63);
    ck_assert_uint_eq(strlen(call.function), 63);
    both[63] = 'x';
    both[64] = '/';
    ck_assert_uint_eq(call_set_name(&call, &module, both, 127), WIRE_BAD_NAME);
    both[64] = 'x';
    both[62] = '/';
    ck_assert_uint_eq(call_set_name(&call, &module, both, 127), WIRE_BAD_NAME);
    ck_assert_uint_eq(call_set_name(&call, &module, "m/\xc3\xa4.units", 10), WIRE_OK);
}
END_TEST

START_TEST(a_wrong_field_is_refused_by_name)
{
    head.in[0].type = KERN_u64 + 1;
    refused(WIRE_BAD_PARAMETER, "in0.type");
    head.in[1].rank = 0;
    refused(WIRE_BAD_SHAPE, "in1.rank");
    head.in[1].rank = 5;
    refused(WIRE_BAD_SHAPE, "in1.rank");
    head.in[0].dim[1] = 0;
    refused(WIRE_BAD_SHAPE, "in0.dim1");
    head.in[0].dim[2] = 1;
    refused(WIRE_BAD_RESERVED, "in0.dim2");
    head.in[0].zero = 1;
    refused(WIRE_BAD_RESERVED, "in0.zero");
    head.in[2].type = 1;
    refused(WIRE_BAD_RESERVED, "in2");
    head.out.rank = 1;
    refused(WIRE_BAD_RESERVED, "result");
    header.arg[3] = 1;
    refused(WIRE_BAD_SHAPE, "result.rank");
    header.arg[3] = 1;
    head.out = (struct wire_array){KERN_f32, 1, 0, {0}};
    refused(WIRE_BAD_SHAPE, "result.dim0");
    head.param[2] = 1;
    refused(WIRE_BAD_RESERVED, "param2");
    head.param[7] = -0.0;
    refused(WIRE_BAD_RESERVED, "param7");
}
END_TEST

START_TEST(sizes_that_overflow_are_found)
{
    head.in[0] = (struct wire_array){KERN_f32, 2, 0, {UINT32_MAX, UINT32_MAX}};
    refused(WIRE_SIZE_OVERFLOW, "in0");
    head.in[1] = (struct wire_array){KERN_u8, 4, 0, {65536, 65536, 65536, 65536}};
    refused(WIRE_SIZE_OVERFLOW, "in1");
    header.arg[3] = 1;
    head.out = (struct wire_array){KERN_u64, 3, 0, {UINT32_MAX, UINT32_MAX, 2}};
    refused(WIRE_SIZE_OVERFLOW, "result");
    /* each fits, their sum does not */
    header.arg[0] = 3;
    for (unsigned i = 0; i < 3; i++)
        head.in[i] = (struct wire_array){KERN_u8, 4, 0, {65536, 65536, 65536, 32768}};
    refused(WIRE_SIZE_OVERFLOW, NULL);
    head.in[0] = (struct wire_array){KERN_u8, 2, 0, {65536, 65536}};
    refused(WIRE_TOO_BIG, NULL);
}
END_TEST

START_TEST(params_may_be_any_numbers)
{
    struct call call;
    struct call_name module;
    const char *field;
    uint64_t bits = 0x7ff8dead0000beefu; /* a NaN */

    header.arg[1] = 8;
    for (unsigned i = 0; i < 8; i++)
        memcpy(&head.param[i], &bits, sizeof(bits));
    ck_assert_uint_eq(parse(&call, &module, 1000, &field), WIRE_OK);
    ck_assert_mem_eq(call.param, head.param, sizeof(head.param));
}
END_TEST

static Suite *call_suite(void)
{
    Suite *suite = suite_create("call");
    TCase *tc = tcase_create("call");

    tcase_add_checked_fixture(tc, set_up, NULL);
    tcase_add_test(tc, a_head_comes_back_whole);
    tcase_add_test(tc, a_result_that_is_told_is_counted);
    tcase_add_test(tc, names_are_safe_as_file_names);
    tcase_add_test(tc, a_wrong_name_is_refused);
    tcase_add_test(tc, a_wrong_field_is_refused_by_name);
    tcase_add_test(tc, sizes_that_overflow_are_found);
    tcase_add_test(tc, params_may_be_any_numbers);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(call_suite());
}
