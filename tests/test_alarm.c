/* alarm.h: strikes come, those slept through as one, and a stopped clock lets its loop end. */
#include "config.h"

#include <time.h>

#include <uv.h>

#include "alarm.h"
#include "suite.h"

static uv_loop_t loop;
static struct alarm_clock alarm_clock;
static unsigned strikes, strikes_wanted;

static void strike(void *user)
{
    ck_assert_ptr_eq(user, &strikes);
    if (++strikes == strikes_wanted)
        alarm_stop(&alarm_clock);
}

static void set_up(void)
{
    strikes = 0;
    ck_assert_int_eq(uv_loop_init(&loop), 0);
}

static void tear_down(void)
{
    ck_assert_int_eq(uv_loop_close(&loop), 0); /* nothing is open any more */
}

START_TEST(it_strikes_until_it_is_stopped)
{
    strikes_wanted = 5;
    ck_assert_int_eq(alarm_start(&alarm_clock, &loop, 1, strike, &strikes), 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(strikes, 5);
}
END_TEST

START_TEST(strikes_slept_through_are_one)
{
    const struct timespec many = {.tv_nsec = 20000000};
    strikes_wanted = 0;
    ck_assert_int_eq(alarm_start(&alarm_clock, &loop, 1, strike, &strikes), 0);
    nanosleep(&many, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    ck_assert_uint_eq(strikes, 1);
    alarm_stop(&alarm_clock);
    uv_run(&loop, UV_RUN_DEFAULT);
    ck_assert_uint_eq(strikes, 1);
}
END_TEST

START_TEST(one_that_never_started_may_be_stopped)
{
    struct alarm_clock never = {.open = false};
    alarm_stop(&never);
}
END_TEST

static Suite *alarm_suite(void)
{
    Suite *suite = suite_create("alarm");
    TCase *tc = tcase_create("alarm");
    tcase_add_checked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, it_strikes_until_it_is_stopped);
    tcase_add_test(tc, strikes_slept_through_are_one);
    tcase_add_test(tc, one_that_never_started_may_be_stopped);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(alarm_suite());
}
