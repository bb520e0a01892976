/* json_job.h: lines that become jobs, lines that are refused by name, and answers. */
#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "json_job.h"
#include "kernels/kern.h"
#include "pool.h"
#include "suite.h"

#define JOB_MAX_BYTES ((size_t)1 << 20)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))
#define F32_ONE 0x3f800000u

static struct pool *pool;
static struct pool_local *local;

static void set_up(void)
{
    ck_assert_int_eq(pool_new(&pool, (size_t)64 << 20, 0), 0);
    ck_assert_int_eq(pool_local_new(&local, pool), 0);
}

static void tear_down(void)
{
    struct pool_stats stats;
    pool_stats(pool, &stats);
    ck_assert_uint_eq(stats.used_bytes, 0); /* whatever a test parsed, it gave back */
    pool_local_free(local);
    pool_free(pool);
}

/* Parses from memory of exactly the line's size, so that a read behind it is seen. */
static enum wire_status parse_bytes(struct json_request *r, char field[static 64],
                                    const char *line, size_t bytes, size_t max_bytes)
{
    char *exact = malloc(bytes > 0 ? bytes : 1);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, line, bytes);
    memset(field, 'x', 64);
    enum wire_status status = json_job_parse(r, field, exact, bytes, max_bytes, local);
    ck_assert_ptr_nonnull(memchr(field, '\0', 64));
    if (status != WIRE_OK)
        ck_assert_ptr_null(r->payload);
    free(exact);
    return status;
}

static enum wire_status parse(struct json_request *r, char field[static 64], const char *line)
{
    return parse_bytes(r, field, line, strlen(line), JOB_MAX_BYTES);
}

static void drop(struct json_request *r)
{
    buf_put(local, r->payload);
    free(r->id_text);
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

    ck_assert_msg(parse(&r, field, g->line) == WIRE_OK, "%s: %s", g->line, field);
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
    drop(&r);
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

    ck_assert_uint_eq(parse(&r, field,
                            "{\"op\":\"mix_u32\",\"x\":[1],\"backend\":\"wasm\","
                            "\"priority\":\"low\",\"cache\":\"never\",\"deadline_us\":4294967295}"),
                      WIRE_OK);
    ck_assert_uint_eq(r.header.backend, WIRE_BACKEND_WASM);
    ck_assert_uint_eq(r.header.priority, WIRE_PRIORITY_LOW);
    ck_assert_uint_eq(r.header.flags, WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT);
    ck_assert_uint_eq(r.header.deadline_us, UINT32_MAX);
    drop(&r);
    ck_assert_uint_eq(parse(&r, field,
                            "{\"op\":\"mix_u32\",\"x\":[1],\"backend\":\"native\","
                            "\"priority\":\"high\",\"cache\":\"always\"}"),
                      WIRE_OK);
    ck_assert_uint_eq(r.header.backend, WIRE_BACKEND_NATIVE);
    ck_assert_uint_eq(r.header.priority, WIRE_PRIORITY_HIGH);
    ck_assert_uint_eq(r.header.flags, WIRE_CACHE_ALWAYS << WIRE_F_CACHE_SHIFT);
    ck_assert_uint_eq(r.header.deadline_us, 0);
    drop(&r);
}
END_TEST

START_TEST(ping_and_metrics_have_an_id_and_nothing_else)
{
    struct json_request r;
    char field[64];

    ck_assert_uint_eq(parse(&r, field, "{\"op\":\"ping\",\"id\":5}"), WIRE_OK);
    ck_assert_uint_eq(r.header.type, WIRE_PING);
    ck_assert_ptr_null(r.payload);
    ck_assert_str_eq(r.id_text, "5");
    drop(&r);
    ck_assert_uint_eq(parse(&r, field, "{\"op\":\"metrics\"}"), WIRE_OK);
    ck_assert_uint_eq(r.header.type, WIRE_METRICS);
    ck_assert_uint_eq(r.header.arg[0], WIRE_METRICS_JSON);
    drop(&r);
    ck_assert_uint_eq(parse(&r, field, "{\"op\":\"ping\",\"x\":[1]}"), WIRE_BAD_FIELD);
    ck_assert_str_eq(field, "x");
    ck_assert_uint_eq(parse(&r, field, "{\"op\":\"ping\\u0000\"}"), WIRE_BAD_OP);
}
END_TEST

