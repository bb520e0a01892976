/* The wasm backend at the whole daemon: the same bits as the native kernels, nothing copied on the
 * way, and a process that may die as often as it likes. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon_arenas.h"
#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "daemon_modules.h"
#include "suite.h"

static struct bed bed;

static void setup(void)
{
    modules_open(&bed, "[wasm]\nwasm_max_run_time = 500ms\nwasm_idle_time = 100s\n");
}

static void teardown(void)
{
    bed_close(&bed);
}

static void job_case_wasm(struct job_case *k, uint64_t *state, size_t elements_max)
{
    job_case_random(k, state, elements_max);
    k->h.backend = WIRE_BACKEND_WASM;
}

/* ---- the daemon's own ops ---- */

START_TEST(every_op_gives_the_native_bits)
{
    uint64_t state = chance_seed();
    int fd = client_open(&bed);
    for (unsigned i = 0; i < bed_scaled(300); i++) {
        struct job_case k;
        job_case_wasm(&k, &state, i % 10 == 0 ? 200000 : 3000);
        job_case_round(&k, fd, i);
        job_case_free(&k);
    }
    close(fd);
    ck_assert_double_gt(bed_metric(&bed, "backends.wasm.tasks"), 0);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.processes"), 1);
    bed_check_books(&bed);
}
END_TEST

START_TEST(pipelined_jobs_of_both_backends_are_each_answered)
{
    enum { COUNT = 400 };
    uint64_t state = chance_seed();
    static struct job_case cases[COUNT];
    int fd = client_open(&bed);
    for (unsigned i = 0; i < COUNT; i++) {
        job_case_random(&cases[i], &state, 500);
        cases[i].h.backend = i % 3 == 0 ? WIRE_BACKEND_NATIVE : WIRE_BACKEND_WASM;
        job_case_send(&cases[i], fd, i);
    }
    for (unsigned i = 0; i < COUNT; i++) {
        struct answer a;
        client_receive(fd, &a);
        ck_assert_uint_lt(a.h.id, COUNT);
        job_case_check(&cases[a.h.id], &a);
    }
    for (unsigned i = 0; i < COUNT; i++)
        job_case_free(&cases[i]);
    close(fd);
    bed_check_books(&bed);
}
END_TEST

/* matmul of n x n in an arena; c must come out as the reference says. */
static void product_in_arena(int fd, uint32_t number, uint32_t n, uint64_t *state)
{
    struct job_case k;
    struct answer a;
    struct wire_request h = client_request(WIRE_JOB, number);
    h.op = KERN_OP_matmul_f32;
    h.backend = WIRE_BACKEND_WASM;
    h.arg[0] = h.arg[1] = h.arg[2] = n;
    h.arg[6] = 0x3f800000; /* alpha 1 */
    job_case_of(&k, &h, state);
    const size_t each = (size_t)n * n * 4;
    uint8_t *arena = arena_add(fd, number, 3 * each);
    memcpy(arena, job_case_operand(&k, 0), each);
    memcpy(arena + each, job_case_operand(&k, 1), each);
    const struct wire_ref refs[] = {{number, 0, 0}, {number, 0, each}, {number, 0, 2 * each}};
    h.flags = WIRE_F_ARENA;
    client_send_frame(fd, &h, refs, sizeof(refs));
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", wire_status_name(a.h.status), a.payload);
    ck_assert_mem_eq(arena + 2 * each, job_case_expected(&k, a.h.isa), each);
    free(a.payload);
    job_case_free(&k);
    munmap(arena, 3 * each);
}

START_TEST(operands_in_arenas_and_large_ones_are_not_copied)
{
    uint64_t state = chance_seed();
    int fd = client_open(&bed);
    for (uint32_t i = 1; i < 4; i++)
        product_in_arena(fd, i, 100 * i, &state);
    ck_assert_double_gt(bed_metric(&bed, "backends.wasm.mapped_bytes"), 0);
    double copied = bed_metric(&bed, "backends.wasm.copied_bytes");
    ck_assert_double_eq(copied, 0);
    /* inline, but larger than what is worked on where it was read */
    struct job_case k;
    struct wire_request h = client_request(WIRE_JOB, 9);
    h.op = KERN_OP_add_i32;
    h.backend = WIRE_BACKEND_WASM;
    h.arg[0] = 100000;
    job_case_of(&k, &h, &state);
    job_case_round(&k, fd, 9);
    job_case_free(&k);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.copied_bytes"), copied);
    close(fd);
    bed_await(&bed, "backends.wasm.mapped_bytes", 0);
}
END_TEST

