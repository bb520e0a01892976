#include "config.h"

#include "loop_spin.h"

#include <sys/epoll.h>

#include "clock.h"

/* A wait that ended sooner had its end waiting already: there is nothing to gain. */
enum { NO_WAIT_NS = 2000 };

/* Asleep, the same wait takes as much longer as it takes to be woken. */
enum { WOKEN_FACTOR = 2 };

void loop_spin_init(struct loop_spin *s, int epoll_fd, uint64_t window_ns)
{
    *s = (struct loop_spin){.epoll_fd = epoll_fd, .window_ns = window_ns};
}

static bool something_is_ready(const struct loop_spin *s)
{
    struct epoll_event event;
    return epoll_wait(s->epoll_fd, &event, 1, 0) > 0;
}

enum loop_spin_end loop_spin_before(struct loop_spin *s, bool is_idle)
{
    if (s->window_ns == 0)
        return LOOP_SPIN_NONE;
    s->began_ns = clock_ns();
    if (!is_idle || s->short_waits < LOOP_SPIN_TRUST || s->waited_ns < NO_WAIT_NS)
        return LOOP_SPIN_NONE;
    while (!something_is_ready(s)) {
        if (clock_ns() - s->began_ns >= s->window_ns) {
            s->short_waits = 0;
            return LOOP_SPIN_IN_VAIN;
        }
    }
    return LOOP_SPIN_PAID;
}

void loop_spin_after(struct loop_spin *s)
{
    if (s->window_ns == 0)
        return;
    s->waited_ns = clock_ns() - s->began_ns;
    if (s->waited_ns >= s->window_ns * WOKEN_FACTOR)
        s->short_waits = 0;
    else if (s->short_waits < LOOP_SPIN_TRUST)
        s->short_waits++;
}
