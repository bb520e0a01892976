/* json_job.h: lines that call a function of a user's module, and what is answered. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "json_job_bed.h"
#include "kernels/kern.h"
#include "suite.h"

#define OP "{\"op\":\"m/f\","

static struct json_bed bed;

static void set_up(void)
{
    bed_open(&bed);
}

static void tear_down(void)
{
    bed_close(&bed);
}

START_TEST(a_line_makes_the_call_it_stands_for)
{
    static const char line[] =
        "{\"id\":7,\"op\":\"attention-2/soft.max\",\"x\":[[1,2,3],[4,5,6]],"
        "\"y\":{\"type\":\"u8\",\"shape\":[1,2,1,2],\"data\":[1,2,3,255]},"
        "\"z\":{\"data\":[[[[-1]]]],\"type\":\"i32\"},\"params\":[0.5,-3,1e300],"
        "\"result\":{\"type\":\"u64\",\"shape\":[4]},\"priority\":\"high\",\"backend\":\"wasm\","
        "\"cache\":\"never\",\"deadline_us\":9}";
    static const float x[] = {1, 2, 3, 4, 5, 6};
    static const uint8_t y[] = {1, 2, 3, 255, 0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0};
    struct json_request r;
    char field[64];

    ck_assert_msg(bed_parse(&bed, &r, field, line) == WIRE_OK, "%s", field);
    ck_assert_uint_eq(r.header.type, WIRE_CALL);
    ck_assert_uint_eq(r.header.op, 0);
    ck_assert_uint_eq(r.header.priority, WIRE_PRIORITY_HIGH);
    ck_assert_uint_eq(r.header.backend, WIRE_BACKEND_WASM);
    ck_assert_uint_eq(r.header.flags, WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT);
    ck_assert_uint_eq(r.header.deadline_us, 9);
    ck_assert_str_eq(r.id_text, "7");
    ck_assert_str_eq(r.call_name.module, "attention-2");
    const struct call *c = r.call;
    ck_assert_ptr_null(c->module);
    ck_assert_str_eq(c->function, "soft.max");
    ck_assert_uint_eq(c->in_count, 3);
    ck_assert_uint_eq(c->in[0].type, KERN_f32);
    ck_assert_uint_eq(c->in[0].rank, 2);
    ck_assert_uint_eq(c->in[0].dim[0], 2);
    ck_assert_uint_eq(c->in[0].dim[1], 3);
    ck_assert_uint_eq(c->in[1].type, KERN_u8);
    ck_assert_uint_eq(c->in[1].rank, 4);
    ck_assert_uint_eq(c->in[1].dim[3], 2);
    ck_assert_uint_eq(c->in[1].bytes, 4);
    ck_assert_uint_eq(c->in[2].type, KERN_i32);
    ck_assert_uint_eq(c->in[2].rank, 4);
    ck_assert(c->out_known);
    ck_assert_uint_eq(c->out.type, KERN_u64);
    ck_assert_uint_eq(c->out.bytes, 32);
    ck_assert_uint_eq(c->param_count, 3);
    ck_assert(c->param[0] == 0.5 && c->param[1] == -3 && c->param[2] == 1e300);
    ck_assert_uint_eq(r.payload->bytes, call_inline_bytes(c));
    ck_assert_uint_eq(r.payload->bytes, 24 + 8 + 8);
    ck_assert_mem_eq(r.payload->data, x, sizeof(x));
    ck_assert_mem_eq(r.payload->data + sizeof(x), y, sizeof(y));
    bed_drop(&bed, &r);
}
END_TEST

START_TEST(most_members_may_be_left_out)
{
    struct json_request r;
    char field[64];

    ck_assert_uint_eq(bed_parse(&bed, &r, field, OP "\"x\":[1]}"), WIRE_OK);
    ck_assert_uint_eq(r.call->in_count, 1);
    ck_assert_uint_eq(r.call->param_count, 0);
    ck_assert(!r.call->out_known);
    ck_assert_ptr_null(r.id_text);
    ck_assert_uint_eq(r.header.backend, WIRE_BACKEND_AUTO);
    bed_drop(&bed, &r);
}
END_TEST

static const struct bad {
    const char *line;
    enum wire_status status;
    const char *field;
} bads[] = {
    {"{\"op\":\"m/\",\"x\":[1]}", WIRE_BAD_NAME, "op"},
    {"{\"op\":\"/f\",\"x\":[1]}", WIRE_BAD_NAME, "op"},
    {"{\"op\":\"m/f/g\",\"x\":[1]}", WIRE_BAD_NAME, "op"},
    {"{\"op\":\"../f\",\"x\":[1]}", WIRE_BAD_NAME, "op"},
    {"{\"op\":\"m/f\\u0000\",\"x\":[1]}", WIRE_BAD_NAME, "op"},
    {"{\"op\":\"m\\u0000/f\",\"x\":[1]}", WIRE_BAD_NAME, "op"},
    {OP "\"y\":[1]}", WIRE_BAD_FIELD, "x"},
    {"{\"op\":\"m/f\"}", WIRE_BAD_FIELD, "x"},
    {OP "\"x\":[1],\"z\":[1]}", WIRE_BAD_FIELD, "y"},
    {OP "\"x\":[1],\"a\":[1]}", WIRE_BAD_FIELD, "a"},
    {OP "\"x\":1}", WIRE_BAD_FIELD, "x"},
    {OP "\"x\":\"text\"}", WIRE_BAD_FIELD, "x"},
    {OP "\"x\":[]}", WIRE_BAD_SHAPE, "x"},
    {OP "\"x\":[[1],[]]}", WIRE_SHAPE_MISMATCH, "x"},
    {OP "\"x\":[[1],[1,2]]}", WIRE_SHAPE_MISMATCH, "x"},
    {OP "\"x\":[[[[[1]]]]]}", WIRE_BAD_SHAPE, "x"},
    {OP "\"x\":[1,\"2\"]}", WIRE_BAD_FIELD, "x"},
    {OP "\"x\":[1e39]}", WIRE_BAD_VALUE, "x"},
    {OP "\"x\":{}}", WIRE_BAD_FIELD, "x"},
    {OP "\"x\":{\"data\":1}}", WIRE_BAD_FIELD, "x"},
    {OP "\"x\":{\"data\":[1],\"what\":1}}", WIRE_BAD_FIELD, "x"},
    {OP "\"x\":{\"data\":[1],\"type\":\"f64\"}}", WIRE_BAD_VALUE, "x"},
    {OP "\"x\":{\"data\":[1],\"type\":1}}", WIRE_BAD_FIELD, "x"},
    {OP "\"x\":{\"data\":[1],\"type\":\"u64\"}}", WIRE_BAD_VALUE, "x"},
    {OP "\"x\":{\"data\":[256],\"type\":\"u8\"}}", WIRE_BAD_VALUE, "x"},
    {OP "\"x\":{\"data\":[1.5],\"type\":\"i32\"}}", WIRE_BAD_VALUE, "x"},
    {OP "\"x\":{\"data\":[1,2],\"shape\":[3]}}", WIRE_SHAPE_MISMATCH, "x"},
    {OP "\"x\":{\"data\":[[1,2]],\"shape\":[2,1]}}", WIRE_SHAPE_MISMATCH, "x"},
    {OP "\"x\":{\"data\":[1,2],\"shape\":[2,0]}}", WIRE_BAD_SHAPE, "x"},
    {OP "\"x\":{\"data\":[1,2],\"shape\":[]}}", WIRE_BAD_SHAPE, "x"},
    {OP "\"x\":{\"data\":[1,2],\"shape\":[1,1,1,1,2]}}", WIRE_BAD_SHAPE, "x"},
    {OP "\"x\":{\"data\":[1],\"shape\":1}}", WIRE_BAD_FIELD, "x"},
    {OP "\"x\":{\"data\":[1],\"shape\":[-1]}}", WIRE_BAD_VALUE, "x"},
    {OP "\"x\":{\"data\":[1],\"shape\":[4294967295,4294967295,4294967295,4294967295]}}",
     WIRE_SHAPE_MISMATCH, "x"},
    {OP "\"x\":[1],\"params\":1}", WIRE_BAD_FIELD, "params"},
    {OP "\"x\":[1],\"params\":[\"1\"]}", WIRE_BAD_FIELD, "params"},
    {OP "\"x\":[1],\"params\":[1,2,3,4,5,6,7,8,9]}", WIRE_BAD_PARAMETER, "params"},
    {OP "\"x\":[1],\"result\":[1]}", WIRE_BAD_FIELD, "result"},
    {OP "\"x\":[1],\"result\":{}}", WIRE_BAD_FIELD, "result"},
    {OP "\"x\":[1],\"result\":{\"shape\":[1],\"data\":[1]}}", WIRE_BAD_FIELD, "result"},
    {OP "\"x\":[1],\"result\":{\"shape\":[0]}}", WIRE_BAD_SHAPE, "result"},
    {OP "\"x\":[1],\"result\":{\"type\":\"f16\",\"shape\":[1]}}", WIRE_BAD_VALUE, "result"},
    {OP "\"x\":[1],\"result\":{\"shape\":[4294967295,4294967295]}}", WIRE_SIZE_OVERFLOW, "result"},
    {OP "\"x\":[1],\"result\":{\"shape\":[1048576]}}", WIRE_TOO_BIG, ""},
    {OP "\"x\":[1],\"backend\":\"native\"}", WIRE_BAD_BACKEND, "backend"},
    {OP "\"x\":[1],\"backend\":\"gpu\"}", WIRE_BAD_BACKEND, "backend"},
    {"{\"op\":\"add_f32\",\"x\":[1],\"y\":[1],\"params\":[1]}", WIRE_BAD_FIELD, "params"},
    {"{\"op\":\"conv2d_u8\",\"image\":[[[[1]]]],\"kernel\":[[1]]}", WIRE_SHAPE_MISMATCH, "image"},
};

START_TEST(a_wrong_line_is_refused_by_the_name_of_its_member)
{
    for (size_t i = 0; i < COUNT(bads); i++) {
        struct json_request r;
        char field[64];
        enum wire_status status = bed_parse(&bed, &r, field, bads[i].line);
        ck_assert_msg(status == bads[i].status, "%s: %s (%s)", bads[i].line,
                      wire_status_name(status), field);
        ck_assert_msg(strcmp(field, bads[i].field) == 0, "%s: %s", bads[i].line, field);
        bed_drop(&bed, &r);
    }
}
END_TEST

START_TEST(every_cut_of_a_good_line_is_refused)
{
    static const char line[] = OP "\"x\":{\"type\":\"u8\",\"data\":[[1],[2]]},\"params\":[1],"
                                  "\"result\":{\"type\":\"f32\",\"shape\":[2,2]}}";
    for (size_t bytes = 0; bytes < sizeof(line) - 1; bytes++) {
        struct json_request r;
        char field[64];
        ck_assert_uint_ne(bed_parse_bytes(&bed, &r, field, line, bytes, JOB_MAX_BYTES), WIRE_OK);
        bed_drop(&bed, &r);
    }
}
END_TEST

START_TEST(memory_that_is_refused_is_an_answer)
{
    struct json_request r;
    char field[64];
    pool_set_limits(bed.pool, 0, 0);
    ck_assert_uint_eq(bed_parse(&bed, &r, field, OP "\"x\":[1]}"), WIRE_OVERLOADED);
    bed_drop(&bed, &r);
}
END_TEST

static void prints(const struct call_array *array, const void *result, const char *want)
{
    struct json_answer a = {.array = array, .result = result, .isa = "wasm128r"};
    size_t bytes;
    char *line = json_job_print(&a, &bytes);
    ck_assert_ptr_nonnull(line);
    ck_assert_msg(strncmp(line, want, strlen(want)) == 0, "%s", line);
    free(line);
}

START_TEST(a_result_nests_as_its_shape_says_and_tells_it)
{
    static const float f[] = {1, 2, 3, 4, 5, 6, 7, 8};
    static const uint64_t u = 255;
    struct call_array a = {.type = KERN_f32, .rank = 1, .dim = {2}};
    prints(&a, f, "{\"id\":null,\"status\":\"ok\",\"result\":[1.0,2.0],\"type\":\"f32\","
                  "\"shape\":[2],\"cached\":false,\"isa\":\"wasm128r\",");
    a = (struct call_array){.type = KERN_f32, .rank = 4, .dim = {2, 1, 2, 2}};
    prints(&a, f, "{\"id\":null,\"status\":\"ok\",\"result\":[[[[1.0,2.0],[3.0,4.0]]],"
                  "[[[5.0,6.0],[7.0,8.0]]]],\"type\":\"f32\",\"shape\":[2,1,2,2],");
    a = (struct call_array){.type = KERN_u64, .rank = 2, .dim = {1, 1}};
    prints(&a, &u, "{\"id\":null,\"status\":\"ok\",\"result\":[[\"0x00000000000000ff\"]],"
                   "\"type\":\"u64\",\"shape\":[1,1],");
}
END_TEST

static Suite *json_call_suite(void)
{
    Suite *suite = suite_create("json_call");
    TCase *tc = tcase_create("json_call");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_line_makes_the_call_it_stands_for);
    tcase_add_test(tc, most_members_may_be_left_out);
    tcase_add_test(tc, a_wrong_line_is_refused_by_the_name_of_its_member);
    tcase_add_test(tc, every_cut_of_a_good_line_is_refused);
    tcase_add_test(tc, memory_that_is_refused_is_an_answer);
    tcase_add_test(tc, a_result_nests_as_its_shape_says_and_tells_it);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(json_call_suite());
}
