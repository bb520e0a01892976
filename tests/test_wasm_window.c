/* A module reaches what is mapped into its window, to the byte, whichever way it tries. */
#include "config.h"

#include "suite.h"

#include <stdio.h>
#include <string.h>

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/wasm/hostile.h"
#include "tests/wasm_hostile.h"

/* ---- loads and stores ---- */

static const struct {
    uint64_t begin, end;
} mapped[] = {
    {0, HOSTILE_RUN_PAGES << 16},
    {WINDOW_CALL, WINDOW_CALL + WINDOW_CALL_BYTES},
    {WINDOW_SEGMENT, WINDOW_SEGMENT + WASM_HOST_SEGMENT},
    {WINDOW_ARENAS, WINDOW_ARENAS + BED_ARENA_BYTES},
};
enum { MAPPED = sizeof(mapped) / sizeof(mapped[0]) };

static bool is_mapped(uint64_t at, uint64_t bytes)
{
    for (size_t i = 0; i < MAPPED; i++) {
        if (at >= mapped[i].begin && at + bytes <= mapped[i].end)
            return true;
    }
    return false;
}

static void check_access(struct hostile_bed *bed, const char *function, uint32_t at, unsigned bytes)
{
    struct host_task t = bed_call(bed, function);
    enum host_status status = is_mapped(at, bytes) ? HOST_OK : HOST_TRAP_MEMORY;

    t.u.call.param[0] = at;
    wasm_host_run(&bed->host, &t);
    ck_assert_msg(t.status == status, "%s(%#x): %u %s", function, at, t.status, t.reason);
    bed_check_text(t.reason);
}

/* The address with everything round it, as far as there are addresses. */
static void check_round(struct hostile_bed *bed, uint64_t at)
{
    static const unsigned width[] = {8, 32, 64, 128};
    char function[16];

    for (size_t i = 0; i < sizeof(width) / sizeof(width[0]); i++) {
        unsigned bytes = width[i] / 8;
        for (int64_t a = (int64_t)at - bytes; a <= (int64_t)at + 1; a++) {
            if (a < 0 || a > UINT32_MAX)
                continue;
            snprintf(function, sizeof(function), "peek%u", width[i]);
            check_access(bed, function, (uint32_t)a, bytes);
            snprintf(function, sizeof(function), "poke%u", width[i]);
            check_access(bed, function, (uint32_t)a, bytes);
        }
    }
}

START_TEST(each_byte_round_each_edge_is_mapped_or_a_trap)
{
    struct hostile_bed bed;

    bed_open(&bed, hostile_run);
    for (size_t i = 0; i < MAPPED; i++) {
        check_round(&bed, mapped[i].begin);
        check_round(&bed, mapped[i].end);
    }
    bed_check_lives(&bed);
    bed_close(&bed);
}
END_TEST

START_TEST(gaps_are_traps)
{
    static const uint32_t gap[] = {0x00100000, 0x20000000, 0x3ffe0000, 0x3fffc000, 0x60000000,
                                   0x7fffffff, 0x80100000, 0xc0000000, WINDOW_END, 0xfffffff0};
    struct hostile_bed bed;

    bed_open(&bed, hostile_run);
    for (size_t i = 0; i < sizeof(gap) / sizeof(gap[0]); i++)
        check_round(&bed, gap[i]);
    check_round(&bed, UINT32_MAX);
    bed_close(&bed);
}
END_TEST

START_TEST(an_arena_is_reached_as_long_as_it_is_mapped)
{
    struct hostile_bed bed;
    const uint32_t at = WINDOW_ARENAS + (16 << 16);

    bed_open(&bed, hostile_run);
    for (int i = 0; i < 3; i++) {
        struct host_task t = bed_call(&bed, "peek64");
        t.u.call.param[0] = at + 128;
        wasm_host_run(&bed.host, &t);
        ck_assert_uint_eq(t.status, HOST_TRAP_MEMORY);
        uint8_t *arena = wasm_host_map(&bed.host, at, 1 << 16);
        t = bed_call(&bed, "poke64");
        t.u.call.param[0] = at + 128;
        arena[128] = 1;
        wasm_host_run(&bed.host, &t);
        ck_assert_uint_eq(t.status, HOST_OK);
        ck_assert_uint_eq(arena[128], 0);
        wasm_host_unmap(&bed.host, at, 1 << 16);
        munmap(arena, 1 << 16);
    }
    bed_close(&bed);
}
END_TEST

