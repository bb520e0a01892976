/* json_job.h: answers as lines. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "json_job_bed.h"
#include "kernels/kern.h"
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

/* The shape of a JSON request; it needs no operands to print a result. */
static struct shape shape_of(const char *line)
{
    struct json_request r;
    char field[64];

    ck_assert_uint_eq(bed_parse(&bed, &r, field, line), WIRE_OK);
    struct shape s = r.shape;
    bed_drop(&bed, &r);
    return s;
}

static char *print(const struct json_answer *a)
{
    size_t bytes = 0;
    char *line = json_job_print(a, &bytes);

    ck_assert_ptr_nonnull(line);
    ck_assert_int_eq(line[bytes - 1], '\n');
    ck_assert_ptr_null(memchr(line, '\n', bytes - 1));
    line[bytes - 1] = '\0';
    json_t *valid = json_loads(line, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(valid != NULL, "%s", line);
    json_decref(valid);
    return line;
}

START_TEST(an_answer_is_one_line_of_json)
{
    struct shape s = shape_of("{\"op\":\"add_f32\",\"x\":[1,2],\"y\":[3,4]}");
    const float result[] = {4, 6};
    struct json_answer a = {.status = WIRE_OK,
                            .shape = &s,
                            .result = result,
                            .isa = "avx2",
                            .queued_ns = 1200,
                            .ran_ns = 9007199254740993};

    char *line = print(&a);
    ck_assert_str_eq(line, "{\"id\":null,\"status\":\"ok\",\"result\":[4.0,6.0],\"cached\":false,"
                           "\"isa\":\"avx2\",\"queued_ns\":1200,\"ran_ns\":9007199254740993}");
    free(line);
    a.cached = 1;
    a.id_text = "\"seven\"";
    line = print(&a);
    ck_assert_ptr_eq(strstr(line, "{\"id\":\"seven\",\"status\":\"ok\""), line);
    ck_assert_ptr_nonnull(strstr(line, "\"cached\":true"));
    free(line);
}
END_TEST

START_TEST(results_nest_as_their_operands_did)
{
    static const int32_t words[] = {1, -2, INT32_MAX, INT32_MIN};
    static const uint8_t bytes[] = {0, 1, 2, 253, 254, 255};
    static const uint64_t hashes[] = {0, 0x811c9dc5, UINT64_MAX};
    static const uint32_t mixed[] = {0, UINT32_MAX};
    static const float image[] = {1, 2, 3};
    static const struct {
        const char *line;
        const void *result;
        const char *want;
    } rows[] = {
        {"{\"op\":\"matmul_i32\",\"a\":[[1],[2]],\"b\":[[1,2]]}", words,
         "\"result\":[[1,-2],[2147483647,-2147483648]],"},
        {"{\"op\":\"matmul_u8\",\"a\":[[1]],\"b\":[[1,2,3,4]]}", words,
         "\"result\":[[1,-2,2147483647,-2147483648]],"},
        {"{\"op\":\"add_u8\",\"x\":[1,2,3,4,5,6],\"y\":[1,2,3,4,5,6]}", bytes,
         "\"result\":[0,1,2,253,254,255],"},
        {"{\"op\":\"mix_u32\",\"x\":[1,2]}", mixed, "\"result\":[0,4294967295],"},
        {CONV "\"image\":[[1,2,3],[4,5,6]],\"kernel\":[[1]]}", bytes,
         "\"result\":[[0,1,2],[253,254,255]],"},
        {CONV "\"image\":[[[1,2,3]],[[4,5,6]]],\"kernel\":[[1]]}", bytes,
         "\"result\":[[[0,1,2]],[[253,254,255]]],"},
        {CONV "\"image\":[[[1,2,3],[4,5,6]]],\"kernel\":[[1]]}", bytes,
         "\"result\":[[[0,1,2],[253,254,255]]],"},
        {"{\"op\":\"conv2d_f32\",\"image\":[[[1],[2],[3]]],\"kernel\":[[1]]}", image,
         "\"result\":[[1.0,2.0,3.0]],"},
        {HASH "\"text\":\"\"}", hashes, "\"result\":[\"0x0000000000000000\"],"},
        {HASH "\"messages\":[\"\",\"a\",\"b\"]}", hashes,
         "\"result\":[\"0x0000000000000000\",\"0x00000000811c9dc5\",\"0xffffffffffffffff\"],"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct shape s = shape_of(rows[i].line);
        struct json_answer a = {.status = WIRE_OK, .shape = &s, .result = rows[i].result};
        char *line = print(&a);
        ck_assert_msg(strstr(line, rows[i].want) != NULL, "%s", line);
        free(line);
    }
}
END_TEST

START_TEST(rows_with_gaps_are_printed_without_them)
{
    struct wire_request h = {.op = KERN_OP_matmul_i32, .arg = {2, 2, 1, 0, 0, 3, 1, 0}};
    const int32_t result[] = {1, 2, 99, 3, 4};
    const char *field = NULL;
    struct shape s;

    ck_assert_uint_eq(shape_check(&s, &h, JOB_MAX_BYTES, &field), WIRE_OK);
    struct json_answer a = {.status = WIRE_OK, .shape = &s, .result = result};
    char *line = print(&a);
    ck_assert_ptr_nonnull(strstr(line, "\"result\":[[1,2],[3,4]]"));
    free(line);
}
END_TEST

START_TEST(an_error_says_what_when_and_why)
{
    struct json_answer a = {.status = WIRE_OVERLOADED,
                            .id_text = "7",
                            .reason = "a \"b\"\\\n\x01\x7f \xe2\x82\xac",
                            .retry_after_us = 250};

    char *line = print(&a);
    ck_assert_str_eq(line, "{\"id\":7,\"status\":\"overloaded\",\"error\":"
                           "\"a \\\"b\\\"\\\\\\u000a\\u0001\\u007f \xe2\x82\xac\","
                           "\"retry_after_us\":250}");
    free(line);
    a = (struct json_answer){.status = WIRE_BAD_JSON};
    line = print(&a);
    ck_assert_str_eq(line, "{\"id\":null,\"status\":\"bad_json\",\"error\":"
                           "\"the line is not valid JSON, or is nested deeper than 16\"}");
    free(line);
}
END_TEST

START_TEST(a_text_stands_on_one_line_and_a_ping_is_short)
{
    struct json_answer a = {.status = WIRE_OK, .text = "{\n  \"jobs\": [1,\r\n2]\n}\n"};

    char *line = print(&a);
    ck_assert_str_eq(line, "{\"id\":null,\"status\":\"ok\",\"result\":{   \"jobs\": [1,  2] } }");
    free(line);
    a = (struct json_answer){.status = WIRE_OK, .id_text = "1"};
    line = print(&a);
    ck_assert_str_eq(line, "{\"id\":1,\"status\":\"ok\"}");
    free(line);
}
END_TEST

/* Returns owned: floats as an answer prints them, "a,b,c". */
static char *print_floats(const float *v, size_t n)
{
    struct kern_op_info info = {.family = KERN_map, .in = KERN_f32, .out = KERN_f32};
    struct shape s = {.info = &info, .args.u.map.n = n};
    struct json_answer a = {.status = WIRE_OK, .shape = &s, .result = v};
    size_t bytes = 0;
    char *line = json_job_print(&a, &bytes);

    ck_assert_ptr_nonnull(line);
    char *begin = strchr(line, '[');
    char *end = strchr(line, ']');
    ck_assert(begin != NULL && end != NULL);
    size_t length = (size_t)(end - begin - 1);
    memmove(line, begin + 1, length);
    line[length] = '\0';
    return line;
}

START_TEST(floats_are_printed_short_and_stay_real)
{
    static const struct {
        float v;
        const char *want;
    } rows[] = {
        {0.0f, "0.0"},
        {-0.0f, "-0.0"},
        {1.0f, "1.0"},
        {-1.5f, "-1.5"},
        {0.1f, "0.1"},
        {0.3f, "0.3"},
        {3.1415927f, "3.1415927"},
        {0.0001f, "0.0001"},
        {100.01f, "100.01"},
        {9999999.0f, "9999999.0"},
        {0.99999994f, "0.99999994"},
        {10000000.0f, "1e+07"},
        {16777216.0f, "16777216.0"},
        {1e-5f, "1e-05"},
        {1e30f, "1e+30"},
        {3.40282347e38f, "3.40282347e+38"},
        {1.40129846e-45f, "1.4013e-45"},
        {INFINITY, "null"},
        {-INFINITY, "null"},
        {NAN, "null"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        char *out = print_floats(&rows[i].v, 1);
        ck_assert_str_eq(out, rows[i].want);
        free(out);
    }
}
END_TEST

static void check_comes_back(float v, const char *text)
{
    /* readers round once, or twice through double */
    float direct = strtof(text, NULL), through_double = (float)strtod(text, NULL);

    if (!isfinite(v)) {
        ck_assert_str_eq(text, "null");
        return;
    }
    ck_assert_ptr_nonnull(strpbrk(text, ".e"));
    ck_assert_mem_eq(&direct, &v, sizeof(v));
    ck_assert_mem_eq(&through_double, &v, sizeof(v));
}

START_TEST(any_float_comes_back_with_the_same_bits)
{
    enum { ROUNDS = 60, FLOATS = 100 };
    const char *given = getenv("SIMDD_TEST_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    uint64_t state = seed;
    float v[FLOATS];

    printf("test_json_job_print: SIMDD_TEST_SEED=%" PRIu64 "\n", seed);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < FLOATS; i++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            uint32_t bits = (uint32_t)(state >> 32);
            if (i % 2 == 0) /* within the range that has a path of its own */
                bits = (bits & 0x807fffff) | (113 + (bits >> 23) % 40) << 23;
            memcpy(&v[i], &bits, sizeof(bits));
        }
        char *text = print_floats(v, FLOATS), *rest = text;
        for (size_t i = 0; i < FLOATS; i++) {
            char *one = strsep(&rest, ",");
            ck_assert_ptr_nonnull(one);
            check_comes_back(v[i], one);
        }
        ck_assert_ptr_null(rest);
        free(text);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("json_job, print");
    TCase *tc = tcase_create("print");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, an_answer_is_one_line_of_json);
    tcase_add_test(tc, results_nest_as_their_operands_did);
    tcase_add_test(tc, rows_with_gaps_are_printed_without_them);
    tcase_add_test(tc, an_error_says_what_when_and_why);
    tcase_add_test(tc, a_text_stands_on_one_line_and_a_ping_is_short);
    tcase_add_test(tc, floats_are_printed_short_and_stay_real);
    tcase_add_test(tc, any_float_comes_back_with_the_same_bits);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
