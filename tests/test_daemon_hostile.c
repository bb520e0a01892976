/* Hostile modules at the whole daemon: whatever they are and do, they get their error while
 * everybody else is served. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon_arenas.h"
#include "daemon_bed.h"
#include "daemon_hostile.h"
#include "daemon_jobs.h"
#include "daemon_modules.h"
#include "suite.h"
#include "wasm/hostile.h"

static struct bed bed;
static int fd;

static void setup(void)
{
    hostile_open(&bed);
    fd = client_open(&bed);
}

static void teardown(void)
{
    close(fd);
    hostile_close(&bed);
}

static void call_fails(const char *function, const double *params, uint32_t count,
                       enum wire_status status, const char *words)
{
    modules_send_call(fd, 7, function, hostile_operand, sizeof(hostile_operand), params, count);
    modules_expect_error(fd, 7, status, words);
    hostile_expect_served(&bed, fd);
}

/* ---- what functions do ---- */

START_TEST(a_function_that_fails_tells_its_number_and_words)
{
    static const double params[] = {42, 'x'};
    hostile_add_run(fd);
    call_fails("m/fail", params, 2, WIRE_WASM_FAILED, "42");
    call_fails("m/nothing", NULL, 0, WIRE_FUNCTION_UNKNOWN, NULL);
}
END_TEST

START_TEST(traps_are_told_by_their_reason)
{
    static const struct {
        const char *function, *counter;
    } traps[] = {
        {"m/trap_unreachable", "code"}, {"m/trap_divide", "math"}, {"m/trap_overflow", "math"},
        {"m/trap_null", "code"},        {"m/trap_type", "code"},   {"m/trap_table", "code"},
        {"m/recurse", "stack"},         {"m/recurse_table", "stack"}, {"m/overrun", "memory"},
    };
    hostile_add_run(fd);
    for (size_t i = 0; i < sizeof(traps) / sizeof(traps[0]); i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "backends.wasm.traps.%s", traps[i].counter);
        double before = bed_metric(&bed, path);
        call_fails(traps[i].function, NULL, 0, WIRE_WASM_TRAP, NULL);
        ck_assert_msg(bed_metric(&bed, path) == before + 1, "%s: %s", traps[i].function, path);
    }
}
END_TEST

START_TEST(touching_what_is_not_mapped_is_a_trap)
{
    /* gaps, ends and edges: behind the call's page, before and behind the segment, behind all */
    static const double places[] = {(double)0x3fff8000u, 1073741823.0, (double)0x80000000u,
                                    (double)0xffff0000u, 4294967295.0};
    static const char *const ways[] = {"m/peek8", "m/poke8", "m/peek64", "m/poke128"};
    hostile_add_run(fd);
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]); k++)
            call_fails(ways[k], &places[i], 1, WIRE_WASM_TRAP, NULL);
    }
}
END_TEST

START_TEST(memory_that_grows_to_its_limit_is_the_functions_own_matter)
{
    struct answer a;
    hostile_add_run(fd);
    modules_send_call(fd, 1, "m/grow", hostile_operand, 8, NULL, 0);
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", wire_status_name(a.h.status), a.payload);
    free(a.payload);
    hostile_expect_served(&bed, fd);
}
END_TEST

START_TEST(a_loop_without_end_is_ended_and_no_other_job_is_lost)
{
    static const char *const spins[] = {"m/spin", "m/spin_memory", "m/spin_call", "m/spin_tail"};
    enum { OTHERS = 50 };
    hostile_add_run(fd);
    for (size_t i = 0; i < sizeof(spins) / sizeof(spins[0]); i++) {
        modules_send_call(fd, 1000, spins[i], hostile_operand, 8, NULL, 0);
        for (unsigned k = 0; k < OTHERS; k++)
            modules_send_call(fd, k, "m/ok", hostile_operand, 8, NULL, 0);
        unsigned ok = 0;
        for (unsigned k = 0; k <= OTHERS; k++) {
            struct answer a;
            client_receive(fd, &a);
            if (a.h.id == 1000)
                ck_assert_msg(a.h.status == WIRE_WASM_TIMEOUT, "%s", a.payload);
            else
                ok += a.h.status == WIRE_OK;
            free(a.payload);
        }
        ck_assert_uint_eq(ok, OTHERS);
    }
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.ends.deadline"), 4);
    hostile_expect_served(&bed, fd);
}
END_TEST

