/* The daemon as a process: arguments, configuration, and its socket's path. */
#include "config.h"

#include <glob.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon_bed.h"
#include "suite.h"

static struct bed bed;

static void setup(void)
{
    bed_make(&bed);
    bed_configure(&bed, NULL);
}

static void teardown(void)
{
    bed_remove(&bed);
}

/* ---- arguments ---- */

START_TEST(wrong_usage_exits_64)
{
    static const struct {
        const char *arguments[3];
        const char *names;
    } lines[] = {
        {{"--no-such-option"}, "no-such-option"}, {{"stray"}, "stray"},
        {{"--workers"}, "workers"},               {{"--workers", "many"}, "workers"},
        {{"--workers", "-1"}, "workers"},         {{"--isa-max", "mmx"}, "isa_max"},
        {{"--config"}, "config"},                 {{"--batch-max-delay", "5"}, "batch_max_delay"},
    };
    ck_assert_msg(bed_run(&bed, lines[_i].arguments) == 64, "%s", lines[_i].names);
    bed_expect_log(&bed, lines[_i].names);
}
END_TEST

START_TEST(help_and_version_exit_0)
{
    static const char *const help[] = {"--help", NULL}, *const version[] = {"--version", NULL};
    ck_assert_int_eq(bed_run(&bed, help), 0);
    bed_expect_log(&bed, "Usage: simdd");
    bed_expect_log(&bed, "--connections-max");
    ck_assert_int_eq(bed_run(&bed, version), 0);
    bed_expect_log(&bed, "simdd ");
}
END_TEST

/* ---- configuration ---- */

static const struct {
    const char *text;
    const char *where; /* behind the file's name */
} wrong_configs[] = {
    {"[jobs]\n\nno_such_key = 1\n", ":3: unknown key 'no_such_key'"},
    {"[cache]\njob_max_bytes = 1MiB\n", ":2: "},
    {"[jobs]\njob_max_bytes = 1\n", ":2: "},
    {"[jobs]\njob_max_bytes = lots\n", ":2: "},
    {"[jobs]\njob_max_bytes = 1MiB\njob_max_bytes = 2MiB\n", ":3: "},
    {"[nothing]\nat = all\n", ":1: "},
    {"[jobs\n", ":1: "},
};

START_TEST(a_wrong_configuration_exits_78_and_names_the_line)
{
    const char *const serve[] = {"--socket", bed.socket, "--config", bed.config, NULL};
    const char *const check[] = {"--check-config", bed.config, NULL};
    char where[128];
    bed_configure(&bed, wrong_configs[_i].text);
    (void)snprintf(where, sizeof(where), "%s%s", bed.config, wrong_configs[_i].where);
    ck_assert_int_eq(bed_run(&bed, serve), 78);
    bed_expect_log(&bed, where);
    ck_assert(!bed_has_socket(&bed));
    ck_assert_int_eq(bed_run(&bed, check), 78);
    bed_expect_log(&bed, where);
}
END_TEST

START_TEST(a_configuration_that_is_not_there_exits_78)
{
    static const char *const arguments[] = {"--config", "/nonexistent/simdd.conf", NULL};
    ck_assert_int_eq(bed_run(&bed, arguments), 78);
    bed_expect_log(&bed, "/nonexistent/simdd.conf");
}
END_TEST

START_TEST(checking_a_configuration_has_no_effects)
{
    const char *const check[] = {"--socket", bed.socket, "--check-config", bed.config, NULL};
    bed_configure(&bed, "[jobs]\njob_max_bytes = 1MiB\n");
    ck_assert_int_eq(bed_run(&bed, check), 0);
    ck_assert(!bed_has_socket(&bed));
}
END_TEST

/* ---- the socket's path ---- */

START_TEST(a_path_where_a_daemon_answers_exits_69)
{
    const char *const again[] = {"--socket", bed.socket, "--config", bed.config, "--http", "off",
                                 NULL};
    ck_assert(bed_start(&bed, NULL));
    struct bed second = bed;
    (void)snprintf(second.log, sizeof(second.log), "%s/second", bed.dir);
    ck_assert_int_eq(bed_run(&second, again), 69);
    client_expect_service(&bed);
    ck_assert_int_eq(bed_stop(&bed), 0);
}
END_TEST

START_TEST(a_stale_socket_is_replaced)
{
    ck_assert(bed_start(&bed, NULL));
    kill(bed.pid, SIGKILL);
    ck_assert_int_eq(bed_wait(&bed), 128 + SIGKILL);
    ck_assert(bed_has_socket(&bed));
    ck_assert(bed_start(&bed, NULL));
    client_expect_service(&bed);
    ck_assert_int_eq(bed_stop(&bed), 0);
}
END_TEST

