/* Whatever a module is or does, simdd-wasm answers, and everything else in it goes on. */
#include "config.h"

#include "suite.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include "tests/wasm/hostile.h"
#include "tests/wasm_hostile.h"

START_TEST(a_wrong_module_is_refused_by_what_is_wrong)
{
    struct hostile_bed bed;
    const struct hostile_form *form = &hostile_forms[_i];
    struct wasm_answer a;

    bed_open(&bed, hostile_run);
    bed_add(&bed, form->make, &a);
    bool refused = a.reply.status == HOST_REPLY_REFUSED;
    if (form->add != HOSTILE_EITHER)
        ck_assert_msg(refused == (form->add == HOSTILE_REFUSED), "%s: %u %s", form->name,
                      a.reply.status, a.reply.reason);
    if (refused) {
        ck_assert_msg(a.reply.reason[0] != '\0', "%s: no reason", form->name);
        ck_assert_msg(form->reason == NULL || strstr(a.reply.reason, form->reason) != NULL,
                      "%s: %s", form->name, a.reply.reason);
    }
    bed_check_text(a.reply.reason);
    wasm_answer_close(&a);
    bed_check_lives(&bed);
    bed_close(&bed);
}
END_TEST

START_TEST(a_cut_module_is_refused)
{
    struct hostile_bed bed;
    struct wasm_bytes whole = {0};
    struct wasm_answer a;

    bed_open(&bed, hostile_run);
    hostile_run(&whole);
    for (size_t n = 9; n < whole.n; n += 1 + n / 16) {
        wasm_host_add(&bed.host, 1, whole.p, n, &a);
        ck_assert_msg(a.reply.status == HOST_REPLY_REFUSED, "%zu bytes", n);
        bed_check_text(a.reply.reason);
        wasm_answer_close(&a);
    }
    bytes_free(&whole);
    bed_check_lives(&bed);
    bed_close(&bed);
}
END_TEST

START_TEST(a_damaged_module_gets_an_answer)
{
    struct hostile_bed bed;
    struct wasm_answer a;

    bed_open(&bed, hostile_run);
    for (uint64_t seed = 0; seed < 100; seed++) {
        struct wasm_bytes b = {0};
        hostile_flipped(&b, seed);
        wasm_host_add(&bed.host, 1, b.p, b.n, &a);
        ck_assert_msg(a.reply.status != HOST_REPLY_OK || a.fds > 0, "seed %u", (unsigned)seed);
        bed_check_text(a.reply.reason);
        wasm_answer_close(&a);
        bytes_free(&b);
    }
    bed_check_lives(&bed);
    bed_close(&bed);
}
END_TEST

/* ---- too much ---- */

struct adding {
    struct hostile_bed *bed;
    const struct hostile_form *form;
    bool answered;
    struct wasm_answer answer;
    _Atomic bool over;
};

static void *add_aside(void *ctx)
{
    struct adding *add = ctx;
    struct wasm_bytes b = {0};
    struct host_msg msg = {.type = HOST_MSG_MODULE, .number = 1};

    add->form->make(&b);
    msg.bytes = b.n;
    int fd = wasm_host_memfd(b.p, b.n);
    add->answered = wasm_host_ask(&add->bed->host, &msg, &fd, 1, &add->answer);
    close(fd);
    bytes_free(&b);
    /* release: the answer above; pairs with the acquire in a_large_module... */
    atomic_store_explicit(&add->over, true, memory_order_release);
    return NULL;
}

/* Calls go on while it is compiled; who takes too long is killed, as the daemon does it. */
START_TEST(a_large_module_is_added_refused_or_killed)
{
    struct hostile_bed bed;
    struct adding add = {.bed = &bed, .form = &hostile_sizes[_i]};
    pthread_t thread;
    bool killed = false;

    bed_open(&bed, hostile_run);
    ck_assert_int_eq(pthread_create(&thread, NULL, add_aside, &add), 0);
    for (int rounds = 0; rounds < 40; rounds++) {
        /* acquire: pairs with the release in add_aside(). */
        if (atomic_load_explicit(&add.over, memory_order_acquire))
            break;
        usleep(10000);
        bed_check_lives(&bed);
    }
    if (!atomic_load_explicit(&add.over, memory_order_acquire)) {
        kill(bed.host.pid, SIGKILL);
        killed = true;
    }
    pthread_join(thread, NULL);
    ck_assert_msg(killed || add.answered, "%s: the process is gone", add.form->name);
    if (add.answered && add.answer.reply.status == HOST_REPLY_OK) {
        ck_assert_msg(add.form->add != HOSTILE_REFUSED, "%s was added", add.form->name);
        struct host_task t = bed_call(&bed, "ok");
        t.u.call.module = 1;
        t.u.call.function = wasm_host_function(&add.answer, "f");
        wasm_host_run(&bed.host, &t);
        bed_check_text(t.reason);
    }
    if (!killed)
        bed_check_lives(&bed);
    wasm_answer_close(&add.answer);
    bed_close(&bed);
}
END_TEST

/* ---- no end ---- */

