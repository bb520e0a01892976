/* JSON lines at the whole daemon: wrong ones are answered by name and the connection lives on; and
 * whatever the cutting, each line gets one line. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "daemon_bed.h"
#include "suite.h"

/* json_max_bytes of the suite's daemon. */
enum { LINE_MAX_BYTES = 65536 };

static struct bed bed;

#define GOOD "{\"id\":\"good\",\"op\":\"add_f32\",\"x\":[1,2],\"y\":[3,4]}\n"

/* The answer's `id` (NULL: null) and status; returns owned. */
static json_t *read_answer(int fd, const char *id, const char *status)
{
    char *line = client_read_line(fd);
    json_t *a = json_loads(line, 0, NULL);
    ck_assert_msg(a != NULL, "no JSON: %s", line);
    const char *got = json_string_value(json_object_get(a, "status"));
    ck_assert_ptr_nonnull(got);
    ck_assert_msg(strcmp(got, status) == 0, "not %s: %s", status, line);
    json_t *got_id = json_object_get(a, "id");
    if (id != NULL)
        ck_assert_str_eq(json_string_value(got_id), id);
    else
        ck_assert(json_is_null(got_id));
    free(line);
    return a;
}

static void expect_good(int fd)
{
    json_t *a = read_answer(fd, "good", "ok");
    json_t *result = json_object_get(a, "result");
    ck_assert_uint_eq(json_array_size(result), 2);
    ck_assert_double_eq(json_number_value(json_array_get(result, 0)), 4);
    ck_assert_double_eq(json_number_value(json_array_get(result, 1)), 6);
    json_decref(a);
}

/* ---- refused by name ---- */

static const struct refusal {
    const char *line;
    const char *status;
    const char *names; /* part of the sentence */
} refusals[] = {
    {"{", "bad_json", ""},
    {"{]", "bad_json", "byte"},
    {"{\"op\":\"add_f32\",\"x\":[1,2],\"y\":[3,4]} tail", "bad_json", ""},
    {"{\"op\":\"add_f32\" \"x\":[1]}", "bad_json", ""},
    {"{\"op\":\"add_f32\",\"x\":[NaN],\"y\":[1]}", "bad_json", ""},
    {"{\"op\":\"add_f32\",\"x\":[Infinity],\"y\":[1]}", "bad_json", ""},
    {"{\"op\":\"add_f32\",\"x\":[-nan],\"y\":[1]}", "bad_json", ""},
    {"{\"op\":\"add_f32\",\"x\":[0x10],\"y\":[1]}", "bad_json", ""},
    {"{\"op\":\"add_f32\",\"x\":[01],\"y\":[1]}", "bad_json", ""},
    {"{\"op\":\"add_f32\",\"x\":[1,],\"y\":[1]}", "bad_json", ""},
    {"{\"op\":\"add\\u0000f32\"}", "bad_op", "op"},
    {"{\"op\":\"\xff\xfe\"}", "bad_json", ""},
    {"[1,2,3]", "bad_json", ""},
    {"17", "bad_json", ""},
    {"{}", "bad_field", "op"},
    {"{\"op\":7}", "bad_field", "op"},
    {"{\"op\":\"divide_f32\",\"x\":[1],\"y\":[1]}", "bad_op", "op"},
    {"{\"op\":\"add_f32\",\"x\":[1]}", "bad_field", "y"},
    {"{\"op\":\"add_f32\",\"x\":[1],\"y\":[1],\"z\":[1]}", "bad_field", "z"},
    {"{\"op\":\"add_f32\",\"x\":[1],\"x\":[1],\"y\":[1]}", "bad_field", "x:"},
    {"{\"op\":\"add_f32\",\"x\":\"1\",\"y\":[1]}", "bad_field", "x"},
    {"{\"op\":\"add_f32\",\"x\":[null],\"y\":[1]}", "bad_field", "x"},
    {"{\"op\":\"add_f32\",\"x\":[1e39],\"y\":[1]}", "bad_value", "x"},
    {"{\"op\":\"add_f32\",\"x\":[1],\"y\":[1e999]}", "bad_value", "y"},
    {"{\"op\":\"add_u8\",\"x\":[256],\"y\":[1]}", "bad_value", "x"},
    {"{\"op\":\"add_u8\",\"x\":[1],\"y\":[-1]}", "bad_value", "y"},
    {"{\"op\":\"add_i32\",\"x\":[1.5],\"y\":[1]}", "bad_value", "x"},
    {"{\"op\":\"add_i32\",\"x\":[2147483648],\"y\":[1]}", "bad_value", "x"},
    {"{\"op\":\"mix_u32\",\"x\":[4294967296]}", "bad_value", "x"},
    {"{\"op\":\"mix_u32\",\"x\":[99999999999999999999999999]}", "bad_value", "x"},
    {"{\"op\":\"add_f32\",\"x\":[1,2],\"y\":[1]}", "shape_mismatch", "y"},
    {"{\"op\":\"add_f32\",\"x\":[],\"y\":[]}", "bad_shape", ""},
    {"{\"op\":\"matmul_f32\",\"a\":[[1,2],[3]],\"b\":[[1],[1]]}", "shape_mismatch", "a"},
    {"{\"op\":\"matmul_f32\",\"a\":[[1,2]],\"b\":[[1]]}", "shape_mismatch", ""},
    {"{\"op\":\"conv2d_u8\",\"image\":[[1]],\"kernel\":[[1,1],[1,1]]}", "bad_shape", ""},
    {"{\"op\":\"add_f32\",\"x\":[1],\"y\":[1],\"backend\":\"gpu\"}", "bad_backend", "backend"},
    {"{\"op\":\"add_f32\",\"x\":[1],\"y\":[1],\"backend\":\"wasm\"}", "no_backend", ""},
    {"{\"op\":\"add_f32\",\"x\":[1],\"y\":[1],\"priority\":\"urgent\"}", "bad_priority",
     "priority"},
    {"{\"op\":\"add_f32\",\"x\":[1],\"y\":[1],\"deadline_us\":-1}", "bad_value", "deadline_us"},
    {"{\"op\":\"add_f32\",\"x\":[1],\"y\":[1],\"deadline_us\":4294967296}", "bad_value",
     "deadline_us"},
    {"{\"op\":\"hash_fast\",\"text\":\"a\",\"base64\":\"YQ==\"}", "bad_field", ""},
    {"{\"op\":\"hash_fast\",\"base64\":\"Y=Q=\"}", "bad_value", "base64"},
};