START_TEST(a_file_in_the_sockets_place_exits_73_and_stays)
{
    const char *const arguments[] = {"--socket", bed.config, "--http", "off", NULL};
    struct stat st;
    bed_configure(&bed, "precious");
    ck_assert_int_eq(bed_run(&bed, arguments), 73);
    ck_assert_int_eq(stat(bed.config, &st), 0);
    ck_assert_int_eq(st.st_size, 8);
}
END_TEST

START_TEST(a_path_that_cannot_be_made_exits_73_or_77)
{
    char below[128];
    const char *const file[] = {"--socket", below, "--http", "off", NULL};
    const char *const nowhere[] = {"--socket", "/nonexistent/simdd.sock", "--http", "off", NULL};
    const char *const system[] = {"--socket", "/proc/simdd.sock", "--http", "off", NULL};
    (void)snprintf(below, sizeof(below), "%s/simdd.sock", bed.config); /* a file for a folder */
    ck_assert_int_eq(bed_run(&bed, file), 73);
    ck_assert_int_eq(bed_run(&bed, nowhere), 73);
    int code = bed_run(&bed, system);
    ck_assert_msg(code == 73 || code == 77, "%d", code);
    if (geteuid() != 0) { /* root may write anywhere */
        const char *const root[] = {"--socket", "/simdd-test.sock", "--http", "off", NULL};
        ck_assert_int_eq(bed_run(&bed, root), 77);
    }
    bed_expect_log(&bed, "simdd");
}
END_TEST

START_TEST(a_path_too_long_exits_78)
{
    char path[200];
    const char *const arguments[] = {"--socket", path, "--http", "off", NULL};
    memset(path, 'x', sizeof(path) - 1);
    path[0] = '/';
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(bed_run(&bed, arguments), 78);
}
END_TEST

START_TEST(a_metrics_address_in_use_ends_the_start)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof(a);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, bytes), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &bytes), 0);
    char address[32];
    const char *const arguments[] = {"--socket", bed.socket, "--http", address, NULL};
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(a.sin_port));
    int code = bed_run(&bed, arguments);
    ck_assert_msg(code == 69 || code == 71, "%d", code);
    bed_expect_log(&bed, address);
    ck_assert(!bed_has_socket(&bed));
    close(fd);
}
END_TEST

/* ---- workers ---- */

/* The daemon's threads whose name begins so and whose niceness is `nice`. */
static unsigned threads_as_nice(const char *name, int nice)
{
    char pattern[64];
    unsigned count = 0;
    glob_t tasks;
    (void)snprintf(pattern, sizeof(pattern), "/proc/%d/task/*/stat", (int)bed.pid);
    ck_assert_int_eq(glob(pattern, 0, NULL, &tasks), 0);
    for (size_t i = 0; i < tasks.gl_pathc; i++) {
        char thread[17];
        int found;
        FILE *f = fopen(tasks.gl_pathv[i], "r");
        /* proc(5): pid (comm) state ..., niceness is the 19th */
        if (f != NULL &&
            fscanf(f,
                   "%*d (%16[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d"
                   " %d",
                   thread, &found) == 2 &&
            strncmp(thread, name, strlen(name)) == 0)
            count += found == nice;
        if (f != NULL)
            (void)fclose(f);
    }
    globfree(&tasks);
    return count;
}

START_TEST(workers_are_nicer_than_the_loop)
{
    static const char *const flags[] = {"--workers", "3", "--worker-nice", "7", NULL};
    const int base = getpriority(PRIO_PROCESS, 0);
    ck_assert(bed_start(&bed, flags));
    const double end = bed_now() + (double)BED_PATIENCE_S;
    while (threads_as_nice("simdd-w", base + 7) != 3) {
        ck_assert_msg(bed_now() < end, "the workers are not");
        (void)usleep(1000);
    }
    ck_assert_uint_eq(threads_as_nice("", base + 7), 3);
    ck_assert_int_eq(bed_stop(&bed), 0);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("daemon, process");
    TCase *t = tcase_create("process");
    tcase_set_timeout(t, 2 * BED_PATIENCE_S);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, wrong_usage_exits_64, 0, 8);
    tcase_add_test(t, help_and_version_exit_0);
    tcase_add_loop_test(t, a_wrong_configuration_exits_78_and_names_the_line, 0,
                        sizeof(wrong_configs) / sizeof(wrong_configs[0]));
    tcase_add_test(t, a_configuration_that_is_not_there_exits_78);
    tcase_add_test(t, checking_a_configuration_has_no_effects);
    tcase_add_test(t, a_path_where_a_daemon_answers_exits_69);
    tcase_add_test(t, a_stale_socket_is_replaced);
    tcase_add_test(t, a_file_in_the_sockets_place_exits_73_and_stays);
    tcase_add_test(t, a_path_that_cannot_be_made_exits_73_or_77);
    tcase_add_test(t, a_path_too_long_exits_78);
    tcase_add_test(t, a_metrics_address_in_use_ends_the_start);
    tcase_add_test(t, workers_are_nicer_than_the_loop);
    suite_add_tcase(s, t);
    return suite_run(s);
}