START_TEST(more_arenas_than_a_window_holds_take_turns)
{
    uint64_t state = chance_seed();
    int fd = client_open(&bed);
    /* sparse: they take addresses, not memory */
    for (uint32_t i = 1; i <= 6; i++) {
        uint8_t *p = arena_add(fd, 100 + i, (size_t)700 << 20);
        struct wire_request h = client_request(WIRE_JOB, i);
        struct answer a;
        const struct wire_ref refs[] = {{100 + i, 0, 0}, {100 + i, 0, 64}, {100 + i, 0, 128}};
        for (unsigned k = 0; k < 8; k++)
            ((uint32_t *)(void *)p)[k] = k + i;
        h.op = KERN_OP_add_i32;
        h.backend = WIRE_BACKEND_WASM;
        h.flags = WIRE_F_ARENA;
        h.arg[0] = 8;
        client_send_frame(fd, &h, refs, sizeof(refs));
        client_receive(fd, &a);
        ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", wire_status_name(a.h.status), a.payload);
        for (unsigned k = 0; k < 8; k++)
            ck_assert_uint_eq(((uint32_t *)(void *)(p + 128))[k], k + i);
        free(a.payload);
        munmap(p, (size_t)700 << 20);
    }
    product_in_arena(fd, 1, 64, &state);
    close(fd);
}
END_TEST

START_TEST(an_arena_larger_than_a_window_is_refused_for_wasm_only)
{
    int fd = client_open(&bed);
    const size_t bytes = (size_t)3 << 30;
    uint8_t *p = arena_add(fd, 1, bytes);
    const struct wire_ref refs[] = {{1, 0, 0}, {1, 0, 64}, {1, 0, 128}};
    struct wire_request h = client_request(WIRE_JOB, 1);
    h.op = KERN_OP_add_i32;
    h.flags = WIRE_F_ARENA;
    h.arg[0] = 8;
    client_send_frame(fd, &h, refs, sizeof(refs));
    client_expect_ok(fd, 1);
    h.id = 2;
    h.backend = WIRE_BACKEND_WASM;
    client_send_frame(fd, &h, refs, sizeof(refs));
    client_expect_error(fd, 2, WIRE_TOO_BIG, NULL);
    munmap(p, bytes);
    close(fd);
}
END_TEST

/* ---- death ---- */

START_TEST(a_process_killed_again_and_again_under_load_loses_no_job)
{
    enum { DEPTH = 32 };
    uint64_t state = chance_seed(), sent = 0, received = 0;
    struct job_case k;
    int fd = client_open(&bed);
    struct wire_request h = client_request(WIRE_JOB, 0);
    h.op = KERN_OP_matmul_i32;
    h.backend = WIRE_BACKEND_WASM;
    h.arg[0] = h.arg[1] = h.arg[2] = 24;
    h.arg[6] = 1;
    job_case_of(&k, &h, &state);
    double kills = 0, want = bed_scaled(1000), crashed = 0;
    while (kills < want || received < sent) {
        while (kills < want && sent - received < DEPTH)
            job_case_send(&k, fd, sent++);
        struct answer a;
        client_receive(fd, &a);
        received++;
        /* Only a job that was running at two deaths may say so. */
        if (a.h.status == WIRE_WASM_CRASHED) {
            crashed++;
            free(a.payload);
        } else {
            job_case_check(&k, &a);
        }
        if (received % 8 == 0 && kills < want && modules_kill_host(&bed))
            kills++;
    }
    job_case_free(&k);
    close(fd);
    ck_assert_double_lt(crashed, (double)received / 4);
    ck_assert_double_ge(bed_metric(&bed, "backends.wasm.ends.crash"), want / 2);
    client_expect_service(&bed);
    bed_check_books(&bed);
}
END_TEST

