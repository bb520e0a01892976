/* json_job.h: lines that are wrong, cut off or too large are refused by name. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "json_job_bed.h"
#include "suite.h"

static struct json_bed bed;

static void set_up(void)
{
    bed_open(&bed);
}

static void tear_down(void)
{
    bed_close(&bed);
}

static const struct bad {
    const char *line;
    enum wire_status status;
    const char *field; /* NULL: any */
} bads[] = {
    {"", WIRE_BAD_JSON, NULL},
    {"{", WIRE_BAD_JSON, NULL},
    {"{}", WIRE_BAD_FIELD, "op"},
    {"[]", WIRE_BAD_JSON, ""},
    {"{} {}", WIRE_BAD_JSON, NULL},
    {"nonsense", WIRE_BAD_JSON, NULL},
    {"{\"op\":\"ping\",}", WIRE_BAD_JSON, NULL},
    {"{'op':'ping'}", WIRE_BAD_JSON, "byte 2"},
    {"{\"op\":\"ping\xff\"}", WIRE_BAD_JSON, NULL},
    {ADD "\"x\":[NaN],\"y\":[1]}", WIRE_BAD_JSON, NULL},
    {ADD "\"x\":[Infinity],\"y\":[1]}", WIRE_BAD_JSON, NULL},
    {ADD "\"x\":[01],\"y\":[1]}", WIRE_BAD_JSON, NULL},
    {ADD "\"x\":[0x1],\"y\":[1]}", WIRE_BAD_JSON, NULL},
    {"{\"op\":7}", WIRE_BAD_FIELD, "op"},
    {"{\"op\":\"add_f64\"}", WIRE_BAD_OP, "op"},
    {"{\"op\":\"\"}", WIRE_BAD_OP, "op"},
    {"{\"op\":\"add_f32\\u0000\",\"x\":[1],\"y\":[1]}", WIRE_BAD_OP, "op"},
    {"{\"op\":\"ping\",\"op\":\"ping\"}", WIRE_BAD_FIELD, NULL},
    {ADD "\"x\":[1],\"x\":[1],\"y\":[1]}", WIRE_BAD_FIELD, "x"},
    {ADD "\"x\":[1],\"y\":[1],\"z\":[1]}", WIRE_BAD_FIELD, "z"},
    {ADD "\"x\":[1],\"y\":[1],\"\":1}", WIRE_BAD_FIELD, ""},
    {ADD "\"x\":[1],\"y\":[1],\"alpha\":1}", WIRE_BAD_FIELD, "alpha"},
    {ADD "\"x\":[1]}", WIRE_BAD_FIELD, "y"},
    {ADD "\"y\":[1]}", WIRE_BAD_FIELD, "x"},
    {ADD "\"x\":1,\"y\":[1]}", WIRE_BAD_FIELD, "x"},
    {ADD "\"x\":[],\"y\":[]}", WIRE_BAD_SHAPE, "x"},
    {ADD "\"x\":[1,2],\"y\":[1]}", WIRE_SHAPE_MISMATCH, "y"},
    {ADD "\"x\":[[1]],\"y\":[1]}", WIRE_SHAPE_MISMATCH, "x"},
    {ADD "\"x\":[1,[2]],\"y\":[1,2]}", WIRE_SHAPE_MISMATCH, "x"},
    {ADD "\"x\":[1,\"2\"],\"y\":[1,2]}", WIRE_BAD_FIELD, "x"},
    {ADD "\"x\":[1,2],\"y\":[1,null]}", WIRE_BAD_FIELD, "y"},
    {ADD "\"x\":[3.41e38],\"y\":[1]}", WIRE_BAD_VALUE, "x"},
    {ADD "\"x\":[1],\"y\":[-1e300]}", WIRE_BAD_VALUE, "y"},
    {ADD "\"x\":[1e999],\"y\":[1]}", WIRE_BAD_VALUE, NULL},
    {"{\"op\":\"add_u8\",\"x\":[256],\"y\":[1]}", WIRE_BAD_VALUE, "x"},
    {"{\"op\":\"add_u8\",\"x\":[-1],\"y\":[1]}", WIRE_BAD_VALUE, "x"},
    {"{\"op\":\"add_u8\",\"x\":[1],\"y\":[1.5]}", WIRE_BAD_VALUE, "y"},
    {"{\"op\":\"add_i32\",\"x\":[2147483648],\"y\":[1]}", WIRE_BAD_VALUE, "x"},
    {"{\"op\":\"add_i32\",\"x\":[-2147483649],\"y\":[1]}", WIRE_BAD_VALUE, "x"},
    {"{\"op\":\"add_i32\",\"x\":[0.5],\"y\":[1]}", WIRE_BAD_VALUE, "x"},
    {"{\"op\":\"mix_u32\",\"x\":[4294967296]}", WIRE_BAD_VALUE, "x"},
    {"{\"op\":\"mix_u32\",\"x\":[-1]}", WIRE_BAD_VALUE, "x"},
    {"{\"op\":\"mix_u32\",\"x\":[1],\"y\":[1]}", WIRE_BAD_FIELD, "y"},
    {ADD "\"x\":[1],\"y\":[1],\"backend\":\"gpu\"}", WIRE_BAD_BACKEND, "backend"},
    {ADD "\"x\":[1],\"y\":[1],\"backend\":1}", WIRE_BAD_FIELD, "backend"},
    {ADD "\"x\":[1],\"y\":[1],\"backend\":\"auto\\u0000\"}", WIRE_BAD_BACKEND, "backend"},
    {ADD "\"x\":[1],\"y\":[1],\"priority\":\"top\"}", WIRE_BAD_PRIORITY, "priority"},
    {ADD "\"x\":[1],\"y\":[1],\"cache\":\"yes\"}", WIRE_BAD_PARAMETER, "cache"},
    {ADD "\"x\":[1],\"y\":[1],\"deadline_us\":-1}", WIRE_BAD_VALUE, "deadline_us"},
    {ADD "\"x\":[1],\"y\":[1],\"deadline_us\":4294967296}", WIRE_BAD_VALUE, "deadline_us"},
    {ADD "\"x\":[1],\"y\":[1],\"deadline_us\":\"1\"}", WIRE_BAD_FIELD, "deadline_us"},
    {MM "\"b\":[[1]]}", WIRE_BAD_FIELD, "a"},
    {MM "\"a\":[[1]]}", WIRE_BAD_FIELD, "b"},
    {MM "\"a\":[[1,2]],\"b\":[[1]]}", WIRE_SHAPE_MISMATCH, "b"},
    {MM "\"a\":[[1,2],[3]],\"b\":[[1],[2]]}", WIRE_SHAPE_MISMATCH, "a"},
    {MM "\"a\":[[1,2],3],\"b\":[[1],[2]]}", WIRE_SHAPE_MISMATCH, "a"},
    {MM "\"a\":[[[1]]],\"b\":[[1]]}", WIRE_SHAPE_MISMATCH, "a"},
    {MM "\"a\":[[[[1]]]],\"b\":[[1]]}", WIRE_SHAPE_MISMATCH, "a"},
    {MM "\"a\":[[]],\"b\":[[1]]}", WIRE_BAD_SHAPE, "a"},
    {MM "\"a\":[1],\"b\":[[1]]}", WIRE_BAD_FIELD, "m"},
    {MM "\"a\":[[1]],\"b\":[1]}", WIRE_BAD_FIELD, "n"},
    {MM "\"a\":[1],\"b\":[1],\"m\":1,\"n\":1}", WIRE_BAD_FIELD, "k"},
    {MM "\"a\":[1,2,3],\"b\":[1],\"m\":1,\"n\":1,\"k\":2}", WIRE_SHAPE_MISMATCH, "a"},
    {MM "\"a\":[1,2],\"b\":[1],\"m\":1,\"n\":1,\"k\":2}", WIRE_SHAPE_MISMATCH, "b"},
    {MM "\"a\":[1],\"b\":[1],\"m\":4294967295,\"n\":1,\"k\":4294967295}", WIRE_SHAPE_MISMATCH, "a"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"m\":2}", WIRE_SHAPE_MISMATCH, "a"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"m\":0}", WIRE_BAD_SHAPE, "m"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"m\":1.5}", WIRE_BAD_VALUE, "m"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"lda\":1}", WIRE_BAD_FIELD, "lda"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"trans_a\":1}", WIRE_BAD_FIELD, "trans_a"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"alpha\":1e39}", WIRE_BAD_VALUE, "alpha"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"alpha\":null}", WIRE_BAD_FIELD, "alpha"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"zero_a\":1}", WIRE_BAD_FIELD, "zero_a"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"beta\":1}", WIRE_BAD_FIELD, "c"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"c\":[[1]]}", WIRE_BAD_FIELD, "c"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"c\":[[1,2]],\"beta\":1}", WIRE_SHAPE_MISMATCH, "c"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"c\":[1,2],\"beta\":1}", WIRE_SHAPE_MISMATCH, "c"},
    {MM8 "\"alpha\":1}", WIRE_BAD_FIELD, "alpha"},
    {MM8 "\"zero_a\":256}", WIRE_BAD_PARAMETER, "zero_a"},
    {MM8 "\"zero_b\":-1}", WIRE_BAD_VALUE, "zero_b"},
    {CONV "\"image\":[[1]],\"kernel\":[[1,2]]}", WIRE_BAD_SHAPE, "s"},
    {CONV "\"image\":[[1]],\"kernel\":[[1],[2]]}", WIRE_BAD_SHAPE, "r"},
    {CONV "\"image\":[[1]],\"kernel\":[1]}", WIRE_BAD_FIELD, "r"},
    {CONV "\"image\":[[1]],\"kernel\":[1],\"r\":1}", WIRE_BAD_FIELD, "s"},
    {CONV "\"image\":[[1]],\"kernel\":[[[1]]]}", WIRE_SHAPE_MISMATCH, "kernel"},
    {CONV "\"image\":[[1]],\"kernel\":[[1]],\"channels\":3}", WIRE_SHAPE_MISMATCH, "image"},
    {CONV "\"image\":[[[1,2]]],\"kernel\":[[1]]}", WIRE_BAD_SHAPE, "channels"},
    {CONV "\"image\":[[[1,2,3],[1,2]]],\"kernel\":[[1]]}", WIRE_SHAPE_MISMATCH, "image"},
    {CONV "\"image\":[1],\"kernel\":[[1]]}", WIRE_BAD_FIELD, "h"},
    {CONV "\"image\":[1],\"kernel\":[[1]],\"h\":1}", WIRE_BAD_FIELD, "w"},
    {CONV "\"image\":[1,2],\"kernel\":[[1]],\"h\":1,\"w\":1}", WIRE_SHAPE_MISMATCH, "image"},
    {CONV "\"image\":[1,2],\"kernel\":[[1]],\"h\":1,\"w\":1,\"channels\":3}", WIRE_SHAPE_MISMATCH,
     "image"},
    {CONV "\"image\":[[256]],\"kernel\":[[1]]}", WIRE_BAD_VALUE, "image"},
    {CONV "\"image\":[[1]],\"kernel\":[[1]],\"border\":\"wrap\"}", WIRE_BAD_PARAMETER, "border"},
    {CONV "\"image\":[[1]],\"kernel\":[[1]],\"rounding\":\"up\"}", WIRE_BAD_PARAMETER, "rounding"},
    {"{\"op\":\"conv2d_f32\",\"image\":[[1]],\"kernel\":[[1]],\"rounding\":\"truncate\"}",
     WIRE_BAD_RESERVED, "rounding"},
    {"{\"op\":\"conv2d_i32\",\"image\":[[1]],\"kernel\":[[0.5]]}", WIRE_BAD_VALUE, "kernel"},
    {HASH "\"x\":[1]}", WIRE_BAD_FIELD, "x"},
    {"{\"op\":\"hash_fast\"}", WIRE_BAD_FIELD, "text"},
    {HASH "\"text\":\"a\",\"base64\":\"\"}", WIRE_BAD_FIELD, "base64"},
    {HASH "\"messages\":[],\"text\":\"\"}", WIRE_BAD_FIELD, "messages"},
    {HASH "\"text\":5}", WIRE_BAD_FIELD, "text"},
    {HASH "\"messages\":[]}", WIRE_BAD_SHAPE, "messages"},
    {HASH "\"messages\":\"a\"}", WIRE_BAD_FIELD, "messages"},
    {HASH "\"messages\":[\"a\",1]}", WIRE_BAD_FIELD, "messages"},
    {HASH "\"base64\":[1]}", WIRE_BAD_FIELD, "base64"},
    {HASH "\"base64\":\"A\"}", WIRE_BAD_VALUE, "base64"},
    {HASH "\"base64\":\"A===\"}", WIRE_BAD_VALUE, "base64"},
    {HASH "\"base64\":\"====\"}", WIRE_BAD_VALUE, "base64"},
    {HASH "\"base64\":\"AA=A\"}", WIRE_BAD_VALUE, "base64"},
    {HASH "\"base64\":\"AA A\"}", WIRE_BAD_VALUE, "base64"},
    {HASH "\"base64\":\"AB==\"}", WIRE_BAD_VALUE, "base64"}, /* bits behind the last byte */
    {HASH "\"base64\":\"A-_A\"}", WIRE_BAD_VALUE, "base64"},
    {"{\"op\":\"ping\",\"id\":[1]}", WIRE_BAD_FIELD, "id"},
    {"{\"op\":\"ping\",\"id\":{}}", WIRE_BAD_FIELD, "id"},
    {"{\"op\":\"ping\",\"\\u0069d\":1}", WIRE_BAD_FIELD, "id"},
};