/* ---- copies and fills ---- */

static struct host_task three(const struct hostile_bed *bed, const char *function, uint32_t a,
                              uint32_t b, uint32_t c)
{
    struct host_task t = bed_call(bed, function);

    t.u.call.param[0] = a;
    t.u.call.param[1] = b;
    t.u.call.param[2] = c;
    return t;
}

static const struct {
    const char *function;
    uint32_t to, from, bytes; /* fill: to and bytes only, the second is the length */
    bool own, whole;          /* whether it goes well in a module of each kind */
} bulk[] = {
    {"copy", 0x1000, 0x2000, 0x1000, true, true},
    {"copy", 0x10000, 0x1ffff, 1, true, true},
    {"copy", WINDOW_ARENAS, WINDOW_SEGMENT, BED_ARENA_BYTES, false, true},
    {"copy", 0x10000, WINDOW_SEGMENT, 1, false, true},
    {"copy", WINDOW_ARENAS, WINDOW_SEGMENT, BED_ARENA_BYTES + 1, false, false},
    {"copy", WINDOW_SEGMENT + WASM_HOST_SEGMENT - 1, 0, 2, false, false},
    {"copy", WINDOW_END, WINDOW_SEGMENT, 1, false, false},
    {"copy", 0, 0xffffffff, 1, false, false},
    {"copy", WINDOW_SEGMENT, 0xfffffffe, 3, false, false},
    {"fill", 0x1f000, 0x1000, 0, true, true},
    {"fill", WINDOW_SEGMENT, WASM_HOST_SEGMENT, 0, false, true},
    {"fill", WINDOW_SEGMENT, WASM_HOST_SEGMENT + 1, 0, false, false},
    {"fill", WINDOW_SEGMENT - 1, 1, 0, false, false},
    {"fill", WINDOW_SEGMENT, 0xffffffff, 0, false, false},
};
enum { BULK = sizeof(bulk) / sizeof(bulk[0]) };

START_TEST(an_ordinary_module_copies_within_its_own_memory)
{
    struct hostile_bed bed;

    bed_open(&bed, hostile_run);
    for (size_t i = 0; i < BULK; i++) {
        struct host_task t =
            three(&bed, bulk[i].function, bulk[i].to, bulk[i].from, bulk[i].bytes);
        wasm_host_run(&bed.host, &t);
        ck_assert_msg(t.status == (bulk[i].own ? HOST_OK : HOST_TRAP_MEMORY), "%zu: %u %s", i,
                      t.status, t.reason);
    }
    bed_check_lives(&bed);
    bed_close(&bed);
}
END_TEST

/* The engine is caught in the middle of its own copy: then the process may have to end, but the
 * call has its answer first. */
START_TEST(a_module_of_all_the_window_copies_between_what_is_mapped)
{
    struct hostile_bed bed;
    struct host_task t = {.kind = 0};

    bed_open(&bed, hostile_run_whole);
    memset(bed.host.segment, 0x33, BED_ARENA_BYTES);
    t = three(&bed, bulk[_i].function, bulk[_i].to, bulk[_i].from, bulk[_i].bytes);
    wasm_host_push(&bed.host, 0, &t);
    bool lives = wasm_host_await(&bed.host, 0, &t);
    ck_assert_msg(t.status == (bulk[_i].whole ? HOST_OK : HOST_TRAP_MEMORY), "%u %s", t.status,
                  t.reason);
    if (bulk[_i].whole) {
        ck_assert(lives);
        if (bulk[_i].to == WINDOW_ARENAS)
            ck_assert_int_eq(memcmp(bed.arena, bed.host.segment, BED_ARENA_BYTES), 0);
        bed_check_lives(&bed);
    }
    int status = bed_close(&bed);
    ck_assert_msg(!WIFSIGNALED(status), "signal %d", WTERMSIG(status));
}
END_TEST

/* ---- what the daemon's ops are handed ---- */

/* As a guest lays it out. */
struct op_words {
    uint32_t in[3], out, n, count, u[9];
};

static void run_op(struct hostile_bed *bed, const char *name, const struct op_words *op,
                   struct host_task *t)
{
    memcpy(bed->host.segment, op, sizeof(*op));
    *t = bed_call(bed, name);
    wasm_host_run(&bed->host, t);
    bed_check_text(t->reason);
}

