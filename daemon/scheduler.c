/* The scheduler's life: workers, submitting, statistics.
 *
 * Idle workers take submitted tasks before they steal: to start another job on a free core is
 * cheaper than to split one that runs. Inside a job only ranges that somebody asked for are
 * split, so when there are more jobs than workers nothing is split at all.
 *
 * Left out on purpose: growing and shrinking the set of workers, and pinning them to CPUs. A
 * worker that sleeps costs nothing, and the kernel knows who else runs here.
 */
#include "config.h"

#include "scheduler.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "cpus.h"
#include "scheduler_priv.h"

static const unsigned WORKERS_MAX = 4096;
static const size_t DEQUE_CAPACITY = 1024; /* 8 KiB; a worker with more waiting needs no thief */
static const size_t STACK_BYTES = 512 * 1024; /* touched as far as it is used */

static void *worker_main(void *arg)
{
    struct sched_worker *w = arg;
    struct scheduler *s = w->scheduler;
    if (s->thread_start != NULL)
        s->thread_start(s->user, w->index);
    uint64_t started_ns = clock_ns();
    for (;;) {
        struct sched_found found = sched_look(w);
        if (found.task == NULL) {
            found = sched_await(w, NULL);
            if (found.task == NULL)
                break;
            started_ns = clock_ns();
        }
        sched_run(w, found);
        /* One clock read per task in a row of tasks: this one's end is the next one's start. */
        uint64_t ended_ns = clock_ns();
        sched_count(&w->busy_ns, ended_ns - started_ns);
        started_ns = ended_ns;
    }
    if (s->thread_stop != NULL)
        s->thread_stop(s->user, w->index);
    return NULL;
}

void sched_run(struct sched_worker *w, struct sched_found found)
{
    struct sched_task *task = found.task;
    task->run(w, task);
    sched_count(&w->executed_total, 1);
    if (!found.is_stolen)
        return; /* its memory may be another's by now */
    /* acq_rel: what the task wrote is visible to the joiner, pairs with the loads of done in
     * scheduler_wait.c and scheduler_fork.c; and the seat of a sleeping joiner is visible here,
     * pairs with the exchange in leave_number(). */
    uint32_t was = atomic_exchange_explicit(&task->done, SCHED_TASK_DONE, memory_order_acq_rel);
    if (was >= SCHED_TASK_WAITER)
        parking_wake_seat(&w->scheduler->parking, was - SCHED_TASK_WAITER);
}

/* Starts w's thread with all signals blocked: they are the loop's. */
static int worker_start(struct sched_worker *w)
{
    pthread_attr_t attr;
    int err = pthread_attr_init(&attr);
    if (err != 0)
        return -err;
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    err = pthread_attr_setstacksize(&attr, STACK_BYTES);
    if (err == 0)
        err = pthread_create(&w->thread, &attr, worker_main, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (err != 0)
        return -err;
    char name[16]; /* what Linux takes, with the NUL */
    snprintf(name, sizeof name, "simdd-w%u", w->index);
    pthread_setname_np(w->thread, name);
    return 0;
}

/* How many may spin at a time: with a worker on each CPU one, so that spinning never takes a CPU
 * that a busy thread could have; on a single CPU whoever spins delays what it waits for. */
static unsigned spinners_allowed(unsigned worker_count, uint64_t spin_ns)
{
    unsigned cpu_count = cpus_available();
    if (spin_ns == 0 || cpu_count == 1)
        return 0;
    return worker_count >= cpu_count ? 1 : worker_count;
}

static int workers_init(struct scheduler *s)
{
    size_t bytes = s->worker_count * sizeof s->workers[0];
    s->workers = aligned_alloc(_Alignof(struct sched_worker), bytes);
    if (s->workers == NULL)
        return -ENOMEM;
    memset(s->workers, 0, bytes);
    for (unsigned i = 0; i < s->worker_count; i++) {
        struct sched_worker *w = &s->workers[i];
        w->scheduler = s;
        w->index = i;
        w->spin_ns = s->spin_ns;
        w->random_state = i + 1;
        int err = deque_init(&w->deque, DEQUE_CAPACITY);
        if (err < 0)
            return err;
    }
    return 0;
}

/* Ends the workers that run, and frees what there is. */
static void sched_destroy(struct scheduler *s)
{
    /* release: what was submitted before is seen with it; pairs with is_over(). */
    atomic_store_explicit(&s->stopping, true, memory_order_release);
    if (s->parking.seats != NULL)
        parking_wake_all(&s->parking);
    for (unsigned i = 0; i < s->started_count; i++)
        pthread_join(s->workers[i].thread, NULL);
    for (unsigned i = 0; s->workers != NULL && i < s->worker_count; i++)
        deque_fini(&s->workers[i].deque);
    free(s->workers);
    parking_fini(&s->parking);
    injector_free(s->injector);
    free(s);
}

int sched_new(struct scheduler **out, const struct sched_config *cfg)
{
    if (cfg->worker_count == 0 || cfg->worker_count > WORKERS_MAX)
        return -EINVAL;
    struct scheduler *s = aligned_alloc(_Alignof(struct scheduler), sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    memset(s, 0, sizeof *s);
    s->worker_count = cfg->worker_count;
    s->spinners_max = spinners_allowed(cfg->worker_count, cfg->spin_ns);
    s->spin_ns = cfg->spin_ns;
    s->thread_start = cfg->thread_start;
    s->thread_stop = cfg->thread_stop;
    s->user = cfg->user;
    atomic_init(&s->spinner_count, 0);
    atomic_init(&s->stopping, false);

    int err = injector_new(&s->injector, SCHED_LANE_COUNT, cfg->injector_capacity);
    if (err < 0)
        goto fail;
    if ((err = parking_init(&s->parking, s->worker_count)) < 0)
        goto fail;
    if ((err = workers_init(s)) < 0)
        goto fail;
    for (; s->started_count < s->worker_count; s->started_count++) {
        if ((err = worker_start(&s->workers[s->started_count])) < 0)
            goto fail;
    }
    *out = s;
    return 0;
fail:
    sched_destroy(s);
    return err;
}

void sched_free(struct scheduler *s)
{
    if (s != NULL)
        sched_destroy(s);
}

int sched_submit(struct scheduler *s, struct sched_task *task, enum sched_lane lane)
{
    int err = injector_push(s->injector, lane, task);
    if (err < 0)
        return err;
    parking_wake_one(&s->parking, PARKING_IDLE);
    return 0;
}

bool sched_has_idle(const struct scheduler *s)
{
    return parking_crowd(&s->parking, PARKING_IDLE) != 0;
}

unsigned sched_worker_index(const struct sched_worker *w)
{
    return w->index;
}

struct scheduler *sched_worker_scheduler(const struct sched_worker *w)
{
    return w->scheduler;
}

/* relaxed: see sched_count(). */
static uint64_t counted(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void sched_stats(const struct scheduler *s, struct sched_stats *out)
{
    struct sched_stats sum = {.worker_count = s->worker_count};
    for (unsigned i = 0; i < s->worker_count; i++) {
        const struct sched_worker *w = &s->workers[i];
        sum.executed_total += counted(&w->executed_total);
        sum.stolen_total += counted(&w->stolen_total);
        sum.split_total += counted(&w->split_total);
        sum.parked_total += counted(&w->parked_total);
        sum.busy_ns += counted(&w->busy_ns);
    }
    sum.woken_total = counted(&s->parking.woken_total);
    sum.parked = parking_parked(&s->parking);
    *out = sum;
}
