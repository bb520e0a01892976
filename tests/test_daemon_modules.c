/* Users' modules at the whole daemon: added, listed, shown, removed; kept over a restart and on a
 * full disk; and whose they are. */
#include "config.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon_bed.h"
#include "daemon_hostile.h"
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

/* ---- names ---- */

START_TEST(what_was_added_is_listed_shown_called_and_removed)
{
    struct answer a;
    struct wire_request list = client_request(WIRE_MODULE_LIST, 2);
    hostile_add_run(fd);
    client_send_frame(fd, &list, NULL, 0);
    client_receive(fd, &a);
    ck_assert_ptr_nonnull(strstr((const char *)a.payload, "\"m\""));
    free(a.payload);
    modules_send_name(fd, 3, WIRE_MODULE_SHOW, "m", 1);
    client_receive(fd, &a);
    ck_assert_ptr_nonnull(strstr((const char *)a.payload, "\"spin_memory\""));
    free(a.payload);
    hostile_expect_served(&bed, fd);
    modules_send_name(fd, 4, WIRE_MODULE_REMOVE, "m", 1);
    client_expect_ok(fd, 4);
    modules_send_call(fd, 5, "m/ok", hostile_operand, 8, NULL, 0);
    modules_expect_error(fd, 5, WIRE_MODULE_UNKNOWN, NULL);
    modules_send_name(fd, 6, WIRE_MODULE_SHOW, "m", 1);
    modules_expect_error(fd, 6, WIRE_MODULE_UNKNOWN, NULL);
}
END_TEST

START_TEST(modules_outlive_a_restart_with_their_compiled_code)
{
    hostile_add_run(fd);
    close(fd);
    ck_assert_int_eq(bed_stop(&bed), 0);
    ck_assert(modules_start(&bed));
    fd = client_open(&bed);
    hostile_expect_served(&bed, fd);
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
    hostile_add_run(fd);
    hostile_expect_served(&bed, fd);
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
    hostile_expect_served(&bed, fd);
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
    char state_dir[64];
    modules_state_dir(&bed, state_dir);
    close(fd);
    ck_assert_int_eq(bed_stop(&bed), 0);
    if (mount("none", state_dir, "tmpfs", 0, "size=1m") < 0)
        printf("no disk can be filled here: %m\n");
    ck_assert(modules_start(&bed));
    fd = client_open(&bed);
    hostile_add_run(fd);
    hostile_run(&m);
    pad(&m, 3 << 20);
    modules_send_add(fd, 1, "large", m.p, m.n, false);
    struct answer a;
    client_receive(fd, &a);
    if (a.h.status != WIRE_OK) { /* there is a disk that is full */
        ck_assert_msg(a.h.status == WIRE_MODULE_UNKEPT, "%s", a.payload);
        ck_assert_ptr_nonnull(strstr((const char *)a.payload, strerror(ENOSPC)));
        modules_send_call(fd, 2, "large/ok", hostile_operand, 8, NULL, 0);
        modules_expect_error(fd, 2, WIRE_MODULE_UNKNOWN, NULL);
    }
    free(a.payload);
    bytes_free(&m);
    hostile_expect_served(&bed, fd);
    close(fd);
    ck_assert_int_eq(bed_stop(&bed), 0);
    ck_assert(modules_start(&bed)); /* what was there before is there still */
    fd = client_open(&bed);
    hostile_expect_served(&bed, fd);
    (void)umount2(state_dir, MNT_DETACH);
}
END_TEST

/* ---- users ---- */

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
    modules_send_call(other, 1, "m/ok", hostile_operand, 8, NULL, 0);
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
    modules_send_call(other, 5, "own/ok", hostile_operand, 8, NULL, 0);
    client_expect_ok(other, 5);
    modules_send_call(other, 6, "own/spin", hostile_operand, 8, NULL, 0);
    modules_expect_error(other, 6, WIRE_WASM_TIMEOUT, NULL);
}

static void other_calls_for_all(void)
{
    int other = client_open(&bed);
    modules_send_call(other, 1, "everyones/ok", hostile_operand, 8, NULL, 0);
    client_expect_ok(other, 1);
}

START_TEST(users_do_not_see_each_others_modules_and_root_adds_for_all)
{
    if (getuid() != 0)
        return;
    hostile_add_run(fd);
    as_other_user(other_sees_nothing);
    modules_send_call(fd, 2, "own/ok", hostile_operand, 8, NULL, 0);
    modules_expect_error(fd, 2, WIRE_MODULE_UNKNOWN, NULL);
    struct wasm_bytes m = {0};
    hostile_run(&m);
    modules_send_add(fd, 3, "everyones", m.p, m.n, true);
    client_expect_ok(fd, 3);
    bytes_free(&m);
    as_other_user(other_calls_for_all);
    hostile_expect_served(&bed, fd);
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
    tcase_add_test(tests, a_full_disk_is_told_and_nothing_half_written_is_seen);
    tcase_add_test(tests, users_do_not_see_each_others_modules_and_root_adds_for_all);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
