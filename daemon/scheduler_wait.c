/* A worker without work: look, spin, park.
 *
 * Two sorts of waiting are one function. At top level a worker takes anything. In a join it only
 * steals: a submitted task may run a thousand times longer than what is joined, and the job that
 * waits here would wait for all of it. A stolen task is part of a job that runs already, and is
 * split again when somebody is hungry, so it is short. While the stack holds many stolen tasks
 * one inside the other, a join takes nothing more and sleeps until its task is done; that cannot
 * deadlock, as each task waits only for tasks that were started after it.
 */
#include "config.h"

#include "scheduler_priv.h"

#include <stddef.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "clock.h"

/* Each level holds a stolen task's frames, and a worker's stack is small. */
static const unsigned JOIN_DEPTH_MAX = 24;

static void spin_pause(void)
{
#if defined(__x86_64__)
    for (unsigned i = 0; i < 4; i++)
        _mm_pause();
#endif
}

/* xorshift64 (Marsaglia 2003): victims in no order, so that thieves do not queue at one. */
static uint64_t random_next(struct sched_worker *w)
{
    uint64_t x = w->random_state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return w->random_state = x;
}

static struct sched_task *steal(struct sched_worker *w)
{
    struct scheduler *s = w->scheduler;
    if (s->worker_count == 1)
        return NULL;
    unsigned victim = (unsigned)(random_next(w) % s->worker_count);
    for (unsigned i = 0; i < s->worker_count; i++) {
        if (victim != w->index) {
            struct sched_task *task = deque_steal(&s->workers[victim].deque);
            if (task != NULL) {
                sched_count(&w->stolen_total, 1);
                return task;
            }
        }
        if (++victim == s->worker_count)
            victim = 0;
    }
    return NULL;
}

static struct sched_found look(struct sched_worker *w, enum parking_kind kind)
{
    if (kind == PARKING_IDLE) {
        struct sched_task *task = injector_pop(w->scheduler->injector);
        if (task != NULL)
            return (struct sched_found){task, false};
    }
    if (kind == PARKING_WAIT)
        return (struct sched_found){NULL, false};
    return (struct sched_found){steal(w), true};
}

struct sched_found sched_look(struct sched_worker *w)
{
    return look(w, PARKING_IDLE);
}

static bool is_over(const struct sched_worker *w, const struct sched_task *joined)
{
    /* acquire: pairs with sched_destroy() and with the exchange in sched_run(). */
    if (joined == NULL)
        return atomic_load_explicit(&w->scheduler->stopping, memory_order_acquire);
    return atomic_load_explicit(&joined->done, memory_order_acquire) == SCHED_TASK_DONE;
}

/* Asks the thief of `joined` to wake us, who are parked already. */
static void leave_number(const struct sched_worker *w, struct sched_task *joined)
{
    uint32_t seen = SCHED_TASK_OPEN;
    /* release: the thief who finds the number finds the seat parked; pairs with the exchange in
     * sched_run(). Always a read-modify-write, also when the number stands there since an earlier
     * nap, as a plain look could miss the thief. relaxed on failure: is_over() looks again. */
    while (!atomic_compare_exchange_weak_explicit(&joined->done, &seen,
                                                  SCHED_TASK_WAITER + w->index,
                                                  memory_order_release, memory_order_relaxed)) {
        if (seen == SCHED_TASK_DONE)
            return;
    }
}

/* True if this worker may spin now; then spin_end() gives the place back. */
static bool spin_begin(struct scheduler *s)
{
    /* relaxed, here and in spin_end(): a limit, which orders nothing. */
    unsigned count = atomic_load_explicit(&s->spinner_count, memory_order_relaxed);
    while (count < s->spinners_max) {
        if (atomic_compare_exchange_weak_explicit(&s->spinner_count, &count, count + 1,
                                                  memory_order_relaxed, memory_order_relaxed))
            return true;
    }
    return false;
}

static void spin_end(struct scheduler *s)
{
    atomic_fetch_sub_explicit(&s->spinner_count, 1, memory_order_relaxed);
}

/* Looks once. True if the wait has an end: with work, or without because of is_over(). */
static bool settle(struct sched_worker *w, enum parking_kind kind, const struct sched_task *joined,
                   struct sched_found *found)
{
    /* Asked before looking: what was submitted before the stop is then found. */
    bool has_ended = is_over(w, joined);
    *found = (struct sched_found){NULL, false};
    if (!has_ended || joined == NULL)
        *found = look(w, kind);
    return has_ended || found->task != NULL;
}

/* Looks at least once, and on while spinning is allowed and its time lasts. */
static bool spin(struct sched_worker *w, enum parking_kind kind, const struct sched_task *joined,
                 struct sched_found *found)
{
    struct scheduler *s = w->scheduler;
    if (settle(w, kind, joined, found))
        return true;
    if (!spin_begin(s))
        return false;
    uint64_t end_ns = clock_ns() + w->spin_ns;
    bool is_settled = false;
    do {
        spin_pause();
        is_settled = settle(w, kind, joined, found);
    } while (!is_settled && clock_ns() < end_ns);
    spin_end(s);
    return is_settled;
}

/* Spinning pays while work comes sooner than the spin would last; learn from how it went. */
static void learn_spin(struct sched_worker *w, uint64_t slept_ns)
{
    uint64_t most_ns = w->scheduler->spin_ns;
    if (slept_ns < 2 * most_ns)
        w->spin_ns = most_ns;
    else if (w->spin_ns > most_ns / 8) /* never nothing, or it would never learn again */
        w->spin_ns /= 2;
}

/* Sleeps, unless a last look settles the wait. False after a nap: somebody made work. */
static bool park(struct sched_worker *w, enum parking_kind kind, struct sched_task *joined,
                 struct sched_found *found)
{
    struct parking *p = &w->scheduler->parking;
    parking_prepare(p, w->index, kind);
    if (joined != NULL)
        leave_number(w, joined);
    if (settle(w, kind, joined, found)) {
        parking_cancel(p, w->index, kind);
        return true;
    }
    sched_count(&w->parked_total, 1);
    uint64_t slept_from_ns = clock_ns();
    parking_wait(p, w->index);
    learn_spin(w, clock_ns() - slept_from_ns);
    return false;
}

/* Work that came while this worker was searching woke nobody: if there is more of it than the
 * worker has found, the next one is woken now. */
static void chain(struct sched_worker *w, enum parking_kind kind)
{
    struct scheduler *s = w->scheduler;
    if (kind == PARKING_IDLE && !injector_is_empty(s->injector)) {
        parking_wake_one(&s->parking, PARKING_IDLE);
        return;
    }
    for (unsigned i = 0; i < s->worker_count; i++) {
        if (deque_has_public(&s->workers[i].deque)) {
            parking_wake_one(&s->parking, PARKING_JOIN);
            return;
        }
    }
}

struct sched_found sched_await(struct sched_worker *w, struct sched_task *joined)
{
    struct parking *p = &w->scheduler->parking;
    enum parking_kind kind = PARKING_IDLE;
    if (joined != NULL)
        kind = w->join_depth < JOIN_DEPTH_MAX ? PARKING_JOIN : PARKING_WAIT;
    struct sched_found found;
    parking_enter(p, kind);
    while (!spin(w, kind, joined, &found) && !park(w, kind, joined, &found))
        continue;
    if (parking_leave(p, kind) && kind != PARKING_WAIT && parking_is_hungry(p))
        chain(w, kind);
    return found;
}
