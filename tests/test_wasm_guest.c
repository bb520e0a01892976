/* What users' modules may do and what becomes of it, as wasm/host/task.h and the kit promise it;
 * with tests/wasm/guest.c and whole.c. Modules that mean harm are in test_wasm_hostile.c. */
#include "config.h"

#include "suite.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <sys/socket.h>
#include <unistd.h>

#include "wasm_host.h"

#define ARENA WINDOW_ARENAS
enum { GUEST = 5, ARENA_BYTES = 1 << 17 };

/* One process with the guest's module, and a call to fill. */
struct bed {
    struct wasm_host h;
    struct wasm_answer added;
    uint8_t *arena;
    struct host_task task;
};

static void bed_open(struct bed *b, const char *module)
{
    size_t count;

    wasm_host_open(&b->h, 2);
    uint8_t *bytes = wasm_host_read(module, &count);
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

/* A task for a function, with parameters. */
static struct host_call *prepare(struct bed *b, enum host_task_kind kind, const char *name,
                                 unsigned params, const double *param)
{
    b->task = (struct host_task){.kind = kind};
    struct host_call *c = &b->task.u.call;
    c->module = GUEST;
    c->function = wasm_host_function(&b->added, name);
    c->end = 1;
    c->param_count = params;
    for (unsigned i = 0; i < params; i++)
        c->param[i] = param[i];
    return c;
}

static struct host_array array(uint32_t at, enum kern_type type, uint32_t n)
{
    uint32_t bytes = n * (uint32_t)kern_type_bytes(type);
    return (struct host_array){.at = at, .type = type, .rank = 1, .dim = {n}, .bytes = bytes};
}

static void run(struct bed *b)
{
    wasm_host_run(&b->h, &b->task);
}

/* Calls a function that takes nothing but parameters. */
static void call(struct bed *b, const char *name, unsigned params, const double *param)
{
    prepare(b, HOST_TASK_CALL, name, params, param);
    run(b);
}

#define CALL(b, name, ...)                                                                         \
    call(b, name, sizeof((double[]){__VA_ARGS__}) / sizeof(double), (double[]){__VA_ARGS__})

#define expect(b, expected, word)                                                                  \
    ck_assert_msg((b)->task.status == (expected) && strstr((b)->task.reason, word) != NULL,        \
                  "status %u value %d reason '%s'", (b)->task.status, (b)->task.value,             \
                  (b)->task.reason)

static void expect_works(struct bed *b)
{
    float *x = (float *)(void *)b->arena;
    struct host_call *c = prepare(b, HOST_TASK_CALL, "twice", 0, NULL);

    c->in_count = 1;
    c->in[0] = array(ARENA, KERN_f32, 50);
    c->out = array(ARENA + 200, KERN_f32, 50);
    for (int i = 0; i < 50; i++)
        x[i] = (float)i;
    run(b);
    expect(b, HOST_OK, "");
    ck_assert_uint_eq(b->task.copied, 0);
    for (int i = 0; i < 50; i++)
        ck_assert_float_eq(x[50 + i], (float)(2 * i));
}

/* ---- calls ---- */

START_TEST(functions_are_listed_by_name_with_what_they_have)
{
    struct bed b;
    struct host_function f;
    char last[64] = "";
    bool seen = false;

    bed_open(&b, "tests/wasm/guest.wasm");
    for (uint32_t i = 0; i < b.added.reply.value; i++) {
        ck_assert_int_eq(
            pread(b.added.fd[b.added.fds - 1], &f, sizeof f, (off_t)(i * sizeof f)), sizeof f);
        ck_assert_int_lt(strcmp(last, f.name), 0);
        memcpy(last, f.name, sizeof last);
        bool rows = strcmp(f.name, "rows") == 0;
        ck_assert_int_eq(f.splits, rows);
        ck_assert_int_eq(f.shapes, rows);
        ck_assert_ptr_null(strchr(f.name, '.'));
        ck_assert_str_ne(f.name, "simdd_abi_1");
        seen = seen || rows;
    }
    ck_assert(seen);
    bed_close(&b);
}
END_TEST

START_TEST(a_call_reads_and_writes_where_the_operands_are)
{
    struct bed b;

    bed_open(&b, "tests/wasm/guest.wasm");
    expect_works(&b);
    bed_close(&b);
}
END_TEST

START_TEST(units_are_asked_and_run_in_ranges)
{
    struct bed b;

    bed_open(&b, "tests/wasm/guest.wasm");
    struct host_array image = {
        .at = ARENA, .type = KERN_u8, .rank = 2, .dim = {20, 10}, .bytes = 200};
    prepare(&b, HOST_TASK_UNITS, "rows", 0, NULL)->out = image;
    run(&b);
    expect(&b, HOST_OK, "");
    ck_assert_int_eq(b.task.value, 20);

    struct host_call *c = prepare(&b, HOST_TASK_CALL, "rows", 0, NULL);
    memset(b.arena, 0xee, 300);
    c->out = image;
    c->begin = 5;
    c->end = 20;
    run(&b);
    expect(&b, HOST_OK, "");
    for (int i = 0; i < 300; i++)
        ck_assert_uint_eq(b.arena[i], i < 50 || i >= 200 ? 0xeeu : (unsigned)i / 10);

    prepare(&b, HOST_TASK_UNITS, "twice", 0, NULL);
    run(&b);
    expect(&b, HOST_OK, "");
    ck_assert_int_eq(b.task.value, 1);
    for (int over = 0; over < 2; over++) {
        prepare(&b, HOST_TASK_UNITS, "rows", 1, (double[]){20 + over})->out = image;
        run(&b);
        expect(&b, HOST_BAD_SHAPE, "rows.units");
    }
    bed_close(&b);
}
END_TEST

START_TEST(shapes_are_asked_and_checked)
{
    static const struct {
        double p[5];
        const char *word; /* NULL: it is right */
    } cases[] = {
        {{KERN_u8, 2, 4, 5, 9}, NULL},
        {{KERN_u64, 3, 4, 5, 6}, NULL},
        {{5, 1, 4, 5, 6}, "type"},
        {{KERN_u8, 0, 4, 5, 6}, "rank"},
        {{KERN_u8, 5, 4, 5, 6}, "rank"},
        {{KERN_u8, 2, 4, 0, 6}, "dim[1]"},
        {{KERN_u8, 2, 65536, 65536, 6}, "4 GiB"},
        {{KERN_f32, 1, 1073741824.0, 1, 1}, "4 GiB"},
        {{KERN_f32, 3, 4294967295.0, 4294967295.0, 4294967295.0}, "4 GiB"},
    };
    struct bed b;

    bed_open(&b, "tests/wasm/guest.wasm");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        prepare(&b, HOST_TASK_SHAPE, "rows", 5, cases[i].p);
        run(&b);
        if (cases[i].word != NULL) {
            expect(&b, HOST_BAD_SHAPE, cases[i].word);
            continue;
        }
        expect(&b, HOST_OK, "");
        const struct host_array *r = &b.task.result;
        uint32_t bytes = (uint32_t)kern_type_bytes((enum kern_type)r->type);
        ck_assert_uint_eq(r->type, (uint32_t)cases[i].p[0]);
        ck_assert_uint_eq(r->rank, (uint32_t)cases[i].p[1]);
        for (unsigned d = 0; d < 4; d++) {
            ck_assert_uint_eq(r->dim[d], d < r->rank ? (uint32_t)cases[i].p[2 + d] : 0);
            bytes *= d < r->rank ? r->dim[d] : 1;
        }
        ck_assert_uint_eq(r->bytes, bytes);
    }
    prepare(&b, HOST_TASK_SHAPE, "rows", 0, NULL);
    run(&b);
    expect(&b, HOST_FAILED, "no shape was said");
    ck_assert_int_eq(b.task.value, 21);
    /* without an own shape: as operand 0 */
    prepare(&b, HOST_TASK_SHAPE, "twice", 0, NULL)->in[0] = array(ARENA, KERN_f32, 50);
    run(&b);
    expect(&b, HOST_OK, "");
    ck_assert_uint_eq(b.task.result.dim[0], 50);
    ck_assert_uint_eq(b.task.result.bytes, 200);
    bed_close(&b);
}
END_TEST

