/* Tasks through a lane: filled in as slots come free, taken back in order. */
#include "config.h"

#include "wasm_priv.h"

#include <stdatomic.h>
#include <string.h>

#include "clock.h"

/* While nothing of the kind happens, whoever waits looks at its limits this often. */
enum { LOOK_NS = 50000000 };

static void count_end(struct wasm *w, const struct host_task *t)
{
    /* relaxed, here and below: totals for the monitor, which may see them late */
    atomic_fetch_add_explicit(&w->tasks_total, 1, memory_order_relaxed);
    if (t->copied != 0)
        atomic_fetch_add_explicit(&w->copied_bytes, t->copied, memory_order_relaxed);
    if (t->status == HOST_OK)
        return;
    enum wasm_trap trap;
    switch ((enum host_status)t->status) {
    case HOST_TRAP_MEMORY:
        trap = WASM_TRAP_memory;
        break;
    case HOST_TRAP_STACK:
        trap = WASM_TRAP_stack;
        break;
    case HOST_TRAP_CODE:
        trap = WASM_TRAP_code;
        break;
    case HOST_TRAP_MATH:
        trap = WASM_TRAP_math;
        break;
    case HOST_BAD_IMPORT:
        trap = WASM_TRAP_import;
        break;
    default:
        atomic_fetch_add_explicit(&w->failed_total, 1, memory_order_relaxed);
        return;
    }
    atomic_fetch_add_explicit(&w->traps_total[trap], 1, memory_order_relaxed);
}

/* What the process wrote, copied once; its numbers and its text are made safe. */
static void take_back(const struct host_task *slot, struct host_task *copy)
{
    memcpy(copy, slot, sizeof(*copy));
    copy->reason[HOST_REASON_BYTES - 1] = '\0';
    if (copy->status >= HOST_STATUS_COUNT)
        copy->status = HOST_INTERNAL;
}

enum wasm_outcome wasm_run(struct wasm_session *s, unsigned worker, const struct wasm_feed *feed)
{
    struct wasm_process *p = s->process;
    struct wasm *w = s->user->wasm;
    struct host_lane *lane = wasm_process_lane(p, worker);
    /* Both counters are ours to remember: what lies in the lane may be anything. */
    uint32_t *const count = &s->lanes[worker];
    uint32_t pushed = *count, done = *count;
    bool more = true;
    uint64_t started_ns = clock_ns();

    for (;;) {
        uint32_t before = pushed;
        while (more && pushed - done < HOST_LANE_TASKS) {
            struct host_task *slot = &lane->task[pushed % HOST_LANE_TASKS];
            more = feed->next(feed->ctx, slot);
            if (more)
                pushed++;
        }
        if (pushed != before)
            wasm_lane_push(lane, pushed);
        if (pushed == done)
            break;

        uint64_t until = feed->until(feed->ctx, started_ns), now = clock_ns();
        uint64_t wait_ns = until == 0 ? LOOK_NS : until > now ? until - now : 0;
        uint32_t seen = wasm_lane_wait(p, lane, done, wait_ns < LOOK_NS ? wait_ns : LOOK_NS);
        if (seen == done) {
            if (!wasm_process_alive(p)) {
                return WASM_DIED;
            }
            if (until != 0 && clock_ns() >= until) {
                /* release: pairs with wasm_was_killed() of those who find the process dead */
                atomic_store_explicit(&s->killed, true, memory_order_release);
                wasm_process_kill(p);
                atomic_fetch_add_explicit(&w->deadline_ends_total, 1, memory_order_relaxed);
                return WASM_OVERTIME;
            }
            continue;
        }
        if (seen - done > pushed - done) { /* it claims tasks that it never had */
            wasm_process_kill(p);
            return WASM_DIED;
        }
        for (; done != seen; done++) {
            struct host_task ended;
            take_back(&lane->task[done % HOST_LANE_TASKS], &ended);
            count_end(w, &ended);
            feed->ended(feed->ctx, &ended);
        }
        *count = done;
        started_ns = clock_ns();
    }
    return WASM_ALL_ENDED;
}
