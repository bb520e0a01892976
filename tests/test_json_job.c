/* json_job.h: lines that become jobs, and their ids. */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json_job_bed.h"
#include "kernels/kern.h"
#include "suite.h"

#define F32_ONE 0x3f800000u

static struct json_bed bed;

static void set_up(void)
{
    bed_open(&bed);
}

static void tear_down(void)
{
    bed_close(&bed);
}

static size_t from_hex(uint8_t *out, const char *hex)
{
    size_t n = 0;
    unsigned byte;

    for (int used; sscanf(hex, "%2x%n", &byte, &used) == 1; hex += used)
        out[n++] = (uint8_t)byte;
    return n;
}

static const struct good {
    const char *line;
    unsigned op;
    uint32_t arg[8];
    unsigned flags;
    const char *payload; /* hex, operands padded to 8 */
} goods[] = {
    {"{\"op\":\"add_f32\",\"x\":[1,2],\"y\":[3,4]}", KERN_OP_add_f32, {2}, 0,
     "0000803f00000040 0000404000008040"},
    {" {\"y\": [-0.0], \"op\": \"mul_f32\",\t\"x\": [1e-3]} \r", KERN_OP_mul_f32, {1}, 0,
     "6f12833a00000000 0000008000000000"},
    {"{\"op\":\"add_u8\",\"x\":[0,255,1],\"y\":[3.0,2e0,1]}", KERN_OP_add_u8, {3}, 0,
     "00ff010000000000 0302010000000000"},
    {"{\"op\":\"mul_i32\",\"x\":[-2147483648],\"y\":[2147483647]}", KERN_OP_mul_i32, {1}, 0,
     "0000008000000000 ffffff7f00000000"},
    {"{\"op\":\"mix_u32\",\"x\":[4294967295,0,7]}", KERN_OP_mix_u32, {3}, 0,
     "ffffffff00000000 0700000000000000"},
    /* 3.40282356e38 is under half a step above FLT_MAX */
    {"{\"op\":\"add_f32\",\"x\":[3.40282356e38],\"y\":[1e-60]}", KERN_OP_add_f32, {1}, 0,
     "ffff7f7f00000000 0000000000000000"},
    {"{\"op\":\"matmul_u8\",\"a\":[[1,2]],\"b\":[[3],[4]]}", KERN_OP_matmul_u8, {1, 1, 2}, 0,
     "0102000000000000 0304000000000000"},
    {"{\"op\":\"matmul_u8\",\"a\":[1,2],\"b\":[3,4],\"m\":1,\"n\":1,\"k\":2,"
     "\"zero_a\":9,\"zero_b\":255}",
     KERN_OP_matmul_u8, {1, 1, 2, 0, 0, 0, 9, 255}, 0, "0102000000000000 0304000000000000"},
    {"{\"op\":\"matmul_f32\",\"a\":[[1],[2]],\"b\":[1,1,1],\"n\":3}", KERN_OP_matmul_f32,
     {2, 3, 1, 0, 0, 0, F32_ONE, 0}, 0, "0000803f00000040 0000803f0000803f 0000803f00000000"},
    {"{\"op\":\"matmul_i32\",\"a\":[[1],[2]],\"b\":[[3],[4]],\"trans_a\":true,\"trans_b\":false}",
     KERN_OP_matmul_i32, {1, 1, 2, 0, 0, 0, 1, 0}, WIRE_F_TRANS_A,
     "0100000002000000 0300000004000000"},
    {"{\"op\":\"matmul_i32\",\"a\":[[1,2]],\"b\":[[3,4]],\"trans_b\":true,\"alpha\":-1}",
     KERN_OP_matmul_i32, {1, 1, 2, 0, 0, 0, UINT32_MAX, 0}, WIRE_F_TRANS_B,
     "0100000002000000 0300000004000000"},
    {"{\"op\":\"matmul_f32\",\"a\":[[1]],\"b\":[[2]],\"c\":[[3]],\"alpha\":0,\"beta\":1}",
     KERN_OP_matmul_f32, {1, 1, 1, 0, 0, 0, 0, F32_ONE}, 0,
     "0000803f00000000 0000004000000000 0000404000000000"},
    {"{\"op\":\"matmul_i32\",\"a\":[[1]],\"b\":[[2]],\"c\":[3],\"beta\":1}", KERN_OP_matmul_i32,
     {1, 1, 1, 0, 0, 0, 1, 1}, 0, "0100000000000000 0200000000000000 0300000000000000"},
    {"{\"op\":\"matmul_f32\",\"a\":[[1]],\"b\":[[2]],\"beta\":-0.0}", KERN_OP_matmul_f32,
     {1, 1, 1, 0, 0, 0, F32_ONE, 0x80000000u}, 0, "0000803f00000000 0000004000000000"},
    {"{\"op\":\"conv2d_u8\",\"image\":[[1,2],[3,4]],\"kernel\":[[1]]}", KERN_OP_conv2d_u8,
     {2, 2, 1, 1, 1, 0, 0}, 0, "0102030400000000 0000803f00000000"},
    {"{\"op\":\"conv2d_u8\",\"image\":[[[1,2,3]]],\"kernel\":[[0,1,0]],\"border\":\"reflect101\","
     "\"rounding\":\"truncate\"}",
     KERN_OP_conv2d_u8, {1, 1, 3, 1, 3, 3, 1}, 0,
     "0102030000000000 000000000000803f 0000000000000000"},
    {"{\"op\":\"conv2d_i32\",\"image\":[5,6],\"kernel\":[1,2,3],\"h\":2,\"w\":1,\"r\":3,\"s\":1,"
     "\"border\":\"zero\",\"rounding\":\"nearest\"}",
     KERN_OP_conv2d_i32, {2, 1, 1, 3, 1, 1, 0}, 0,
     "0500000006000000 0100000002000000 0300000000000000"},
    {"{\"op\":\"conv2d_u8\",\"image\":[1,2,3,4],\"kernel\":[[2]],\"h\":1,\"w\":1,\"channels\":4,"
     "\"border\":\"replicate\"}",
     KERN_OP_conv2d_u8, {1, 1, 4, 1, 1, 2, 0}, 0, "0102030400000000 0000004000000000"},
    {"{\"op\":\"hash_fast\",\"text\":\"\"}", KERN_OP_hash_fast, {0, 0, 0}, 0, ""},
    {"{\"op\":\"hash_fast\",\"text\":\"a\\u0000\\u00e9\xc3\xa9\"}", KERN_OP_hash_fast, {0, 6, 0}, 0,
     "6100c3a9c3a90000"},
    {"{\"op\":\"hash_fnv1a_64\",\"base64\":\"AP8Q\"}", KERN_OP_hash_fnv1a_64, {0, 3, 0}, 0,
     "00ff100000000000"},
    {"{\"op\":\"hash_fast\",\"base64\":\"+/8=\"}", KERN_OP_hash_fast, {0, 2, 0}, 0,
     "fbff000000000000"},
    {"{\"op\":\"hash_fast\",\"base64\":\"/w==\"}", KERN_OP_hash_fast, {0, 1, 0}, 0,
     "ff00000000000000"},
    {"{\"op\":\"hash_fast\",\"messages\":[\"ab\",\"\",\"c\"]}", KERN_OP_hash_fast, {3, 3, 0}, 0,
     "6162630000000000 0000000000000000 0200000000000000 0200000000000000 0300000000000000"},
    {"{\"op\":\"hash_fast\",\"messages\":[\"\"]}", KERN_OP_hash_fast, {1, 0, 0}, 0,
     "0000000000000000 0000000000000000"},
};

