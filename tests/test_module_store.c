/* module_store.h: what is added outlives a restart, whole or not at all, and stays its user's. */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "module_store_bed.h"
#include "suite.h"

static struct store_bed bed;

static void set_up(void)
{
    bed_open(&bed);
}

static void tear_down(void)
{
    bed_close(&bed);
}

static enum wire_status try_add(uid_t uid, bool for_all, const char *name, size_t byte_count)
{
    int os_err = 0;
    char bytes[2 * FILE_MAX] = "\0asm\1";
    return module_store_add(bed.store, uid, for_all, name, bytes, byte_count, NULL, &os_err);
}

/* What the file of a module holds must be `bytes`. */
static void holds(const struct module *m, const void *bytes, size_t byte_count)
{
    char got[FILE_MAX];
    ck_assert_ptr_nonnull(m);
    ck_assert_uint_eq(module_bytes(m), byte_count);
    ck_assert_int_eq(pread(module_fd(m), got, sizeof(got), 0), (ssize_t)byte_count);
    ck_assert_mem_eq(got, bytes, byte_count);
    struct module_digest want = module_digest_of(bytes, byte_count), is = module_digest(m);
    ck_assert(want.lo == is.lo && want.hi == is.hi);
}

/* The uid finds `bytes` under the name; NULL: nothing. */
static void finds(uid_t uid, const char *name, const char *bytes, size_t byte_count)
{
    struct module *m = module_store_find(bed.store, uid, name);
    if (bytes == NULL)
        ck_assert_ptr_null(m);
    else
        holds(m, bytes, byte_count);
    module_put(m);
}

START_TEST(what_is_added_is_found_by_its_user_and_outlives_a_restart)
{
    bed_add(&bed, ALICE, false, "blur", ONE, BYTES(ONE));
    for (int i = 0; i < 2; i++) {
        struct module *m = module_store_find(bed.store, ALICE, "blur");
        holds(m, ONE, BYTES(ONE));
        ck_assert_str_eq(module_name(m), "blur");
        ck_assert_uint_eq(module_uid(m), ALICE);
        ck_assert(!module_is_for_all(m));
        ck_assert_uint_gt(module_added_s(m), 1600000000);
        module_put(m);
        finds(BOB, "blur", NULL, 0);
        finds(ALICE, "blu", NULL, 0);
        finds(ALICE, "blurr", NULL, 0);
        bed_reopen(&bed);
    }
    ck_assert_uint_eq(module_store_count(bed.store), 1);
}
END_TEST

START_TEST(an_add_replaces_and_who_holds_the_old_one_keeps_it)
{
    bed_add(&bed, ALICE, false, "m", ONE, BYTES(ONE));
    struct module *old = module_store_find(bed.store, ALICE, "m");
    bed_add(&bed, ALICE, false, "m", TWO, BYTES(TWO));
    holds(old, ONE, BYTES(ONE));
    finds(ALICE, "m", TWO, BYTES(TWO));
    ck_assert_uint_eq(module_store_count(bed.store), 1);
    bed_reopen(&bed);
    finds(ALICE, "m", TWO, BYTES(TWO));
    holds(old, ONE, BYTES(ONE));
    module_put(old);
    ck_assert_uint_eq(bed_files(&bed, "modules/1001"), 1);
}
END_TEST

START_TEST(a_removed_one_is_gone_but_for_those_who_hold_it)
{
    bed_add(&bed, ALICE, false, "m", ONE, BYTES(ONE));
    struct module *old = module_store_find(bed.store, ALICE, "m");
    ck_assert_uint_eq(bed_drop(&bed, BOB, false, "m"), WIRE_MODULE_UNKNOWN);
    ck_assert_uint_eq(bed_drop(&bed, ALICE, false, "m"), WIRE_OK);
    ck_assert_uint_eq(bed_drop(&bed, ALICE, false, "m"), WIRE_MODULE_UNKNOWN);
    finds(ALICE, "m", NULL, 0);
    holds(old, ONE, BYTES(ONE));
    bed_reopen(&bed);
    finds(ALICE, "m", NULL, 0);
    holds(old, ONE, BYTES(ONE));
    module_put(old);
    ck_assert_uint_eq(bed_files(&bed, "modules/1001"), 0);
}
END_TEST