START_TEST(a_wrong_line_is_refused_by_name_and_the_connection_lives_on)
{
    const struct refusal *r = &refusals[_i];
    double refused = bed_metric(&bed, "jobs.refused");
    int fd = client_open(&bed);
    client_send(fd, GOOD, strlen(GOOD));
    expect_good(fd);
    client_send(fd, r->line, strlen(r->line));
    client_send(fd, "\n" GOOD, strlen(GOOD) + 1);
    json_t *a = read_answer(fd, NULL, r->status);
    const char *sentence = json_string_value(json_object_get(a, "error"));
    ck_assert_ptr_nonnull(sentence);
    ck_assert_msg(strstr(sentence, r->names) != NULL, "\"%s\" does not name %s", sentence,
                  r->names);
    ck_assert_ptr_null(json_object_get(a, "result"));
    json_decref(a);
    expect_good(fd);
    ck_assert_double_eq(bed_metric(&bed, "jobs.refused"), refused + 1);
    close(fd);
}
END_TEST

START_TEST(an_error_carries_the_id_as_it_was_written)
{
    static const char line[] = "{\"id\":\"\\u00e9\",\"op\":\"nothing\"}\n";
    int fd = client_open(&bed);
    client_send(fd, line, strlen(line));
    char *answer = client_read_line(fd);
    ck_assert_msg(strstr(answer, "\"id\":\"\\u00e9\"") != NULL, "%s", answer);
    free(answer);
    close(fd);
}
END_TEST

/* A line of `depth` brackets inside the object. */
static char *nested(int depth)
{
    char *line = malloc((size_t)depth * 2 + 64);
    ck_assert_ptr_nonnull(line);
    char *p = line + sprintf(line, "{\"op\":\"add_f32\",\"x\":");
    for (int i = 0; i < depth; i++)
        *p++ = '[';
    for (int i = 0; i < depth; i++)
        *p++ = ']';
    memcpy(p, "}\n", 3);
    return line;
}

