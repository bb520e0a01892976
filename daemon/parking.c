/* Where workers wait.
 *
 * A seat's state goes
 *
 *     AWAKE -> PARKED + kind -> CLAIMED -> NOTIFIED -> AWAKE
 *
 * The worker makes the first and the last step, a waker the two between; CLAIMED lasts while the
 * waker moves the worker from `parked` to `searching` in the crowd, so that the worker never acts
 * on a wake-up before it is counted. parking_cancel() goes from PARKED straight back to AWAKE.
 *
 * Why nothing is lost. The sleeper stores PARKED, changes the crowd, and looks for work. The waker
 * publishes work, changes the crowd (by zero), and looks at the seats. Of two changes of one
 * atomic one is first. If it is the sleeper's, the waker sees the crowd and the seat; if it is the
 * waker's, the sleeper's change acquires it, and its look finds the work.
 * Why a waker may stop at one who searches: that one must still pass through parking_prepare() or
 * parking_leave(), which comes after the waker's change, and looks for work after it.
 *
 * A waker may claim a seat before the sleeper has counted itself, so `parked` can be one too low
 * for a moment. It is the upper half of its word, where that wraps and harms nobody.
 */
#include "config.h"

#include "parking.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

enum seat_state { AWAKE, CLAIMED, NOTIFIED, PARKED /* + kind */ };

static const uint64_t SEARCHING_ONE = 1;
static const uint64_t PARKED_ONE = (uint64_t)1 << 32;

static uint32_t searching_in(uint64_t crowd)
{
    return (uint32_t)crowd;
}

static uint32_t parked_in(uint64_t crowd)
{
    return (uint32_t)(crowd >> 32);
}

static void futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
    /* EAGAIN and EINTR: the caller looks at the word again anyway. */
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int parking_init(struct parking *p, unsigned seat_count)
{
    p->seats = aligned_alloc(_Alignof(struct parking_seat), seat_count * sizeof p->seats[0]);
    if (p->seats == NULL)
        return -ENOMEM;
    p->seat_count = seat_count;
    for (unsigned i = 0; i < seat_count; i++)
        atomic_init(&p->seats[i].state, AWAKE);
    for (unsigned i = 0; i < PARKING_KIND_COUNT; i++)
        atomic_init(&p->crowd[i], 0);
    atomic_init(&p->woken_total, 0);
    return 0;
}

void parking_fini(struct parking *p)
{
    free(p->seats);
    p->seats = NULL;
}

void parking_enter(struct parking *p, enum parking_kind kind)
{
    /* relaxed: a waker that misses it wakes somebody in vain. */
    atomic_fetch_add_explicit(&p->crowd[kind], SEARCHING_ONE, memory_order_relaxed);
}

bool parking_leave(struct parking *p, enum parking_kind kind)
{
    /* acq_rel: the look for more work that follows sees what was published before any waker who
     * counted on this worker. Pairs with the exchange of crowd in parking_wake_one(). */
    return searching_in(atomic_fetch_sub_explicit(&p->crowd[kind], SEARCHING_ONE,
                                                  memory_order_acq_rel)) == 1;
}

void parking_prepare(struct parking *p, unsigned seat, enum parking_kind kind)
{
    /* relaxed: shown by the release below. */
    atomic_store_explicit(&p->seats[seat].state, PARKED + (uint32_t)kind, memory_order_relaxed);
    /* seq_cst, a read-modify-write: it forbids that the caller's last look happens before it, and
     * meets the one in parking_wake_one() and parking_wake_all(). */
    atomic_fetch_add_explicit(&p->crowd[kind], PARKED_ONE - SEARCHING_ONE, memory_order_seq_cst);
}

void parking_wait(struct parking *p, unsigned seat)
{
    _Atomic uint32_t *state = &p->seats[seat].state;
    uint32_t seen;
    /* acquire: pairs with the release of NOTIFIED in claim(). */
    while ((seen = atomic_load_explicit(state, memory_order_acquire)) != NOTIFIED)
        futex_wait(state, seen);
    /* relaxed: only this worker leaves NOTIFIED, and wakers look for PARKED alone. */
    atomic_store_explicit(state, AWAKE, memory_order_relaxed);
}

