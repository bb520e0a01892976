/* notify.h, against a NOTIFY_SOCKET of our own and descriptors passed the way systemd does it.
 * Each test runs in a process of its own (Check forks), so it may change its environment and
 * descriptors 3 and up. Without libsystemd only what needs none is tried. */
#include "config.h"

#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "clock.h"
#include "tests/suite.h"

static void clear_environment(void)
{
    static const char *const names[] = {"NOTIFY_SOCKET", "LISTEN_PID",   "LISTEN_FDS",
                                        "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unsetenv(names[i]);
}

START_TEST(without_systemd_every_call_does_nothing)
{
    struct notify *n = NULL;
    int fd = -7;
    clear_environment();
    setenv("LISTEN_FDS", "1", 1); /* without LISTEN_PID it means nothing */
    ck_assert_int_eq(notify_new(&n), 0);
    notify_ready(n, "ready");
    notify_reloading(n);
    notify_status(n, "fine");
    notify_alive(n);
    notify_stopping(n);
    ck_assert_uint_eq(notify_watchdog_ms(n), 0);
    ck_assert_int_eq(notify_take_socket(n, "job", &fd), -ENOENT);
    ck_assert_int_eq(notify_take_socket(n, "metrics", &fd), -ENOENT);
    ck_assert_int_eq(fd, -7);
    notify_free(n);
    notify_free(NULL);
}
END_TEST

START_TEST(without_systemd_no_library_is_loaded)
{
    struct notify *n = NULL;
    char line[512];
    clear_environment();
    ck_assert_int_eq(notify_new(&n), 0);
    FILE *maps = fopen("/proc/self/maps", "r");
    ck_assert_ptr_nonnull(maps);
    while (fgets(line, sizeof(line), maps) != NULL)
        ck_assert_ptr_null(strstr(line, "libsystemd"));
    fclose(maps);
    notify_free(n);
}
END_TEST

#ifndef HAVE_SYSTEMD

START_TEST(a_build_without_systemd_says_so_when_asked)
{
    struct notify *n = NULL;
    clear_environment();
    setenv("NOTIFY_SOCKET", "@nobody", 1);
    ck_assert_int_eq(notify_new(&n), -ENOSYS);
    ck_assert_ptr_null(n);
}
END_TEST

static void add_systemd_tests(TCase *t)
{
    tcase_add_test(t, a_build_without_systemd_says_so_when_asked);
}

#else

/* systemd's side: an abstract datagram socket, in $NOTIFY_SOCKET. */
static int notify_socket_new(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    socklen_t bytes = sizeof(address);
    char name[sizeof(address.sun_path) + 1];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    /* Binding to no name at all makes the kernel choose an abstract one. */
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
    size_t name_bytes = bytes - offsetof(struct sockaddr_un, sun_path);
    memcpy(name, address.sun_path, name_bytes);
    name[0] = '@';
    name[name_bytes] = '\0';
    setenv("NOTIFY_SOCKET", name, 1);
    return fd;
}

static const char *received(int fd, char message[static 1024])
{
    ssize_t n = recv(fd, message, 1023, 0);
    message[n > 0 ? n : 0] = '\0';
    return message;
}

START_TEST(ready_stopping_and_status_reach_systemd)
{
    struct notify *n = NULL;
    char message[1024];
    clear_environment();
    int fd = notify_socket_new();
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_str_eq(received(fd, message), "");
    notify_ready(n, "Serving on /run/simdd/simdd.sock");
    ck_assert_str_eq(received(fd, message), "READY=1\nSTATUS=Serving on /run/simdd/simdd.sock");
    notify_status(n, "12 jobs in flight");
    ck_assert_str_eq(received(fd, message), "STATUS=12 jobs in flight");
    notify_stopping(n);
    ck_assert_ptr_eq(strstr(received(fd, message), "STOPPING=1\n"), message);
    ck_assert_str_eq(received(fd, message), "");
    notify_free(n);
}
END_TEST

START_TEST(reloading_carries_the_time_of_the_monotonic_clock)
{
    struct notify *n = NULL;
    char message[1024];
    uint64_t said_us = 0;
    clear_environment();
    int fd = notify_socket_new();
    ck_assert_int_eq(notify_new(&n), 0);
    uint64_t before_us = clock_ns() / 1000;
    notify_reloading(n);
    uint64_t after_us = clock_ns() / 1000;
    received(fd, message);
    ck_assert_int_eq(sscanf(message, "RELOADING=1\nMONOTONIC_USEC=%" SCNu64, &said_us), 1);
    ck_assert_uint_ge(said_us, before_us);
    ck_assert_uint_le(said_us, after_us);
    notify_free(n);
}
END_TEST

START_TEST(a_status_that_is_too_long_is_cut)
{
    struct notify *n = NULL;
    char message[1024], status[2000];
    clear_environment();
    int fd = notify_socket_new();
    memset(status, 'x', sizeof(status));
    status[sizeof(status) - 1] = '\0';
    ck_assert_int_eq(notify_new(&n), 0);
    notify_ready(n, status);
    ck_assert_ptr_eq(strstr(received(fd, message), "READY=1\nSTATUS=xxx"), message);
    notify_free(n);
}
END_TEST

START_TEST(the_watchdog_is_fed_twice_per_interval_and_only_on_request)
{
    struct notify *n = NULL;
    char message[1024], pid[16];
    clear_environment();
    int fd = notify_socket_new();
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_uint_eq(notify_watchdog_ms(n), 0);
    notify_alive(n);
    ck_assert_str_eq(received(fd, message), "");
    notify_free(n);

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("WATCHDOG_PID", pid, 1);
    setenv("WATCHDOG_USEC", "30000000", 1);
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_uint_eq(notify_watchdog_ms(n), 15000);
    notify_alive(n);
    ck_assert_str_eq(received(fd, message), "WATCHDOG=1");
    notify_free(n);

    setenv("WATCHDOG_PID", "1", 1); /* meant for another process */
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_uint_eq(notify_watchdog_ms(n), 0);
    notify_free(n);
}
END_TEST

static int unix_listener(int type)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, type, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t)), 0);
    if (type == SOCK_STREAM)
        ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