START_TEST(an_error_of_its_own_has_number_and_reason)
{
    struct bed b;

    bed_open(&b, "tests/wasm/guest.wasm");
    CALL(&b, "refuse", 0);
    expect(&b, HOST_FAILED, "");
    ck_assert_int_eq(b.task.value, -7);
    ck_assert_str_eq(b.task.reason, "no \xc3\xa9ggs  ? here");
    CALL(&b, "chatter", 0);
    expect(&b, HOST_FAILED, "");
    ck_assert_uint_eq(strlen(b.task.reason), HOST_REASON_BYTES - 1);
    CALL(&b, "refuse", 0);
    ck_assert_str_eq(b.task.reason, "no \xc3\xa9ggs  ? here");
    bed_close(&b);
}
END_TEST

START_TEST(what_is_not_there_is_no_function)
{
    struct bed b;
    struct host_msg drop = {.type = HOST_MSG_MODULE_DROP, .number = GUEST};
    struct wasm_answer a;

    bed_open(&b, "tests/wasm/guest.wasm");
    prepare(&b, HOST_TASK_CALL, "twice", 0, NULL)->function = b.added.reply.value;
    run(&b);
    expect(&b, HOST_NO_FUNCTION, "");
    prepare(&b, HOST_TASK_CALL, "twice", 0, NULL)->module = GUEST + 1;
    run(&b);
    expect(&b, HOST_NO_FUNCTION, "");
    expect_works(&b);
    ck_assert(wasm_host_ask(&b.h, &drop, NULL, 0, &a));
    ck_assert_uint_eq(a.reply.status, HOST_REPLY_OK);
    CALL(&b, "count", 0);
    expect(&b, HOST_NO_FUNCTION, "");
    ck_assert(wasm_host_ask(&b.h, &drop, NULL, 0, &a));
    ck_assert_uint_eq(a.reply.status, HOST_REPLY_FAILED);
    bed_close(&b);
}
END_TEST