START_TEST(ones_own_comes_before_what_root_added_for_all)
{
    ck_assert_uint_eq(try_add(ALICE, true, "m", 16), WIRE_MODULE_NOT_ALLOWED);
    bed_add(&bed, 0, true, "m", ONE, BYTES(ONE));
    finds(ALICE, "m", ONE, BYTES(ONE));
    finds(0, "m", ONE, BYTES(ONE));
    bed_add(&bed, ALICE, false, "m", TWO, BYTES(TWO));
    bed_add(&bed, 0, false, "n", TWO, BYTES(TWO)); /* root's own is nobody else's */
    bed_reopen(&bed);
    finds(ALICE, "m", TWO, BYTES(TWO));
    finds(BOB, "m", ONE, BYTES(ONE));
    finds(BOB, "n", NULL, 0);
    struct module *m = module_store_find(bed.store, BOB, "m");
    ck_assert(module_is_for_all(m));
    ck_assert_uint_eq(module_uid(m), 0);
    module_put(m);
    ck_assert_uint_eq(bed_drop(&bed, ALICE, true, "m"), WIRE_MODULE_NOT_ALLOWED);
    ck_assert_uint_eq(bed_drop(&bed, ALICE, false, "m"), WIRE_OK);
    finds(ALICE, "m", ONE, BYTES(ONE));
    ck_assert_uint_eq(bed_drop(&bed, 0, false, "m"), WIRE_MODULE_UNKNOWN);
    ck_assert_uint_eq(bed_drop(&bed, 0, true, "m"), WIRE_OK);
    finds(BOB, "m", NULL, 0);
}
END_TEST

START_TEST(a_list_has_ones_own_by_name_then_those_for_all)
{
    struct module **list;
    size_t count;
    ck_assert_int_eq(module_store_list(bed.store, ALICE, &list, &count), 0);
    ck_assert_uint_eq(count, 0);
    ck_assert_ptr_null(list);

    bed_add(&bed, ALICE, false, "z", ONE, BYTES(ONE));
    bed_add(&bed, BOB, false, "b", ONE, BYTES(ONE));
    bed_add(&bed, 0, true, "a", ONE, BYTES(ONE));
    bed_add(&bed, ALICE, false, "c", ONE, BYTES(ONE));
    ck_assert_int_eq(module_store_list(bed.store, ALICE, &list, &count), 0);
    ck_assert_uint_eq(count, 3);
    ck_assert_str_eq(module_name(list[0]), "c");
    ck_assert_str_eq(module_name(list[1]), "z");
    ck_assert_str_eq(module_name(list[2]), "a");
    ck_assert_uint_eq(bed_drop(&bed, ALICE, false, "c"), WIRE_OK);
    holds(list[0], ONE, BYTES(ONE));
    module_list_free(list, count);
}
END_TEST

START_TEST(what_is_over_a_limit_or_ill_named_is_refused_by_name)
{
    static const char *const bad[] = {"", "..", ".hidden", "a/b", "a b", "\xc3\xa4"};
    char longest[65];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        ck_assert_uint_eq(try_add(ALICE, false, bad[i], 16), WIRE_BAD_NAME);
        ck_assert_uint_eq(bed_drop(&bed, ALICE, false, bad[i]), WIRE_BAD_NAME);
    }
    memset(longest, 'x', 64);
    longest[64] = '\0';
    ck_assert_uint_eq(try_add(ALICE, false, longest, 16), WIRE_BAD_NAME);
    longest[63] = '\0';
    ck_assert_uint_eq(try_add(ALICE, false, longest, 16), WIRE_OK);

    ck_assert_uint_eq(try_add(ALICE, false, "m", FILE_MAX + 1), WIRE_MODULE_TOO_BIG);
    ck_assert_uint_eq(try_add(ALICE, false, "m", FILE_MAX), WIRE_OK);
    ck_assert_uint_eq(try_add(ALICE, false, "n", 16), WIRE_OK);
    ck_assert_uint_eq(try_add(ALICE, false, "o", 16), WIRE_MODULE_LIMIT);
    ck_assert_uint_eq(try_add(ALICE, false, "n", 17), WIRE_OK); /* replacing is not one more */
    ck_assert_uint_eq(try_add(BOB, false, "o", 16), WIRE_OK);   /* each has his own limit */
    bed_reopen(&bed);
    ck_assert_uint_eq(module_store_count(bed.store), 4);
    struct module_limits wider = bed.limits;
    wider.count_max++;
    module_store_set_limits(bed.store, &wider);
    ck_assert_uint_eq(try_add(ALICE, false, "o", 16), WIRE_OK);
}
END_TEST