static int tcp_listener(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    return fd;
}

/* Puts two descriptors (-1: one only) at 3 and 4 and the environment as systemd would. */
static void pass_sockets(int first, int second, const char *names)
{
    char pid[16];
    /* First out of the way, so that neither overwrites the other. */
    int high = fcntl(first, F_DUPFD, 100), high2 = second >= 0 ? fcntl(second, F_DUPFD, 100) : -1;
    ck_assert_int_eq(dup2(high, 3), 3);
    if (high2 >= 0)
        ck_assert_int_eq(dup2(high2, 4), 4);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", second >= 0 ? "2" : "1", 1);
    if (names != NULL)
        setenv("LISTEN_FDNAMES", names, 1);
}

START_TEST(passed_sockets_are_found_by_name)
{
    struct notify *n = NULL;
    int job = -1, metrics = -1;
    clear_environment();
    pass_sockets(tcp_listener(), unix_listener(SOCK_STREAM), "metrics:job");
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_int_eq(notify_take_socket(n, "job", &job), 0);
    ck_assert_int_eq(job, 4);
    ck_assert_int_eq(notify_take_socket(n, "metrics", &metrics), 0);
    ck_assert_int_eq(metrics, 3);
    ck_assert_int_eq(notify_take_socket(n, "job", &job), -ENOENT); /* taken once */
    notify_free(n);
    ck_assert_int_ge(fcntl(3, F_GETFD), 0); /* ours now */
    ck_assert_int_ge(fcntl(4, F_GETFD), 0);
}
END_TEST

START_TEST(passed_sockets_do_not_block_and_close_on_exec)
{
    struct notify *n = NULL;
    clear_environment();
    pass_sockets(unix_listener(SOCK_STREAM), tcp_listener(), "job:metrics");
    ck_assert_int_eq(notify_new(&n), 0);
    for (int fd = 3; fd <= 4; fd++) {
        ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
        ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
    }
    ck_assert_ptr_null(getenv("LISTEN_FDS")); /* children would look for them too */
    notify_free(n);
}
END_TEST