START_TEST(deep_nesting_is_refused)
{
    static const int depths[] = {17, 1000, 30000};
    char *line = nested(depths[_i]);
    int fd = client_open(&bed);
    client_send(fd, line, strlen(line));
    json_decref(read_answer(fd, NULL, "bad_json"));
    client_send(fd, GOOD, strlen(GOOD));
    expect_good(fd);
    close(fd);
    free(line);
}
END_TEST

/* ---- where lines end ---- */

/* A good line of exactly so many bytes, without its newline: blanks fill it. */
static void fill_line(char *out, size_t bytes)
{
    memset(out, ' ', bytes);
    memcpy(out, GOOD, strlen(GOOD) - 1);
}

START_TEST(a_line_of_the_limit_is_served)
{
    static char line[LINE_MAX_BYTES + 1];
    fill_line(line, LINE_MAX_BYTES);
    line[LINE_MAX_BYTES] = '\n';
    int fd = client_open(&bed);
    client_send(fd, line, sizeof(line));
    expect_good(fd);
    close(fd);
}
END_TEST

/* Over the limit by `over` bytes; in one piece, and with and without its newline. */
static const struct {
    size_t over;
    bool newline;
} too_long[] = {{1, true}, {1, false}, {LINE_MAX_BYTES, true}, {300000, false}};

START_TEST(a_line_too_long_is_answered_and_the_connection_closed)
{
    size_t bytes = LINE_MAX_BYTES + too_long[_i].over;
    char *line = malloc(bytes + 1);
    ck_assert_ptr_nonnull(line);
    fill_line(line, bytes);
    line[bytes] = '\n';
    int fd = client_open(&bed);
    /* the daemon may close before it has read everything */
    for (size_t at = 0, n = bytes + too_long[_i].newline; at < n;) {
        ssize_t sent = send(fd, line + at, n - at, MSG_NOSIGNAL);
        if (sent < 0)
            break;
        at += (size_t)sent;
    }
    json_decref(read_answer(fd, NULL, "line_too_long"));
    client_expect_end(fd);
    close(fd);
    free(line);
    client_expect_service(&bed);
}
END_TEST

START_TEST(a_last_line_needs_no_newline)
{
    int fd = client_open(&bed);
    client_send(fd, GOOD, strlen(GOOD));
    client_send(fd, GOOD, strlen(GOOD) - 1);
    shutdown(fd, SHUT_WR);
    expect_good(fd);
    expect_good(fd);
    client_expect_end(fd);
    close(fd);
}
END_TEST

START_TEST(a_last_line_that_is_cut_off_is_refused)
{
    int fd = client_open(&bed);
    client_send(fd, GOOD, 20);
    shutdown(fd, SHUT_WR);
    json_decref(read_answer(fd, "good", "bad_json"));
    client_expect_end(fd);
    close(fd);
}
END_TEST

START_TEST(empty_lines_and_carriage_returns_are_nothing)
{
    static const char text[] = GOOD "\n\r\n\n" GOOD;
    int fd = client_open(&bed);
    client_send(fd, text, strlen(text));
    client_send(fd, GOOD, strlen(GOOD) - 1);
    client_send(fd, "\r\n", 2);
    for (int i = 0; i < 3; i++)
        expect_good(fd);
    close(fd);
}
END_TEST

START_TEST(a_line_may_come_one_byte_at_a_time)
{
    int fd = client_open(&bed);
    for (size_t i = 0; i < strlen(GOOD); i++)
        client_send(fd, &GOOD[i], 1);
    expect_good(fd);
    close(fd);
}
END_TEST

START_TEST(a_client_that_leaves_within_a_line_leaves_nothing_behind)
{
    client_expect_service(&bed);
    bed_await_idle(&bed);
    double used = bed_metric(&bed, "pool.used_bytes");
    static char line[LINE_MAX_BYTES];
    fill_line(line, sizeof(line));
    for (int i = 0; i < 10; i++) {
        int fd = client_open(&bed);
        client_send(fd, line, 1 + (size_t)i * 6000);
        close(fd);
    }
    bed_await_idle(&bed);
    ck_assert_double_eq(bed_metric(&bed, "pool.used_bytes"), used);
}
END_TEST

/* ---- answers ---- */

