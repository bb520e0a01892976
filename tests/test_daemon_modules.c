/* Users' modules at the whole daemon: added, called, replaced, removed; and hostile ones, which get
 * their error while everybody else is served. */
#include "config.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon_arenas.h"
#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "daemon_modules.h"
#include "suite.h"
#include "wasm/hostile.h"

static struct bed bed;
static char state_dir[64];
static int fd;

static const char *const limits =
    "[wasm]\nwasm_max_run_time = 300ms\nwasm_max_compile_time = 20s\nwasm_memory_max = 16MiB\n"
    "wasm_segment_max = 16MiB\nmodule_max_bytes = 4MiB\nmodules_max = 8\n"
    "[socket]\nsocket_group = root\n";

static void setup(void)
{
    bed_make(&bed);
    bed_configure(&bed, limits);
    (void)snprintf(state_dir, sizeof(state_dir), "%s/state", bed.dir);
    ck_assert_int_eq(mkdir(state_dir, 0700), 0);
    const char *const flags[] = {"--state-dir", state_dir, "--workers", "2", NULL};
    ck_assert(bed_start(&bed, flags));
    fd = client_open(&bed);
}

static void teardown(void)
{
    close(fd);
    bed_await_idle(&bed);
    bed_check_books(&bed);
    bed_close(&bed);
}

static void add_run(void)
{
    struct wasm_bytes m = {0};
    hostile_run(&m);
    modules_add(fd, "m", m.p, m.n);
    bytes_free(&m);
}

static const uint8_t operand[64] = {1, 2, 3};

/* A wasm job and a native one go through: this user and others are served. */
static void expect_served(void)
{
    struct answer a;
    client_expect_service(&bed);
    modules_send_call(fd, 1, "m/ok", operand, 8, NULL, 0);
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", wire_status_name(a.h.status), a.payload);
    ck_assert_uint_eq(a.h.result_bytes, 8);
    free(a.payload);
}

static void call_fails(const char *function, const double *params, uint32_t count,
                       enum wire_status status, const char *words)
{
    modules_send_call(fd, 7, function, operand, sizeof(operand), params, count);
    modules_expect_error(fd, 7, status, words);
    expect_served();
}

/* ---- names ---- */

START_TEST(what_was_added_is_listed_shown_called_and_removed)
{
    struct answer a;
    struct wire_request list = client_request(WIRE_MODULE_LIST, 2);
    add_run();
    client_send_frame(fd, &list, NULL, 0);
    client_receive(fd, &a);
    ck_assert_ptr_nonnull(strstr((const char *)a.payload, "\"m\""));
    free(a.payload);
    modules_send_name(fd, 3, WIRE_MODULE_SHOW, "m", 1);
    client_receive(fd, &a);
    ck_assert_ptr_nonnull(strstr((const char *)a.payload, "\"spin_memory\""));
    free(a.payload);
    expect_served();
    modules_send_name(fd, 4, WIRE_MODULE_REMOVE, "m", 1);
    client_expect_ok(fd, 4);
    modules_send_call(fd, 5, "m/ok", operand, 8, NULL, 0);
    modules_expect_error(fd, 5, WIRE_MODULE_UNKNOWN, NULL);
    modules_send_name(fd, 6, WIRE_MODULE_SHOW, "m", 1);
    modules_expect_error(fd, 6, WIRE_MODULE_UNKNOWN, NULL);
}
END_TEST

START_TEST(modules_outlive_a_restart_with_their_compiled_code)
{
    const char *const flags[] = {"--state-dir", state_dir, "--workers", "2", NULL};
    add_run();
    close(fd);
    ck_assert_int_eq(bed_stop(&bed), 0);
    ck_assert(bed_start(&bed, flags));
    fd = client_open(&bed);
    expect_served();
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.compiled"), 0);
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.cache_hits"), 2);
}
END_TEST

START_TEST(bad_names_are_refused_by_name)
{
    static const char *const names[] = {"", ".", "..", "../m", "a/b", "m\n", ".hidden", "\xc3\xa9"};
    char *huge = malloc(10000);
    ck_assert_ptr_nonnull(huge);
    memset(huge, 'a', 10000);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        modules_send_name(fd, i, WIRE_MODULE_REMOVE, names[i], strlen(names[i]));
        modules_expect_error(fd, i, WIRE_BAD_NAME, NULL);
    }
    modules_send_name(fd, 20, WIRE_MODULE_REMOVE, "a\0b", 3);
    modules_expect_error(fd, 20, WIRE_BAD_NAME, NULL);
    modules_send_name(fd, 21, WIRE_MODULE_REMOVE, huge, 10000);
    modules_expect_error(fd, 21, WIRE_BAD_NAME, NULL);
    free(huge);
    client_expect_alive(fd);
    add_run();
    expect_served();
}
END_TEST

