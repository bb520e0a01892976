/* The promises of wasm/host/task.h about the process, its windows and the kernels, asked of the
 * process itself. Its start is in test_wasm_start.c, what users' modules may do in
 * test_wasm_guest.c. */
#include "config.h"

#include "suite.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <unistd.h>

#include "wasm_host.h"

#define ARENA WINDOW_ARENAS
enum { ARENA_BYTES = 1 << 17, COUNT = 100 };

static struct host_task add_task(uint32_t in0, uint32_t in1, uint32_t out)
{
    struct host_task t = {.kind = HOST_TASK_KERNEL};
    t.u.kernel = (struct host_kernel){.op = KERN_OP_add_i32,
                                      .isa = KERN_ISA_WASM128,
                                      .in = {in0, in1},
                                      .out = out,
                                      .end = COUNT,
                                      .n = COUNT};
    return t;
}

/* ---- the process ---- */

/* The number behind a name in /proc/PID/status. */
static int status_of(const struct wasm_host *h, const char *name)
{
    char path[64], line[256];
    int found = -1;

    snprintf(path, sizeof path, "/proc/%d/status", (int)h->pid);
    FILE *f = fopen(path, "r");
    ck_assert_ptr_nonnull(f);
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0)
            found = atoi(line + strlen(name));
    }
    fclose(f);
    return found;
}

