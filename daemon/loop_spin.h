/* The loop looks for more for a moment before it sleeps.
 *
 * To be woken costs 5 to 50 us, most of it in a virtual machine that has halted its CPU: more than
 * a small job costs. A client that asks, waits for the answer and asks again comes back sooner than
 * that. So when the last waits were short, the loop polls without sleeping; one such look in vain
 * and it sleeps until waits have been short again. Never while a worker has work of ours, since the
 * CPU may be its, nor with only one CPU.
 * Thread: the loop's.
 */
#ifndef DAEMON_LOOP_SPIN_H
#define DAEMON_LOOP_SPIN_H

#include <stdbool.h>
#include <stdint.h>

struct loop_spin {
    int epoll_fd;
    uint64_t window_ns; /* 0: never */
    uint64_t began_ns;  /* this wait */
    uint64_t waited_ns; /* the last one */
    unsigned short_waits; /* in a row, up to LOOP_SPIN_TRUST */
};

/* So many waits must have been short. */
enum { LOOP_SPIN_TRUST = 8 };

/* epoll_fd: the loop's own, whose descriptors stay ready until they are read. */
void loop_spin_init(struct loop_spin *s, int epoll_fd, uint64_t window_ns);

enum loop_spin_end { LOOP_SPIN_NONE, LOOP_SPIN_PAID, LOOP_SPIN_IN_VAIN };

/* Before the loop sleeps: returns as soon as a descriptor is ready, or the window has passed, or at
 * once. is_idle: no worker has work. */
enum loop_spin_end loop_spin_before(struct loop_spin *s, bool is_idle);

/* After it has slept, or not. */
void loop_spin_after(struct loop_spin *s);

#endif