static const char *const endless[] = {"spin", "spin_memory", "spin_call", "spin_tail"};
enum { ENDLESS = sizeof(endless) / sizeof(endless[0]) };

/* Lane 0 has it; lane 1 goes on until the process is killed. */
static void check_endless(struct hostile_bed *bed, const struct host_task *task)
{
    const struct host_lane *lane = &bed->host.lanes[0];
    uint32_t done = atomic_load_explicit(&lane->done, memory_order_acquire);

    wasm_host_push(&bed->host, 0, task);
    for (int i = 0; i < 10; i++) {
        usleep(2000);
        struct host_task ok = bed_call(bed, "ok");
        wasm_host_push(&bed->host, 1, &ok);
        ck_assert(wasm_host_await(&bed->host, 1, &ok));
        ck_assert_uint_eq(ok.status, HOST_OK);
    }
    ck_assert_uint_eq(atomic_load_explicit(&lane->done, memory_order_acquire), done);
    kill(bed->host.pid, SIGKILL);
}

START_TEST(a_loop_without_end_stops_nobody_else)
{
    struct hostile_bed bed;

    bed_open(&bed, hostile_run);
    struct host_task t = bed_call(&bed, endless[_i]);
    check_endless(&bed, &t);
    ck_assert(WIFSIGNALED(bed_close(&bed)));
}
END_TEST

static void check_endless_start(void (*make)(struct wasm_bytes *))
{
    struct hostile_bed bed;
    struct wasm_answer a;

    bed_open(&bed, hostile_run);
    bed_add(&bed, make, &a);
    ck_assert_uint_eq(a.reply.status, HOST_REPLY_OK);
    struct host_task t = bed_call(&bed, "ok");
    t.u.call.module = 1;
    t.u.call.function = wasm_host_function(&a, "f");
    check_endless(&bed, &t);
    wasm_answer_close(&a);
    bed_close(&bed);
}

START_TEST(a_start_function_without_end_stops_nobody_else)
{
    check_endless_start(hostile_start_spins);
}
END_TEST

START_TEST(an_initialize_without_end_stops_nobody_else)
{
    check_endless_start(hostile_initialize_spins);
}
END_TEST

static void check_bad_start(void (*make)(struct wasm_bytes *), enum host_status status)
{
    struct hostile_bed bed;
    struct wasm_answer a;

    bed_open(&bed, hostile_run);
    bed_add(&bed, make, &a);
    ck_assert_uint_eq(a.reply.status, HOST_REPLY_OK);
    for (int i = 0; i < 3; i++) {
        struct host_task t = bed_call(&bed, "ok");
        t.u.call.module = 1;
        t.u.call.function = wasm_host_function(&a, "f");
        wasm_host_run(&bed.host, &t);
        ck_assert_msg(t.status == status, "%u %s", t.status, t.reason);
        bed_check_text(t.reason);
    }
    wasm_answer_close(&a);
    bed_check_lives(&bed);
    bed_close(&bed);
}

START_TEST(a_start_function_that_traps_fails_the_call)
{
    check_bad_start(hostile_start_traps, HOST_TRAP_CODE);
}
END_TEST

START_TEST(a_start_function_may_not_reach_further_either)
{
    check_bad_start(hostile_start_imports, HOST_BAD_IMPORT);
}
END_TEST

/* ---- traps ---- */

START_TEST(each_trap_has_its_status)
{
    static const struct {
        const char *function;
        enum host_status status;
    } trap[] = {
        {"trap_unreachable", HOST_TRAP_CODE}, {"trap_divide", HOST_TRAP_MATH},
        {"trap_overflow", HOST_TRAP_MATH},    {"trap_type", HOST_TRAP_CODE},
        {"trap_null", HOST_TRAP_CODE},        {"trap_table", HOST_TRAP_CODE},
        {"recurse", HOST_TRAP_STACK},         {"recurse_table", HOST_TRAP_STACK},
        {"overrun", HOST_TRAP_MEMORY},        {"grow", HOST_OK},
        {"scribble", HOST_OK},                {"ok", HOST_OK},
    };
    struct hostile_bed bed;

    bed_open(&bed, hostile_run);
    for (size_t i = 0; i < sizeof(trap) / sizeof(trap[0]); i++) {
        for (int again = 0; again < 3; again++) {
            struct host_task t = bed_call(&bed, trap[i].function);
            wasm_host_run(&bed.host, &t);
            ck_assert_msg(t.status == trap[i].status, "%s: %u %s", trap[i].function, t.status,
                          t.reason);
            bed_check_text(t.reason);
        }
    }
    struct host_task t = bed_call(&bed, "trap_cast");
    t.u.call.param[0] = NAN;
    wasm_host_run(&bed.host, &t);
    ck_assert(t.status == HOST_TRAP_CODE || t.status == HOST_TRAP_MATH);
    bed_check_lives(&bed);
    bed_close(&bed);
}
END_TEST