#define ADD "{\"op\":\"add_f32\","
#define MM "{\"op\":\"matmul_f32\","
#define MM8 "{\"op\":\"matmul_u8\",\"a\":[[1]],\"b\":[[1]],"
#define CONV "{\"op\":\"conv2d_u8\","
#define HASH "{\"op\":\"hash_fast\","

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
    {ADD "\"x\":[1,2],\"y\":[1]}", WIRE_BAD_SHAPE, "y"},
    {ADD "\"x\":[[1]],\"y\":[1]}", WIRE_BAD_SHAPE, "x"},
    {ADD "\"x\":[1,[2]],\"y\":[1,2]}", WIRE_BAD_SHAPE, "x"},
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
    {MM "\"a\":[[1,2]],\"b\":[[1]]}", WIRE_BAD_SHAPE, "b"},
    {MM "\"a\":[[1,2],[3]],\"b\":[[1],[2]]}", WIRE_BAD_SHAPE, "a"},
    {MM "\"a\":[[1,2],3],\"b\":[[1],[2]]}", WIRE_BAD_SHAPE, "a"},
    {MM "\"a\":[[[1]]],\"b\":[[1]]}", WIRE_BAD_SHAPE, "a"},
    {MM "\"a\":[[[[1]]]],\"b\":[[1]]}", WIRE_BAD_SHAPE, "a"},
    {MM "\"a\":[[]],\"b\":[[1]]}", WIRE_BAD_SHAPE, "a"},
    {MM "\"a\":[1],\"b\":[[1]]}", WIRE_BAD_FIELD, "m"},
    {MM "\"a\":[[1]],\"b\":[1]}", WIRE_BAD_FIELD, "n"},
    {MM "\"a\":[1],\"b\":[1],\"m\":1,\"n\":1}", WIRE_BAD_FIELD, "k"},
    {MM "\"a\":[1,2,3],\"b\":[1],\"m\":1,\"n\":1,\"k\":2}", WIRE_BAD_SHAPE, "a"},
    {MM "\"a\":[1,2],\"b\":[1],\"m\":1,\"n\":1,\"k\":2}", WIRE_BAD_SHAPE, "b"},
    {MM "\"a\":[1],\"b\":[1],\"m\":4294967295,\"n\":1,\"k\":4294967295}", WIRE_BAD_SHAPE, "a"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"m\":2}", WIRE_BAD_SHAPE, "a"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"m\":0}", WIRE_BAD_SHAPE, "m"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"m\":1.5}", WIRE_BAD_VALUE, "m"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"lda\":1}", WIRE_BAD_FIELD, "lda"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"trans_a\":1}", WIRE_BAD_FIELD, "trans_a"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"alpha\":1e39}", WIRE_BAD_VALUE, "alpha"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"alpha\":null}", WIRE_BAD_FIELD, "alpha"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"zero_a\":1}", WIRE_BAD_FIELD, "zero_a"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"beta\":1}", WIRE_BAD_FIELD, "c"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"c\":[[1]]}", WIRE_BAD_FIELD, "c"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"c\":[[1,2]],\"beta\":1}", WIRE_BAD_SHAPE, "c"},
    {MM "\"a\":[[1]],\"b\":[[1]],\"c\":[1,2],\"beta\":1}", WIRE_BAD_SHAPE, "c"},
    {MM8 "\"alpha\":1}", WIRE_BAD_FIELD, "alpha"},
    {MM8 "\"zero_a\":256}", WIRE_BAD_PARAMETER, "zero_a"},
    {MM8 "\"zero_b\":-1}", WIRE_BAD_VALUE, "zero_b"},
    {CONV "\"image\":[[1]],\"kernel\":[[1,2]]}", WIRE_BAD_SHAPE, "s"},
    {CONV "\"image\":[[1]],\"kernel\":[[1],[2]]}", WIRE_BAD_SHAPE, "r"},
    {CONV "\"image\":[[1]],\"kernel\":[1]}", WIRE_BAD_FIELD, "r"},
    {CONV "\"image\":[[1]],\"kernel\":[1],\"r\":1}", WIRE_BAD_FIELD, "s"},
    {CONV "\"image\":[[1]],\"kernel\":[[[1]]]}", WIRE_BAD_SHAPE, "kernel"},
    {CONV "\"image\":[[1]],\"kernel\":[[1]],\"channels\":3}", WIRE_BAD_SHAPE, "image"},
    {CONV "\"image\":[[[1,2]]],\"kernel\":[[1]]}", WIRE_BAD_SHAPE, "channels"},
    {CONV "\"image\":[[[1,2,3],[1,2]]],\"kernel\":[[1]]}", WIRE_BAD_SHAPE, "image"},
    {CONV "\"image\":[1],\"kernel\":[[1]]}", WIRE_BAD_FIELD, "h"},
    {CONV "\"image\":[1],\"kernel\":[[1]],\"h\":1}", WIRE_BAD_FIELD, "w"},
    {CONV "\"image\":[1,2],\"kernel\":[[1]],\"h\":1,\"w\":1}", WIRE_BAD_SHAPE, "image"},
    {CONV "\"image\":[1,2],\"kernel\":[[1]],\"h\":1,\"w\":1,\"channels\":3}", WIRE_BAD_SHAPE,
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
        enum wire_status status = parse(&r, field, b->line);

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
        ck_assert_uint_eq(parse_bytes(&r, field, line, bytes, JOB_MAX_BYTES), WIRE_BAD_JSON);
        free(r.id_text);
    }
    ck_assert_uint_eq(parse(&r, field, line), WIRE_OK);
    ck_assert_str_eq(r.id_text, "\"\\\"x\"");
    drop(&r);
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
        parse(&r, field, rows[i].line);
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
    ck_assert_uint_eq(parse(&r, field, line), WIRE_OK);
    ck_assert_uint_eq(strlen(r.id_text), 256);
    drop(&r);
    memcpy(line + n + 254, "i\"}", 4);
    ck_assert_uint_eq(parse(&r, field, line), WIRE_BAD_FIELD);
    ck_assert_str_eq(field, "id");
    ck_assert_ptr_null(r.id_text);
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
    ck_assert_uint_eq(parse_bytes(&r, field, line, DEEP + 5, JOB_MAX_BYTES), WIRE_BAD_JSON);
    free(line);
    /* brackets inside a string nest nothing */
    ck_assert_uint_eq(parse(&r, field, HASH "\"text\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[\"}"),
                      WIRE_OK);
    drop(&r);
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
        ck_assert_uint_eq(parse(&r, field, line), WIRE_BAD_FIELD);
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

    ck_assert_uint_eq(parse_bytes(&r, field, line, sizeof(line) - 1, 24), WIRE_OK);
    drop(&r);
    ck_assert_uint_eq(parse_bytes(&r, field, line, sizeof(line) - 1, 23), WIRE_TOO_BIG);
    /* one outer product's small operands and large result */
    char big[4096] = MM "\"m\":256,\"n\":256,\"k\":1,\"a\":[1";
    size_t n = strlen(big);
    for (unsigned i = 1; i < 256; i++, n += 2)
        memcpy(big + n, ",1", 2);
    n += (size_t)snprintf(big + n, sizeof(big) - n, "],\"b\":[1");
    for (unsigned i = 1; i < 256; i++, n += 2)
        memcpy(big + n, ",1", 2);
    memcpy(big + n, "]}", 3);
    ck_assert_uint_eq(parse_bytes(&r, field, big, strlen(big), 264192), WIRE_OK);
    drop(&r);
    ck_assert_uint_eq(parse_bytes(&r, field, big, strlen(big), 264191), WIRE_TOO_BIG);
}
END_TEST

