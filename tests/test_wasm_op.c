/* The daemon's ops as modules import them: right results, and everything that a module may get
 * wrong in what it hands over. With tests/wasm/guest.c. */
#include "config.h"

#include "suite.h"

#include <string.h>
#include <time.h>

#include <unistd.h>

#include "wasm_host.h"

#define ARENA     WINDOW_ARENAS
#define ARENA_END (ARENA + ARENA_BYTES)
#define FAR       (ARENA + 0x10000000) /* where nothing is */
enum { GUEST = 5, ARENA_BYTES = 1 << 17 };

struct bed {
    struct wasm_host h;
    struct wasm_answer added;
    uint8_t *arena;
    struct host_task task;
};

static void bed_open(struct bed *b)
{
    size_t count;
    uint8_t *bytes = wasm_host_read("tests/wasm/guest.wasm", &count);

    wasm_host_open(&b->h, 2);
    wasm_host_add(&b->h, GUEST, bytes, count, &b->added);
    ck_assert_msg(b->added.reply.status == HOST_REPLY_OK, "%s", b->added.reply.reason);
    free(bytes);
    b->arena = wasm_host_map(&b->h, ARENA, ARENA_BYTES);
}

static void bed_close(struct bed *b)
{
    wasm_answer_close(&b->added);
    wasm_host_expect_exit(&b->h, 0);
}

static struct host_call *prepare(struct bed *b, const char *name, unsigned params,
                                 const double *param)
{
    b->task = (struct host_task){.kind = HOST_TASK_CALL};
    struct host_call *c = &b->task.u.call;
    c->module = GUEST;
    c->function = wasm_host_function(&b->added, name);
    c->end = 1;
    c->param_count = params;
    for (unsigned i = 0; i < params; i++)
        c->param[i] = param[i];
    return c;
}

static void expect(struct bed *b, enum host_status status, const char *word)
{
    ck_assert_msg(b->task.status == status && strstr(b->task.reason, word) != NULL,
                  "status %u value %d reason '%s', not '%s'", b->task.status, b->task.value,
                  b->task.reason, word);
}

static struct host_array array(uint32_t at, enum kern_type type, uint32_t n)
{
    uint32_t bytes = n * (uint32_t)kern_type_bytes(type);
    return (struct host_array){.at = at, .type = type, .rank = 1, .dim = {n}, .bytes = bytes};
}

/* ---- elements ---- */

