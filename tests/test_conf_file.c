/* conf.h: what the file's parser takes and what it refuses. */
#include "config.h"

#include "conf.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/suite.h"

static int parse(struct conf *c, char error[static CONF_ERROR_MAX], const char *text)
{
    return conf_parse(c, error, "f", text, strlen(text));
}

START_TEST(a_file_sets_what_it_names_and_nothing_else)
{
    struct conf c, want;
    char error[CONF_ERROR_MAX];
    conf_init(&c);
    conf_init(&want);
    want.cache_max = 64 << 20;
    want.workers = 3;
    ck_assert_int_eq(conf_set(&want, error, "socket", "/tmp/a b.sock"), 0);
    ck_assert_int_eq(conf_set(&want, error, "log_level", "debug"), 0);
    int err = parse(&c, error,
                    "# comment\n"
                    "; [nonsense\n"
                    "[cache]\n"
                    "  cache_max = 64MiB\n"
                    "\t[scheduler] ; comment\r\n"
                    "workers=3 ; comment\r\n"
                    "\r\n"
                    "[socket]\n"
                    "socket\t=\t/tmp/a b.sock \t \n"
                    "[cache]\n"
                    "[log]\n"
                    "log_level = debug");
    ck_assert_msg(err == 0, "%s", error);
    ck_assert_mem_eq(&c, &want, sizeof(c));
}
END_TEST

START_TEST(a_byte_order_mark_and_an_empty_file_are_fine)
{
    struct conf c;
    char error[CONF_ERROR_MAX];
    conf_init(&c);
    ck_assert_int_eq(parse(&c, error, ""), 0);
    ck_assert_int_eq(parse(&c, error, "\n\n\n"), 0);
    ck_assert_int_eq(parse(&c, error, "\xef\xbb\xbf[log]\nlog_level=err\n"), 0);
    ck_assert_str_eq(c.log_level, "err");
}
END_TEST

START_TEST(comments_may_be_longer_than_lines)
{
    struct conf c;
    char error[CONF_ERROR_MAX], text[8192];
    memset(text, 'x', sizeof(text));
    text[0] = '#';
    memcpy(text + 8000, "\n[log]\nlog_level=err\n", 22);
    conf_init(&c);
    ck_assert_int_eq(parse(&c, error, text), 0);
    ck_assert_str_eq(c.log_level, "err");
}
END_TEST

/* Each text is refused with exactly this sentence. */
static const struct {
    const char *text, *error;
} bad_files[] = {
    {"[cash]\n", "f:1: unknown section [cash]"},
    {"[cache]\n\n[]\n", "f:3: unknown section []"},
    {"[cache\ncache_max=1\n", "f:1: a section lacks its ']'"},
    {"[cache] cache_max=1\n", "f:1: something follows the section's ']'"},
    {"[cache];x\n", "f:1: something follows the section's ']'"},
    {"[cachecachecachecachecachecachecachecachecachecachecachecache]\n",
     "f:1: unknown section [cachecachecachecachecachecachecachecachecachecachecachecache]"},
    {"\n[cache]\nsize = 1\n", "f:3: unknown key 'size'"},
    {"cache_max = 1\n", "f:1: 'cache_max' stands before the first section"},
    {"[jobs]\ncache_max = 1\n", "f:2: cache_max belongs in [cache], not in [jobs]"},
    {"[cache]\ncache_max = 1\n[log]\n[cache]\ncache_max = 1\n",
     "f:5: cache_max is given twice, first on line 2"},
    {"[cache]\ncache_max\n", "f:2: no '=' after 'cache_max'"},
    {"[cache]\ncache_max 64MiB ; x\n", "f:2: no '=' after 'cache_max 64MiB ; x'"},
    {"[cache]\ncache_max: 64MiB\n", "f:2: no '=' after 'cache_max'"},
    {"[cache]\ncache_max ; = 64MiB\n", "f:2: not understood"},
    {"[cache]\n= 64MiB\n", "f:2: no key before '='"},
    {"[cache]\ncache_max =\n",
     "f:2: cache_max: '' is not a size: a whole number of bytes, or with KiB, MiB, GiB or TiB"},
    {"[cache]\ncache_max = 64MB\n",
     "f:2: cache_max: '64MB' is not a size: a whole number of bytes, or with KiB, MiB, GiB or TiB"},
    {"[cache]\ncache_max = 64MiB\n 32MiB\n", "f:3: no '=' after '32MiB'"},
    {"[cache]\ncache_max = 2TiB\n", "f:2: cache_max: 2TiB is out of range, 0 to 1TiB"},
    {"[cache]\ncache_max = 99999999999999999999\n",
     "f:2: cache_max: 99999999999999999999 is out of range, 0 to 1TiB"},
    {"[jobs]\njob_max_bytes = 4095\n",
     "f:2: job_max_bytes: 4095 is out of range, 4KiB to 16GiB"},
    {"[batch]\nbatch_max_delay = 50\n",
     "f:2: batch_max_delay: '50' is not a time: a whole number with ns, us, ms or s"},
    {"[scheduler]\nworkers = all\n", "f:2: workers: 'all' is not a whole number"},
    {"[log]\nlog_level = loud\n", "f:2: log_level: 'loud' is none of: err warn info debug"},
    {"[log]\nlog_level = err warn\n", "f:2: log_level: 'err warn' is none of: err warn info debug"},
    {"[log]\nlog_level =\n", "f:2: log_level: '' is none of: err warn info debug"},
    {"[socket]\nsocket = /a\x1b[2J\n", "f:2: control character 0x1b"},
    {"# a\rcomment\n", "f:1: control character 0x0d"},
};