START_TEST(a_function_s_own_error_is_told_as_text)
{
    struct hostile_bed bed;

    bed_open(&bed, hostile_run);
    for (int byte = 1; byte < 256; byte++) {
        struct host_task t = bed_call(&bed, "fail");
        t.u.call.param[0] = 1000 + byte;
        t.u.call.param[1] = byte;
        wasm_host_run(&bed.host, &t);
        ck_assert_uint_eq(t.status, HOST_FAILED);
        ck_assert_int_eq(t.value, 1000 + byte);
        bed_check_text(t.reason);
        if (byte == 'x')
            ck_assert_uint_eq(strspn(t.reason, "x"), HOST_REASON_BYTES - 1);
    }
    bed_close(&bed);
}
END_TEST

/* ---- shapes and units ---- */

START_TEST(a_result_that_cannot_be_is_refused)
{
    static const struct {
        double type, rank, dim[4];
        bool right;
    } shape[] = {
        {0, 1, {1}, true},
        {3, 4, {1, 2, 3, 4}, true},
        {4, 2, {1, 77}, true},
        {5, 1, {1}, false},
        {4294967295.0, 1, {1}, false},
        {0, 0, {1}, false},
        {0, 5, {1, 1, 1, 1}, false},
        {0, 4294967295.0, {1}, false},
        {0, 1, {0}, false},
        {0, 2, {1, 0}, false},
        {0, 1, {1073741824}, false},           /* 4 GiB */
        {4, 2, {65536, 65536}, false},         /* 2^35 */
        {0, 4, {65536, 65536, 65536, 65536}, false}, /* 2^66 */
        {3, 2, {4294967295.0, 4294967295.0}, false},
    };
    struct hostile_bed bed;

    bed_open(&bed, hostile_run);
    for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
        struct host_task t = bed_call(&bed, "liar");
        t.kind = HOST_TASK_SHAPE;
        t.u.call.param[0] = shape[i].type;
        t.u.call.param[1] = shape[i].rank;
        memcpy(t.u.call.param + 2, shape[i].dim, sizeof(shape[i].dim));
        wasm_host_run(&bed.host, &t);
        ck_assert_msg(t.status == (shape[i].right ? HOST_OK : HOST_BAD_SHAPE), "%zu: %u %s", i,
                      t.status, t.reason);
        if (shape[i].right) {
            ck_assert_uint_eq(t.result.type, (uint32_t)shape[i].type);
            ck_assert_uint_eq(t.result.rank, (uint32_t)shape[i].rank);
            ck_assert_uint_eq(t.result.dim[0], (uint32_t)shape[i].dim[0]);
        }
    }
    bed_close(&bed);
}
END_TEST

START_TEST(units_that_cannot_be_are_refused)
{
    static const struct {
        double answer;
        enum host_status status;
    } units[] = {{1, HOST_OK},         {2147483647, HOST_OK},          {0, HOST_BAD_SHAPE},
                 {-1, HOST_BAD_SHAPE}, {-2147483648.0, HOST_BAD_SHAPE}};
    struct hostile_bed bed;

    bed_open(&bed, hostile_run);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
        struct host_task t = bed_call(&bed, "liar");
        t.kind = HOST_TASK_UNITS;
        t.u.call.param[6] = units[i].answer;
        wasm_host_run(&bed.host, &t);
        ck_assert_uint_eq(t.status, units[i].status);
        if (t.status == HOST_OK)
            ck_assert_int_eq(t.value, (int32_t)units[i].answer);
    }
    bed_close(&bed);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wasm_hostile");
    TCase *adding = tcase_create("adding"), *calling = tcase_create("calling");

    tcase_set_timeout(adding, 60);
    tcase_set_timeout(calling, 60);
    /* Once for all tests: compiling the kernels takes longer than most of them. */
    tcase_add_unchecked_fixture(adding, bed_warm, NULL);
    tcase_add_unchecked_fixture(calling, bed_warm, NULL);
    tcase_add_loop_test(adding, a_wrong_module_is_refused_by_what_is_wrong, 0,
                        (int)hostile_form_count);
    tcase_add_test(adding, a_cut_module_is_refused);
    tcase_add_test(adding, a_damaged_module_gets_an_answer);
    tcase_add_loop_test(adding, a_large_module_is_added_refused_or_killed, 0,
                        (int)hostile_size_count);
    tcase_add_loop_test(calling, a_loop_without_end_stops_nobody_else, 0, ENDLESS);
    tcase_add_test(calling, a_start_function_without_end_stops_nobody_else);
    tcase_add_test(calling, an_initialize_without_end_stops_nobody_else);
    tcase_add_test(calling, a_start_function_that_traps_fails_the_call);
    tcase_add_test(calling, a_start_function_may_not_reach_further_either);
    tcase_add_test(calling, each_trap_has_its_status);
    tcase_add_test(calling, a_function_s_own_error_is_told_as_text);
    tcase_add_test(calling, a_result_that_cannot_be_is_refused);
    tcase_add_test(calling, units_that_cannot_be_are_refused);
    suite_add_tcase(suite, adding);
    suite_add_tcase(suite, calling);
    return suite_run(suite);
}
