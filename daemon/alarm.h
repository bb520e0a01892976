/* A clock that strikes at a steady pace on the loop.
 *
 * A uv_timer gives each wait of the loop a timeout, and to set and clear that costs every pass that
 * sleeps 1 to 2 us, more in a virtual machine. This is set once.
 * Thread: the loop's.
 */
#ifndef DAEMON_ALARM_H
#define DAEMON_ALARM_H

#include <stdbool.h>
#include <stdint.h>

#include <uv.h>

struct alarm_clock {
    uv_poll_t poll;
    int fd; /* timerfd */
    void (*strike)(void *user);
    void *user;
    bool open;
};

/* Calls strike(user) on the loop every interval_ms, more than 0; once for all that it slept
 * through. Returns 0 or -errno. */
int alarm_start(struct alarm_clock *a, uv_loop_t *loop, uint64_t interval_ms,
                void (*strike)(void *user), void *user);

/* Nothing to do if it was never started. The loop has to run once more before `a` may go. */
void alarm_stop(struct alarm_clock *a);

#endif
