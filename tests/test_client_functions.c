/* libsimdd: users' functions and modules, against a daemon that behaves or does not. */
#include "config.h"

#include "client/simdd.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client_bed.h"
#include "suite.h"

static float numbers[6] = {1, 2, 3, 4, 5, 6};

static struct simdd_array floats(uint32_t rows, uint32_t cols)
{
    return (struct simdd_array){
        .data = numbers, .type = SIMDD_F32, .rank = 2, .dim = {rows, cols}};
}

START_TEST(a_result_that_is_told_comes_where_it_was_told)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    float z[6] = {0};
    struct simdd_array in = floats(2, 3), out = in;
    out.data = z;
    struct simdd_function f;
    struct simdd_result r;
    simdd_function_init(&f, "m/copy", 1, &in, &out);
    ck_assert_int_eq(simdd_function_call(b.s, &f, &r), 0);
    ck_assert_mem_eq(z, numbers, sizeof(z));
    ck_assert_ptr_eq(out.data, z);
    ck_assert_uint_eq(r.bytes, sizeof(z));
    ck_assert_str_eq(r.isa, "wasm128");
    ck_assert_int_eq(r.in_arena, 0);
    bed_close(&b);
}
END_TEST

START_TEST(a_result_that_is_not_told_comes_with_its_shape_and_memory)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    struct simdd_array in[2] = {floats(3, 2), floats(1, 1)}, out = {.data = NULL};
    struct simdd_function f;
    struct simdd_result r;
    simdd_function_init(&f, "m/copy", 2, in, &out);
    f.param_count = 8;
    f.param[7] = -1.5;
    ck_assert_int_eq(simdd_function_call(b.s, &f, &r), 0);
    ck_assert_int_eq(out.type, SIMDD_F32);
    ck_assert_uint_eq(out.rank, 2);
    ck_assert_uint_eq(out.dim[0], 3);
    ck_assert_uint_eq(out.dim[1], 2);
    ck_assert_mem_eq(out.data, numbers, sizeof(numbers));
    ck_assert_uint_eq(r.bytes, sizeof(numbers));
    free(out.data);
    bed_close(&b);
}
END_TEST

START_TEST(calls_and_jobs_may_be_in_flight_together)
{
    enum { CALLS = 100 };
    struct bed b;
    bed_open(&b, NULL, NULL);
    static struct bed_jobs jobs;
    static struct bed_tag tags[CALLS];
    static struct simdd_array out[CALLS];
    struct simdd_array in = floats(2, 3);
    memset(&jobs, 0, sizeof(jobs));
    memset(out, 0, sizeof(out));
    for (int i = 0; i < CALLS; i++) {
        char name[] = "m/copy"; /* copied, so it may go */
        struct simdd_function f;
        simdd_function_init(&f, name, 1, &in, &out[i]);
        ck_assert_int_eq(simdd_function_submit(b.s, &f, NULL, &out[i]), 0);
        memset(name, 'x', sizeof(name) - 1);
    }
    bed_submit(b.s, &jobs, tags, CALLS);
    ck_assert_int_eq(simdd_wait(b.s), 0);
    bed_check(&jobs, CALLS, 0);
    struct simdd_result r;
    unsigned taken = 0;
    while (simdd_take(b.s, &r) == 1) {
        struct simdd_array *a = r.arg;
        ck_assert_int_eq(r.status, 0);
        ck_assert_mem_eq(a->data, numbers, sizeof(numbers));
        free(a->data);
        a->data = NULL;
        taken++;
    }
    ck_assert_uint_eq(taken, CALLS);
    bed_close(&b);
}
END_TEST

START_TEST(lent_memory_is_not_copied)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    enum { N = 100000 };
    float *x = simdd_alloc(b.s, N * sizeof(*x), NULL), *z = simdd_alloc(b.s, N * sizeof(*z), NULL);
    bed_fill(x, N, 3);
    struct simdd_array in = {.data = x, .type = SIMDD_F32, .rank = 1, .dim = {N}}, out = in;
    struct simdd_function f;
    struct simdd_result r;
    out.data = z;
    simdd_function_init(&f, "m/copy", 1, &in, &out);
    ck_assert_int_eq(simdd_function_call(b.s, &f, &r), 0);
    ck_assert_int_eq(r.in_arena, 1);
    ck_assert_uint_eq(atomic_load(&fake_counts(b.fake)->arena_jobs), 1);
    ck_assert_uint_eq(atomic_load(&fake_counts(b.fake)->inline_results), 0);
    ck_assert_mem_eq(z, x, N * sizeof(*x));
    out = (struct simdd_array){.data = NULL}; /* nobody knows where an untold one could lie */
    ck_assert_int_eq(simdd_function_call(b.s, &f, &r), 0);
    ck_assert_uint_eq(atomic_load(&fake_counts(b.fake)->inline_results), 1);
    ck_assert_mem_eq(out.data, x, N * sizeof(*x));
    free(out.data);
    simdd_free(b.s, x);
    simdd_free(b.s, z);
    bed_close(&b);
}
END_TEST

