/* How the process starts: with the kernels' module, and with compiled forms of it that are right,
 * damaged or somebody else's. */
#include "config.h"

#include "suite.h"

#include <fcntl.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "wasm_host.h"

/* Starts a process with that compiled form, and its answer is OK. Takes `compiled`. */
static void start_with(struct wasm_host *h, int compiled, struct wasm_answer *a)
{
    wasm_host_spawn(h, 1);
    wasm_host_start(h, compiled, a);
    ck_assert_msg(a->reply.status == HOST_REPLY_OK, "%s", a->reply.reason);
    if (compiled >= 0)
        close(compiled);
}

/* The kernels' compiled form as a file that can be changed. */
static int compiled_form(off_t *bytes)
{
    static char copy[4 << 20];

    ssize_t n = pread(wasm_host_compiled(), copy, sizeof copy, 0);
    ck_assert_int_gt(n, 0);
    *bytes = n;
    int fd = memfd_create("form", MFD_CLOEXEC);
    ck_assert_int_eq(pwrite(fd, copy, (size_t)n, 0), n);
    return fd;
}

START_TEST(compiles_and_hands_back_a_form_from_which_it_starts_again)
{
    struct wasm_host h;
    struct wasm_answer a;
    struct stat st;

    start_with(&h, -1, &a);
    ck_assert_uint_eq(a.reply.compiled, 1);
    ck_assert_uint_eq(a.reply.from_disk, 0);
    ck_assert_uint_eq(a.reply.stale, 0);
    ck_assert_uint_gt(a.reply.compile_ns, 0);
    ck_assert_int_eq(a.fds, 1);
    ck_assert_int_eq(fstat(a.fd[0], &st), 0);
    ck_assert_uint_eq((uint64_t)st.st_size, a.reply.compiled_bytes);
    ck_assert_int_ne(fcntl(a.fd[0], F_GET_SEALS) & F_SEAL_WRITE, 0);
    wasm_host_expect_works(&h, 0);
    wasm_host_expect_exit(&h, 0);

    struct wasm_answer b;
    start_with(&h, a.fd[0], &b);
    ck_assert_uint_eq(b.reply.from_disk, 1);
    ck_assert_uint_eq(b.reply.compiled, 0);
    ck_assert_uint_eq(b.reply.stale, 0);
    ck_assert_uint_eq(b.reply.compile_ns, 0);
    ck_assert_int_eq(b.fds, 0);
    wasm_host_expect_works(&h, 0);
    wasm_host_expect_exit(&h, 0);
}
END_TEST

static void expect_stale(int form)
{
    struct wasm_host h;
    struct wasm_answer a;

    start_with(&h, form, &a);
    ck_assert_uint_eq(a.reply.stale, 1);
    ck_assert_uint_eq(a.reply.from_disk, 0);
    ck_assert_uint_eq(a.reply.compiled, 1);
    wasm_answer_close(&a);
    wasm_host_expect_works(&h, 0);
    wasm_host_expect_exit(&h, 0);
}

START_TEST(a_damaged_form_is_stale_wherever_the_damage_is)
{
    off_t bytes;
    int form = compiled_form(&bytes);
    off_t at = _i == 0 ? 0 : _i == 1 ? 9 : _i == 2 ? 33 : _i == 3 ? bytes / 2 : bytes - 1;
    char byte;

    ck_assert_int_eq(pread(form, &byte, 1, at), 1);
    byte = (char)(byte ^ 0x10);
    ck_assert_int_eq(pwrite(form, &byte, 1, at), 1);
    expect_stale(form);
}
END_TEST

START_TEST(a_form_of_another_length_is_stale)
{
    off_t bytes;
    int form = compiled_form(&bytes);

    bytes = _i == 0 ? 0 : _i == 1 ? 40 : _i == 2 ? bytes - 1 : bytes + 1;
    ck_assert_int_eq(ftruncate(form, bytes), 0);
    expect_stale(form);
}
END_TEST

START_TEST(a_form_of_another_module_is_stale)
{
    struct wasm_host h;
    struct wasm_answer a;
    size_t count;
    uint8_t *guest = wasm_host_read("tests/wasm/whole.wasm", &count);

    wasm_host_open(&h, 1);
    wasm_host_add(&h, 1, guest, count, &a);
    ck_assert_msg(a.reply.status == HOST_REPLY_OK, "%s", a.reply.reason);
    ck_assert_uint_eq(a.reply.compiled, 1);
    int form = dup(a.fd[0]);
    wasm_answer_close(&a);
    wasm_host_expect_exit(&h, 0);
    expect_stale(form);
    free(guest);
}
END_TEST

START_TEST(a_start_that_is_not_as_it_should_be_is_refused)
{
    struct wasm_host h;
    struct wasm_answer a;
    struct host_msg msg = {.type = HOST_MSG_START, .workers = 1, .version = HOST_VERSION + 1};

    wasm_host_spawn(&h, 1);
    int fds[3] = {h.lanes_fd, h.segment_fd, wasm_host_memfd("no module", 9)};
    ck_assert(wasm_host_ask(&h, &msg, fds, 3, &a));
    ck_assert_uint_eq(a.reply.status, HOST_REPLY_REFUSED);
    ck_assert_str_ne(a.reply.reason, "");
    msg.version = HOST_VERSION;
    msg.memory_max = 1 << 20;
    ck_assert(wasm_host_ask(&h, &msg, fds, 3, &a));
    ck_assert_uint_eq(a.reply.status, HOST_REPLY_REFUSED);
    ck_assert_str_ne(a.reply.reason, "");
    wasm_host_expect_exit(&h, 0);
}
END_TEST

START_TEST(a_module_before_the_start_ends_the_process)
{
    struct wasm_host h;
    struct wasm_answer a;
    struct host_msg msg = {.type = HOST_MSG_MODULE};

    wasm_host_spawn(&h, 1);
    ck_assert(!wasm_host_ask(&h, &msg, NULL, 0, &a));
    wasm_host_expect_exit(&h, 70);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wasm_start");

    TCase *t = tcase_create("start");
    tcase_add_unchecked_fixture(t, wasm_host_warm, NULL);
    tcase_add_test(t, compiles_and_hands_back_a_form_from_which_it_starts_again);
    tcase_add_loop_test(t, a_damaged_form_is_stale_wherever_the_damage_is, 0, 5);
    tcase_add_loop_test(t, a_form_of_another_length_is_stale, 0, 4);
    tcase_add_test(t, a_form_of_another_module_is_stale);
    tcase_add_test(t, a_start_that_is_not_as_it_should_be_is_refused);
    tcase_add_test(t, a_module_before_the_start_ends_the_process);
    tcase_set_timeout(t, 60);
    suite_add_tcase(suite, t);

    return suite_run(suite);
}
