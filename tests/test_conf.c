/* conf.h and conf_units.h: units, single settings, flags, rules, reload, what is printed. */
#include "config.h"

#include "conf.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf_units.h"
#include "tests/suite.h"

static const struct {
    const char *name, *def, *min, *max;
    bool is_number, is_live;
} rows[] = {
#define IS_NUMBER_SIZE   true
#define IS_NUMBER_TIME   true
#define IS_NUMBER_COUNT  true
#define IS_NUMBER_STRING false
#define IS_NUMBER_CHOICE false
#define IS_LIVE_LIVE     true
#define IS_LIVE_START    false
#define PARAM(section, name, kind, def, min, max, when, help)                                      \
    {#name, def, min, max, IS_NUMBER_##kind, IS_LIVE_##when},
#include "params.def"
#undef PARAM
};

enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

static int parse(struct conf *c, char error[static CONF_ERROR_MAX], const char *text)
{
    return conf_parse(c, error, "f", text, strlen(text));
}

START_TEST(units_are_read_and_nonsense_is_not)
{
    static const struct {
        int (*parse)(uint64_t *out, const char *text);
        const char *text;
        int err;
        uint64_t value;
    } cases[] = {
        {conf_parse_size, "0", 0, 0},
        {conf_parse_size, "4096", 0, 4096},
        {conf_parse_size, "7B", 0, 7},
        {conf_parse_size, "64KiB", 0, 65536},
        {conf_parse_size, "64MiB", 0, 67108864},
        {conf_parse_size, "1GiB", 0, 1073741824},
        {conf_parse_size, "2TiB", 0, UINT64_C(2199023255552)},
        {conf_parse_size, "18446744073709551615", 0, UINT64_MAX},
        {conf_parse_size, "18446744073709551616", -ERANGE, 0},
        {conf_parse_size, "16777216TiB", -ERANGE, 0},
        {conf_parse_size, "99999999999999999999GiB", -ERANGE, 0},
        {conf_parse_size, "", -EINVAL, 0},
        {conf_parse_size, "MiB", -EINVAL, 0},
        {conf_parse_size, "1.5GiB", -EINVAL, 0},
        {conf_parse_size, "-1", -EINVAL, 0},
        {conf_parse_size, "+1", -EINVAL, 0},
        {conf_parse_size, " 1", -EINVAL, 0},
        {conf_parse_size, "1 MiB", -EINVAL, 0},
        {conf_parse_size, "1mib", -EINVAL, 0},
        {conf_parse_size, "1MB", -EINVAL, 0},
        {conf_parse_size, "1s", -EINVAL, 0},
        {conf_parse_size, "0x10", -EINVAL, 0},
        {conf_parse_time, "0", 0, 0},
        {conf_parse_time, "0us", 0, 0},
        {conf_parse_time, "7ns", 0, 7},
        {conf_parse_time, "50us", 0, 50000},
        {conf_parse_time, "20ms", 0, 20000000},
        {conf_parse_time, "3s", 0, UINT64_C(3000000000)},
        {conf_parse_time, "50", -EINVAL, 0},
        {conf_parse_time, "1.5s", -EINVAL, 0},
        {conf_parse_time, "1min", -EINVAL, 0},
        {conf_parse_time, "18446744074s", -ERANGE, 0},
        {conf_parse_count, "010", 0, 10},
        {conf_parse_count, "12", 0, 12},
        {conf_parse_count, "12k", -EINVAL, 0},
        {conf_parse_count, "", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t v = 0;
        int err = cases[i].parse(&v, cases[i].text);
        ck_assert_msg(err == cases[i].err, "'%s': %d", cases[i].text, err);
        ck_assert_msg(err < 0 || v == cases[i].value, "'%s': %" PRIu64, cases[i].text, v);
    }
}
END_TEST

START_TEST(formatted_units_are_exact_and_short)
{
    char text[CONF_UNITS_MAX];
    static const struct {
        void (*format)(char *out, uint64_t v);
        uint64_t value;
        const char *text;
    } cases[] = {
        {conf_format_size, 0, "0"},          {conf_format_size, 1023, "1023"},
        {conf_format_size, 1024, "1KiB"},    {conf_format_size, 1048577, "1048577"},
        {conf_format_size, 1 << 30, "1GiB"}, {conf_format_size, UINT64_MAX, "18446744073709551615"},
        {conf_format_time, 0, "0"},          {conf_format_time, 1500, "1500ns"},
        {conf_format_time, 50000, "50us"},   {conf_format_time, 1000000000, "1s"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cases[i].format(text, cases[i].value);
        ck_assert_str_eq(text, cases[i].text);
    }
}
END_TEST

START_TEST(every_default_and_bound_is_accepted)
{
    struct conf c;
    char error[CONF_ERROR_MAX];
    conf_init(&c);
    for (size_t i = 0; i < ROWS; i++) {
        ck_assert_msg(conf_set(&c, error, rows[i].name, rows[i].def) == 0, "%s", error);
        if (!rows[i].is_number)
            continue;
        ck_assert_msg(conf_set(&c, error, rows[i].name, rows[i].min) == 0, "%s", error);
        ck_assert_msg(conf_set(&c, error, rows[i].name, rows[i].max) == 0, "%s", error);
    }
}
END_TEST

START_TEST(the_defaults_pass_the_check)
{
    struct conf c;
    char error[CONF_ERROR_MAX];
    conf_init(&c);
    ck_assert_msg(conf_check(&c, error) == 0, "%s", error);
    ck_assert_str_eq(c.socket, "/run/simdd/simdd.sock");
    ck_assert_uint_eq(c.job_max_bytes, UINT64_C(1) << 30);
    ck_assert_uint_eq(c.batch_max_delay, 200000);
    ck_assert_uint_eq(c.workers, 0);
    ck_assert_str_eq(c.log_level, "info");
}
END_TEST

START_TEST(set_refuses_unknown_names_and_bad_values)
{
    struct conf c;
    char error[CONF_ERROR_MAX], text[400];
    conf_init(&c);
    ck_assert_int_eq(conf_set(&c, error, "nope", "1"), -EINVAL);
    ck_assert_str_eq(error, "unknown parameter 'nope'");
    ck_assert_int_eq(conf_set(&c, error, "workers", "1025"), -EINVAL);
    ck_assert_str_eq(error, "workers: 1025 is out of range, 0 to 1024");
    memset(text, 'p', sizeof(text));
    text[399] = '\0';
    ck_assert_int_eq(conf_set(&c, error, "socket", text), -EINVAL);
    ck_assert_str_eq(error, "socket: the value is longer than 255 bytes");
    ck_assert_int_eq(conf_set(&c, error, "socket", "/a\nb"), -EINVAL);
    ck_assert_str_eq(error, "socket: the value holds a control character");
}
END_TEST

START_TEST(every_parameter_is_a_flag_in_both_forms)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct conf c;
        char error[CONF_ERROR_MAX], flag[128], joined[400];
        snprintf(flag, sizeof(flag), "--%s", rows[i].name);
        for (char *p = flag; *p != '\0'; p++)
            if (*p == '_')
                *p = '-';
        snprintf(joined, sizeof(joined), "%s=%s", flag, rows[i].def);
        conf_init(&c);
        ck_assert_str_eq(conf_flag_param(flag), rows[i].name);
        ck_assert_str_eq(conf_flag_param(joined), rows[i].name);
        ck_assert_int_eq(conf_set_flag(&c, error, flag, rows[i].def), 2);
        ck_assert_int_eq(conf_set_flag(&c, error, joined, NULL), 1);
        ck_assert_int_eq(conf_set_flag(&c, error, flag, NULL), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error, "needs a value"));
    }
}
END_TEST