static void check_good(const struct good *g)
{
    struct json_request r;
    char field[64];
    uint8_t payload[256];
    size_t payload_bytes = from_hex(payload, g->payload);

    ck_assert_msg(bed_parse(&bed, &r, field, g->line) == WIRE_OK, "%s: %s", g->line, field);
    ck_assert_str_eq(field, "");
    struct wire_request want = {.magic = WIRE_MAGIC,
                                .version = WIRE_VERSION,
                                .type = WIRE_JOB,
                                .flags = (uint16_t)g->flags,
                                .payload_bytes = payload_bytes,
                                .op = (uint16_t)g->op};
    memcpy(want.arg, g->arg, sizeof(want.arg));
    ck_assert_mem_eq(&r.header, &want, sizeof(want));
    ck_assert_ptr_null(r.id_text);
    ck_assert_ptr_nonnull(r.payload);
    ck_assert_uint_eq(r.payload->bytes, payload_bytes);
    ck_assert_mem_eq(r.payload->data, payload, payload_bytes);

    /* its shape is the one that the header alone would give */
    struct shape s;
    const char *at = NULL;
    ck_assert_uint_eq(shape_check(&s, &r.header, JOB_MAX_BYTES, &at), WIRE_OK);
    ck_assert_ptr_eq(r.shape.info, s.info);
    ck_assert_uint_eq(r.shape.inline_bytes, s.inline_bytes);
    ck_assert_uint_eq(r.shape.out_bytes, s.out_bytes);
    bed_drop(&bed, &r);
}

