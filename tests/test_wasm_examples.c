/* The kit and its examples, in the process that runs them, against plain C. */
#include "config.h"

#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/wasm/hostile.h"
#include "tests/wasm_host.h"

struct example {
    struct wasm_host host;
    struct wasm_answer functions;
    uint32_t used; /* bytes of the segment */
    struct host_task task;
};

static void example_open(struct example *e, const char *file, const char *function)
{
    size_t count;
    uint8_t *bytes = wasm_host_read(file, &count);

    memset(e, 0, sizeof(*e));
    wasm_host_open(&e->host, 2);
    wasm_host_add(&e->host, 0, bytes, count, &e->functions);
    ck_assert_msg(e->functions.reply.status == HOST_REPLY_OK, "%s", e->functions.reply.reason);
    free(bytes);
    e->task.u.call.function = wasm_host_function(&e->functions, function);
    e->task.u.call.end = 1;
}

static void example_close(struct example *e)
{
    wasm_answer_close(&e->functions);
    ck_assert_int_eq(wasm_host_close(&e->host), 0);
}

/* Room for an array, which is then operand i; or the result if i is KERN_IN_MAX. */
static void *example_array(struct example *e, unsigned i, enum kern_type type, uint32_t rank,
                           const uint32_t *dim)
{
    struct host_array *a = i < KERN_IN_MAX ? &e->task.u.call.in[i] : &e->task.u.call.out;
    void *p = e->host.segment + e->used;

    *a = (struct host_array){.at = WINDOW_SEGMENT + e->used, .type = type, .rank = rank};
    a->bytes = (uint32_t)kern_type_bytes(type);
    for (uint32_t d = 0; d < rank; d++) {
        a->dim[d] = dim[d];
        a->bytes *= dim[d];
    }
    e->used += (a->bytes + 63) / 64 * 64;
    ck_assert_uint_le(e->used, WASM_HOST_SEGMENT);
    if (i < KERN_IN_MAX)
        e->task.u.call.in_count = i + 1;
    return p;
}

static struct host_task example_ask(struct example *e, enum host_task_kind kind)
{
    struct host_task t = e->task;

    t.kind = kind;
    wasm_host_run(&e->host, &t);
    return t;
}

/* Runs the units in ranges of `step`, last first, on both lanes in turn. */
static void example_run(struct example *e, uint32_t units, uint32_t step)
{
    unsigned lane = 0;

    for (uint32_t begin = (units - 1) / step * step;; begin -= step) {
        struct host_task t = e->task;
        t.kind = HOST_TASK_CALL;
        t.u.call.begin = begin;
        t.u.call.end = begin + step < units ? begin + step : units;
        wasm_host_push(&e->host, lane, &t);
        ck_assert(wasm_host_await(&e->host, lane, &t));
        ck_assert_msg(t.status == HOST_OK, "%u %s", t.status, t.reason);
        lane = !lane;
        if (begin == 0)
            return;
    }
}

/* ---- attention ---- */

static float random_float(uint64_t *seed, float most)
{
    return most * ((float)(hostile_random(seed) >> 40) * 0x1p-23f - 1);
}

struct sizes {
    uint32_t rows, keys, d, columns;
};

static void attention_fill(struct example *e, const struct sizes *s, float most, float *in[3])
{
    const uint32_t dims[3][2] = {{s->rows, s->d}, {s->keys, s->d}, {s->keys, s->columns}};
    uint64_t seed = 1;

    for (unsigned i = 0; i < 3; i++) {
        in[i] = example_array(e, i, KERN_f32, 2, dims[i]);
        for (uint32_t j = 0; j < dims[i][0] * dims[i][1]; j++)
            in[i][j] = random_float(&seed, most);
    }
}

/* A row in double precision. weights[keys] */
static void attention_row(double *out, double *weights, const struct sizes *s, float *const in[3],
                          uint32_t row, double scale)
{
    double most = -INFINITY, sum = 0;

    for (uint32_t j = 0; j < s->keys; j++) {
        weights[j] = 0;
        for (uint32_t i = 0; i < s->d; i++)
            weights[j] += (double)in[0][row * s->d + i] * (double)in[1][j * s->d + i];
        weights[j] *= scale;
        most = fmax(most, weights[j]);
    }
    for (uint32_t j = 0; j < s->keys; j++)
        sum += weights[j] = exp(weights[j] - most);
    for (uint32_t c = 0; c < s->columns; c++) {
        out[c] = 0;
        for (uint32_t j = 0; j < s->keys; j++)
            out[c] += weights[j] / sum * (double)in[2][j * s->columns + c];
    }
}