START_TEST(a_flag_sets_its_parameter)
{
    struct conf c;
    char error[CONF_ERROR_MAX];
    conf_init(&c);
    ck_assert_int_eq(conf_set_flag(&c, error, "--socket", "/tmp/x=y.sock"), 2);
    ck_assert_str_eq(c.socket, "/tmp/x=y.sock");
    ck_assert_int_eq(conf_set_flag(&c, error, "--socket=/tmp/z=y.sock", "next"), 1);
    ck_assert_str_eq(c.socket, "/tmp/z=y.sock");
    ck_assert_int_eq(conf_set_flag(&c, error, "--isa-max=", NULL), -EINVAL);
    ck_assert_int_eq(conf_set_flag(&c, error, "--socket-group=", NULL), 1);
    ck_assert_str_eq(c.socket_group, "");
}
END_TEST

START_TEST(what_is_no_parameter_is_no_flag)
{
    static const char *const flags[] = {
        "socket", "-socket", "--", "--sock", "--sockets", "--socket_group", "--help", "---socket",
        "--=x", "",
        "--aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    };
    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        struct conf c;
        char error[CONF_ERROR_MAX];
        conf_init(&c);
        ck_assert_msg(conf_flag_param(flags[i]) == NULL, "%s", flags[i]);
        ck_assert_int_eq(conf_set_flag(&c, error, flags[i], "1"), 0);
    }
}
END_TEST