START_TEST(a_line_makes_the_frame_it_stands_for)
{
    for (size_t i = 0; i < COUNT(goods); i++)
        check_good(&goods[i]);
}
END_TEST

START_TEST(how_a_job_is_run_goes_into_the_header)
{
    struct json_request r;
    char field[64];

    ck_assert_uint_eq(bed_parse(&bed, &r, field,
                                "{\"op\":\"mix_u32\",\"x\":[1],\"backend\":\"wasm\","
                                "\"priority\":\"low\",\"cache\":\"never\","
                                "\"deadline_us\":4294967295}"),
                      WIRE_OK);
    ck_assert_uint_eq(r.header.backend, WIRE_BACKEND_WASM);
    ck_assert_uint_eq(r.header.priority, WIRE_PRIORITY_LOW);
    ck_assert_uint_eq(r.header.flags, WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT);
    ck_assert_uint_eq(r.header.deadline_us, UINT32_MAX);
    bed_drop(&bed, &r);
    ck_assert_uint_eq(bed_parse(&bed, &r, field,
                                "{\"op\":\"mix_u32\",\"x\":[1],\"backend\":\"native\","
                                "\"priority\":\"high\",\"cache\":\"always\"}"),
                      WIRE_OK);
    ck_assert_uint_eq(r.header.backend, WIRE_BACKEND_NATIVE);
    ck_assert_uint_eq(r.header.priority, WIRE_PRIORITY_HIGH);
    ck_assert_uint_eq(r.header.flags, WIRE_CACHE_ALWAYS << WIRE_F_CACHE_SHIFT);
    ck_assert_uint_eq(r.header.deadline_us, 0);
    bed_drop(&bed, &r);
}
END_TEST

START_TEST(ping_and_metrics_have_an_id_and_nothing_else)
{
    struct json_request r;
    char field[64];

    ck_assert_uint_eq(bed_parse(&bed, &r, field, "{\"op\":\"ping\",\"id\":5}"), WIRE_OK);
    ck_assert_uint_eq(r.header.type, WIRE_PING);
    ck_assert_ptr_null(r.payload);
    ck_assert_str_eq(r.id_text, "5");
    bed_drop(&bed, &r);
    ck_assert_uint_eq(bed_parse(&bed, &r, field, "{\"op\":\"metrics\"}"), WIRE_OK);
    ck_assert_uint_eq(r.header.type, WIRE_METRICS);
    ck_assert_uint_eq(r.header.arg[0], WIRE_METRICS_JSON);
    bed_drop(&bed, &r);
    ck_assert_uint_eq(bed_parse(&bed, &r, field, "{\"op\":\"ping\",\"x\":[1]}"), WIRE_BAD_FIELD);
    ck_assert_str_eq(field, "x");
    ck_assert_uint_eq(bed_parse(&bed, &r, field, "{\"op\":\"ping\\u0000\"}"), WIRE_BAD_OP);
}
END_TEST