START_TEST(an_instance_is_kept_until_it_traps_or_its_module_goes)
{
    struct bed b;
    const char *module = "tests/wasm/guest.wasm";

    bed_open(&b, module);
    for (int i = 1; i < 4; i++) {
        CALL(&b, "count", 0);
        ck_assert_int_eq(b.task.value, i);
    }
    CALL(&b, "give_up", 0);
    CALL(&b, "count", 0);
    ck_assert_int_eq(b.task.value, 1);
    wasm_host_add_file(&b.h, GUEST, module);
    CALL(&b, "count", 0);
    ck_assert_int_eq(b.task.value, 1);
    CALL(&b, "refuse", 0);
    CALL(&b, "count", 0);
    ck_assert_int_eq(b.task.value, 2);
    bed_close(&b);
}
END_TEST

/* ---- traps ---- */

START_TEST(every_trap_has_its_status_and_says_where)
{
    static const struct {
        const char *name;
        enum host_status status;
        const char *word;
    } cases[] = {
        {"give_up", HOST_TRAP_CODE, "unreachable"}, {"divide", HOST_TRAP_MATH, "divide by zero"},
        {"bad_call", HOST_TRAP_CODE, "indirect"},   {"wild_call", HOST_TRAP_CODE, "table"},
        {"recurse", HOST_TRAP_STACK, "stack"},      {"cast", HOST_TRAP_MATH, "integer"},
        {"recurse_memory", HOST_TRAP_MEMORY, "stack"},
    };
    struct bed b;

    bed_open(&b, "tests/wasm/guest.wasm");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        CALL(&b, cases[i].name, 1e30);
        ck_assert_msg(b.task.status == cases[i].status &&
                          strstr(b.task.reason, cases[i].word) != NULL &&
                          strstr(b.task.reason, " in ") != NULL,
                      "%s: %u '%s'", cases[i].name, b.task.status, b.task.reason);
        expect_works(&b);
    }
    bed_close(&b);
}
END_TEST

START_TEST(one_byte_beside_every_mapping_is_a_trap)
{
    static const struct {
        uint32_t at;
        bool mapped;
    } cases[] = {
        {0, true},
        {WASM_HOST_MEMORY_MAX, false},
        {WINDOW_CALL - 1, false},
        {WINDOW_CALL + WINDOW_CALL_BYTES, false},
        {WINDOW_SEGMENT - 1, false},
        {WINDOW_SEGMENT, true},
        {WINDOW_SEGMENT + WASM_HOST_SEGMENT - 1, true},
        {WINDOW_SEGMENT + WASM_HOST_SEGMENT, false},
        {ARENA - 1, false},
        {ARENA, true},
        {ARENA + ARENA_BYTES - 1, true},
        {ARENA + ARENA_BYTES, false},
        {WINDOW_END - 65536 - 1, false},
        {WINDOW_END - 65536, true},
        {WINDOW_END - 1, true},
        {WINDOW_END, false},
        {0xffffffff, false},
    };
    static const char *const ways[] = {"peek", "poke", "peek_wide"};
    struct bed b;

    bed_open(&b, "tests/wasm/guest.wasm");
    wasm_host_map(&b.h, WINDOW_END - 65536, 65536);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (size_t way = 0; way < 3; way++) {
            bool wide = way == 2, last = cases[i].mapped && cases[i].at % 2 == 1;
            CALL(&b, ways[way], cases[i].at);
            ck_assert_msg(b.task.status ==
                              (cases[i].mapped && !(wide && last) ? HOST_OK : HOST_TRAP_MEMORY),
                          "%s %#x: %u %s", ways[way], cases[i].at, b.task.status, b.task.reason);
        }
    }
    expect_works(&b);
    bed_close(&b);
}
END_TEST

