/* Partners: the threads that run tasks.
 *
 * A lane has one producer and one consumer, each with its own counter. The one that finds nothing
 * to do says so in its *_sleeps and looks once more; the one that moves a counter looks at the
 * other's *_sleeps afterwards. Both do the two steps sequentially consistent, so one of them sees
 * the other.
 *
 * Looking before sleeping saves the wake-up, some 20 us, while tasks follow each other. How long it
 * pays is learnt: a look that found something doubles the time, one in vain halves it.
 */
#include "config.h"

#include "partner.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "call.h"
#include "engine.h"
#include "instance.h"
#include "reason.h"

enum { SPIN_LEAST_NS = 1000, PAUSES = 64 };

struct partners {
    uint32_t count;
    pthread_mutex_t lock; /* guards the two below */
    pthread_cond_t gate;
    uint32_t arrived; /* threads at the gate */
    int going;
    struct partner *partner;
};

/* The exception to "no global state": a signal handler has no other way to its thread's partner. */
static _Thread_local struct partner *self __attribute__((tls_model("initial-exec")));

struct partner *partner_self(void)
{
    return self;
}

/* Shared futexes: the worker on the other end is in another process. */
static void futex_wait(_Atomic uint32_t *word, uint32_t expected)
{
    syscall(SYS_futex, word, FUTEX_WAIT, expected, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void pause_briefly(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

void partner_finish(struct partner *p)
{
    struct host_lane *lane = p->lane;

    p->task = NULL;
    p->done++;
    /* seq_cst: publishes the slot's second half to the worker's acquire load of done, and is not
     * swapped with the exchange below: a worker that we find awake will see it. */
    atomic_store_explicit(&lane->done, p->done, memory_order_seq_cst);
    /* seq_cst: pairs with the worker's store of worker_sleeps before its last look at done. */
    if (atomic_exchange_explicit(&lane->worker_sleeps, 0, memory_order_seq_cst) != 0)
        futex_wake(&lane->done);
}

/* ---- waiting ---- */

static bool has_task(const struct partner *p)
{
    /* acquire: the slot was filled before pushed moved; pairs with the worker's store of pushed. */
    return atomic_load_explicit(&p->lane->pushed, memory_order_acquire) != p->done;
}

/* Looks for a while. Returns whether a task came. */
static bool look(struct partner *p)
{
    uint32_t most = p->house->spin_ns;

    if (most == 0)
        return false;
    uint64_t end_ns = now_ns() + p->spin_ns;
    do {
        for (int i = 0; i < PAUSES; i++) {
            if (has_task(p)) {
                p->spin_ns = p->spin_ns > most / 2 ? most : 2 * p->spin_ns;
                return true;
            }
            pause_briefly();
        }
    } while (now_ns() < end_ns);
    p->spin_ns = p->spin_ns / 2 > SPIN_LEAST_NS ? p->spin_ns / 2 : SPIN_LEAST_NS;
    return false;
}

/* Returns when there is a task, or when somebody nudged. */
static void await(struct partner *p)
{
    struct host_lane *lane = p->lane;

    if (has_task(p) || look(p))
        return;
    /* seq_cst, then a seq_cst load: not swapped, so that of the worker's move of pushed and our
     * going to sleep one is seen by the other. Pairs with the worker's exchange of
     * partner_sleeps. */
    atomic_store_explicit(&lane->partner_sleeps, 1, memory_order_seq_cst);
    if (atomic_load_explicit(&lane->pushed, memory_order_seq_cst) == p->done)
        futex_wait(&lane->pushed, p->done);
    /* relaxed: at worst the worker wakes somebody who is awake. */
    atomic_store_explicit(&lane->partner_sleeps, 0, memory_order_relaxed);
}

/* ---- running ---- */

static void run_one(struct partner *p)
{
    struct host_task *task = &p->lane->task[p->done % HOST_LANE_TASKS];

    task->status = HOST_OK;
    task->value = 0;
    task->copied = 0;
    memset(&task->result, 0, sizeof task->result);
    task->reason[0] = '\0';
    p->task = task;
    switch (task->kind) {
    case HOST_TASK_KERNEL:
        kernel_run(p, task);
        break;
    case HOST_TASK_CALL:
    case HOST_TASK_UNITS:
    case HOST_TASK_SHAPE:
        call_run(p, task);
        break;
    default:
        task->status = HOST_INTERNAL;
        reason_format(task->reason, "no kind of task: %u", task->kind);
    }
    partner_finish(p);
}

static void *partner_main(void *arg)
{
    struct partner *p = arg;
    struct partners *all = p->all;

    self = p;
    pthread_mutex_lock(&all->lock);
    all->arrived++;
    pthread_cond_broadcast(&all->gate);
    while (!all->going)
        pthread_cond_wait(&all->gate, &all->lock);
    pthread_mutex_unlock(&all->lock);
    p->spin_ns = p->house->spin_ns;
    /* Tasks of a process that went away before may be under way: begin where it ended. */
    p->done = atomic_load_explicit(&p->lane->done, memory_order_relaxed);
    for (;;) {
        await(p);
        /* before a task: the number it names may belong to another module by now */
        uint32_t drops = modules_drops(p->house->modules);
        if (drops != p->drops_seen) {
            p->drops_seen = drops;
            instances_sweep(p);
        }
        if (has_task(p))
            run_one(p);
    }
    return NULL;
}

/* ---- all of them ---- */

static int start_one(struct partner *p)
{
    pthread_attr_t attr;
    pthread_t thread;

    int err = -pthread_attr_init(&attr);
    if (err < 0)
        return err;
    err = -pthread_attr_setstacksize(&attr, ENGINE_THREAD_STACK);
    if (err == 0)
        err = -pthread_create(&thread, &attr, partner_main, p);
    pthread_attr_destroy(&attr);
    return err;
}

int partners_start(struct partners **out, struct house *house, struct host_lane *lanes,
                   uint32_t count)
{
    struct partners *all = calloc(1, sizeof *all);
    if (all == NULL)
        return -ENOMEM;
    all->partner = calloc(count, sizeof *all->partner);
    if (all->partner == NULL) {
        free(all);
        return -ENOMEM;
    }
    pthread_mutex_init(&all->lock, NULL);
    pthread_cond_init(&all->gate, NULL);
    for (; all->count < count; all->count++) {
        struct partner *p = &all->partner[all->count];
        p->all = all;
        p->house = house;
        p->lane = &lanes[all->count];
        /* Threads cannot be taken back; who cannot have all of them ends the process. */
        int err = start_one(p);
        if (err < 0)
            return err;
    }
    /* Their first steps take system calls that the filters, which come next, refuse. */
    pthread_mutex_lock(&all->lock);
    while (all->arrived < count)
        pthread_cond_wait(&all->gate, &all->lock);
    pthread_mutex_unlock(&all->lock);
    *out = all;
    return 0;
}

void partners_go(struct partners *all)
{
    pthread_mutex_lock(&all->lock);
    all->going = 1;
    pthread_cond_broadcast(&all->gate);
    pthread_mutex_unlock(&all->lock);
}

void partners_nudge(struct partners *all)
{
    for (uint32_t i = 0; i < all->count; i++)
        futex_wake(&all->partner[i].lane->pushed);
}