START_TEST(it_is_inside_its_filters_after_the_start)
{
    struct wasm_host h;

    wasm_host_open(&h, 3);
    ck_assert_int_eq(status_of(&h, "NoNewPrivs:"), 1);
    ck_assert_int_eq(status_of(&h, "Seccomp:"), 2);
    ck_assert_int_eq(status_of(&h, "Threads:"), 4);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

START_TEST(it_closes_what_it_inherits)
{
    struct wasm_host h;
    int ends[2];

    ck_assert_int_eq(pipe(ends), 0);
    wasm_host_open(&h, 1);
    close(ends[1]);
    struct pollfd p = {.fd = ends[0], .events = POLLIN};
    ck_assert_int_eq(poll(&p, 1, 5000), 1);
    ck_assert_int_ne(p.revents & POLLHUP, 0);
    close(ends[0]);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

START_TEST(signals_of_the_group_leave_it_to_the_daemon)
{
    struct wasm_host h;
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

    wasm_host_open(&h, 1);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        ck_assert_int_eq(kill(h.pid, signals[i]), 0);
    wasm_host_expect_works(&h, 0);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

START_TEST(every_lane_has_a_partner)
{
    struct wasm_host h;

    wasm_host_open(&h, 4);
    for (unsigned lane = 0; lane < 4; lane++)
        wasm_host_expect_works(&h, lane);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

START_TEST(a_full_lane_is_run_in_order)
{
    struct wasm_host h;
    struct host_task t = add_task(WINDOW_SEGMENT, WINDOW_SEGMENT + 4 * COUNT, WINDOW_SEGMENT);

    wasm_host_open(&h, 1);
    int32_t *x = (int32_t *)(void *)h.segment;
    for (int i = 0; i < COUNT; i++)
        x[COUNT + i] = 1;
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < HOST_LANE_TASKS; i++)
            wasm_host_push(&h, 0, &t);
        struct host_task last;
        ck_assert(wasm_host_await(&h, 0, &last));
    }
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(x[i], 50 * HOST_LANE_TASKS);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

START_TEST(an_unknown_kind_of_task_is_an_answer)
{
    struct wasm_host h;
    struct host_task t = {.kind = 99};

    wasm_host_open(&h, 1);
    wasm_host_run(&h, &t);
    ck_assert_uint_eq(t.status, HOST_INTERNAL);
    wasm_host_expect_works(&h, 0);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

/* ---- windows ---- */

START_TEST(arenas_are_mapped_in_windows_that_live_and_that_come)
{
    struct wasm_host h;

    wasm_host_open(&h, 2);
    wasm_host_expect_works(&h, 0); /* so that lane 0 has its window */
    int32_t *a = (int32_t *)(void *)wasm_host_map(&h, ARENA, ARENA_BYTES);
    int32_t *b = (int32_t *)(void *)wasm_host_map(&h, ARENA + 4 * ARENA_BYTES, 4 * COUNT);
    for (int i = 0; i < COUNT; i++)
        a[i] = b[i] = i;
    for (unsigned lane = 0; lane < 2; lane++) {
        struct host_task t = add_task(ARENA, ARENA + 4 * ARENA_BYTES, ARENA + 4 * COUNT);
        wasm_host_push(&h, lane, &t);
        ck_assert(wasm_host_await(&h, lane, &t));
        ck_assert_msg(t.status == HOST_OK, "%u %s", t.status, t.reason);
        for (int i = 0; i < COUNT; i++)
            ck_assert_int_eq(a[COUNT + i], 2 * i);
        memset(a + COUNT, 0, 4 * COUNT);
    }
    wasm_host_expect_exit(&h, 0);
}
END_TEST

START_TEST(what_is_unmapped_is_a_trap_and_the_next_task_runs)
{
    struct wasm_host h;

    wasm_host_open(&h, 1);
    wasm_host_map(&h, ARENA, ARENA_BYTES);
    struct host_task good = add_task(ARENA, ARENA, ARENA), t = good;
    wasm_host_run(&h, &t);
    ck_assert_uint_eq(t.status, HOST_OK);
    wasm_host_unmap(&h, ARENA, ARENA_BYTES);
    t = good;
    wasm_host_run(&h, &t);
    ck_assert_uint_eq(t.status, HOST_TRAP_MEMORY);
    ck_assert_msg(strstr(t.reason, " at 0x800000") != NULL, "%s", t.reason);
    wasm_host_expect_works(&h, 0);
    wasm_host_map(&h, ARENA, ARENA_BYTES);
    t = good;
    wasm_host_run(&h, &t);
    ck_assert_uint_eq(t.status, HOST_OK);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

START_TEST(mappings_that_cannot_be_are_refused)
{
    static const struct {
        uint32_t at;
        uint64_t bytes;
    } wrong[] = {
        {ARENA + 4096, 65536},               /* at no multiple of 64 KiB */
        {WINDOW_CALL - 65536 + 1, 65536},    /* below the segment */
        {WINDOW_SEGMENT, 65536},             /* over the segment */
        {ARENA + ARENA_BYTES - 65536, 4096}, /* over another arena */
        {ARENA - 65536, ARENA_BYTES},        /* into another arena */
        {WINDOW_END, 4096},                  /* at the end */
        {WINDOW_END - 65536, 65537},         /* beyond it */
        {ARENA + 16 * ARENA_BYTES, 65537 * 4}, /* more than the file has */
        {ARENA + 16 * ARENA_BYTES, 0},
    };
    struct wasm_host h;
    struct wasm_answer a;

    wasm_host_open(&h, 1);
    wasm_host_map(&h, ARENA, ARENA_BYTES);
    int fd = wasm_host_memfd(NULL, 65536 * 4);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct host_msg msg = {.type = HOST_MSG_MAP, .at = wrong[i].at, .bytes = wrong[i].bytes};
        ck_assert(wasm_host_ask(&h, &msg, &fd, 1, &a));
        ck_assert_msg(a.reply.status == HOST_REPLY_FAILED, "%zu", i);
        ck_assert_str_ne(a.reply.reason, "");
        msg.type = HOST_MSG_UNMAP;
        if (wrong[i].at != WINDOW_SEGMENT) {
            ck_assert(wasm_host_ask(&h, &msg, NULL, 0, &a));
            ck_assert_msg(a.reply.status == HOST_REPLY_FAILED, "%zu", i);
        }
    }
    struct host_task t = add_task(ARENA, ARENA, ARENA);
    wasm_host_run(&h, &t);
    ck_assert_uint_eq(t.status, HOST_OK);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

/* ---- kernels ---- */

/* Operands, result and scratch lie in the segment; the reference is the split class's. */
START_TEST(a_matmul_has_the_bits_of_its_class)
{
    enum { M = 37, N = 45, K = 61 };
    struct wasm_host h;
    struct kern_plan plan;

    wasm_host_open(&h, 1);
    float *a = (float *)(void *)h.segment, *b = a + M * K, *c = b + K * N, expected[M * N];
    for (int i = 0; i < M * K + K * N; i++)
        a[i] = (float)(i % 97) / 7 - 6;
    struct kern_args args = {.in = {a, b}, .out = expected};
    args.u.matmul = (struct kern_matmul){
        .m = M, .n = N, .k = K, .lda = K, .ldb = N, .ldc = N, .alpha.f32 = 1};
    kern_plan(&plan, KERN_OP_matmul_f32, KERN_ISA_WASM128, &args);
    uint32_t free_at = WINDOW_SEGMENT + (M * K + K * N + M * N) * 4 + 64;
    free_at = free_at / 64 * 64;
    for (uint32_t phase = 0; phase < plan.phase_count; phase++) {
        struct host_task t = {.kind = HOST_TASK_KERNEL};
        t.u.kernel = (struct host_kernel){
            .op = KERN_OP_matmul_f32,
            .isa = KERN_ISA_WASM128,
            .in = {WINDOW_SEGMENT, WINDOW_SEGMENT + M * K * 4},
            .out = WINDOW_SEGMENT + (M * K + K * N) * 4,
            .shared = free_at,
            .scratch = free_at + (uint32_t)(plan.shared_bytes + 63) / 64 * 64,
            .phase = phase,
            .end = (uint32_t)kern_phase_units(KERN_OP_matmul_f32, KERN_ISA_WASM128, &args, phase),
            .u.matmul = args.u.matmul};
        wasm_host_run(&h, &t);
        ck_assert_msg(t.status == HOST_OK, "%u %s", t.status, t.reason);
        ck_assert_uint_eq(t.copied, 0);
    }
    kern_run(kern_table_ref(false), KERN_OP_matmul_f32, &args, NULL, NULL);
    ck_assert_mem_eq(c, expected, sizeof expected);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

START_TEST(a_kernels_operand_may_not_cross_into_a_gap)
{
    static const uint32_t wrong[] = {
        WINDOW_CALL + WINDOW_CALL_BYTES,
        WINDOW_SEGMENT - 4 * COUNT,
        WINDOW_SEGMENT + WASM_HOST_SEGMENT - 4 * COUNT + 4,
        ARENA - 4,
        ARENA + ARENA_BYTES - 4 * COUNT + 4,
        WINDOW_END - 4 * COUNT + 4,
        0xffffffff - 4 * COUNT,
    };
    struct wasm_host h;

    wasm_host_open(&h, 1);
    wasm_host_map(&h, ARENA, ARENA_BYTES);
    wasm_host_map(&h, WINDOW_END - 65536, 65536);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct host_task t = add_task(wrong[i], WINDOW_SEGMENT, WINDOW_SEGMENT);
        wasm_host_run(&h, &t);
        ck_assert_msg(t.status == HOST_TRAP_MEMORY, "%#x: %u %s", wrong[i], t.status, t.reason);
        t = add_task(WINDOW_SEGMENT, WINDOW_SEGMENT, wrong[i]);
        wasm_host_run(&h, &t);
        ck_assert_msg(t.status == HOST_TRAP_MEMORY, "%#x: %u %s", wrong[i], t.status, t.reason);
    }
    struct host_task t = add_task(WINDOW_SEGMENT + WASM_HOST_SEGMENT - 4 * COUNT,
                                  ARENA + ARENA_BYTES - 4 * COUNT, WINDOW_END - 4 * COUNT);
    wasm_host_run(&h, &t);
    ck_assert_msg(t.status == HOST_OK, "%u %s", t.status, t.reason);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wasm_host");

    TCase *t = tcase_create("process");
    tcase_add_unchecked_fixture(t, wasm_host_warm, NULL);
    tcase_add_test(t, it_is_inside_its_filters_after_the_start);
    tcase_add_test(t, it_closes_what_it_inherits);
    tcase_add_test(t, signals_of_the_group_leave_it_to_the_daemon);
    tcase_add_test(t, every_lane_has_a_partner);
    tcase_add_test(t, a_full_lane_is_run_in_order);
    tcase_add_test(t, an_unknown_kind_of_task_is_an_answer);
    tcase_add_test(t, arenas_are_mapped_in_windows_that_live_and_that_come);
    tcase_add_test(t, what_is_unmapped_is_a_trap_and_the_next_task_runs);
    tcase_add_test(t, mappings_that_cannot_be_are_refused);
    tcase_add_test(t, a_matmul_has_the_bits_of_its_class);
    tcase_add_test(t, a_kernels_operand_may_not_cross_into_a_gap);
    tcase_set_timeout(t, 60);
    suite_add_tcase(suite, t);

    return suite_run(suite);
}