static void check_attention(const struct sizes *s, float most, double scale_given, uint32_t step)
{
    struct example e;
    float *in[3];
    double want[64], weights[4096];
    double scale = scale_given > 0 ? scale_given : 1 / sqrt(s->d);

    example_open(&e, "wasm/guest/examples/attention.wasm", "attention");
    attention_fill(&e, s, most, in);
    e.task.u.call.param_count = scale_given > 0;
    e.task.u.call.param[0] = scale_given;
    struct host_task t = example_ask(&e, HOST_TASK_SHAPE);
    ck_assert_msg(t.status == HOST_OK, "%s", t.reason);
    ck_assert_uint_eq(t.result.type, KERN_f32);
    ck_assert_uint_eq(t.result.rank, 2);
    ck_assert_uint_eq(t.result.dim[0], s->rows);
    ck_assert_uint_eq(t.result.dim[1], s->columns);
    float *out = example_array(&e, KERN_IN_MAX, KERN_f32, 2, t.result.dim);
    t = example_ask(&e, HOST_TASK_UNITS);
    ck_assert_int_ge(t.value, 1);
    example_run(&e, (uint32_t)t.value, step);
    for (uint32_t row = 0; row < s->rows; row++) {
        attention_row(want, weights, s, in, row, scale);
        for (uint32_t c = 0; c < s->columns; c++) {
            double error = fabs(want[c] - (double)out[row * s->columns + c]);
            ck_assert_msg(error <= 1e-5 * (double)most, "[%u,%u]: %g off", row, c, error);
        }
    }
    example_close(&e);
}

START_TEST(attention_is_softmax_of_q_k_times_v)
{
    static const struct sizes sizes[] = {{1, 1, 1, 1},    {3, 5, 7, 2},    {2, 4, 4, 4},
                                         {129, 33, 8, 5}, {300, 77, 16, 9}, {40, 4093, 3, 4}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        check_attention(&sizes[i], 1, 0, 1);
        check_attention(&sizes[i], 3, 0.5, 1000);
    }
}
END_TEST

START_TEST(attention_is_the_same_however_it_is_split)
{
    const struct sizes s = {300, 77, 16, 9};
    static float first[300 * 9];

    for (uint32_t step = 1; step <= 3; step++) {
        struct example e;
        float *in[3];
        example_open(&e, "wasm/guest/examples/attention.wasm", "attention");
        attention_fill(&e, &s, 2, in);
        float *out = example_array(&e, KERN_IN_MAX, KERN_f32, 2, (uint32_t[]){s.rows, s.columns});
        example_run(&e, 3, step);
        if (step == 1)
            memcpy(first, out, sizeof(first));
        ck_assert_int_eq(memcmp(first, out, sizeof(first)), 0);
        example_close(&e);
    }
}
END_TEST

START_TEST(attention_of_large_scores_and_of_nan_stays_in_its_rows)
{
    const struct sizes s = {3, 9, 2, 3};
    struct example e;
    float *in[3];

    example_open(&e, "wasm/guest/examples/attention.wasm", "attention");
    attention_fill(&e, &s, 1, in);
    in[0][0] = 1e6f; /* row 0: one key outweighs all others; row 1: NaN */
    in[0][3] = NAN;
    float *out = example_array(&e, KERN_IN_MAX, KERN_f32, 2, (uint32_t[]){s.rows, s.columns});
    example_run(&e, 1, 1);
    uint32_t most = 0;
    for (uint32_t j = 0; j < s.keys; j++)
        most = in[1][j * s.d] > in[1][most * s.d] ? j : most;
    for (uint32_t c = 0; c < s.columns; c++) {
        ck_assert_float_eq(out[c], in[2][most * s.columns + c]);
        ck_assert(isnan(out[s.columns + c]));
        ck_assert(!isnan(out[2 * s.columns + c]));
    }
    example_close(&e);
}
END_TEST

START_TEST(attention_names_what_does_not_fit)
{
    struct example e;
    const uint32_t q[] = {4, 8}, k[] = {5, 8}, v[] = {6, 3}, out[] = {4, 4};

    example_open(&e, "wasm/guest/examples/attention.wasm", "attention");
    example_array(&e, 0, KERN_f32, 2, q);
    struct host_task t = example_ask(&e, HOST_TASK_SHAPE);
    ck_assert_uint_eq(t.status, HOST_FAILED);
    ck_assert_str_eq(t.reason, "operand 1 is missing, not f32 of rank 2");
    example_array(&e, 1, KERN_i32, 1, k);
    t = example_ask(&e, HOST_TASK_CALL);
    ck_assert_str_eq(t.reason, "operand 1 is i32[5], not f32 of rank 2");
    example_array(&e, 1, KERN_f32, 2, k);
    example_array(&e, 2, KERN_f32, 2, v);
    t = example_ask(&e, HOST_TASK_SHAPE);
    ck_assert_int_eq(t.value, 16);
    ck_assert_str_eq(t.reason, "k and v differ in their number of rows");
    example_array(&e, 2, KERN_f32, 2, k);
    example_array(&e, KERN_IN_MAX, KERN_f32, 2, out);
    t = example_ask(&e, HOST_TASK_CALL);
    ck_assert_uint_eq(t.status, HOST_FAILED);
    ck_assert_str_eq(t.reason, "the result is f32[4,4], not f32[4,8]");
    example_close(&e);
}
END_TEST

/* ---- sobel ---- */

