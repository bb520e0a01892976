/* log.h: the line that reaches stderr. Each test runs in a process of its own (Check forks), so
 * it may swap stderr for a pipe. */
#include "config.h"

#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/suite.h"

/* Makes stderr the writing end of a packet socket, so that a read gives what one write gave. */
static int swap_stderr(void)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(ends[1]);
    return ends[0];
}

static void pretend_journal(void)
{
    struct stat st;
    char stream[64];
    ck_assert_int_eq(fstat(STDERR_FILENO, &st), 0);
    snprintf(stream, sizeof(stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    setenv("JOURNAL_STREAM", stream, 1);
}

/* What one write gave, "" if there was none. */
static const char *read_line(int fd, char line[static 4096])
{
    ssize_t n = read(fd, line, 4095);
    line[n > 0 ? n : 0] = '\0';
    return line;
}

START_TEST(the_journal_gets_a_priority_and_no_time)
{
    char line[4096];
    int fd = swap_stderr();
    pretend_journal();
    log_init(LOG_LEVEL_DEBUG);
    log_err("it broke", "error=%s", "EIO");
    ck_assert_str_eq(read_line(fd, line), "<3>it broke error=EIO\n");
    log_warn("degraded", "n=%d", 1);
    ck_assert_str_eq(read_line(fd, line), "<4>degraded n=1\n");
    log_info("started", "");
    ck_assert_str_eq(read_line(fd, line), "<6>started\n");
    log_debug("detail", "a=%d b=%d", 1, 2);
    ck_assert_str_eq(read_line(fd, line), "<7>detail a=1 b=2\n");
    ck_assert_str_eq(read_line(fd, line), "");
}
END_TEST

START_TEST(anything_else_gets_a_utc_time_with_milliseconds_and_the_level)
{
    char line[4096];
    int fd = swap_stderr(), ms = -1, used = 0;
    struct tm tm = {0};
    time_t before = time(NULL);
    setenv("JOURNAL_STREAM", "1:2", 1); /* stderr was the journal once, and no longer is */
    setenv("TZ", "Asia/Kathmandu", 1);
    tzset();
    log_init(LOG_LEVEL_INFO);
    log_info("started", "version=%s", "0.1.0");
    read_line(fd, line);
    ck_assert_int_eq(sscanf(line, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ info: started version=0.1.0\n%n",
                            &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
                            &tm.tm_sec, &ms, &used),
                     7);
    ck_assert_uint_eq((size_t)used, strlen(line));
    ck_assert_int_eq(line[23], 'Z'); /* all fields have their full width */
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    time_t said = timegm(&tm);
    ck_assert_int_ge(said, before);
    ck_assert_int_le(said, time(NULL));
}
END_TEST

START_TEST(events_below_the_level_are_not_written)
{
    char line[4096];
    int fd = swap_stderr();
    log_init(LOG_LEVEL_WARN);
    log_info("quiet", "");
    log_debug("quiet", "");
    ck_assert_str_eq(read_line(fd, line), "");
    log_warn("loud", "");
    ck_assert_ptr_nonnull(strstr(read_line(fd, line), " warn: loud\n"));
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("loud", "");
    ck_assert_ptr_nonnull(strstr(read_line(fd, line), " debug: loud\n"));
    log_set_level(LOG_LEVEL_ERR);
    log_warn("quiet", "");
    ck_assert_str_eq(read_line(fd, line), "");
}
END_TEST

START_TEST(levels_go_by_their_names)
{
    enum log_level level;
    ck_assert_int_eq(log_level_parse(&level, "err"), 0);
    ck_assert_int_eq(level, LOG_LEVEL_ERR);
    ck_assert_int_eq(log_level_parse(&level, "warn"), 0);
    ck_assert_int_eq(level, LOG_LEVEL_WARN);
    ck_assert_int_eq(log_level_parse(&level, "info"), 0);
    ck_assert_int_eq(level, LOG_LEVEL_INFO);
    ck_assert_int_eq(log_level_parse(&level, "debug"), 0);
    ck_assert_int_eq(level, LOG_LEVEL_DEBUG);
    ck_assert_int_eq(log_level_parse(&level, "error"), -EINVAL);
    ck_assert_int_eq(log_level_parse(&level, ""), -EINVAL);
}
END_TEST

START_TEST(a_value_with_a_newline_cannot_forge_a_line)
{
    char line[4096];
    int fd = swap_stderr();
    pretend_journal();
    log_init(LOG_LEVEL_INFO);
    log_info("name", "value=%s", "a\n<3>forged\r\x1b[31m\x7f");
    ck_assert_str_eq(read_line(fd, line), "<6>name value=a\\n<3>forged\\x0d\\x1b[31m\\x7f\n");
    ck_assert_str_eq(read_line(fd, line), "");
}
END_TEST

START_TEST(a_line_that_is_too_long_is_cut_and_still_one_line)
{
    char line[4096], value[8192];
    int fd = swap_stderr();
    log_init(LOG_LEVEL_INFO);
    for (int fill = 0; fill < 2; fill++) {
        memset(value, fill == 0 ? 'x' : '\n', sizeof(value) - 1);
        value[sizeof(value) - 1] = '\0';
        log_info("long", "value=%s", value);
        size_t n = strlen(read_line(fd, line));
        ck_assert_uint_le(n, 2048);
        ck_assert_uint_gt(n, 2000);
        ck_assert_ptr_eq(strchr(line, '\n'), line + n - 1);
        ck_assert_str_eq(read_line(fd, line), "");
    }
}
END_TEST

START_TEST(text_is_quoted_only_where_it_must_be)
{
    static const struct {
        const char *value, *text;
    } cases[] = {
        {"/run/simdd/simdd.sock", "/run/simdd/simdd.sock"},
        {"", "\"\""},
        {NULL, "\"\""},
        {"a b", "\"a b\""},
        {"a=b", "\"a=b\""},
        {"say \"hi\"", "\"say \\\"hi\\\"\""},
        {"back\\slash", "\"back\\\\slash\""},
        {"two\nlines\t", "\"two\\nlines\\x09\""},
        {"\xc3\xa9t\xc3\xa9", "\xc3\xa9t\xc3\xa9"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct log_text t = log_text(cases[i].value);
        ck_assert_str_eq(t.text, cases[i].text);
    }
}
END_TEST

START_TEST(long_text_is_cut_with_dots_inside_its_quotes)
{
    static const char fills[] = {'x', ' ', '"', '\n', '\x01'};
    for (size_t i = 0; i < sizeof(fills); i++) {
        /* Every length round the limit, whatever a character takes when escaped. */
        for (size_t bytes = 60; bytes < 320; bytes++) {
            char value[400];
            memset(value, fills[i], bytes);
            value[bytes] = '\0';
            struct log_text t = log_text(value);
            size_t n = strnlen(t.text, sizeof(t.text));
            ck_assert_uint_lt(n, sizeof(t.text));
            if (fills[i] != 'x')
                ck_assert_int_eq(t.text[n - 1], '"');
            if (bytes > 299)
                ck_assert_ptr_nonnull(strstr(t.text, "..."));
        }
    }
}
END_TEST

START_TEST(a_log_that_nobody_reads_holds_nobody_up)
{
    int fd = swap_stderr();
    log_init(LOG_LEVEL_INFO);
    errno = ENOTTY;
    for (int i = 0; i < 20000; i++)
        log_info("unread", "i=%d", i);
    ck_assert_int_eq(errno, ENOTTY);
    signal(SIGPIPE, SIG_IGN);
    close(fd);
    log_info("unread", "");
}
END_TEST

static void *write_lines(void *name)
{
    for (int i = 0; i < 500; i++)
        log_info("tick", "thread=%s i=%d", (const char *)name, i);
    return NULL;
}

START_TEST(lines_of_several_threads_stay_whole)
{
    char path[] = "/tmp/simdd-test-log-XXXXXX", line[256];
    int fd = mkstemp(path), count[4] = {0};
    static char names[4][2] = {"0", "1", "2", "3"};
    pthread_t threads[4];
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fcntl(fd, F_SETFL, O_APPEND), 0);
    ck_assert_int_eq(dup2(fd, STDERR_FILENO), STDERR_FILENO);
    log_init(LOG_LEVEL_INFO);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, names[i]), 0);
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);

    FILE *in = fopen(path, "r");
    ck_assert_ptr_nonnull(in);
    while (fgets(line, sizeof(line), in) != NULL) {
        int thread, i;
        const char *event = strstr(line, "Z info: tick ");
        ck_assert_msg(event != NULL, "%s", line);
        ck_assert_int_eq(sscanf(event, "Z info: tick thread=%d i=%d\n", &thread, &i), 2);
        ck_assert_int_eq(i, count[thread]++);
    }
    for (size_t i = 0; i < 4; i++)
        ck_assert_int_eq(count[i], 500);
    fclose(in);
    close(fd);
    unlink(path);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *t = tcase_create("log");
    tcase_add_test(t, the_journal_gets_a_priority_and_no_time);
    tcase_add_test(t, anything_else_gets_a_utc_time_with_milliseconds_and_the_level);
    tcase_add_test(t, events_below_the_level_are_not_written);
    tcase_add_test(t, levels_go_by_their_names);
    tcase_add_test(t, a_value_with_a_newline_cannot_forge_a_line);
    tcase_add_test(t, a_line_that_is_too_long_is_cut_and_still_one_line);
    tcase_add_test(t, text_is_quoted_only_where_it_must_be);
    tcase_add_test(t, long_text_is_cut_with_dots_inside_its_quotes);
    tcase_add_test(t, a_log_that_nobody_reads_holds_nobody_up);
    tcase_add_test(t, lines_of_several_threads_stay_whole);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