static const struct {
    const char *flags[3];
    const char *error; /* NULL: fine */
} checks[] = {
    {{"--memory-max=1GiB", "--job-max-bytes=2GiB"},
     "job_max_bytes (2GiB) is over memory_max (1GiB)"},
    {{"--memory-max=1GiB", "--cache-max=2GiB"}, "cache_max (2GiB) is over memory_max (1GiB)"},
    {{"--memory-max=1GiB", "--cache-max=512MiB"},
     "cache_max and job_max_bytes together (1536MiB) is over memory_max (1GiB)"},
    {{"--memory-max=1GiB", "--cache-max=512MiB", "--job-max-bytes=512MiB"}, NULL},
    {{"--client-bytes-max=1MiB"}, "job_max_bytes (1GiB) is over client_bytes_max (1MiB)"},
    {{"--inline-max=5ms", "--split-min=4ms"}, "inline_max (5ms) is over split_min (4ms)"},
    {{"--inline-max=4ms", "--split-min=4ms"}, NULL},
    {{"--socket="}, "socket: the path is empty"},
    {{"--http="}, "http: '' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off"},
    {{"--http=9464"}, "http: '9464' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off"},
    {{"--http=:9464"}, "http: ':9464' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off"},
    {{"--http=1.2.3.4:"}, "http: '1.2.3.4:' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off"},
    {{"--http=host:1"}, "http: 'host:1' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off"},
    {{"--http=[::1:1"}, "http: '[::1:1' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off"},
    {{"--http=]:1"}, "http: ']:1' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off"},
    {{"--http=[]:1"}, "http: '[]:1' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off"},
    {{"--http=::1:70000"}, "http: '::1:70000' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off"},
    {{"--http=[::1]:9464"}, NULL},
    {{"--http=[::ffff:127.0.0.1]:1"}, NULL},
    {{"--http=127.0.0.1:0"}, NULL},
    {{"--http=off"}, NULL},
    {{"--cache-max=0"}, NULL},
};

START_TEST(check_names_the_rule_that_is_broken)
{
    struct conf c;
    char error[CONF_ERROR_MAX] = "";
    conf_init(&c);
    for (size_t i = 0; i < 3 && checks[_i].flags[i] != NULL; i++)
        ck_assert_int_eq(conf_set_flag(&c, error, checks[_i].flags[i], NULL), 1);
    int err = conf_check(&c, error);
    ck_assert_int_eq(err, checks[_i].error != NULL ? -EINVAL : 0);
    if (checks[_i].error != NULL)
        ck_assert_str_eq(error, checks[_i].error);
}
END_TEST

START_TEST(a_socket_path_over_107_bytes_fails_the_check)
{
    struct conf c;
    char error[CONF_ERROR_MAX];
    conf_init(&c);
    memset(c.socket, 'p', 107);
    ck_assert_int_eq(conf_check(&c, error), 0);
    c.socket[107] = 'p';
    ck_assert_int_eq(conf_check(&c, error), -EINVAL);
    ck_assert_str_eq(error, "socket: the path is longer than 107 bytes");
}
END_TEST

START_TEST(reload_applies_live_parameters_and_counts_the_others)
{
    for (size_t i = 0; i < ROWS; i++) {
        struct conf c, fresh, before;
        char error[CONF_ERROR_MAX];
        conf_init(&c);
        conf_init(&fresh);
        conf_init(&before);
        if (rows[i].is_number) {
            ck_assert_int_eq(conf_set(&fresh, error, rows[i].name, rows[i].max), 0);
        } else if (strcmp(rows[i].name, "log_level") == 0) {
            ck_assert_int_eq(conf_set(&fresh, error, rows[i].name, "debug"), 0);
        } else if (strcmp(rows[i].name, "isa_max") == 0) {
            ck_assert_int_eq(conf_set(&fresh, error, rows[i].name, "scalar"), 0);
        } else if (strcmp(rows[i].name, "backend") == 0) {
            ck_assert_int_eq(conf_set(&fresh, error, rows[i].name, "wasm"), 0);
        } else {
            ck_assert_int_eq(conf_set(&fresh, error, rows[i].name, "other"), 0);
        }
        ck_assert_msg(memcmp(&c, &fresh, sizeof(c)) != 0, "%s", rows[i].name);
        ck_assert_uint_eq(conf_apply_live(&c, &fresh), rows[i].is_live ? 0 : 1);
        ck_assert_mem_eq(&c, rows[i].is_live ? &fresh : &before, sizeof(c));
    }
}
END_TEST