struct image {
    const uint8_t *pixels;
    uint32_t h, w, channels;
};

/* Pixels beyond the edge are the edge's. */
static int luma(const struct image *im, int64_t y, int64_t x)
{
    y = y < 0 ? 0 : y >= im->h ? im->h - 1 : y;
    x = x < 0 ? 0 : x >= im->w ? im->w - 1 : x;
    const uint8_t *p = im->pixels + ((size_t)y * im->w + (size_t)x) * im->channels;
    return im->channels == 1 ? p[0] : (77 * p[0] + 150 * p[1] + 29 * p[2] + 128) >> 8;
}

static int sobel(const struct image *im, int64_t y, int64_t x)
{
    int gx = 0, gy = 0, root = 0;

    for (int i = -1; i <= 1; i++) {
        int weight = i == 0 ? 2 : 1;
        gx += weight * (luma(im, y + i, x + 1) - luma(im, y + i, x - 1));
        gy += weight * (luma(im, y + 1, x + i) - luma(im, y - 1, x + i));
    }
    /* the root to the nearest, in whole numbers */
    while (root < 255 && (2 * root + 1) * (2 * root + 1) < 4 * (gx * gx + gy * gy))
        root++;
    return root;
}

static void check_sobel(uint32_t h, uint32_t w, uint32_t channels, bool hard)
{
    const uint32_t dim[3] = {h, w, channels};
    struct example e;
    uint64_t seed = h + w;

    example_open(&e, "wasm/guest/examples/sobel.wasm", "sobel");
    uint8_t *in = example_array(&e, 0, KERN_u8, channels == 1 ? 2 : 3, dim);
    for (size_t i = 0; i < (size_t)h * w * channels; i++)
        in[i] = (uint8_t)(hard ? 255 * (hostile_random(&seed) & 1) : hostile_random(&seed) % 60);
    struct host_task t = example_ask(&e, HOST_TASK_SHAPE);
    ck_assert_msg(t.status == HOST_OK, "%s", t.reason);
    ck_assert_uint_eq(t.result.type, KERN_u8);
    ck_assert_uint_eq(t.result.rank, 2);
    uint8_t *out = example_array(&e, KERN_IN_MAX, KERN_u8, 2, t.result.dim);
    memset(out + (size_t)h * w, 0xee, 16);
    t = example_ask(&e, HOST_TASK_UNITS);
    ck_assert_int_eq(t.value, (int32_t)(h + 15) / 16);
    example_run(&e, (uint32_t)t.value, 2);

    struct image im = {in, h, w, channels};
    for (uint32_t y = 0; y < h; y++) {
        for (uint32_t x = 0; x < w; x++)
            ck_assert_msg(out[(size_t)y * w + x] == sobel(&im, y, x), "%ux%u [%u,%u]: %u", h, w, y,
                          x, out[(size_t)y * w + x]);
    }
    for (unsigned i = 0; i < 16; i++)
        ck_assert_uint_eq(out[(size_t)h * w + i], 0xee);
    example_close(&e);
}

START_TEST(sobel_is_exact)
{
    static const uint32_t sizes[][2] = {{1, 1},   {1, 40},   {40, 1},   {2, 2},    {3, 15},
                                        {17, 16}, {33, 17},  {16, 31},  {100, 64}, {65, 100}};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        for (int hard = 0; hard < 2; hard++) {
            check_sobel(sizes[i][0], sizes[i][1], 1, hard);
            check_sobel(sizes[i][0], sizes[i][1], 3, hard);
        }
    }
}
END_TEST

START_TEST(sobel_names_what_does_not_fit)
{
    struct example e;
    const uint32_t dim[] = {4, 5, 2};

    example_open(&e, "wasm/guest/examples/sobel.wasm", "sobel");
    example_array(&e, 0, KERN_u8, 3, dim);
    struct host_task t = example_ask(&e, HOST_TASK_SHAPE);
    ck_assert_str_eq(t.reason, "the image is neither [h,w] nor [h,w,3]");
    example_array(&e, 0, KERN_f32, 2, dim);
    t = example_ask(&e, HOST_TASK_SHAPE);
    ck_assert_str_eq(t.reason, "operand 0 is f32[4,5], not u8");
    example_close(&e);
}
END_TEST

/* Once for all tests: compiling the kernels takes longer than most of them. */
static void warm(void)
{
    struct wasm_host host;

    wasm_host_open(&host, 1);
    wasm_host_close(&host);
}

int main(void)
{
    Suite *suite = suite_create("wasm_examples");
    TCase *t = tcase_create("examples");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, warm, NULL);
    tcase_add_test(t, attention_is_softmax_of_q_k_times_v);
    tcase_add_test(t, attention_is_the_same_however_it_is_split);
    tcase_add_test(t, attention_of_large_scores_and_of_nan_stays_in_its_rows);
    tcase_add_test(t, attention_names_what_does_not_fit);
    tcase_add_test(t, sobel_is_exact);
    tcase_add_test(t, sobel_names_what_does_not_fit);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