START_TEST(a_bad_file_is_refused_with_file_line_and_reason)
{
    struct conf c, before;
    char error[CONF_ERROR_MAX] = "";
    conf_init(&c);
    conf_init(&before);
    ck_assert_int_eq(parse(&c, error, bad_files[_i].text), -EINVAL);
    ck_assert_str_eq(error, bad_files[_i].error);
    ck_assert_mem_eq(&c, &before, sizeof(c));
}
END_TEST

START_TEST(a_late_error_leaves_the_earlier_lines_unapplied)
{
    struct conf c, before;
    char error[CONF_ERROR_MAX];
    conf_init(&c);
    conf_init(&before);
    ck_assert_int_eq(parse(&c, error, "[cache]\ncache_max=1\n[log]\nlevel=x\n"), -EINVAL);
    ck_assert_mem_eq(&c, &before, sizeof(c));
}
END_TEST

START_TEST(a_nul_byte_is_refused_wherever_it_stands)
{
    static const char texts[][24] = {"\0", "#a\0b", "[log]\0", "[log]\nlog_level\0=err"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct conf c;
        char error[CONF_ERROR_MAX];
        conf_init(&c);
        ck_assert_int_eq(conf_parse(&c, error, "f", texts[i], sizeof(texts[i])), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error, "control character 0x00"));
    }
}
END_TEST

START_TEST(a_line_that_is_too_long_is_refused_not_cut)
{
    struct conf c, before;
    char error[CONF_ERROR_MAX], text[4096];
    conf_init(&before);
    /* Every length up to and over the limit: accepted whole, or refused by name. */
    for (size_t path_bytes = 1; path_bytes < 400; path_bytes++) {
        conf_init(&c);
        size_t n = (size_t)sprintf(text, "[socket]\nsocket=");
        memset(text + n, 'p', path_bytes);
        text[n + path_bytes] = '\0';
        if (parse(&c, error, text) == 0) {
            ck_assert_uint_eq(strlen(c.socket), path_bytes);
            continue;
        }
        ck_assert_uint_gt(path_bytes, 107); /* any valid socket path fits */
        ck_assert_msg(strstr(error, "f:2: ") == error && strstr(error, "longer than") != NULL,
                      "%s", error);
        ck_assert_mem_eq(&c, &before, sizeof(c));
    }
    ck_assert_mem_eq(&c, &before, sizeof(c)); /* 399 was refused */
}
END_TEST

START_TEST(load_names_the_file_it_cannot_read)
{
    struct conf c;
    char error[CONF_ERROR_MAX];
    conf_init(&c);
    ck_assert_int_eq(conf_load(&c, error, "/nowhere/simdd.conf"), -ENOENT);
    ck_assert_str_eq(error, "/nowhere/simdd.conf: No such file or directory");
    ck_assert_int_eq(conf_load(&c, error, "/"), -EISDIR);
    ck_assert_int_eq(conf_load(&c, error, "/dev/zero"), -EFBIG);
    ck_assert_int_eq(conf_load(&c, error, "/dev/null"), 0);
}
END_TEST

START_TEST(load_reads_a_file_and_names_its_lines)
{
    struct conf c;
    char error[CONF_ERROR_MAX], want[128], path[] = "/tmp/simdd-test-conf-XXXXXX";
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, "[scheduler]\nworkers = 5\n", 24), 24);
    conf_init(&c);
    ck_assert_int_eq(conf_load(&c, error, path), 0);
    ck_assert_uint_eq(c.workers, 5);
    ck_assert_int_eq(write(fd, "[oops]\n", 7), 7);
    ck_assert_int_eq(conf_load(&c, error, path), -EINVAL);
    snprintf(want, sizeof(want), "%s:3: unknown section [oops]", path);
    ck_assert_str_eq(error, want);
    unlink(path);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf_file");
    TCase *t = tcase_create("conf_file");
    tcase_add_test(t, a_file_sets_what_it_names_and_nothing_else);
    tcase_add_test(t, a_byte_order_mark_and_an_empty_file_are_fine);
    tcase_add_test(t, comments_may_be_longer_than_lines);
    tcase_add_loop_test(t, a_bad_file_is_refused_with_file_line_and_reason, 0,
                        sizeof(bad_files) / sizeof(bad_files[0]));
    tcase_add_test(t, a_late_error_leaves_the_earlier_lines_unapplied);
    tcase_add_test(t, a_nul_byte_is_refused_wherever_it_stands);
    tcase_add_test(t, a_line_that_is_too_long_is_refused_not_cut);
    tcase_add_test(t, load_names_the_file_it_cannot_read);
    tcase_add_test(t, load_reads_a_file_and_names_its_lines);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