START_TEST(memory_grows_to_the_limit_and_no_further)
{
    struct bed b;

    bed_open(&b, "tests/wasm/guest.wasm");
    CALL(&b, "grow", 0);
    expect(&b, HOST_FAILED, "");
    ck_assert_int_eq(b.task.value, WASM_HOST_MEMORY_MAX / 65536);
    CALL(&b, "poke", WASM_HOST_MEMORY_MAX - 1);
    expect(&b, HOST_OK, "");
    CALL(&b, "poke", WASM_HOST_MEMORY_MAX);
    expect(&b, HOST_TRAP_MEMORY, "0x1000000 ");
    bed_close(&b);
}
END_TEST

START_TEST(a_loop_without_end_holds_up_nobody_else)
{
    struct bed b;
    struct wasm_answer a;
    struct host_msg drop = {.type = HOST_MSG_MODULE_DROP, .number = GUEST};

    bed_open(&b, "tests/wasm/guest.wasm");
    prepare(&b, HOST_TASK_CALL, "spin", 0, NULL);
    wasm_host_push(&b.h, 1, &b.task);
    expect_works(&b);
    wasm_host_map(&b.h, ARENA + 4 * ARENA_BYTES, ARENA_BYTES);
    wasm_host_unmap(&b.h, ARENA, ARENA_BYTES);
    ck_assert(wasm_host_ask(&b.h, &drop, NULL, 0, &a));
    ck_assert_uint_eq(a.reply.status, HOST_REPLY_OK);
    bed_close(&b);
}
END_TEST

/* ---- a module whose memory is the whole window ---- */

START_TEST(whole_memory_reaches_everything_and_gaps_still_trap)
{
    struct bed b;

    bed_open(&b, "tests/wasm/whole.wasm");
    CALL(&b, "fill", ARENA + 4096);
    expect(&b, HOST_OK, "");
    ck_assert_uint_eq(b.arena[4095], 0);
    ck_assert_uint_eq(b.arena[4096], 3);
    ck_assert_uint_eq(b.arena[8191], 3);
    ck_assert_uint_eq(b.arena[8192], 0);
    CALL(&b, "poke", WASM_HOST_MEMORY_MAX - 1);
    expect(&b, HOST_OK, "");
    CALL(&b, "poke", WASM_HOST_MEMORY_MAX);
    expect(&b, HOST_TRAP_MEMORY, "0x1000000 ");
    CALL(&b, "poke", WINDOW_END);
    expect(&b, HOST_TRAP_MEMORY, "0xffff0000 ");
    CALL(&b, "fill", 4294967295.0);
    expect(&b, HOST_TRAP_MEMORY, "");
    CALL(&b, "grow", 0);
    expect(&b, HOST_FAILED, "");
    ck_assert_int_eq(b.task.value, -1);
    bed_close(&b);
}
END_TEST

START_TEST(a_fill_across_a_gap_is_answered_and_ends_the_process)
{
    struct bed b;

    bed_open(&b, "tests/wasm/whole.wasm");
    prepare(&b, HOST_TASK_CALL, "fill", 1, (double[]){ARENA + ARENA_BYTES - 100});
    wasm_host_push(&b.h, 0, &b.task);
    wasm_host_await(&b.h, 0, &b.task);
    expect(&b, HOST_TRAP_MEMORY, "not mapped");
    char byte;
    ck_assert_int_eq(recv(b.h.socket, &byte, 1, 0), 0); /* before we close it */
    wasm_answer_close(&b.added);
    wasm_host_expect_exit(&b.h, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wasm_guest");

    TCase *t = tcase_create("calls");
    tcase_add_unchecked_fixture(t, wasm_host_warm, NULL);
    tcase_add_test(t, functions_are_listed_by_name_with_what_they_have);
    tcase_add_test(t, a_call_reads_and_writes_where_the_operands_are);
    tcase_add_test(t, units_are_asked_and_run_in_ranges);
    tcase_add_test(t, shapes_are_asked_and_checked);
    tcase_add_test(t, an_error_of_its_own_has_number_and_reason);
    tcase_add_test(t, what_is_not_there_is_no_function);
    tcase_add_test(t, an_instance_is_kept_until_it_traps_or_its_module_goes);
    tcase_add_test(t, every_trap_has_its_status_and_says_where);
    tcase_add_test(t, one_byte_beside_every_mapping_is_a_trap);
    tcase_add_test(t, memory_grows_to_the_limit_and_no_further);
    tcase_add_test(t, a_loop_without_end_holds_up_nobody_else);
    tcase_add_test(t, whole_memory_reaches_everything_and_gaps_still_trap);
    tcase_add_test(t, a_fill_across_a_gap_is_answered_and_ends_the_process);
    tcase_set_timeout(t, 60);
    suite_add_tcase(suite, t);

    return suite_run(suite);
}