START_TEST(what_is_no_module_is_left_alone_when_the_store_opens)
{
    char path[PATH_MAX];
    bed_add(&bed, ALICE, false, "good", ONE, BYTES(ONE));
    bed_put_file(&bed, "modules/1001/text.wasm", "hello, world", 12);
    bed_put_file(&bed, "modules/1001/short.wasm", "\0asm", 4);
    bed_put_file(&bed, "modules/1001/a b.wasm", ONE, BYTES(ONE));
    bed_put_file(&bed, "modules/1001/other.txt", ONE, BYTES(ONE));
    bed_put_file(&bed, "modules/1001/.wasm", ONE, BYTES(ONE));
    bed_put_file(&bed, "modules/1001/.new-0123", ONE, BYTES(ONE)); /* an interrupted write */
    bed_put_file(&bed, "modules/file.wasm", ONE, BYTES(ONE));
    char big[FILE_MAX + 1] = "\0asm\1";
    bed_put_file(&bed, "modules/1001/big.wasm", big, sizeof(big));
    snprintf(path, sizeof(path), "%s/modules/1001/link.wasm", bed.dir);
    ck_assert_int_eq(symlink("good.wasm", path), 0);
    snprintf(path, sizeof(path), "%s/modules/1001/pipe.wasm", bed.dir);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    snprintf(path, sizeof(path), "%s/modules/1001/folder.wasm", bed.dir);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    static const char *const folders[] = {"01002", "-1", "4294967295", "1002x", "nobody"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        snprintf(path, sizeof(path), "%s/modules/%s", bed.dir, folders[i]);
        ck_assert_int_eq(mkdir(path, 0700), 0);
        snprintf(path, sizeof(path), "modules/%s/m.wasm", folders[i]);
        bed_put_file(&bed, path, ONE, BYTES(ONE));
    }
    bed_reopen(&bed);
    ck_assert_uint_eq(module_store_count(bed.store), 1);
    finds(ALICE, "good", ONE, BYTES(ONE));
    finds(BOB, "m", NULL, 0);
    ck_assert_uint_eq(bed_files(&bed, "modules/1001"), 10); /* all but the interrupted write */
    /* and an add under a name that a stranger's file has takes its place */
    bed_add(&bed, ALICE, false, "text", TWO, BYTES(TWO));
    finds(ALICE, "text", TWO, BYTES(TWO));
}
END_TEST

/* In a child, whose files may have no more than `bytes`. */
static int add_with_little_room(size_t bytes)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        struct rlimit room = {bytes, bytes};
        (void)signal(SIGXFSZ, SIG_IGN);
        int os_err = 0;
        char module[1024] = "\0asm\1";
        if (setrlimit(RLIMIT_FSIZE, &room) < 0)
            _exit(99);
        enum wire_status status =
            module_store_add(bed.store, ALICE, false, "m", module, sizeof(module), NULL, &os_err);
        _exit(status != WIRE_MODULE_UNKEPT ? 1 : os_err != -EFBIG ? 2 : 0);
    }
    int status;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