START_TEST(pointers_that_are_wrong_end_the_call_with_a_reason)
{
    static const struct {
        double p[4]; /* x, y, z, n */
        const char *word; /* NULL: it is right */
    } cases[] = {
        {{ARENA, ARENA + 400, ARENA + 800, 100}, NULL},
        {{ARENA, ARENA + 400, ARENA, 100}, NULL},       /* in place */
        {{ARENA, ARENA, ARENA, 100}, NULL},
        {{ARENA_END - 400, ARENA, WINDOW_SEGMENT, 100}, NULL}, /* up to the last byte */
        {{ARENA, ARENA, ARENA_END - 400, 100}, NULL},
        {{FAR, FAR, FAR, 0}, NULL},                     /* nothing of nothing */
        {{ARENA_END - 396, ARENA, WINDOW_SEGMENT, 100}, "operand 0 lies outside"},
        {{ARENA, ARENA_END - 396, WINDOW_SEGMENT, 100}, "operand 1 lies outside"},
        {{ARENA, ARENA, ARENA_END - 396, 100}, "the result lies outside"},
        {{ARENA - 4, ARENA, WINDOW_SEGMENT, 100}, "operand 0 lies outside"},
        {{FAR, ARENA, WINDOW_SEGMENT, 100}, "operand 0 lies outside"},
        {{WINDOW_CALL, ARENA, WINDOW_SEGMENT, 100}, "operand 0 lies outside"},
        {{ARENA, ARENA, WINDOW_CALL, 1}, "the result lies outside"},
        {{WASM_HOST_MEMORY_MAX - 400, ARENA, WINDOW_SEGMENT, 100}, "operand 0 lies outside"},
        {{WINDOW_END, ARENA, WINDOW_SEGMENT, 1}, "operand 0 lies outside"},
        {{4294967292.0, ARENA, WINDOW_SEGMENT, 1}, "operand 0 lies outside"},
        {{ARENA, ARENA, WINDOW_SEGMENT, 4294967295.0}, "operand 0 lies outside"},
        {{ARENA, ARENA, WINDOW_SEGMENT, 1073741824.0}, "operand 0 lies outside"},
        {{ARENA + 1, ARENA, WINDOW_SEGMENT, 10}, "operand 0 is not aligned"},
        {{ARENA, ARENA + 2, WINDOW_SEGMENT, 10}, "operand 1 is not aligned"},
        {{ARENA, ARENA, WINDOW_SEGMENT + 3, 10}, "the result is not aligned"},
        {{ARENA, ARENA + 400, ARENA + 4, 100}, "overlaps operand 0"},
        {{ARENA + 400, ARENA, ARENA + 396, 100}, "overlaps operand 0"},
        {{ARENA, ARENA + 400, ARENA + 796, 100}, "overlaps operand 1"},
        {{ARENA, ARENA + 396, ARENA, 100}, "overlaps operand 1"},
    };
    struct bed b;

    bed_open(&b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        prepare(&b, "raw_add", 4, cases[i].p);
        wasm_host_run(&b.h, &b.task);
        if (cases[i].word == NULL) {
            expect(&b, HOST_OK, "");
        } else {
            expect(&b, HOST_BAD_IMPORT, cases[i].word);
            expect(&b, HOST_BAD_IMPORT, "simdd.add_f32: ");
        }
    }
    bed_close(&b);
}
END_TEST

START_TEST(a_description_may_lie_only_where_there_is_memory)
{
    static const uint32_t wrong[] = {FAR, WINDOW_CALL, ARENA + ARENA_BYTES - 40, ARENA + 2,
                                     4294967292u, WINDOW_END - 4};
    struct bed b;

    bed_open(&b);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        prepare(&b, "raw_op", 1, (double[]){wrong[i]});
        wasm_host_run(&b.h, &b.task);
        expect(&b, HOST_BAD_IMPORT, "simdd.mix_u32: its description");
    }
    /* zeros: nothing to do */
    prepare(&b, "raw_op", 1, (double[]){ARENA + ARENA_BYTES - 60});
    wasm_host_run(&b.h, &b.task);
    expect(&b, HOST_OK, "");
    bed_close(&b);
}
END_TEST

START_TEST(arenas_that_touch_are_one_memory)
{
    struct bed b;

    bed_open(&b);
    wasm_host_map(&b.h, ARENA + ARENA_BYTES, ARENA_BYTES);
    prepare(&b, "raw_add", 4,
            (double[]){ARENA + ARENA_BYTES - 200, WINDOW_SEGMENT, WINDOW_SEGMENT, 100});
    wasm_host_run(&b.h, &b.task);
    expect(&b, HOST_OK, "");
    wasm_host_unmap(&b.h, ARENA + ARENA_BYTES, ARENA_BYTES);
    prepare(&b, "raw_add", 4,
            (double[]){ARENA + ARENA_BYTES - 200, WINDOW_SEGMENT, WINDOW_SEGMENT, 100});
    wasm_host_run(&b.h, &b.task);
    expect(&b, HOST_BAD_IMPORT, "operand 0 lies outside");
    bed_close(&b);
}
END_TEST

/* ---- matrices, images, hashes ---- */