START_TEST(a_wrong_line_is_refused_by_the_name_of_its_member)
{
    for (const struct bad *b = bads; b < bads + COUNT(bads); b++) {
        struct json_request r;
        char field[64];
        enum wire_status status = bed_parse(&bed, &r, field, b->line);

        ck_assert_msg(status == b->status, "%s: %s at \"%s\"", b->line, wire_status_name(status),
                      field);
        if (b->field != NULL)
            ck_assert_msg(strcmp(field, b->field) == 0, "%s: \"%s\"", b->line, field);
        free(r.id_text);
    }
}
END_TEST

START_TEST(every_cut_of_a_good_line_is_refused)
{
    static const char line[] = MM "\"id\":\"\\\"x\",\"a\":[[1.5e0]],\"b\":[[2]]}";
    struct json_request r;
    char field[64];

    for (size_t bytes = 0; bytes < sizeof(line) - 1; bytes++) {
        ck_assert_uint_eq(bed_parse_bytes(&bed, &r, field, line, bytes, JOB_MAX_BYTES),
                          WIRE_BAD_JSON);
        free(r.id_text);
    }
    ck_assert_uint_eq(bed_parse(&bed, &r, field, line), WIRE_OK);
    ck_assert_str_eq(r.id_text, "\"\\\"x\"");
    bed_drop(&bed, &r);
}
END_TEST

