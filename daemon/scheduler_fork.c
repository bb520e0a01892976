/* Splitting work inside a task: spawn and join, and ranges over them.
 *
 * The fast path of a spawn and its join is a push and a take of the deque's private part. Work
 * becomes public only when somebody is hungry, or when nothing is public, so that a worker that
 * falls idle in the middle of a long leaf finds at least the oldest task, which is the largest.
 */
#include "config.h"

#include "scheduler_priv.h"

#include <assert.h>
#include <stddef.h>

/* Kept out of line: inlined, their registers would be saved on the path that does not need them. */
#define COLD __attribute__((cold, noinline))

/* Shows work to thieves, and wakes one if all sleep. A worker that is just falling asleep may be
 * missed, for the spawner makes no fence; then the spawner runs the task itself, or offers again
 * at its next spawn, join or range. */
COLD static void offer(struct sched_worker *w)
{
    struct parking *p = &w->scheduler->parking;
    if (deque_public_is_empty(&w->deque))
        deque_publish(&w->deque);
    if (parking_is_hungry(p))
        parking_wake_one(p, PARKING_JOIN);
}

/* The deque is full: whoever has so much waiting needs no thief for this one. */
COLD static void run_at_once(struct sched_worker *w, struct sched_task *task)
{
    task->run(w, task);
    sched_count(&w->executed_total, 1);
    /* relaxed: this worker joins it itself. */
    atomic_store_explicit(&task->done, SCHED_TASK_DONE, memory_order_relaxed);
}

void sched_spawn(struct sched_worker *w, struct sched_task *task)
{
    /* relaxed: the deque publishes the task. */
    atomic_store_explicit(&task->done, SCHED_TASK_OPEN, memory_order_relaxed);
    if (!deque_push(&w->deque, task))
        run_at_once(w, task);
    else if (parking_is_hungry(&w->scheduler->parking) || deque_public_is_empty(&w->deque))
        offer(w);
}

/* The task was stolen: helps others until the thief has done it. */
COLD static void join_stolen(struct sched_worker *w, struct sched_task *task)
{
    for (;;) {
        /* acquire: see what the task wrote. Pairs with the exchange in sched_run(). */
        if (atomic_load_explicit(&task->done, memory_order_acquire) == SCHED_TASK_DONE)
            return;
        struct sched_found found = sched_await(w, task);
        if (found.task != NULL) {
            w->join_depth++;
            sched_run(w, found);
            w->join_depth--;
        }
    }
}

void sched_join(struct sched_worker *w, struct sched_task *task)
{
    /* Already true only for a task that found no room; asked first, as the deque's newest is
     * then another one. acquire: as in join_stolen(). */
    if (atomic_load_explicit(&task->done, memory_order_acquire) == SCHED_TASK_DONE)
        return;
    struct sched_task *newest = deque_take(&w->deque);
    if (newest == NULL) {
        join_stolen(w, task);
        return;
    }
    assert(newest == task); /* else tasks are not joined in reverse order */
    if (parking_is_hungry(&w->scheduler->parking))
        offer(w);
    task->run(w, task);
    sched_count(&w->executed_total, 1);
    /* relaxed: nobody else looks at a task that was not stolen. */
    atomic_store_explicit(&task->done, SCHED_TASK_DONE, memory_order_relaxed);
}

/* What all ranges of one sched_for() share. */
struct loop {
    size_t grain;
    sched_range_fn *fn;
    void *ctx;
};

struct range {
    struct sched_task task; /* first: the scheduler sees only this */
    const struct loop *loop;
    size_t begin, end;
};

static void range_run(struct sched_worker *w, const struct loop *loop, size_t begin, size_t end);

static void range_task(struct sched_worker *w, struct sched_task *task)
{
    struct range *r = (struct range *)task;
    range_run(w, r->loop, r->begin, r->end);
}

/* Somebody is hungry, and what this worker offered before has been taken. */
static bool is_robbed(const struct sched_worker *w)
{
    return parking_is_hungry(&w->scheduler->parking) && deque_public_is_empty(&w->deque);
}

/* Gives away the later half, in whole grains; recursion is no deeper than the halvings. */
static void range_split(struct sched_worker *w, const struct loop *loop, size_t begin, size_t end)
{
    size_t grain_count = (end - begin) / loop->grain;
    size_t middle = begin + grain_count / 2 * loop->grain;
    struct range later = {{range_task, 0}, loop, middle, end};
    sched_count(&w->split_total, 1);
    sched_spawn(w, &later.task);
    range_run(w, loop, begin, middle);
    sched_join(w, &later.task);
}

static void range_run(struct sched_worker *w, const struct loop *loop, size_t begin, size_t end)
{
    while ((end - begin) / 2 >= loop->grain) {
        if (is_robbed(w) && !deque_has_private(&w->deque)) {
            range_split(w, loop, begin, end);
            return;
        }
        if (is_robbed(w))
            offer(w); /* an older task waits unseen: larger, and split already */
        loop->fn(w, loop->ctx, begin, begin + loop->grain);
        begin += loop->grain;
    }
    /* Less than two grains: the remainder makes the last one longer, never a short one. */
    if (begin < end)
        loop->fn(w, loop->ctx, begin, end);
}

void sched_for(struct sched_worker *w, size_t count, size_t grain, sched_range_fn *fn, void *ctx)
{
    struct loop loop = {grain != 0 ? grain : 1, fn, ctx};
    range_run(w, &loop, 0, count);
}