void parking_cancel(struct parking *p, unsigned seat, enum parking_kind kind)
{
    uint32_t expected = PARKED + (uint32_t)kind;
    /* relaxed: decides who counts the worker back, and publishes nothing. */
    if (atomic_compare_exchange_strong_explicit(&p->seats[seat].state, &expected, AWAKE,
                                                memory_order_relaxed, memory_order_relaxed))
        atomic_fetch_sub_explicit(&p->crowd[kind], PARKED_ONE - SEARCHING_ONE,
                                  memory_order_relaxed);
    else
        parking_wait(p, seat); /* a waker was first; it is about to tell us */
}

/* Wakes the worker in the seat if it is parked as this kind. */
static bool claim(struct parking *p, unsigned seat, enum parking_kind kind)
{
    _Atomic uint32_t *state = &p->seats[seat].state;
    uint32_t expected = PARKED + (uint32_t)kind;
    /* relaxed look first: most seats are not parked, and a failed exchange takes their line. */
    if (atomic_load_explicit(state, memory_order_relaxed) != expected)
        return false;
    /* acq_rel: comes after the sleeper's store of PARKED, before the change of crowd below. */
    if (!atomic_compare_exchange_strong_explicit(state, &expected, CLAIMED, memory_order_acq_rel,
                                                 memory_order_relaxed))
        return false;
    /* relaxed: the release of NOTIFIED orders it for the worker. */
    atomic_fetch_sub_explicit(&p->crowd[kind], PARKED_ONE - SEARCHING_ONE, memory_order_relaxed);
    /* release: what the waker did is visible to the woken. Pairs with parking_wait(). */
    atomic_store_explicit(state, NOTIFIED, memory_order_release);
    futex_wake(state);
    /* relaxed: a counter. */
    atomic_fetch_add_explicit(&p->woken_total, 1, memory_order_relaxed);
    return true;
}

bool parking_wake_one(struct parking *p, enum parking_kind most)
{
    uint64_t crowd[PARKING_KIND_COUNT];
    for (unsigned kind = 0; kind <= (unsigned)most; kind++) {
        /* seq_cst, a read-modify-write that changes nothing: see the head of this file. */
        crowd[kind] = atomic_fetch_add_explicit(&p->crowd[kind], 0, memory_order_seq_cst);
        if (searching_in(crowd[kind]) != 0)
            return false;
    }
    for (unsigned kind = 0; kind <= (unsigned)most; kind++) {
        if (parked_in(crowd[kind]) == 0)
            continue;
        /* From the first seat on, always: so few workers stay warm and the rest sleep long. */
        for (unsigned seat = 0; seat < p->seat_count; seat++) {
            if (claim(p, seat, (enum parking_kind)kind))
                return true;
        }
    }
    return false;
}

void parking_wake_seat(struct parking *p, unsigned seat)
{
    for (unsigned kind = 0; kind < PARKING_KIND_COUNT; kind++)
        claim(p, seat, (enum parking_kind)kind);
}

void parking_wake_all(struct parking *p)
{
    for (unsigned kind = 0; kind < PARKING_KIND_COUNT; kind++)
        atomic_fetch_add_explicit(&p->crowd[kind], 0, memory_order_seq_cst); /* as above */
    for (unsigned seat = 0; seat < p->seat_count; seat++)
        parking_wake_seat(p, seat);
}

unsigned parking_parked(const struct parking *p)
{
    uint32_t parked = 0;
    for (unsigned kind = 0; kind < PARKING_KIND_COUNT; kind++)
        parked += parked_in(parking_crowd(p, (enum parking_kind)kind));
    return parked <= p->seat_count ? parked : 0; /* one too low for a moment: see above */
}