START_TEST(a_start_function_that_loops_is_ended)
{
    struct wasm_bytes m = {0};
    hostile_add_run(fd);
    hostile_start_spins(&m);
    modules_send_add(fd, 1, "s", m.p, m.n, false);
    struct answer a;
    client_receive(fd, &a);
    enum wire_status added = (enum wire_status)a.h.status;
    free(a.payload);
    if (added == WIRE_OK) {
        modules_send_call(fd, 2, "s/f", hostile_operand, 8, NULL, 0);
        modules_expect_error(fd, 2, WIRE_WASM_TIMEOUT, NULL);
    }
    bytes_free(&m);
    hostile_expect_served(&bed, fd);
}
END_TEST

START_TEST(a_function_that_lies_about_its_result_is_refused)
{
    static const double wrong[][7] = {
        {99, 1, 8, 0, 0, 0, 1},                /* no such type */
        {3, 9, 8, 0, 0, 0, 1},                 /* no such rank */
        {3, 0, 8, 0, 0, 0, 1},                 /* none at all */
        {3, 1, 0, 0, 0, 0, 1},                 /* empty */
        {3, 4, 4e9, 4e9, 4e9, 4e9, 1},         /* overflows */
    };
    hostile_add_run(fd);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        call_fails("m/liar", wrong[i], 7, WIRE_BAD_RESULT, NULL);
    static const double large[] = {3, 1, 2e9, 0, 0, 0, 1};
    call_fails("m/liar", large, 7, WIRE_RESULT_TOO_BIG, "wasm_result_max");
}
END_TEST

START_TEST(an_op_called_with_a_bad_pointer_ends_the_call)
{
    static const double outside = 4294967000.0;
    hostile_add_run(fd);
    call_fails("m/matmul_f32_at", &outside, 1, WIRE_WASM_BAD_IMPORT, "matmul_f32");
    call_fails("m/add_u8_at", &outside, 1, WIRE_WASM_BAD_IMPORT, "add_u8");
}
END_TEST

/* ---- what modules are ---- */

static void add_form(const struct hostile_form *f)
{
    struct wasm_bytes m = {0};
    struct answer a;
    f->make(&m);
    modules_send_add(fd, 5, "form", m.p, m.n, false);
    client_receive(fd, &a);
    const char *text = (const char *)a.payload;
    switch (f->add) {
    case HOSTILE_ADDED:
        ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", f->name, text);
        break;
    case HOSTILE_REFUSED:
        ck_assert_msg(a.h.status == WIRE_MODULE_REFUSED || a.h.status == WIRE_MODULE_TOO_BIG ||
                          a.h.status == WIRE_BAD_RESERVED || a.h.status == WIRE_BAD_PARAMETER,
                      "%s: %s", f->name, wire_status_name(a.h.status));
        if (f->reason != NULL && a.h.status == WIRE_MODULE_REFUSED)
            ck_assert_msg(strstr(text, f->reason) != NULL, "%s: %s", f->name, text);
        break;
    case HOSTILE_EITHER:
        ck_assert_msg(a.h.status == WIRE_OK || a.h.status == WIRE_MODULE_REFUSED ||
                          a.h.status == WIRE_MODULE_TOO_BIG || a.h.status == WIRE_MODULE_TIMEOUT,
                      "%s: %s", f->name, wire_status_name(a.h.status));
        break;
    }
    free(a.payload);
    bytes_free(&m);
}

START_TEST(wrong_modules_are_refused_with_a_reason)
{
    hostile_add_run(fd);
    for (size_t i = 0; i < hostile_form_count; i++)
        add_form(&hostile_forms[i]);
    hostile_expect_served(&bed, fd);
}
END_TEST