START_TEST(lines_in_one_piece_each_get_their_line)
{
    enum { LINES = 500 };
    static char text[LINES * 80];
    static bool seen[LINES];
    size_t n = 0;
    int fd = client_open(&bed);
    for (int i = 0; i < LINES; i++)
        n += (size_t)sprintf(text + n, "{\"id\":%d,\"op\":\"add_i32\",\"x\":[%d],\"y\":[1]}\n", i,
                             i);
    client_send(fd, text, n);
    for (int i = 0; i < LINES; i++) {
        char *line = client_read_line(fd);
        json_t *a = json_loads(line, 0, NULL);
        json_int_t id = json_integer_value(json_object_get(a, "id"));
        json_int_t sum = json_integer_value(json_array_get(json_object_get(a, "result"), 0));
        ck_assert_msg(id >= 0 && id < LINES && !seen[id] && sum == id + 1, "%s", line);
        seen[id] = true;
        json_decref(a);
        free(line);
    }
    close(fd);
}
END_TEST

START_TEST(a_result_that_makes_too_long_a_line_is_refused)
{
    /* A column times a row: two lists of 3000 make nine million numbers. */
    enum { SIDE = 3000 };
    static char line[SIDE * 4 + 128];
    size_t n = (size_t)sprintf(line, "{\"op\":\"matmul_f32\",\"m\":%d,\"n\":%d,\"k\":1,\"a\":[1",
                               SIDE, SIDE);
    for (int i = 1; i < SIDE; i++)
        n += (size_t)sprintf(line + n, ",1");
    n += (size_t)sprintf(line + n, "],\"b\":[1");
    for (int i = 1; i < SIDE; i++)
        n += (size_t)sprintf(line + n, ",1");
    n += (size_t)sprintf(line + n, "]}\n");
    int fd = client_open(&bed);
    client_send(fd, line, n);
    json_decref(read_answer(fd, NULL, "too_big"));
    client_send(fd, GOOD, strlen(GOOD));
    expect_good(fd);
    close(fd);
}
END_TEST

START_TEST(ping_and_metrics_are_lines_too)
{
    static const char text[] = "{\"op\":\"ping\",\"id\":\"p\"}\n"
                               "{\"id\":\"m\",\"op\":\"metrics\"}\n";
    int fd = client_open(&bed);
    client_send(fd, text, strlen(text));
    json_t *pong = read_answer(fd, "p", "ok");
    ck_assert_str_eq(json_string_value(json_object_get(pong, "result")), "pong");
    json_t *metrics = read_answer(fd, "m", "ok");
    json_t *result = json_object_get(metrics, "result");
    ck_assert(json_is_number(json_object_get(result, "uptime_seconds")));
    json_decref(pong);
    json_decref(metrics);
    close(fd);
}
END_TEST

START_TEST(the_books_balance)
{
    bed_check_books(&bed);
}
END_TEST

static int run(void)
{
    Suite *s = suite_create("daemon, JSON lines");
    TCase *t = tcase_create("lines");
    tcase_set_timeout(t, 2 * BED_PATIENCE_S);
    tcase_add_loop_test(t, a_wrong_line_is_refused_by_name_and_the_connection_lives_on, 0,
                        sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_test(t, an_error_carries_the_id_as_it_was_written);
    tcase_add_loop_test(t, deep_nesting_is_refused, 0, 3);
    tcase_add_test(t, a_line_of_the_limit_is_served);
    tcase_add_loop_test(t, a_line_too_long_is_answered_and_the_connection_closed, 0,
                        sizeof(too_long) / sizeof(too_long[0]));
    tcase_add_test(t, a_last_line_needs_no_newline);
    tcase_add_test(t, a_last_line_that_is_cut_off_is_refused);
    tcase_add_test(t, empty_lines_and_carriage_returns_are_nothing);
    tcase_add_test(t, a_line_may_come_one_byte_at_a_time);
    tcase_add_test(t, a_client_that_leaves_within_a_line_leaves_nothing_behind);
    tcase_add_test(t, lines_in_one_piece_each_get_their_line);
    tcase_add_test(t, a_result_that_makes_too_long_a_line_is_refused);
    tcase_add_test(t, ping_and_metrics_are_lines_too);
    tcase_add_test(t, the_books_balance);
    suite_add_tcase(s, t);
    return suite_run(s);
}

int main(void)
{
    return bed_suite(&bed,
                     "[jobs]\njson_max_bytes = 64KiB\n[wasm]\nwasm_host = /nonexistent\n",
                     NULL, run);
}
