/* The pump: moves requests from queue to socket, and mends what breaks on the way.
 *
 * A request is in one queue at a time: queue -> sent -> complete, or sent -> waiting -> queue when
 * the daemon turned it away, or back from sent to the front of queue when the connection broke.
 * One epoll descriptor watches the socket and a timer, so that a caller's own loop has a single
 * descriptor to watch and never sees the socket change under it.
 */
#include "config.h"

#include "handle.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { RECONNECT_MAX_US = 1000 * 1000 };
enum { EVENT_LINK, EVENT_TIMER };

int pump_init(struct simdd *s)
{
    s->timer_at_us = UINT64_MAX;
    s->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = EVENT_TIMER};
    if (s->timer_fd < 0 || s->epoll_fd < 0 ||
        epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->timer_fd, &event) < 0)
        return -errno;
    return 0;
}

void pump_fini(struct simdd *s)
{
    if (s->timer_fd >= 0)
        (void)close(s->timer_fd);
    if (s->epoll_fd >= 0)
        (void)close(s->epoll_fd);
}

uint64_t handle_now_us(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void arm_timer(struct simdd *s, uint64_t at_us)
{
    if (at_us == s->timer_at_us)
        return;
    struct itimerspec spec = {{0, 0}, {0, 0}};
    if (at_us != UINT64_MAX) {
        spec.it_value.tv_sec = (time_t)(at_us / 1000000u);
        spec.it_value.tv_nsec = (long)(at_us % 1000000u) * 1000 + 1; /* 0 would turn it off */
    }
    (void)timerfd_settime(s->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    s->timer_at_us = at_us;
}

static void set_full(struct simdd *s, bool full)
{
    if (full == s->full)
        return;
    struct epoll_event event = {.events = EPOLLIN | (full ? EPOLLOUT : 0u),
                                .data.u32 = EVENT_LINK};
    (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_MOD, s->link.fd, &event);
    s->full = full;
}

int pump_connect(struct simdd *s)
{
    int err = link_open(&s->link, s->path);
    if (err < 0)
        return err;
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = EVENT_LINK};
    if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->link.fd, &event) < 0) {
        err = -errno;
        link_close(&s->link);
        return err;
    }
    s->full = false;

    /* The daemon must know the arenas before the jobs that lie in them. */
    struct request_queue jobs = s->queue;
    s->queue = (struct request_queue){NULL, NULL};
    memory_announce(s->memory);
    while (jobs.first != NULL) {
        struct request *r = jobs.first;
        request_queue_remove(&jobs, r);
        request_queue_push(&s->queue, r);
    }
    return 0;
}

/* The connection is lost; pump_run() will see to it, and a caller's loop must call that. */
static void break_link(struct simdd *s, int err)
{
    s->link_error = err;
    arm_timer(s, handle_now_us());
}

void pump_send(struct simdd *s)
{
    s->queued_bytes = s->queued_count = 0;
    if (s->link.fd < 0 || s->link_error != 0 || s->queue.first == NULL || s->full)
        return;
    int err = link_send(&s->link, &s->queue, &s->sink);
    if (err < 0 && err != -EAGAIN)
        break_link(s, err);
    else
        set_full(s, err == -EAGAIN);
    if (s->answered.first != NULL)
        arm_timer(s, handle_now_us());
}

/* Puts what was on the broken connection back to the front of the queue, in the order it was
 * sent; what has been through too many breaks completes. */
static void requeue(struct simdd *s, int err)
{
    while (s->sent.last != NULL) {
        struct request *r = s->sent.last;
        request_queue_remove(&s->sent, r);
        request_queue_push_front(&s->queue, r);
    }
    struct request *next;
    for (struct request *r = s->queue.first; r != NULL; r = next) {
        next = r->next;
        bool tried = r->on_wire;
        r->on_wire = false;
        if (r->control || r->answered) {
            request_queue_remove(&s->queue, r);
            settle_answered(s, r);
        } else if (tried && r->resent_count++ >= s->options.resends) {
            request_queue_remove(&s->queue, r);
            settle_complete(s, r, err);
        }
    }
}

