#include "config.h"

#include "alarm.h"

#include <errno.h>
#include <unistd.h>

#include <sys/timerfd.h>

static void is_due(uv_poll_t *poll, int status, int events)
{
    struct alarm_clock *a = poll->data;
    uint64_t strikes;
    (void)status;
    (void)events;
    if (read(a->fd, &strikes, sizeof(strikes)) == (ssize_t)sizeof(strikes))
        a->strike(a->user);
}

static void closed(uv_handle_t *handle)
{
    struct alarm_clock *a = handle->data;
    (void)close(a->fd);
}

int alarm_start(struct alarm_clock *a, uv_loop_t *loop, uint64_t interval_ms,
                void (*strike)(void *user), void *user)
{
    const struct timespec interval = {.tv_sec = (time_t)(interval_ms / 1000),
                                      .tv_nsec = (long)(interval_ms % 1000) * 1000000};
    const struct itimerspec pace = {.it_interval = interval, .it_value = interval};
    *a = (struct alarm_clock){.strike = strike, .user = user};
    a->fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (a->fd < 0)
        return -errno;
    int err = timerfd_settime(a->fd, 0, &pace, NULL) < 0 ? -errno : 0;
    if (err == 0)
        err = uv_poll_init(loop, &a->poll, a->fd);
    if (err < 0) {
        (void)close(a->fd);
        return err;
    }
    a->open = true;
    a->poll.data = a;
    err = uv_poll_start(&a->poll, UV_READABLE, is_due);
    if (err < 0)
        alarm_stop(a);
    return err;
}

void alarm_stop(struct alarm_clock *a)
{
    if (!a->open)
        return;
    a->open = false;
    uv_close((uv_handle_t *)&a->poll, closed);
}