START_TEST(huge_modules_are_compiled_or_refused_and_harm_nobody)
{
    hostile_add_run(fd);
    for (size_t i = 0; i < hostile_size_count; i++) {
        add_form(&hostile_sizes[i]);
        hostile_expect_served(&bed, fd);
    }
}
END_TEST

START_TEST(truncated_and_flipped_modules_harm_nobody)
{
    struct wasm_bytes m = {0};
    uint64_t state = chance_seed();
    hostile_add_run(fd);
    hostile_run(&m);
    for (unsigned i = 0; i < bed_scaled(40); i++) {
        struct answer a;
        modules_send_add(fd, i, "cut", m.p, (size_t)chance_below(&state, m.n), false);
        client_receive(fd, &a);
        ck_assert_msg(a.h.status != WIRE_OK, "a truncated module was added");
        free(a.payload);
        struct wasm_bytes flipped = {0};
        hostile_flipped(&flipped, chance_next(&state));
        modules_send_add(fd, i, "flipped", flipped.p, flipped.n, false);
        client_receive(fd, &a);
        free(a.payload);
        bytes_free(&flipped);
    }
    bytes_free(&m);
    hostile_expect_served(&bed, fd);
}
END_TEST

/* ---- clients ---- */

START_TEST(a_client_that_goes_while_its_guest_runs_harms_nobody)
{
    hostile_add_run(fd);
    for (unsigned i = 0; i < 4; i++) {
        int gone = client_open(&bed);
        modules_send_call(gone, 1, "m/spin_memory", hostile_operand, 8, NULL, 0);
        modules_send_call(gone, 2, "m/ok", hostile_operand, 8, NULL, 0);
        bed_await(&bed, "jobs.in_flight", 2);
        close(gone);
        bed_await(&bed, "jobs.in_flight", 0);
        hostile_expect_served(&bed, fd);
    }
}
END_TEST

START_TEST(an_arena_dropped_while_its_guest_runs_harms_nobody)
{
    struct wire_request drop = client_request(WIRE_ARENA_DROP, 9);
    drop.arg[0] = 4;
    hostile_add_run(fd);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *arena = arena_add(fd, 4, 1 << 20);
        modules_send_call_in_arena(fd, 8, "m/spin_memory", 4, 8);
        client_send_frame(fd, &drop, NULL, 0);
        client_expect_ok(fd, 9); /* answered at once: the call keeps the memory */
        modules_expect_error(fd, 8, WIRE_WASM_TIMEOUT, NULL);
        munmap(arena, 1 << 20);
        hostile_expect_served(&bed, fd);
    }
    bed_await(&bed, "backends.wasm.mapped_bytes", 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon, hostile modules");
    TCase *tests = tcase_create("hostile");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, a_function_that_fails_tells_its_number_and_words);
    tcase_add_test(tests, traps_are_told_by_their_reason);
    tcase_add_test(tests, touching_what_is_not_mapped_is_a_trap);
    tcase_add_test(tests, memory_that_grows_to_its_limit_is_the_functions_own_matter);
    tcase_add_test(tests, a_loop_without_end_is_ended_and_no_other_job_is_lost);
    tcase_add_test(tests, a_start_function_that_loops_is_ended);
    tcase_add_test(tests, a_function_that_lies_about_its_result_is_refused);
    tcase_add_test(tests, an_op_called_with_a_bad_pointer_ends_the_call);
    tcase_add_test(tests, wrong_modules_are_refused_with_a_reason);
    tcase_add_test(tests, huge_modules_are_compiled_or_refused_and_harm_nobody);
    tcase_add_test(tests, truncated_and_flipped_modules_harm_nobody);
    tcase_add_test(tests, a_client_that_goes_while_its_guest_runs_harms_nobody);
    tcase_add_test(tests, an_arena_dropped_while_its_guest_runs_harms_nobody);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
