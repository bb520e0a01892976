/* module_store.h: compiled forms, which go with their modules and are believed no process. */
#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
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

static struct module_digest digest;

static int memfd_of(const char *text)
{
    int fd = memfd_create("compiled", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    return fd;
}

static int keep(uid_t uid, const char *key, const char *text, size_t bytes)
{
    int fd = memfd_of(text);
    int err = module_compiled_keep(bed.store, uid, digest, key, fd, bytes);
    close(fd);
    return err;
}

static void compiled_is(uid_t uid, const char *key, const char *text)
{
    char got[256] = "";
    int fd = module_compiled_open(bed.store, uid, digest, key);
    if (text == NULL) {
        ck_assert_int_eq(fd, -ENOENT);
        return;
    }
    ck_assert_int_ge(fd, 0);
    ck_assert_int_ge(read(fd, got, sizeof(got) - 1), 0);
    ck_assert_str_eq(got, text);
    close(fd);
}

START_TEST(a_compiled_form_is_kept_for_one_user_and_key)
{
    bed_add(&bed, ALICE, false, "m", ONE, BYTES(ONE));
    digest = module_digest_of(ONE, BYTES(ONE));
    compiled_is(ALICE, "48-avx2", NULL);
    ck_assert_int_eq(keep(ALICE, "48-avx2", "code", 4), 0);
    for (int i = 0; i < 2; i++) {
        compiled_is(ALICE, "48-avx2", "code");
        compiled_is(BOB, "48-avx2", NULL);
        compiled_is(MODULE_UID_KERNELS, "48-avx2", NULL);
        compiled_is(ALICE, "49-avx2", NULL);
        bed_reopen(&bed);
    }
    /* another engine: the old form would never be used again */
    ck_assert_int_eq(keep(ALICE, "49-avx2", "newer code", 10), 0);
    compiled_is(ALICE, "48-avx2", NULL);
    compiled_is(ALICE, "49-avx2", "newer code");
    ck_assert_int_eq(keep(ALICE, "49-avx2", "again", 5), 0);
    compiled_is(ALICE, "49-avx2", "again");
    ck_assert_uint_eq(bed_files(&bed, "compiled/1001"), 1);
    module_compiled_drop(bed.store, ALICE, digest, "49-avx2");
    compiled_is(ALICE, "49-avx2", NULL);
}
END_TEST

START_TEST(the_kernels_form_is_nobodys_and_stays)
{
    digest = module_digest_of("kernels", 7);
    ck_assert_int_eq(keep(MODULE_UID_KERNELS, "k", "code", 4), 0);
    bed_add(&bed, ALICE, false, "m", ONE, BYTES(ONE));
    ck_assert_uint_eq(bed_drop(&bed, ALICE, false, "m"), WIRE_OK);
    bed_reopen(&bed);
    compiled_is(MODULE_UID_KERNELS, "k", "code");
    compiled_is(ALICE, "k", NULL);
    ck_assert_uint_eq(bed_files(&bed, "compiled/kernels"), 1);
}
END_TEST

START_TEST(a_compiled_form_goes_with_its_module)
{
    digest = module_digest_of(ONE, BYTES(ONE));
    bed_add(&bed, ALICE, false, "m", ONE, BYTES(ONE));
    bed_add(&bed, ALICE, false, "same", ONE, BYTES(ONE));
    ck_assert_int_eq(keep(ALICE, "k", "code", 4), 0);
    ck_assert_uint_eq(bed_drop(&bed, ALICE, false, "m"), WIRE_OK);
    compiled_is(ALICE, "k", "code"); /* the other one has it too */
    bed_add(&bed, ALICE, false, "same", TWO, BYTES(TWO));
    compiled_is(ALICE, "k", NULL);

    bed_add(&bed, 0, true, "all", ONE, BYTES(ONE));
    ck_assert_int_eq(keep(BOB, "k", "bob's", 5), 0);
    bed_reopen(&bed);
    compiled_is(BOB, "k", "bob's");
    ck_assert_uint_eq(bed_drop(&bed, 0, true, "all"), WIRE_OK);
    bed_put_file(&bed, "compiled/1002/.new-77", "half", 4);
    bed_reopen(&bed);
    compiled_is(BOB, "k", NULL);
    ck_assert_uint_eq(bed_files(&bed, "compiled/1002"), 0);
}
END_TEST

START_TEST(what_a_process_says_of_its_compiled_form_is_not_believed)
{
    int pipes[2];
    digest = module_digest_of(ONE, BYTES(ONE));
    bed_add(&bed, ALICE, false, "m", ONE, BYTES(ONE));
    ck_assert_int_eq(keep(ALICE, "k", "code", 5), -EIO); /* shorter than said */
    ck_assert_int_eq(keep(ALICE, "k", "code", 4 * FILE_MAX + 1), -EFBIG);
    ck_assert_int_eq(keep(ALICE, "../k", "code", 4), -EINVAL);
    ck_assert_int_eq(keep(ALICE, "", "code", 4), -EINVAL);
    ck_assert_int_eq(pipe(pipes), 0); /* a read would wait for ever */
    ck_assert_int_eq(module_compiled_keep(bed.store, ALICE, digest, "k", pipes[0], 4), -EINVAL);
    ck_assert_int_lt(module_compiled_keep(bed.store, ALICE, digest, "k", -1, 4), 0);
    close(pipes[0]);
    close(pipes[1]);
    compiled_is(ALICE, "k", NULL);
    ck_assert_uint_eq(bed_files(&bed, "compiled/1001"), 0);
    ck_assert_int_eq(module_compiled_open(bed.store, ALICE, digest, "../k"), -EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("module_compiled");
    TCase *tc = tcase_create("compiled");

    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, a_compiled_form_is_kept_for_one_user_and_key);
    tcase_add_test(tc, the_kernels_form_is_nobodys_and_stays);
    tcase_add_test(tc, a_compiled_form_goes_with_its_module);
    tcase_add_test(tc, what_a_process_says_of_its_compiled_form_is_not_believed);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
