/* loop_spin.h: when the loop looks for more, and when it had better sleep. */
#include "config.h"

#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include <sys/epoll.h>

#include "loop_spin.h"
#include "suite.h"

/* Each wait is short beside the one, and long beside the other. */
static const uint64_t long_ns = 3600 * (uint64_t)1000000000, short_ns = 1000;

static struct loop_spin spin;
static int epoll_fd, pipe_fds[2];

static void set_up(void)
{
    struct epoll_event readable = {.events = EPOLLIN};
    epoll_fd = epoll_create1(0);
    ck_assert_int_ge(epoll_fd, 0);
    ck_assert_int_eq(pipe(pipe_fds), 0);
    ck_assert_int_eq(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, pipe_fds[0], &readable), 0);
    loop_spin_init(&spin, epoll_fd, long_ns);
}

static void tear_down(void)
{
    close(epoll_fd);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void pause_briefly(void)
{
    const struct timespec t = {.tv_nsec = 100000};
    nanosleep(&t, NULL);
}

/* The loop slept for a while. */
static void sleep_once(void)
{
    ck_assert_int_eq(loop_spin_before(&spin, true), LOOP_SPIN_NONE);
    pause_briefly();
    loop_spin_after(&spin);
}

static void earn_trust(void)
{
    for (unsigned i = 0; i < LOOP_SPIN_TRUST; i++)
        sleep_once();
}

static void *write_soon(void *arg)
{
    (void)arg;
    pause_briefly();
    ck_assert_int_eq(write(pipe_fds[1], "x", 1), 1);
    return NULL;
}

static void expect_paid(void)
{
    pthread_t thread;
    char byte;
    ck_assert_int_eq(pthread_create(&thread, NULL, write_soon, NULL), 0);
    ck_assert_int_eq(loop_spin_before(&spin, true), LOOP_SPIN_PAID);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(read(pipe_fds[0], &byte, 1), 1);
    loop_spin_after(&spin);
}

START_TEST(after_short_waits_it_looks_until_something_is_there)
{
    earn_trust();
    for (unsigned i = 0; i < 3; i++)
        expect_paid();
}
END_TEST

START_TEST(after_a_long_wait_it_sleeps)
{
    earn_trust();
    pause_briefly();
    spin.window_ns = short_ns;
    loop_spin_after(&spin);
    spin.window_ns = long_ns;
    sleep_once();
}
END_TEST

START_TEST(one_look_in_vain_and_it_sleeps_until_waits_are_short_again)
{
    earn_trust();
    spin.window_ns = short_ns;
    ck_assert_int_eq(loop_spin_before(&spin, true), LOOP_SPIN_IN_VAIN);
    spin.window_ns = long_ns;
    earn_trust();
    expect_paid();
}
END_TEST

START_TEST(while_a_worker_has_work_it_sleeps)
{
    earn_trust();
    ck_assert_int_eq(loop_spin_before(&spin, false), LOOP_SPIN_NONE);
    pause_briefly();
    loop_spin_after(&spin);
    expect_paid();
}
END_TEST

START_TEST(without_a_window_it_always_sleeps)
{
    loop_spin_init(&spin, epoll_fd, 0);
    earn_trust();
    sleep_once();
}
END_TEST

static Suite *loop_spin_suite(void)
{
    Suite *suite = suite_create("loop_spin");
    TCase *tc = tcase_create("loop_spin");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, after_short_waits_it_looks_until_something_is_there);
    tcase_add_test(tc, after_a_long_wait_it_sleeps);
    tcase_add_test(tc, one_look_in_vain_and_it_sleeps_until_waits_are_short_again);
    tcase_add_test(tc, while_a_worker_has_work_it_sleeps);
    tcase_add_test(tc, without_a_window_it_always_sleeps);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(loop_spin_suite());
}