START_TEST(an_idle_process_ends_and_another_starts)
{
    uint64_t state = chance_seed();
    bed_close(&bed);
    modules_open(&bed, "[wasm]\nwasm_idle_time = 100ms\n");
    for (unsigned i = 0; i < 2; i++) {
        struct job_case k;
        int fd = client_open(&bed);
        job_case_wasm(&k, &state, 100);
        job_case_round(&k, fd, i);
        job_case_free(&k);
        close(fd);
        bed_await(&bed, "backends.wasm.processes", 0);
    }
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.starts"), 2);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.ends.idle"), 2);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.ends.crash"), 0);
}
END_TEST

/* ---- compiled forms on disk ---- */

static void run_one_job(uint64_t *state)
{
    struct job_case k;
    int fd = client_open(&bed);
    job_case_wasm(&k, state, 1000);
    job_case_round(&k, fd, 1);
    job_case_free(&k);
    close(fd);
}

static void start_again(void)
{
    ck_assert_int_eq(bed_stop(&bed), 0);
    ck_assert(modules_start(&bed));
}

START_TEST(compiled_code_is_kept_and_a_damaged_file_is_found)
{
    uint64_t state = chance_seed();
    run_one_job(&state);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.compiled"), 1);
    start_again();
    run_one_job(&state);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.compiled"), 0);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.cache_hits"), 1);

    modules_damage_compiled(&bed);
    start_again();
    run_one_job(&state);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.compiled"), 1);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.cache_stale"), 1);
    start_again();
    run_one_job(&state);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.cache_hits"), 1);
}
END_TEST

START_TEST(without_the_host_program_jobs_are_told_so)
{
    bed_close(&bed);
    bed_open(&bed, "[wasm]\nwasm_host = /nonexistent/simdd-wasm\n", NULL);
    struct job_case k;
    uint64_t state = chance_seed();
    int fd = client_open(&bed);
    job_case_wasm(&k, &state, 10);
    job_case_send(&k, fd, 1);
    client_expect_error(fd, 1, WIRE_NO_BACKEND, NULL);
    k.h.backend = WIRE_BACKEND_AUTO;
    job_case_round(&k, fd, 2);
    job_case_free(&k);
    close(fd);
}
END_TEST

START_TEST(the_choice_of_backend_may_be_the_daemons)
{
    uint64_t state = chance_seed();
    bed_close(&bed);
    modules_open(&bed, "[wasm]\nbackend = wasm\n");
    struct job_case k;
    struct answer a;
    int fd = client_open(&bed);
    job_case_random(&k, &state, 100);
    job_case_send(&k, fd, 1);
    client_receive(fd, &a);
    ck_assert(a.h.isa == KERN_ISA_WASM128 || a.h.isa == KERN_ISA_WASM128R);
    job_case_check(&k, &a);
    k.h.backend = WIRE_BACKEND_NATIVE;
    job_case_send(&k, fd, 2);
    client_receive(fd, &a);
    ck_assert(a.h.isa != KERN_ISA_WASM128 && a.h.isa != KERN_ISA_WASM128R);
    job_case_check(&k, &a);
    job_case_free(&k);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon, wasm");
    TCase *tests = tcase_create("wasm");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, every_op_gives_the_native_bits);
    tcase_add_test(tests, pipelined_jobs_of_both_backends_are_each_answered);
    tcase_add_test(tests, operands_in_arenas_and_large_ones_are_not_copied);
    tcase_add_test(tests, more_arenas_than_a_window_holds_take_turns);
    tcase_add_test(tests, an_arena_larger_than_a_window_is_refused_for_wasm_only);
    tcase_add_test(tests, a_process_killed_again_and_again_under_load_loses_no_job);
    tcase_add_test(tests, an_idle_process_ends_and_another_starts);
    tcase_add_test(tests, compiled_code_is_kept_and_a_damaged_file_is_found);
    tcase_add_test(tests, without_the_host_program_jobs_are_told_so);
    tcase_add_test(tests, the_choice_of_backend_may_be_the_daemons);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