static enum fake_action refuse_arenas(void *user, const struct wire_request *h, unsigned index)
{
    (void)user;
    (void)index;
    return h->type == WIRE_ARENA_ADD ? FAKE_OVERLOADED : FAKE_ANSWER;
}

START_TEST(without_arenas_the_bytes_go_over_the_socket)
{
    struct bed b;
    bed_open(&b, refuse_arenas, NULL);
    enum { N = 100000 };
    float *x = simdd_alloc(b.s, N * sizeof(*x), NULL);
    bed_fill(x, N, 3);
    struct simdd_array in = {.data = x, .type = SIMDD_F32, .rank = 1, .dim = {N}};
    struct simdd_array out = {.data = NULL};
    struct simdd_function f;
    simdd_function_init(&f, "m/copy", 1, &in, &out);
    ck_assert_int_eq(simdd_function_call(b.s, &f, NULL), 0);
    ck_assert_mem_eq(out.data, x, N * sizeof(*x));
    free(out.data);
    simdd_free(b.s, x);
    bed_close(&b);
}
END_TEST

static enum fake_action stumble(void *user, const struct wire_request *h, unsigned index)
{
    static const enum fake_action first[] = {FAKE_BREAK, FAKE_OVERLOADED, FAKE_BREAK_HALF};
    (void)user;
    (void)h;
    return index < 3 ? first[index] : FAKE_ANSWER;
}

START_TEST(a_call_is_sent_again_after_a_break_or_an_overload)
{
    struct bed b;
    bed_open(&b, stumble, NULL);
    float x[6], *z = x; /* over its own operand, which must survive until the answer is whole */
    memcpy(x, numbers, sizeof(x));
    struct simdd_array in = floats(2, 3), out = in;
    in.data = out.data = z;
    struct simdd_function f;
    struct simdd_result r;
    simdd_function_init(&f, "m/copy", 1, &in, &out);
    ck_assert_int_eq(simdd_function_call(b.s, &f, &r), 0);
    ck_assert_uint_ge(r.sent_count, 4);
    ck_assert_mem_eq(z, numbers, sizeof(numbers));
    bed_close(&b);
}
END_TEST

START_TEST(an_error_of_the_function_comes_with_its_words)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    struct simdd_array in = floats(1, 1), out = {.data = NULL};
    struct simdd_function f;
    struct simdd_result r;
    simdd_function_init(&f, "m/fail", 1, &in, &out);
    ck_assert_int_eq(simdd_function_call(b.s, &f, &r), SIMDD_WASM_FAILED);
    ck_assert_str_eq(r.reason, "the function says no: 3");
    ck_assert_ptr_null(out.data);
    ck_assert_uint_eq(out.rank, 0);
    f.name = "n/copy";
    ck_assert_int_eq(simdd_function_call(b.s, &f, NULL), SIMDD_MODULE_UNKNOWN);
    ck_assert_str_eq(simdd_last_error(b.s), "name: no such module");
    bed_close(&b);
}
END_TEST

START_TEST(an_answer_that_does_not_fit_is_not_taken)
{
    static float z[6];
    struct bed b;
    bed_open(&b, NULL, NULL);
    struct simdd_array in = floats(2, 3), out = in;
    struct simdd_function f;
    out.data = z;
    simdd_function_init(&f, "m/other", 1, &in, &out);
    ck_assert_int_eq(simdd_function_call(b.s, &f, NULL), -EPROTO); /* another shape than told */
    out = (struct simdd_array){.data = NULL};
    ck_assert_int_eq(simdd_function_call(b.s, &f, NULL), -EPROTO); /* more than its bytes */
    ck_assert_ptr_null(out.data);
    ck_assert_int_eq(simdd_ping(b.s), 0);
    bed_close(&b);
}
END_TEST

/* One call that is good but for what `spoil` did to it. */
static void refused(struct simdd *s, const struct simdd_function *f, int status, const char *field)
{
    ck_assert_int_eq(simdd_function_call(s, f, NULL), status);
    if (field != NULL)
        ck_assert_msg(strncmp(simdd_last_error(s), field, strlen(field)) == 0, "%s",
                      simdd_last_error(s));
    ck_assert_uint_eq(simdd_in_flight(s), 0);
}