START_TEST(a_matmul_is_the_references_and_its_shape_is_checked)
{
    static const struct {
        double p[6]; /* m, n, k, lda, ldb, ldc */
        const char *word;
    } cases[] = {
        {{0, 4, 4, 0, 0, 0}, "is 0"},
        {{4, 4, 0, 0, 0, 0}, "is 0"},
        {{4, 4, 4, 3, 0, 0}, "lda"},
        {{4, 4, 4, 0, 3, 0}, "ldb"},
        {{4, 4, 4, 0, 0, 3}, "ldc"},
        {{4096, 4, 4, 1000, 0, 0}, "operand 0 lies outside"},
        {{4294967295.0, 4294967295.0, 4294967295.0, 0, 0, 0}, "operand 0 lies outside"},
        {{1, 4294967295.0, 4, 0, 0, 0}, "operand 1 lies outside"},
        {{4, 4, 4, 4294967295.0, 0, 0}, "operand 0 lies outside"},
        {{8, 8, 8, 0, 0, 1000000}, "the result"},
    };
    enum { M = 23, N = 17, K = 31 };
    float expected[M * N];
    struct bed b;

    bed_open(&b);
    float *x = (float *)(void *)b.arena;
    for (int i = 0; i < M * K + K * N; i++)
        x[i] = (float)(i % 13) - 6;
    struct kern_args args = {.in = {x, x + M * K}, .out = expected};
    args.u.matmul = (struct kern_matmul){
        .m = M, .n = N, .k = K, .lda = K, .ldb = N, .ldc = N, .alpha.f32 = 1};
    kern_run(kern_table_ref(true), KERN_OP_matmul_f32, &args, NULL, NULL);
    struct host_array in[] = {array(ARENA, KERN_f32, M * K),
                              array(ARENA + M * K * 4, KERN_f32, K * N)};
    struct host_array out = array(WINDOW_SEGMENT, KERN_f32, M * N);

    struct host_call *c = prepare(&b, "raw_matmul", 6, (double[]){M, N, K, 0, 0, 0});
    c->in_count = 2;
    memcpy(c->in, in, sizeof in);
    c->out = out;
    wasm_host_run(&b.h, &b.task);
    expect(&b, HOST_OK, "");
    ck_assert_mem_eq(b.h.segment, expected, sizeof expected); /* small integers: exact */
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        c = prepare(&b, "raw_matmul", 6, cases[i].p);
        memcpy(c->in, in, sizeof in);
        c->out = out;
        wasm_host_run(&b.h, &b.task);
        expect(&b, HOST_BAD_IMPORT, cases[i].word);
    }
    bed_close(&b);
}
END_TEST

START_TEST(a_conv2d_has_its_shape_checked)
{
    static const struct {
        double p[7]; /* h, w, channels, r, s, border, rounding */
        const char *word;
    } cases[] = {
        {{20, 20, 1, 3, 3, 0, 0}, NULL},
        {{20, 20, 3, 1, 5, 3, 1}, NULL},
        {{0, 20, 1, 3, 3, 0, 0}, "is 0"},
        {{20, 20, 2, 3, 3, 0, 0}, "channels"},
        {{20, 20, 1, 2, 3, 0, 0}, "even"},
        {{20, 20, 1, 3, 1025, 0, 0}, "1023"},
        {{20, 20, 1, 3, 3, 4, 0}, "border"},
        {{20, 20, 1, 3, 3, 0, 2}, "rounding"},
        {{65536, 65536, 4, 3, 3, 0, 0}, "operand 0 lies outside"},
        {{4294967295.0, 4294967295.0, 4, 3, 3, 0, 0}, "operand 0 lies outside"},
        {{20, 20, 1, 1023, 1023, 0, 0}, "operand 1 lies outside"},
    };
    struct bed b;

    bed_open(&b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct host_call *c = prepare(&b, "raw_conv2d", 7, cases[i].p);
        c->in[0] = array(ARENA, KERN_u8, 1200);
        c->in[1] = array(ARENA + 4096, KERN_f32, 9);
        c->out = array(ARENA + 2048, KERN_u8, 1200);
        wasm_host_run(&b.h, &b.task);
        if (cases[i].word == NULL)
            expect(&b, HOST_OK, "");
        else
            expect(&b, HOST_BAD_IMPORT, cases[i].word);
    }
    bed_close(&b);
}
END_TEST