#define S   (WINDOW_SEGMENT + 4096)
#define A   WINDOW_ARENAS
#define ONE 0x3f800000u
static const struct {
    const char *op;
    struct op_words words;
    const char *reason; /* NULL: it is right */
} handed[] = {
    {"add_f32", {{S, S + 64}, S + 128, 16, 0, {0}}, NULL},
    {"add_f32", {{S, S + 64}, S, 16, 0, {0}}, NULL},
    {"add_f32", {{S, S + 64}, S + 4, 16, 0, {0}}, "overlaps"},
    {"add_f32", {{S + 2, S + 64}, S + 128, 16, 0, {0}}, "aligned"},
    {"add_f32", {{S, S + 64}, S + 129, 16, 0, {0}}, "aligned"},
    {"add_f32", {{0x20000000, S}, S + 128, 16, 0, {0}}, "outside"},
    {"add_f32", {{S, 0}, S + 128, 0x40000000, 0, {0}}, "outside"},
    {"add_f32", {{S, S + 64}, WINDOW_END, 16, 0, {0}}, "outside"},
    {"add_f32", {{A + BED_ARENA_BYTES - 64, S}, S + 128, 16, 0, {0}}, NULL},
    {"add_f32", {{A + BED_ARENA_BYTES - 60, S}, S + 128, 16, 0, {0}}, "outside"},
    {"add_u8", {{A + BED_ARENA_BYTES - 1, S}, S + 128, 1, 0, {0}}, NULL},
    {"add_u8", {{A + BED_ARENA_BYTES - 1, S}, S + 128, 2, 0, {0}}, "outside"},
    {"add_u8", {{S, S}, WINDOW_CALL, 240, 0, {0}}, "outside"},
    {"add_u8", {{0x1fff0, S}, S + 128, 16, 0, {0}}, NULL},
    {"add_u8", {{0x1fff1, S}, S + 128, 16, 0, {0}}, "outside"},
    {"mix_u32", {{S}, S, 1024, 0, {0}}, NULL},
    {"mix_u32", {{S}, S + 4, 1024, 0, {0}}, "overlaps"},
    {"matmul_f32", {{S, S + 64}, S + 128, 0, 0, {2, 2, 2, 2, 2, 2, 0, ONE, 0}}, NULL},
    {"matmul_f32", {{S, S + 64}, S, 0, 0, {2, 2, 2, 2, 2, 2, 0, ONE, 0}}, "overlaps"},
    {"matmul_f32", {{S, S + 64}, S + 128, 0, 0, {0, 2, 2, 2, 2, 2, 0, ONE, 0}}, "simdd.matmul_f32"},
    {"matmul_f32", {{S, S + 64}, S + 128, 0, 0, {2, 2, 3, 2, 2, 2, 0, ONE, 0}}, "lda"},
    {"matmul_f32",
     {{S, S + 64}, S + 128, 0, 0, {UINT32_MAX, 2, 2, UINT32_MAX, 2, 2, 0, ONE, 0}},
     "simdd.matmul_f32"},
    {"matmul_f32",
     {{S, S + 64}, S + 128, 0, 0, {65536, 65536, 65536, 65536, 65536, 65536, 0, ONE, 0}},
     "simdd.matmul_f32"},
    {"matmul_f32",
     {{S, S + 64, 0x70000000}, S + 128, 0, 0, {2, 2, 2, 2, 2, 2, 0, ONE, ONE}},
     "outside"},
    {"matmul_u8", {{S, S + 64}, S + 128, 0, 0, {2, 2, 2, 2, 2, 2, 0, 256, 0}}, "simdd.matmul_u8"},
    {"matmul_u8", {{S, S}, S + 65536, 0, 0, {1, 1, 33001, 0, 0, 0, 0, 0, 0}}, "simdd.matmul_u8"},
    {"conv2d_u8", {{S, S + 4096}, S + 8192, 0, 0, {8, 8, 1, 3, 3, 0, 0}}, NULL},
    {"conv2d_u8", {{S, S + 4096}, S + 8192, 0, 0, {8, 8, 2, 3, 3, 0, 0}}, "channels"},
    {"conv2d_u8", {{S, S + 4096}, S + 8192, 0, 0, {8, 8, 1, 2, 3, 0, 0}}, "simdd.conv2d_u8"},
    {"conv2d_u8", {{S, S + 4096}, S + 8192, 0, 0, {8, 8, 1, 3, 3, 4, 0}}, "border"},
    {"conv2d_u8", {{S, S + 4096}, S + 8192, 0, 0, {8, 8, 1, 3, 3, 0, 9}}, "rounding"},
    {"conv2d_u8",
     {{S, S + 4096}, S + 8192, 0, 0, {UINT32_MAX, UINT32_MAX, 4, 3, 3, 0, 0}},
     "simdd.conv2d_u8"},
    {"conv2d_f32", {{S, S + 4098}, S + 8192, 0, 0, {8, 8, 1, 3, 3, 0, 0}}, "aligned"},
    {"hash_fast", {{S}, S + 4096, 100, 1, {0}}, NULL},
    {"hash_fast", {{S}, S + 4096, 100, 2, {0}}, "simdd.hash_fast"},
    {"hash_fast", {{S}, S + 4096, UINT32_MAX, 1, {0}}, "outside"},
    {"hash_fast", {{S, S + 8192}, S + 4096, 100, UINT32_MAX, {0}}, "simdd.hash_fast"},
    {"hash_fnv1a_64", {{S, S + 512 + 4}, S + 4096, 100, 1, {0}}, "aligned"},
};
#undef S
#undef A
#undef ONE