START_TEST(a_disk_without_room_is_told_and_leaves_nothing)
{
    ck_assert_int_eq(add_with_little_room(100), 0);
    ck_assert_int_eq(add_with_little_room(0), 0);
    bed_reopen(&bed);
    finds(ALICE, "m", NULL, 0);
    ck_assert_uint_eq(bed_files(&bed, "modules/1001"), 0);
    bed_add(&bed, ALICE, false, "m", ONE, BYTES(ONE));
    ck_assert_int_eq(add_with_little_room(100), 0);
    bed_reopen(&bed);
    finds(ALICE, "m", ONE, BYTES(ONE)); /* what was there is there */
    ck_assert_uint_eq(bed_files(&bed, "modules/1001"), 1);
}
END_TEST

START_TEST(a_folder_that_cannot_be_made_is_told)
{
    struct module_store *none = NULL;
    int os_err = 0;
    bed_put_file(&bed, "modules/1002", "in the way", 10);
    ck_assert_uint_eq(
        module_store_add(bed.store, BOB, false, "m", ONE, BYTES(ONE), NULL, &os_err),
        WIRE_MODULE_UNKEPT);
    ck_assert_int_eq(os_err, -ENOTDIR);
    ck_assert_int_eq(module_store_open(&none, "/nonexistent/state", &bed.limits), -ENOENT);
    ck_assert_ptr_null(none);
}
END_TEST

/* ---- threads ---- */

enum { ROUNDS = 40 };

/* Returns NULL, or its argument when something failed. */
static void *adder(void *arg)
{
    uid_t uid = *(const uid_t *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        char bytes[32] = "\0asm\1";
        bytes[8] = (char)i;
        int os_err;
        enum wire_status status =
            module_store_add(bed.store, uid, false, "m", bytes, sizeof(bytes), NULL, &os_err);
        if (status != WIRE_OK)
            return arg;
        if (i % 4 == 3 && module_store_remove(bed.store, uid, false, "m", &os_err) != WIRE_OK)
            return arg;
    }
    return NULL;
}

START_TEST(many_threads_add_while_one_looks_up)
{
    uid_t uids[] = {ALICE, BOB, 1003};
    pthread_t threads[3];
    for (size_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, adder, &uids[i]), 0);
    for (int i = 0; i < 20 * ROUNDS; i++) {
        struct module **list;
        size_t count;
        struct module *m = module_store_find(bed.store, uids[i % 3], "m");
        if (m != NULL) {
            char got[32];
            ck_assert_int_eq(pread(module_fd(m), got, sizeof(got), 0), 32);
            struct module_digest is = module_digest(m), want = module_digest_of(got, 32);
            ck_assert_uint_eq(is.lo, want.lo);
            ck_assert_uint_eq(module_uid(m), uids[i % 3]);
        }
        module_put(m);
        ck_assert_int_eq(module_store_list(bed.store, uids[i % 3], &list, &count), 0);
        ck_assert_uint_le(count, 1);
        module_list_free(list, count);
    }
    for (size_t i = 0; i < 3; i++) {
        void *failed;
        ck_assert_int_eq(pthread_join(threads[i], &failed), 0);
        ck_assert_ptr_null(failed);
    }
    ck_assert_uint_eq(module_store_count(bed.store), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("module_store");
    TCase *tc = tcase_create("modules");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, what_is_added_is_found_by_its_user_and_outlives_a_restart);
    tcase_add_test(tc, an_add_replaces_and_who_holds_the_old_one_keeps_it);
    tcase_add_test(tc, a_removed_one_is_gone_but_for_those_who_hold_it);
    tcase_add_test(tc, ones_own_comes_before_what_root_added_for_all);
    tcase_add_test(tc, a_list_has_ones_own_by_name_then_those_for_all);
    tcase_add_test(tc, what_is_over_a_limit_or_ill_named_is_refused_by_name);
    tcase_add_test(tc, what_is_no_module_is_left_alone_when_the_store_opens);
    tcase_add_test(tc, a_disk_without_room_is_told_and_leaves_nothing);
    tcase_add_test(tc, a_folder_that_cannot_be_made_is_told);
    tcase_add_test(tc, many_threads_add_while_one_looks_up);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