START_TEST(memory_that_is_refused_is_an_answer)
{
    struct json_request r;
    char field[64];

    pool_set_limits(pool, 0, 0);
    ck_assert_uint_eq(parse(&r, field, "{\"id\":1,{"), WIRE_BAD_JSON);
    free(r.id_text);
    ck_assert_uint_eq(parse(&r, field, ADD "\"id\":1,\"x\":[1],\"y\":[1]}"), WIRE_OVERLOADED);
    ck_assert_str_eq(r.id_text, "1");
    free(r.id_text);
}
END_TEST

/* The shape of a JSON request; it needs no operands to print a result. */
static struct shape shape_of(const char *line)
{
    struct json_request r;
    char field[64];

    ck_assert_uint_eq(parse(&r, field, line), WIRE_OK);
    struct shape s = r.shape;
    drop(&r);
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

    printf("test_json_job: SIMDD_TEST_SEED=%" PRIu64 "\n", seed);
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

static Suite *json_job_suite(void)
{
    Suite *suite = suite_create("json_job");
    TCase *tc = tcase_create("parse");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_line_makes_the_frame_it_stands_for);
    tcase_add_test(tc, how_a_job_is_run_goes_into_the_header);
    tcase_add_test(tc, ping_and_metrics_have_an_id_and_nothing_else);
    tcase_add_test(tc, a_wrong_line_is_refused_by_the_name_of_its_member);
    tcase_add_test(tc, every_cut_of_a_good_line_is_refused);
    tcase_add_test(tc, an_id_comes_back_as_it_was_written);
    tcase_add_test(tc, an_id_has_a_bound);
    tcase_add_test(tc, deep_nesting_is_refused_before_it_is_parsed);
    tcase_add_test(tc, a_long_name_is_cut_at_a_whole_character);
    tcase_add_test(tc, a_job_over_the_limit_is_refused_before_memory_is_taken);
    tcase_add_test(tc, memory_that_is_refused_is_an_answer);
    suite_add_tcase(suite, tc);

    tc = tcase_create("print");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, an_answer_is_one_line_of_json);
    tcase_add_test(tc, results_nest_as_their_operands_did);
    tcase_add_test(tc, rows_with_gaps_are_printed_without_them);
    tcase_add_test(tc, an_error_says_what_when_and_why);
    tcase_add_test(tc, a_text_stands_on_one_line_and_a_ping_is_short);
    tcase_add_test(tc, floats_are_printed_short_and_stay_real);
    tcase_add_test(tc, any_float_comes_back_with_the_same_bits);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(json_job_suite());
}