START_TEST(without_names_the_kind_decides)
{
    static const char *const names[] = {NULL, "simdd.socket:simdd.socket", "unknown:unknown", ":"};
    struct notify *n = NULL;
    int fd = -1;
    clear_environment();
    pass_sockets(tcp_listener(), unix_listener(SOCK_STREAM), names[_i]);
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_int_eq(notify_take_socket(n, "job", &fd), 0);
    ck_assert_int_eq(fd, 4);
    ck_assert_int_eq(notify_take_socket(n, "metrics", &fd), 0);
    ck_assert_int_eq(fd, 3);
    notify_free(n);
}
END_TEST

START_TEST(a_named_socket_of_the_wrong_kind_is_refused)
{
    struct notify *n = NULL;
    int fd = -1;
    clear_environment();
    pass_sockets(tcp_listener(), unix_listener(SOCK_DGRAM), "job:metrics");
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_int_eq(notify_take_socket(n, "job", &fd), -EINVAL);
    ck_assert_int_eq(notify_take_socket(n, "metrics", &fd), -EINVAL);
    ck_assert_int_eq(fd, -1);
    notify_free(n);
}
END_TEST

START_TEST(a_socket_named_for_one_use_is_not_taken_for_the_other)
{
    struct notify *n = NULL;
    int fd = -1;
    clear_environment();
    pass_sockets(unix_listener(SOCK_STREAM), -1, "metrics");
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_int_eq(notify_take_socket(n, "job", &fd), -ENOENT);
    notify_free(n);
}
END_TEST

START_TEST(sockets_meant_for_another_process_are_left_alone)
{
    struct notify *n = NULL;
    int fd = -1;
    clear_environment();
    pass_sockets(unix_listener(SOCK_STREAM), -1, "job");
    setenv("LISTEN_PID", "1", 1);
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_int_eq(notify_take_socket(n, "job", &fd), -ENOENT);
    notify_free(n);
    ck_assert_int_ge(fcntl(3, F_GETFD), 0);
}
END_TEST

START_TEST(sockets_that_nobody_took_are_closed)
{
    struct notify *n = NULL;
    int fd = -1;
    clear_environment();
    pass_sockets(unix_listener(SOCK_STREAM), unix_listener(SOCK_STREAM), "job:extra");
    ck_assert_int_eq(notify_new(&n), 0);
    ck_assert_int_eq(notify_take_socket(n, "job", &fd), 0);
    notify_free(n);
    ck_assert_int_ge(fcntl(3, F_GETFD), 0);
    ck_assert_int_eq(fcntl(4, F_GETFD), -1);
}
END_TEST

START_TEST(descriptors_that_are_not_open_fail_the_start)
{
    struct notify *n = NULL;
    clear_environment();
    pass_sockets(unix_listener(SOCK_STREAM), -1, "job");
    close(3);
    ck_assert_int_eq(notify_new(&n), -EBADF);
    ck_assert_ptr_null(n);
}
END_TEST

static void add_systemd_tests(TCase *t)
{
    tcase_add_test(t, ready_stopping_and_status_reach_systemd);
    tcase_add_test(t, reloading_carries_the_time_of_the_monotonic_clock);
    tcase_add_test(t, a_status_that_is_too_long_is_cut);
    tcase_add_test(t, the_watchdog_is_fed_twice_per_interval_and_only_on_request);
    tcase_add_test(t, passed_sockets_are_found_by_name);
    tcase_add_test(t, passed_sockets_do_not_block_and_close_on_exec);
    tcase_add_loop_test(t, without_names_the_kind_decides, 0, 4);
    tcase_add_test(t, a_named_socket_of_the_wrong_kind_is_refused);
    tcase_add_test(t, a_socket_named_for_one_use_is_not_taken_for_the_other);
    tcase_add_test(t, sockets_meant_for_another_process_are_left_alone);
    tcase_add_test(t, sockets_that_nobody_took_are_closed);
    tcase_add_test(t, descriptors_that_are_not_open_fail_the_start);
}

#endif

/* Takes descriptors 3 and 4 before Check opens files of its own there. */
static void reserve_descriptors(void)
{
    int fd;
    do
        fd = open("/dev/null", O_RDONLY);
    while (fd >= 0 && fd < 5);
}

int main(void)
{
    reserve_descriptors();
    Suite *suite = suite_create("notify");
    TCase *t = tcase_create("notify");
    tcase_add_test(t, without_systemd_every_call_does_nothing);
    tcase_add_test(t, without_systemd_no_library_is_loaded);
    add_systemd_tests(t);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