/* What is refused is not begun. */
START_TEST(an_op_takes_what_is_right_and_names_what_is_not)
{
    static uint8_t before[WASM_HOST_SEGMENT];
    struct hostile_bed bed;
    struct host_task t;

    bed_open(&bed, hostile_run);
    for (size_t i = 0; i < sizeof(handed) / sizeof(handed[0]); i++) {
        memset(bed.host.segment, 0, WASM_HOST_SEGMENT);
        memcpy(bed.host.segment, &handed[i].words, sizeof(handed[i].words));
        memcpy(before, bed.host.segment, sizeof(before));
        run_op(&bed, handed[i].op, &handed[i].words, &t);
        ck_assert_msg(t.status == (handed[i].reason == NULL ? HOST_OK : HOST_BAD_IMPORT),
                      "%zu %s: %u %s", i, handed[i].op, t.status, t.reason);
        if (handed[i].reason == NULL)
            continue;
        ck_assert_msg(strstr(t.reason, handed[i].reason) != NULL &&
                          strstr(t.reason, handed[i].op) != NULL,
                      "%zu %s: %s", i, handed[i].op, t.reason);
        ck_assert_int_eq(memcmp(before, bed.host.segment, sizeof(before)), 0);
    }
    bed_check_lives(&bed);
    bed_close(&bed);
}
END_TEST

START_TEST(offsets_of_messages_are_checked)
{
    static const struct {
        uint64_t offset[3];
        enum host_status status;
    } messages[] = {
        {{0, 50, 100}, HOST_OK},          {{100, 100, 100}, HOST_OK},
        {{0, 50, 101}, HOST_BAD_IMPORT},  {{60, 50, 100}, HOST_BAD_IMPORT},
        {{0, 1ull << 63, 100}, HOST_BAD_IMPORT}, {{UINT64_MAX, 0, 0}, HOST_BAD_IMPORT},
    };
    const struct op_words op = {.in = {WINDOW_SEGMENT + 8192, WINDOW_SEGMENT + 4096},
                                .out = WINDOW_SEGMENT + 16384,
                                .n = 100,
                                .count = 2};
    struct hostile_bed bed;
    struct host_task t;

    bed_open(&bed, hostile_run);
    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        memcpy(bed.host.segment + 4096, messages[i].offset, sizeof(messages[i].offset));
        run_op(&bed, "hash_fast", &op, &t);
        ck_assert_msg(t.status == messages[i].status, "%zu: %u %s", i, t.status, t.reason);
    }
    bed_close(&bed);
}
END_TEST