START_TEST(deep_nesting_is_refused_before_it_is_parsed)
{
    enum { DEEP = 1000000 };
    char *line = malloc(DEEP + 8);
    struct json_request r;
    char field[64];

    ck_assert_ptr_nonnull(line);
    memcpy(line, "{\"x\":", 5);
    memset(line + 5, '[', DEEP);
    ck_assert_uint_eq(bed_parse_bytes(&bed, &r, field, line, DEEP + 5, JOB_MAX_BYTES),
                      WIRE_BAD_JSON);
    free(line);
    /* brackets inside a string nest nothing */
    ck_assert_uint_eq(bed_parse(&bed, &r, field,
                                HASH "\"text\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}"),
                      WIRE_OK);
    bed_drop(&bed, &r);
}
END_TEST

START_TEST(a_long_name_is_cut_at_a_whole_character)
{
    char line[512], field[64];
    struct json_request r;

    for (size_t lead = 0; lead < 4; lead++) {
        size_t n = (size_t)snprintf(line, sizeof(line), "{\"op\":\"ping\",\"%.*s", (int)lead,
                                    "aaa");
        for (unsigned i = 0; i < 40; i++, n += 3)
            memcpy(line + n, "\xe2\x82\xac", 3);
        memcpy(line + n, "\":1}", 5);
        ck_assert_uint_eq(bed_parse(&bed, &r, field, line), WIRE_BAD_FIELD);
        ck_assert_uint_eq(strlen(field), lead + (63 - lead) / 3 * 3);
        json_t *valid = json_string(field);
        ck_assert_ptr_nonnull(valid);
        json_decref(valid);
    }
}
END_TEST