START_TEST(limits_are_named)
{
    struct wasm_bytes m = {0};
    char name[16];
    hostile_run(&m);
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(name, sizeof(name), i == 0 ? "m" : "m%u", i);
        modules_add(fd, name, m.p, m.n);
    }
    modules_send_add(fd, 1, "one_more", m.p, m.n, false);
    modules_expect_error(fd, 1, WIRE_MODULE_LIMIT, "modules_max");
    uint8_t *large = calloc(1, (size_t)5 << 20);
    ck_assert_ptr_nonnull(large);
    modules_send_add(fd, 2, "m", large, (size_t)5 << 20, false);
    modules_expect_error(fd, 2, WIRE_MODULE_TOO_BIG, "module_max_bytes");
    free(large);
    bytes_free(&m);
    expect_served();
}
END_TEST

/* ---- what functions do ---- */

START_TEST(a_function_that_fails_tells_its_number_and_words)
{
    static const double params[] = {42, 'x'};
    add_run();
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
    add_run();
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
    add_run();
    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        for (size_t k = 0; k < sizeof(ways) / sizeof(ways[0]); k++)
            call_fails(ways[k], &places[i], 1, WIRE_WASM_TRAP, NULL);
    }
}
END_TEST

START_TEST(memory_that_grows_to_its_limit_is_the_functions_own_matter)
{
    struct answer a;
    add_run();
    modules_send_call(fd, 1, "m/grow", operand, 8, NULL, 0);
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", wire_status_name(a.h.status), a.payload);
    free(a.payload);
    expect_served();
}
END_TEST

START_TEST(a_loop_without_end_is_ended_and_no_other_job_is_lost)
{
    static const char *const spins[] = {"m/spin", "m/spin_memory", "m/spin_call", "m/spin_tail"};
    enum { OTHERS = 50 };
    add_run();
    for (size_t i = 0; i < sizeof(spins) / sizeof(spins[0]); i++) {
        modules_send_call(fd, 1000, spins[i], operand, 8, NULL, 0);
        for (unsigned k = 0; k < OTHERS; k++)
            modules_send_call(fd, k, "m/ok", operand, 8, NULL, 0);
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
    expect_served();
}
END_TEST

START_TEST(a_start_function_that_loops_is_ended)
{
    struct wasm_bytes m = {0};
    add_run();
    hostile_start_spins(&m);
    modules_send_add(fd, 1, "s", m.p, m.n, false);
    struct answer a;
    client_receive(fd, &a);
    enum wire_status added = (enum wire_status)a.h.status;
    free(a.payload);
    if (added == WIRE_OK) {
        modules_send_call(fd, 2, "s/f", operand, 8, NULL, 0);
        modules_expect_error(fd, 2, WIRE_WASM_TIMEOUT, NULL);
    }
    bytes_free(&m);
    expect_served();
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
    add_run();
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        call_fails("m/liar", wrong[i], 7, WIRE_BAD_RESULT, NULL);
    static const double large[] = {3, 1, 2e9, 0, 0, 0, 1};
    call_fails("m/liar", large, 7, WIRE_RESULT_TOO_BIG, "wasm_result_max");
}
END_TEST

START_TEST(an_op_called_with_a_bad_pointer_ends_the_call)
{
    static const double outside = 4294967000.0;
    add_run();
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
    add_run();
    for (size_t i = 0; i < hostile_form_count; i++)
        add_form(&hostile_forms[i]);
    expect_served();
}
END_TEST

START_TEST(huge_modules_are_compiled_or_refused_and_harm_nobody)
{
    add_run();
    for (size_t i = 0; i < hostile_size_count; i++) {
        add_form(&hostile_sizes[i]);
        expect_served();
    }
}
END_TEST

START_TEST(truncated_and_flipped_modules_harm_nobody)
{
    struct wasm_bytes m = {0};
    uint64_t state = chance_seed();
    add_run();
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
    expect_served();
}
END_TEST

/* ---- clients ---- */

START_TEST(a_client_that_goes_while_its_guest_runs_harms_nobody)
{
    add_run();
    for (unsigned i = 0; i < 4; i++) {
        int gone = client_open(&bed);
        modules_send_call(gone, 1, "m/spin_memory", operand, 8, NULL, 0);
        modules_send_call(gone, 2, "m/ok", operand, 8, NULL, 0);
        bed_await(&bed, "jobs.in_flight", 2);
        close(gone);
        bed_await(&bed, "jobs.in_flight", 0);
        expect_served();
    }
}
END_TEST

START_TEST(an_arena_dropped_while_its_guest_runs_harms_nobody)
{
    struct wire_request drop = client_request(WIRE_ARENA_DROP, 9);
    drop.arg[0] = 4;
    add_run();
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *arena = arena_add(fd, 4, 1 << 20);
        modules_send_call_in_arena(fd, 8, "m/spin_memory", 4, 8);
        client_send_frame(fd, &drop, NULL, 0);
        client_expect_ok(fd, 9); /* answered at once: the call keeps the memory */
        modules_expect_error(fd, 8, WIRE_WASM_TIMEOUT, NULL);
        munmap(arena, 1 << 20);
        expect_served();
    }
    bed_await(&bed, "backends.wasm.mapped_bytes", 0);
}
END_TEST

/* ---- disks ---- */