START_TEST(an_op_described_where_nothing_is_is_refused)
{
    static const uint32_t at[] = {0x20000000,     0x1fffc,    0x1ffd0,    0x3fff7ffc, 0x3ffeffff,
                                  WINDOW_END - 4, 0xfffffffc, 0xffffffff, 0x80000000 + 65536 - 8};
    struct hostile_bed bed;

    bed_open(&bed, hostile_run);
#define OP(id, name, family, in, out, tolerance, ps, help)                                         \
    for (size_t i = 0; i < sizeof(at) / sizeof(at[0]); i++) {                                      \
        struct host_task t = bed_call(&bed, #name "_at");                                          \
        t.u.call.param[0] = at[i];                                                                 \
        wasm_host_run(&bed.host, &t);                                                              \
        ck_assert_msg(t.status == HOST_BAD_IMPORT, #name "(%#x): %u", at[i], t.status);            \
    }
#include "kernels/ops.def"
#undef OP
    bed_check_lives(&bed);
    bed_close(&bed);
}
END_TEST

/* Sizes and addresses at the edges, thrown together: an answer each, and nothing written by what is
 * refused. Kernels of conv2d stay small, else a right one would take minutes. */
static uint32_t odd_number(uint64_t *seed, bool address)
{
    static const uint32_t addresses[] = {0,          4,          0x1fff8,    0x20000,
                                         0x3fff0000, 0x40001000, 0x400ffff0, 0x40100000,
                                         0x80000000, 0x8000fff8, 0xfffeffff, 0xffffffff};
    static const uint32_t sizes[] = {0,       1,       2,         3,          4,          5,
                                     7,       64,      255,       1024,       33001,      65536,
                                     1 << 24, 1 << 30, 1u << 31,
                                     0x3fffffff, 0xfffffffe, 0xffffffff};
    uint64_t r = hostile_random(seed);

    if (address)
        return addresses[r % (sizeof(addresses) / sizeof(addresses[0]))];
    return sizes[r % (sizeof(sizes) / sizeof(sizes[0]))];
}

START_TEST(any_op_of_any_words_gets_an_answer)
{
    static const char *const ops[] = {
#define OP(id, name, family, in, out, tolerance, ps, help) #name,
#include "kernels/ops.def"
#undef OP
    };
    static uint8_t before[WASM_HOST_SEGMENT];
    struct hostile_bed bed;
    struct host_task t;
    unsigned well = 0;

    bed_open(&bed, hostile_run);
    for (uint64_t round = 0; round < 3000; round++) {
        uint64_t seed = round;
        const char *name = ops[hostile_random(&seed) % (sizeof(ops) / sizeof(ops[0]))];
        struct op_words op;
        for (unsigned i = 0; i < 3; i++)
            op.in[i] = odd_number(&seed, true);
        op.out = odd_number(&seed, true);
        op.n = odd_number(&seed, false);
        op.count = odd_number(&seed, false);
        for (unsigned i = 0; i < 9; i++)
            op.u[i] = odd_number(&seed, false);
        if (strncmp(name, "conv2d", 6) == 0)
            op.u[3] = op.u[4] = 3;
        memcpy(bed.host.segment, &op, sizeof(op));
        memcpy(before, bed.host.segment, sizeof(before));
        run_op(&bed, name, &op, &t);
        ck_assert_msg(t.status == HOST_OK || t.status == HOST_BAD_IMPORT, "round %u, %s: %u %s",
                      (unsigned)round, name, t.status, t.reason);
        if (t.status == HOST_OK)
            well++;
        else
            ck_assert_msg(memcmp(before, bed.host.segment, sizeof(before)) == 0, "round %u, %s",
                          (unsigned)round, name);
    }
    ck_assert_uint_gt(well, 0);
    bed_check_lives(&bed);
    bed_close(&bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wasm_window");
    TCase *t = tcase_create("window");

    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, bed_warm, NULL);
    tcase_add_test(t, each_byte_round_each_edge_is_mapped_or_a_trap);
    tcase_add_test(t, gaps_are_traps);
    tcase_add_test(t, an_arena_is_reached_as_long_as_it_is_mapped);
    tcase_add_test(t, an_ordinary_module_copies_within_its_own_memory);
    tcase_add_loop_test(t, a_module_of_all_the_window_copies_between_what_is_mapped, 0, BULK);
    tcase_add_test(t, an_op_takes_what_is_right_and_names_what_is_not);
    tcase_add_test(t, offsets_of_messages_are_checked);
    tcase_add_test(t, an_op_described_where_nothing_is_is_refused);
    tcase_add_test(t, any_op_of_any_words_gets_an_answer);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
