/* Where workers wait: an event count with a seat for each, so that no wake-up is lost.
 *
 * A worker without work is first searching, then parked. It goes to sleep in three steps: it
 * announces itself with parking_prepare(), looks for work once more, and then sleeps in
 * parking_wait() or backs out with parking_cancel(). Whoever makes work calls parking_wake_one()
 * after publishing it. Both sides change the same counter with a read-modify-write in between, so
 * either the sleeper sees the work or the waker sees the sleeper (Dekker's pattern; for event
 * counts see Vyukov's and folly's EventCount).
 *
 * Nobody is woken while a worker is still searching: it will find the work, and parking_leave()
 * asks it to wake the next if there is more. So a burst of work wakes workers one after the other
 * and only as many as it needs.
 */
#ifndef DAEMON_PARKING_H
#define DAEMON_PARKING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* What a waiting worker would take, most first. */
enum parking_kind {
    PARKING_IDLE, /* anything */
    PARKING_JOIN, /* what it can steal */
    PARKING_WAIT, /* nothing: it only waits for its task to be done */
    PARKING_KIND_COUNT
};

struct parking_seat {
    _Alignas(64) _Atomic uint32_t state; /* see parking.c; what its worker's futex sleeps on */
};

/* Shown only so that parking_is_hungry() can be inline. */
struct parking {
    /* Read-only after init. */
    struct parking_seat *seats;
    unsigned seat_count;

    /* Written by everyone who waits or wakes. Per kind: workers searching in the lower half,
     * parked in the upper. */
    _Alignas(64) _Atomic uint64_t crowd[PARKING_KIND_COUNT];
    _Atomic uint64_t woken_total;
};

/* -ENOMEM. */
int parking_init(struct parking *p, unsigned seat_count);

/* Nobody may be parked. */
void parking_fini(struct parking *p);

/* The worker begins, and ends, to search. parking_leave() answers true if it was the last of its
 * kind that did: then look whether there is more work, and if so wake one. */
void parking_enter(struct parking *p, enum parking_kind kind);
bool parking_leave(struct parking *p, enum parking_kind kind);

/* From searching to parked; then look for work once more. */
void parking_prepare(struct parking *p, unsigned seat, enum parking_kind kind);

/* Sleeps until woken; the worker is searching again. */
void parking_wait(struct parking *p, unsigned seat);

/* Instead of parking_wait(): the worker is searching again. */
void parking_cancel(struct parking *p, unsigned seat, enum parking_kind kind);

/* Wakes one parked worker of a kind up to `most`, idle ones first, unless one of those kinds is
 * searching. True if it did. Thread: any. */
bool parking_wake_one(struct parking *p, enum parking_kind most);

/* Wakes the worker in this seat if it is parked. What it is to see must have been published by a
 * read-modify-write that its own pairs with. Thread: any. */
void parking_wake_seat(struct parking *p, unsigned seat);

/* Wakes all that are parked, whatever their kind. Thread: any. */
void parking_wake_all(struct parking *p);

/* Workers that sleep now. Thread: any. */
unsigned parking_parked(const struct parking *p);

/* Not 0 if a worker of this kind is searching or parked. A hint.
 * relaxed: whoever must not miss a sleeper calls parking_wake_one(). */
static inline uint64_t parking_crowd(const struct parking *p, enum parking_kind kind)
{
    return atomic_load_explicit(&p->crowd[kind], memory_order_relaxed);
}

/* True if somebody would steal. A hint; three instructions, for every spawn and range asks. */
static inline bool parking_is_hungry(const struct parking *p)
{
    return (parking_crowd(p, PARKING_IDLE) | parking_crowd(p, PARKING_JOIN)) != 0;
}

#endif