/* Pauses double with each attempt that brought no answer. */
static uint64_t pause_us(const struct simdd *s)
{
    uint64_t pause = s->options.reconnect_us;
    for (unsigned i = 1; i < s->attempt_count && pause < RECONNECT_MAX_US; i++)
        pause *= 2;
    return pause < RECONNECT_MAX_US ? pause : RECONNECT_MAX_US;
}

static void give_up_or_pause(struct simdd *s, int err)
{
    if (s->attempt_count >= s->options.reconnects) {
        s->attempt_count = 0;
        s->connect_due_us = 0;
        settle_abandon(s, err);
        return;
    }
    s->connect_due_us = s->attempt_count == 0 ? 0 : handle_now_us() + pause_us(s);
}

/* Closes a broken connection, opens a new one when it is due, brings back whose turn has come. */
static void mend(struct simdd *s)
{
    if (s->link_error != 0) {
        int err = s->link_error;
        s->link_error = 0;
        s->answering = NULL;
        (void)epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, s->link.fd, NULL);
        link_close(&s->link);
        if (s->fatal_status != 0) {
            err = s->fatal_status;
            s->fatal_status = 0;
            settle_abandon(s, err);
        }
        requeue(s, err);
        give_up_or_pause(s, err);
    }
    while (s->waiting.first != NULL && s->waiting.first->due_us <= handle_now_us()) {
        struct request *r = s->waiting.first;
        request_queue_remove(&s->waiting, r);
        handle_enqueue(s, r);
    }
    if (s->link.fd < 0 && s->queue.first != NULL && s->connect_due_us <= handle_now_us()) {
        s->attempt_count++;
        int err = pump_connect(s);
        if (err < 0)
            give_up_or_pause(s, err);
    }
}

/* Wakes whoever waits when the next retry or connection is due. */
static void arm_next(struct simdd *s)
{
    uint64_t at_us = UINT64_MAX;
    if (s->waiting.first != NULL)
        at_us = s->waiting.first->due_us;
    if (s->link.fd < 0 && s->queue.first != NULL && s->connect_due_us < at_us)
        at_us = s->connect_due_us;
    arm_timer(s, at_us);
}

static int wait_events(struct simdd *s, int timeout_ms)
{
    struct epoll_event events[2];
    int count = epoll_wait(s->epoll_fd, events, 2, timeout_ms);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        if (events[i].data.u32 == EVENT_TIMER) {
            uint64_t expirations;
            (void)!read(s->timer_fd, &expirations, sizeof(expirations));
            s->timer_at_us = UINT64_MAX;
            continue;
        }
        if ((events[i].events & EPOLLOUT) != 0)
            set_full(s, false);
        if ((events[i].events & ~(uint32_t)EPOLLOUT) != 0) {
            int err = link_receive(&s->link, &s->sink);
            if (err < 0)
                break_link(s, err);
        }
    }
    return 0;
}

/* What is left of a timeout, rounded up. */
static int left_ms(uint64_t end_us)
{
    uint64_t now_us = handle_now_us();
    return now_us >= end_us ? 0 : (int)((end_us - now_us + 999) / 1000);
}

int pump_run(struct simdd *s, int timeout_ms)
{
    if (s->busy)
        return -EBUSY;
    s->busy = true;
    s->completed = 0;
    uint64_t end_us = timeout_ms > 0 ? handle_now_us() + (uint64_t)timeout_ms * 1000u : 0;
    int err = 0;
    for (bool waited = false;; waited = true) {
        mend(s);
        pump_send(s);
        while (s->answered.first != NULL) {
            struct request *r = s->answered.first;
            request_queue_remove(&s->answered, r);
            settle_answered(s, r);
        }
        if (s->link_error != 0)
            continue;
        int wait_ms = timeout_ms > 0 && s->in_flight > 0 ? left_ms(end_us) : timeout_ms;
        if (s->in_flight == 0)
            wait_ms = 0; /* nothing will come; but the connection may have ended */
        if (s->completed > 0 || (waited && wait_ms == 0))
            break;
        arm_next(s);
        if ((err = wait_events(s, wait_ms)) < 0)
            break;
    }
    arm_next(s);
    s->busy = false;
    return err < 0 ? err : s->completed;
}