START_TEST(offsets_of_a_hash_are_read_once_and_must_rise)
{
    static const struct {
        uint64_t offset[4];
        bool right;
    } cases[] = {
        {{0, 10, 20, 100}, true},
        {{5, 5, 5, 5}, true},
        {{0, 10, 9, 100}, false},
        {{0, 10, 20, 101}, false},
        {{UINT64_MAX, 10, 20, 100}, false},
        {{0, UINT64_MAX, UINT64_MAX, UINT64_MAX}, false},
    };
    struct bed b;

    bed_open(&b);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        memcpy(b.arena + 1024, cases[i].offset, sizeof cases[i].offset);
        struct host_call *c = prepare(&b, "hashes", 0, NULL);
        c->in[0] = array(ARENA, KERN_u8, 100);
        c->in[1] = array(ARENA + 1024, KERN_u64, 4);
        c->out = array(ARENA + 2048, KERN_u64, 3);
        wasm_host_run(&b.h, &b.task);
        if (!cases[i].right) {
            expect(&b, HOST_BAD_IMPORT, "hash_fnv1a_64: its offsets");
            continue;
        }
        expect(&b, HOST_OK, "");
        ck_assert_uint_eq(b.task.copied, sizeof cases[i].offset);
        uint64_t out[3];
        struct kern_args args = {.in = {b.arena, cases[i].offset}, .out = out};
        args.u.hash = (struct kern_hash){.n_bytes = 100, .count = 3};
        kern_run(kern_table_ref(true), KERN_OP_hash_fnv1a_64, &args, NULL, NULL);
        ck_assert_mem_eq(b.arena + 2048, out, sizeof out);
    }
    bed_close(&b);
}
END_TEST

/* An op that is under way when its memory goes is stopped; the process and others are not. */
START_TEST(memory_may_go_while_an_op_reads_it)
{
    enum { LARGE = 128 << 20 };
    static const struct timespec while_it_runs = {.tv_nsec = 20000000};
    struct bed b;

    bed_open(&b);
    uint8_t *large = wasm_host_map(&b.h, FAR, LARGE);
    memcpy(b.arena, (uint64_t[]){0, LARGE}, 16);
    struct host_call *c = prepare(&b, "hashes", 0, NULL);
    c->in[0] = array(FAR, KERN_u8, LARGE);
    c->in[1] = array(ARENA, KERN_u64, 2);
    c->out = array(ARENA + 2048, KERN_u64, 1);
    wasm_host_push(&b.h, 1, &b.task);
    nanosleep(&while_it_runs, NULL);
    wasm_host_unmap(&b.h, FAR, LARGE);
    ck_assert(wasm_host_await(&b.h, 1, &b.task));
    if (b.task.status == HOST_BAD_IMPORT) /* it had not begun yet */
        expect(&b, HOST_BAD_IMPORT, "outside");
    else if (b.task.status != HOST_OK) /* or it was quick */
        expect(&b, HOST_TRAP_MEMORY, "taken away");
    /* the same partner, and an op again */
    prepare(&b, "raw_add", 4, (double[]){ARENA, ARENA, ARENA, 100});
    wasm_host_push(&b.h, 1, &b.task);
    ck_assert(wasm_host_await(&b.h, 1, &b.task));
    expect(&b, HOST_OK, "");
    ck_assert_uint_eq(large[0], 0);
    bed_close(&b);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wasm_op");

    TCase *t = tcase_create("imports");
    tcase_add_unchecked_fixture(t, wasm_host_warm, NULL);
    tcase_add_test(t, pointers_that_are_wrong_end_the_call_with_a_reason);
    tcase_add_test(t, a_description_may_lie_only_where_there_is_memory);
    tcase_add_test(t, arenas_that_touch_are_one_memory);
    tcase_add_test(t, a_matmul_is_the_references_and_its_shape_is_checked);
    tcase_add_test(t, a_conv2d_has_its_shape_checked);
    tcase_add_test(t, offsets_of_a_hash_are_read_once_and_must_rise);
    tcase_add_test(t, memory_may_go_while_an_op_reads_it);
    tcase_set_timeout(t, 60);
    suite_add_tcase(suite, t);

    return suite_run(suite);
}