/* The module with so many bytes more, in a section that nobody reads. */
static void pad(struct wasm_bytes *m, uint32_t bytes)
{
    bytes_put(m, 0);
    bytes_unsigned(m, bytes + 2);
    bytes_name(m, "x", 1);
    for (uint32_t i = 0; i < bytes; i++)
        bytes_put(m, 0);
}

START_TEST(a_full_disk_is_told_and_nothing_half_written_is_seen)
{
    struct wasm_bytes m = {0};
    const char *const flags[] = {"--state-dir", state_dir, "--workers", "2", NULL};
    close(fd);
    ck_assert_int_eq(bed_stop(&bed), 0);
    if (mount("none", state_dir, "tmpfs", 0, "size=1m") < 0)
        printf("no disk can be filled here: %m\n");
    ck_assert(bed_start(&bed, flags));
    fd = client_open(&bed);
    add_run();
    hostile_run(&m);
    pad(&m, 3 << 20);
    modules_send_add(fd, 1, "large", m.p, m.n, false);
    struct answer a;
    client_receive(fd, &a);
    if (a.h.status != WIRE_OK) { /* there is a disk that is full */
        ck_assert_msg(a.h.status == WIRE_MODULE_UNKEPT, "%s", a.payload);
        ck_assert_ptr_nonnull(strstr((const char *)a.payload, strerror(ENOSPC)));
        modules_send_call(fd, 2, "large/ok", operand, 8, NULL, 0);
        modules_expect_error(fd, 2, WIRE_MODULE_UNKNOWN, NULL);
    }
    free(a.payload);
    bytes_free(&m);
    expect_served();
    close(fd);
    ck_assert_int_eq(bed_stop(&bed), 0);
    ck_assert(bed_start(&bed, flags)); /* what was there before is there still */
    fd = client_open(&bed);
    expect_served();
    (void)umount2(state_dir, MNT_DETACH);
}
END_TEST

/* Runs `what` as another user in a child; its exit code is 0 if its assertions held. */
static void as_other_user(void (*what)(void))
{
    const struct passwd *nobody = getpwnam("nobody");
    ck_assert_ptr_nonnull(nobody);
    ck_assert_int_eq(chmod(bed.dir, 0755), 0);
    ck_assert_int_eq(chmod(bed.socket, 0666), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        if (setgid(nobody->pw_gid) < 0 || setuid(nobody->pw_uid) < 0)
            _exit(3);
        what();
        _exit(0);
    }
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the other user: %x", status);
}

static void other_sees_nothing(void)
{
    struct answer a;
    struct wire_request list = client_request(WIRE_MODULE_LIST, 2);
    int other = client_open(&bed);
    modules_send_call(other, 1, "m/ok", operand, 8, NULL, 0);
    modules_expect_error(other, 1, WIRE_MODULE_UNKNOWN, NULL);
    client_send_frame(other, &list, NULL, 0);
    client_receive(other, &a);
    if (strcmp((const char *)a.payload, "[]") != 0)
        _exit(4);
    modules_send_name(other, 3, WIRE_MODULE_REMOVE, "m", 1);
    modules_expect_error(other, 3, WIRE_MODULE_UNKNOWN, NULL);
    struct wasm_bytes m = {0};
    hostile_run(&m);
    modules_send_add(other, 4, "all", m.p, m.n, true);
    modules_expect_error(other, 4, WIRE_MODULE_NOT_ALLOWED, NULL);
    modules_add(other, "own", m.p, m.n);
    modules_send_call(other, 5, "own/ok", operand, 8, NULL, 0);
    client_expect_ok(other, 5);
    modules_send_call(other, 6, "own/spin", operand, 8, NULL, 0);
    modules_expect_error(other, 6, WIRE_WASM_TIMEOUT, NULL);
}

static void other_calls_for_all(void)
{
    int other = client_open(&bed);
    modules_send_call(other, 1, "everyones/ok", operand, 8, NULL, 0);
    client_expect_ok(other, 1);
}

START_TEST(users_do_not_see_each_others_modules_and_root_adds_for_all)
{
    if (getuid() != 0)
        return;
    add_run();
    as_other_user(other_sees_nothing);
    modules_send_call(fd, 2, "own/ok", operand, 8, NULL, 0);
    modules_expect_error(fd, 2, WIRE_MODULE_UNKNOWN, NULL);
    struct wasm_bytes m = {0};
    hostile_run(&m);
    modules_send_add(fd, 3, "everyones", m.p, m.n, true);
    client_expect_ok(fd, 3);
    bytes_free(&m);
    as_other_user(other_calls_for_all);
    expect_served();
    ck_assert_double_eq(bed_metric(&bed, "backends.wasm.processes"), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon, modules");
    TCase *tests = tcase_create("modules");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, what_was_added_is_listed_shown_called_and_removed);
    tcase_add_test(tests, modules_outlive_a_restart_with_their_compiled_code);
    tcase_add_test(tests, bad_names_are_refused_by_name);
    tcase_add_test(tests, limits_are_named);
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
    tcase_add_test(tests, a_full_disk_is_told_and_nothing_half_written_is_seen);
    tcase_add_test(tests, users_do_not_see_each_others_modules_and_root_adds_for_all);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