START_TEST(reload_sees_no_change_where_a_text_was_set_and_set_back)
{
    struct conf c, fresh;
    char error[CONF_ERROR_MAX];
    conf_init(&c);
    conf_init(&fresh);
    ck_assert_int_eq(conf_set(&fresh, error, "socket", "/a/much/longer/path/than/before.sock"), 0);
    ck_assert_int_eq(conf_set(&fresh, error, "socket", "/run/simdd/simdd.sock"), 0);
    ck_assert_uint_eq(conf_apply_live(&c, &fresh), 0);
}
END_TEST

/* Returns owned: what a printer prints. */
static char *printed(void (*print)(FILE *out))
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    ck_assert_ptr_nonnull(out);
    print(out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

START_TEST(the_sample_parses_to_the_defaults_as_it_is_and_with_its_lines_enabled)
{
    struct conf c, defaults;
    char error[CONF_ERROR_MAX];
    char *sample = printed(conf_print_sample);
    conf_init(&defaults);
    conf_init(&c);
    ck_assert_msg(parse(&c, error, sample) == 0, "%s", error);
    ck_assert_mem_eq(&c, &defaults, sizeof(c));

    /* Start from other values, so that a line that is missing shows. */
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].is_number)
            ck_assert_int_eq(conf_set(&c, error, rows[i].name, rows[i].max), 0);
    strcpy(c.socket, "x");
    strcpy(c.socket_group, "x");
    strcpy(c.http, "off");
    strcpy(c.isa_max, "scalar");
    strcpy(c.log_level, "err");
    for (char *p = sample; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (*p == ';')
            *p = ' ';
    }
    ck_assert_msg(parse(&c, error, sample) == 0, "%s", error);
    memset(&defaults, 0, sizeof(defaults));
    conf_init(&defaults);
    ck_assert_mem_eq(&c, &defaults, sizeof(c));
    free(sample);
}
END_TEST

START_TEST(help_shows_every_flag_with_its_default_within_80_columns)
{
    char *help = printed(conf_print_help);
    for (size_t i = 0; i < ROWS; i++) {
        char flag[128], def[300];
        snprintf(flag, sizeof(flag), "  --%s ", rows[i].name);
        for (char *p = flag; *p != '\0'; p++)
            if (*p == '_')
                *p = '-';
        const char *at = strstr(help, flag);
        ck_assert_msg(at != NULL, "%s", flag);
        snprintf(def, sizeof(def), "(%s)", rows[i].def[0] != '\0' ? rows[i].def : "empty");
        const char *next = strstr(at + 3, "--");
        const char *shown = strstr(at, def);
        ck_assert_msg(shown != NULL && (next == NULL || shown < next), "%s %s", flag, def);
    }
    for (const char *line = help; *line != '\0'; line += strcspn(line, "\n") + 1)
        ck_assert_uint_le(strcspn(line, "\n"), 80);
    free(help);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("conf");
    TCase *t = tcase_create("conf");
    tcase_add_test(t, units_are_read_and_nonsense_is_not);
    tcase_add_test(t, formatted_units_are_exact_and_short);
    tcase_add_test(t, every_default_and_bound_is_accepted);
    tcase_add_test(t, the_defaults_pass_the_check);
    tcase_add_test(t, set_refuses_unknown_names_and_bad_values);
    tcase_add_test(t, every_parameter_is_a_flag_in_both_forms);
    tcase_add_test(t, a_flag_sets_its_parameter);
    tcase_add_test(t, what_is_no_parameter_is_no_flag);
    tcase_add_loop_test(t, check_names_the_rule_that_is_broken, 0,
                        sizeof(checks) / sizeof(checks[0]));
    tcase_add_test(t, a_socket_path_over_107_bytes_fails_the_check);
    tcase_add_test(t, reload_applies_live_parameters_and_counts_the_others);
    tcase_add_test(t, reload_sees_no_change_where_a_text_was_set_and_set_back);
    tcase_add_test(t, the_sample_parses_to_the_defaults_as_it_is_and_with_its_lines_enabled);
    tcase_add_test(t, help_shows_every_flag_with_its_default_within_80_columns);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