START_TEST(a_job_over_the_limit_is_refused_before_memory_is_taken)
{
    static const char line[] = ADD "\"x\":[1,2],\"y\":[3,4]}"; /* 24 bytes with its result */
    struct json_request r;
    char field[64];

    ck_assert_uint_eq(bed_parse_bytes(&bed, &r, field, line, sizeof(line) - 1, 24), WIRE_OK);
    bed_drop(&bed, &r);
    ck_assert_uint_eq(bed_parse_bytes(&bed, &r, field, line, sizeof(line) - 1, 23), WIRE_TOO_BIG);
    /* one outer product's small operands and large result */
    char big[4096] = MM "\"m\":256,\"n\":256,\"k\":1,\"a\":[1";
    size_t n = strlen(big);
    for (unsigned i = 1; i < 256; i++, n += 2)
        memcpy(big + n, ",1", 2);
    n += (size_t)snprintf(big + n, sizeof(big) - n, "],\"b\":[1");
    for (unsigned i = 1; i < 256; i++, n += 2)
        memcpy(big + n, ",1", 2);
    memcpy(big + n, "]}", 3);
    ck_assert_uint_eq(bed_parse_bytes(&bed, &r, field, big, strlen(big), 264192), WIRE_OK);
    bed_drop(&bed, &r);
    ck_assert_uint_eq(bed_parse_bytes(&bed, &r, field, big, strlen(big), 264191), WIRE_TOO_BIG);
}
END_TEST

START_TEST(memory_that_is_refused_is_an_answer)
{
    struct json_request r;
    char field[64];

    pool_set_limits(bed.pool, 0, 0);
    ck_assert_uint_eq(bed_parse(&bed, &r, field, "{\"id\":1,{"), WIRE_BAD_JSON);
    free(r.id_text);
    ck_assert_uint_eq(bed_parse(&bed, &r, field, ADD "\"id\":1,\"x\":[1],\"y\":[1]}"),
                      WIRE_OVERLOADED);
    ck_assert_str_eq(r.id_text, "1");
    free(r.id_text);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_job, refused");
    TCase *tc = tcase_create("refused");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_wrong_line_is_refused_by_the_name_of_its_member);
    tcase_add_test(tc, every_cut_of_a_good_line_is_refused);
    tcase_add_test(tc, deep_nesting_is_refused_before_it_is_parsed);
    tcase_add_test(tc, a_long_name_is_cut_at_a_whole_character);
    tcase_add_test(tc, a_job_over_the_limit_is_refused_before_memory_is_taken);
    tcase_add_test(tc, memory_that_is_refused_is_an_answer);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