START_TEST(what_can_never_run_is_refused_by_name_before_it_is_sent)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    char long_name[200];
    struct simdd_array in = floats(2, 3), out = {.data = NULL};
    struct simdd_function good, f;
    simdd_function_init(&good, "m/copy", 1, &in, &out);
    memset(long_name, 'x', sizeof(long_name));
    long_name[199] = '\0';
    f = good;
    f.name = NULL;
    refused(b.s, &f, -EINVAL, NULL);
    f.name = long_name;
    refused(b.s, &f, SIMDD_BAD_NAME, "name: ");
    f = good;
    f.in_count = 0;
    refused(b.s, &f, SIMDD_BAD_PARAMETER, "in_count: ");
    f.in_count = 4;
    refused(b.s, &f, SIMDD_BAD_PARAMETER, "in_count: ");
    f = good;
    f.param_count = 9;
    refused(b.s, &f, SIMDD_BAD_PARAMETER, "param_count: ");
    f = good;
    f.in[0].data = NULL;
    refused(b.s, &f, -EINVAL, NULL);
    f = good;
    f.in[0].rank = 5;
    refused(b.s, &f, SIMDD_BAD_SHAPE, "in0: ");
    f.in[0].rank = 257;
    refused(b.s, &f, SIMDD_BAD_SHAPE, "in0: ");
    f = good;
    f.in[0].type = (enum simdd_type)256;
    refused(b.s, &f, SIMDD_BAD_PARAMETER, "in0: ");
    f = good;
    f.in[0].dim[1] = 0;
    refused(b.s, &f, SIMDD_BAD_SHAPE, "in0: ");
    f = good;
    f.in[0] = (struct simdd_array){numbers, SIMDD_U64, 3, {UINT32_MAX, UINT32_MAX, 9}};
    refused(b.s, &f, SIMDD_SIZE_OVERFLOW, "in0: ");
    f = good;
    out = floats(1, 1);
    out.data = NULL;
    refused(b.s, &f, -EINVAL, NULL);
    out = floats(1, 1);
    out.rank = 9;
    refused(b.s, &f, SIMDD_BAD_SHAPE, "result: ");
    f.out = NULL;
    refused(b.s, &f, -EINVAL, NULL);
    ck_assert_uint_eq(atomic_load(&fake_counts(b.fake)->jobs), 0);
    bed_close(&b);
}
END_TEST

START_TEST(modules_are_added_listed_shown_and_removed)
{
    struct bed b;
    bed_open(&b, NULL, NULL);
    char *text = NULL;
    ck_assert_int_eq(simdd_module_add(b.s, "blur", "0123456789.", 11, 0), 0);
    ck_assert_int_eq(simdd_module_add(b.s, "blur", "0123456789", 10, 0), SIMDD_MODULE_REFUSED);
    ck_assert_str_eq(simdd_last_error(b.s), "the fake wants a point at the end");
    ck_assert_int_eq(simdd_module_add(b.s, "blur", ".", 1, SIMDD_MODULE_ALL),
                     SIMDD_MODULE_NOT_ALLOWED);
    ck_assert_int_eq(simdd_module_list(b.s, &text), 0);
    ck_assert_str_eq(text, "{\"fake\":\"\"}");
    free(text);
    ck_assert_int_eq(simdd_module_show(b.s, "blur", &text), 0);
    ck_assert_str_eq(text, "{\"fake\":\"blur\"}");
    free(text);
    ck_assert_int_eq(simdd_module_remove(b.s, "blur", 0), 0);
    ck_assert_int_eq(simdd_module_remove(b.s, "blur", SIMDD_MODULE_ALL),
                     SIMDD_MODULE_NOT_ALLOWED);

    char *large = malloc(1 << 20); /* more than a socket takes at once */
    memset(large, '.', 1 << 20);
    ck_assert_int_eq(simdd_module_add(b.s, "large", large, 1 << 20, 0), 0);
    free(large);
    ck_assert_int_eq(simdd_module_add(b.s, "", ".", 1, 0), SIMDD_BAD_NAME);
    ck_assert_int_eq(simdd_module_add(b.s, NULL, ".", 1, 0), SIMDD_BAD_NAME);
    ck_assert_int_eq(simdd_module_add(b.s, "x", NULL, 1, 0), -EINVAL);
    ck_assert_int_eq(simdd_module_add(b.s, "x", ".", 1, 2), -EINVAL);
    ck_assert_int_eq(simdd_module_show(b.s, "", &text), SIMDD_BAD_NAME);
    bed_close(&b);
}
END_TEST

static Suite *client_functions_suite(void)
{
    Suite *suite = suite_create("client_functions");
    TCase *tc = tcase_create("functions");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, a_result_that_is_told_comes_where_it_was_told);
    tcase_add_test(tc, a_result_that_is_not_told_comes_with_its_shape_and_memory);
    tcase_add_test(tc, calls_and_jobs_may_be_in_flight_together);
    tcase_add_test(tc, lent_memory_is_not_copied);
    tcase_add_test(tc, without_arenas_the_bytes_go_over_the_socket);
    tcase_add_test(tc, a_call_is_sent_again_after_a_break_or_an_overload);
    tcase_add_test(tc, an_error_of_the_function_comes_with_its_words);
    tcase_add_test(tc, an_answer_that_does_not_fit_is_not_taken);
    tcase_add_test(tc, what_can_never_run_is_refused_by_name_before_it_is_sent);
    tcase_add_test(tc, modules_are_added_listed_shown_and_removed);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(client_functions_suite());
}