START_TEST(an_id_comes_back_as_it_was_written)
{
    static const struct {
        const char *line, *id;
    } rows[] = {
        {"{\"id\":null,\"op\":\"ping\"}", "null"},
        {"{\"id\":true,\"op\":\"ping\"}", "true"},
        {"{\"id\" : -0.10e+5 ,\"op\":\"ping\"}", "-0.10e+5"},
        {"{\"id\":18446744073709551615,\"op\":\"ping\"}", "18446744073709551615"},
        {"{\"op\":\"ping\",\"id\":\"a \\u00e9\xc3\xa9\\\"\\\\,}\"}",
         "\"a \\u00e9\xc3\xa9\\\"\\\\,}\""},
        /* found where the rest is wrong */
        {"{\"id\":1,\"op\":\"none\"}", "1"},
        {"{\"op\":\"none\",\"id\":2}", "2"},
        {"{\"id\":3,\"op\":\"add_f32\",\"x\":[1,,]}", "3"},
        {"{\"id\":4,", "4"},
        {"{\"id\":5 x", "5"},
        {"{\"x\":[\"id\",{\"id\":9}],\"id\":6}", "6"},
        {"{\"op\":\"id\",\"id\":7}", "7"},
        {"{\"id\":8,\"x\":[[[[[[[[[[[[[[[[[[[[[[[[", "8"},
        {"{\"id\":10,\"id\":11}", "10"},
        /* nothing that could go into an answer */
        {"{\"op\":\"none\"}", NULL},
        {"{\"id\":[1]}", NULL},
        {"{\"id\":nul}", NULL},
        {"{\"id\":01}", NULL},
        {"{\"id\":\"\\x\"}", NULL},
        {"{\"id\":\"\xff\"}", NULL},
        {"{\"id\":\"cut", NULL},
        {"{\"id\":", NULL},
        {"{\"id\"", NULL},
        {"{\"x\":{\"id\":1}}", NULL},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct json_request r;
        char field[64];
        bed_parse(&bed, &r, field, rows[i].line);
        ck_assert_pstr_eq(r.id_text, rows[i].id);
        free(r.id_text);
    }
}
END_TEST

START_TEST(an_id_has_a_bound)
{
    char line[400] = "{\"op\":\"ping\",\"id\":\"";
    size_t n = strlen(line);
    struct json_request r;
    char field[64];

    memset(line + n, 'i', 254); /* with its quotes 256 bytes */
    memcpy(line + n + 254, "\"}", 3);
    ck_assert_uint_eq(bed_parse(&bed, &r, field, line), WIRE_OK);
    ck_assert_uint_eq(strlen(r.id_text), 256);
    bed_drop(&bed, &r);
    memcpy(line + n + 254, "i\"}", 4);
    ck_assert_uint_eq(bed_parse(&bed, &r, field, line), WIRE_BAD_FIELD);
    ck_assert_str_eq(field, "id");
    ck_assert_ptr_null(r.id_text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_job");
    TCase *tc = tcase_create("parse");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_line_makes_the_frame_it_stands_for);
    tcase_add_test(tc, how_a_job_is_run_goes_into_the_header);
    tcase_add_test(tc, ping_and_metrics_have_an_id_and_nothing_else);
    tcase_add_test(tc, an_id_comes_back_as_it_was_written);
    tcase_add_test(tc, an_id_has_a_bound);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
