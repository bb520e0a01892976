/* What the core parts cost: rings, deque, spawn and join, ranges, wake-ups.
 *
 *     bench_core [ROUNDS]        each figure is the median of so many rounds; 9 unless given
 *
 * Prints the TSV rows that tsv.h tells of. Every result is checked; a wrong one ends the program
 * with 1. Other libraries' rings and schedulers are measured by programs of their own; the peer
 * here is the bare futex.
 */
#include "config.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench/tsv.h"
#include "clock.h"
#include "deque.h"
#include "ring.h"
#include "scheduler.h"

enum { ROUNDS_MAX = 101 };

static unsigned round_count = 9;

static void row(const char *name, double ours, const char *unit)
{
    const struct tsv_case c = {"core", name, unit, TSV_MORE, round_count, 0};
    tsv_row(&c, ours, NULL, 0);
}

/* --- rings --- */

struct flow {
    struct ring_spsc *spsc; /* one of the two */
    struct ring_mpmc *mpmc;
    size_t item_count; /* per producer */
    _Atomic size_t left_count;
    _Atomic uint64_t sum; /* of the items that came out */
    pthread_barrier_t start;
};

static void *spsc_produce(void *arg)
{
    struct flow *f = arg;
    pthread_barrier_wait(&f->start);
    for (size_t i = 1; i <= f->item_count; i++) {
        while (ring_spsc_push(f->spsc, (void *)(uintptr_t)i) < 0)
            continue;
    }
    return NULL;
}

static void *spsc_consume(void *arg)
{
    struct flow *f = arg;
    uint64_t sum = 0;
    pthread_barrier_wait(&f->start);
    for (size_t i = 0; i < f->item_count;) {
        void *x = ring_spsc_pop(f->spsc);
        i += x != NULL;
        sum += (uintptr_t)x;
    }
    atomic_fetch_add(&f->sum, sum);
    return NULL;
}

static void *mpmc_produce(void *arg)
{
    struct flow *f = arg;
    pthread_barrier_wait(&f->start);
    for (size_t i = 1; i <= f->item_count; i++) {
        for (unsigned tries = 0; ring_mpmc_push(f->mpmc, (void *)(uintptr_t)i) < 0; tries++) {
            if (tries % 64 == 63)
                sched_yield(); /* more threads than CPUs */
        }
    }
    return NULL;
}

static void *mpmc_consume(void *arg)
{
    struct flow *f = arg;
    uint64_t sum = 0;
    pthread_barrier_wait(&f->start);
    for (unsigned tries = 0;;) {
        void *x = ring_mpmc_pop(f->mpmc);
        if (x == (void *)UINTPTR_MAX)
            break;
        sum += (uintptr_t)x;
        if (x == NULL && ++tries % 64 == 0)
            sched_yield();
    }
    atomic_fetch_add(&f->sum, sum);
    return NULL;
}

/* Items per second through the ring, in millions. */
static double flow_run(struct flow *f, unsigned pair_count)
{
    pthread_t producers[4], consumers[4];
    bool is_mpmc = f->mpmc != NULL;
    atomic_store(&f->sum, 0);
    pthread_barrier_init(&f->start, NULL, 2 * pair_count + 1);
    for (unsigned i = 0; i < pair_count; i++) {
        int err = pthread_create(&producers[i], NULL, is_mpmc ? mpmc_produce : spsc_produce, f);
        tsv_check(err == 0, "no producer");
        err = pthread_create(&consumers[i], NULL, is_mpmc ? mpmc_consume : spsc_consume, f);
        tsv_check(err == 0, "no consumer");
    }
    pthread_barrier_wait(&f->start);
    uint64_t start_ns = clock_ns();
    for (unsigned i = 0; i < pair_count; i++)
        pthread_join(producers[i], NULL);
    for (unsigned i = 0; is_mpmc && i < pair_count; i++) {
        while (ring_mpmc_push(f->mpmc, (void *)UINTPTR_MAX) < 0) /* the end */
            sched_yield();
    }
    for (unsigned i = 0; i < pair_count; i++)
        pthread_join(consumers[i], NULL);
    uint64_t ns = clock_ns() - start_ns;
    pthread_barrier_destroy(&f->start);
    uint64_t n = f->item_count;
    tsv_check(atomic_load(&f->sum) == pair_count * (n * (n + 1) / 2), "items lost in a ring");
    return (double)(pair_count * n) * 1e3 / (double)ns;
}

static void bench_flow(const char *name, bool is_mpmc, unsigned pair_count, size_t item_count)
{
    double rates[ROUNDS_MAX];
    for (unsigned i = 0; i < round_count; i++) {
        struct flow f = {.item_count = item_count};
        tsv_check((is_mpmc ? ring_mpmc_new(&f.mpmc, 4096) : ring_spsc_new(&f.spsc, 4096)) == 0,
                  "no ring");
        rates[i] = flow_run(&f, pair_count);
        ring_spsc_free(f.spsc);
        ring_mpmc_free(f.mpmc);
    }
    row(name, tsv_median(rates, round_count), "Mitems/s");
}

/* --- deque --- */

static void bench_deque(const char *name, size_t burst)
{
    static const size_t PAIRS = 1 << 22;
    double times[ROUNDS_MAX];
    for (unsigned r = 0; r < round_count; r++) {
        struct deque d;
        uint64_t sum = 0, expected = 0;
        tsv_check(deque_init(&d, 1024) == 0, "no deque");
        uint64_t start_ns = clock_ns();
        for (size_t i = 0; i < PAIRS; i += burst) {
            for (size_t j = 1; j <= burst; j++)
                deque_push(&d, (void *)(uintptr_t)(i + j));
            for (size_t j = 0; j < burst; j++)
                sum += (uintptr_t)deque_take(&d);
        }
        times[r] = (double)(clock_ns() - start_ns) / (double)PAIRS;
        for (uint64_t i = 1; i <= PAIRS; i++)
            expected += i;
        tsv_check(sum == expected, "items lost in the deque");
        deque_fini(&d);
    }
    row(name, tsv_median(times, round_count), "ns");
}

/* --- tasks --- */

/* Runs `body` on a worker and returns how long it took there, in ns. */
struct job {
    struct sched_task task; /* first */
    void (*body)(struct sched_worker *w, void *ctx);
    void *ctx;
    double ns;
    sem_t done;
};

static void job_run(struct sched_worker *w, struct sched_task *task)
{
    struct job *job = (struct job *)task;
    uint64_t start_ns = clock_ns();
    job->body(w, job->ctx);
    job->ns = (double)(clock_ns() - start_ns);
    sem_post(&job->done);
}

static double run_on(struct scheduler *s, void (*body)(struct sched_worker *, void *), void *ctx)
{
    struct job job = {.task = {.run = job_run}, .body = body, .ctx = ctx};
    sem_init(&job.done, 0, 0);
    tsv_check(sched_submit(s, &job.task, SCHED_LANE_NORMAL) == 0, "not submitted");
    while (sem_wait(&job.done) != 0)
        tsv_check(errno == EINTR, "no semaphore");
    sem_destroy(&job.done);
    return job.ns;
}

static struct scheduler *scheduler(unsigned worker_count, uint64_t spin_ns)
{
    struct scheduler *s = NULL;
    struct sched_config cfg = {
        .worker_count = worker_count, .injector_capacity = 1024, .spin_ns = spin_ns};
    tsv_check(sched_new(&s, &cfg) == 0, "no scheduler");
    return s;
}

struct fib {
    struct sched_task task; /* first */
    unsigned n;
    uint64_t result;
};

static void fib_run(struct sched_worker *w, struct sched_task *task);

static uint64_t fib(struct sched_worker *w, unsigned n)
{
    if (n < 2)
        return n;
    struct fib other;
    other.task.run = fib_run; /* the rest is set by sched_spawn() and fib_run() */
    other.n = n - 2;
    sched_spawn(w, &other.task);
    uint64_t result = fib(w, n - 1);
    sched_join(w, &other.task);
    return result + other.result;
}

static void fib_run(struct sched_worker *w, struct sched_task *task)
{
    struct fib *f = (struct fib *)task;
    f->result = fib(w, f->n);
}

static void fib_body(struct sched_worker *w, void *ctx)
{
    fib_run(w, ctx);
}

static void bench_fib(const char *name, unsigned worker_count)
{
    double times[ROUNDS_MAX];
    struct scheduler *s = scheduler(worker_count, 20000);
    for (unsigned r = 0; r < round_count; r++) {
        struct fib f = {.n = 30};
        times[r] = run_on(s, fib_body, &f) / 1346268; /* fib(31) - 1 spawns */
        tsv_check(f.result == 832040, "fib(30)");
    }
    sched_free(s);
    row(name, tsv_median(times, round_count), "ns/task");
}

/* --- ranges --- */

struct work {
    size_t count, grain;
    const uint32_t *spins; /* per index; NULL: one step each */
    uint32_t *out;
};

static uint32_t steps(uint32_t x, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        x = x * 1664525u + 1013904223u;
    return x;
}

static void work_range(struct sched_worker *w, void *ctx, size_t begin, size_t end)
{
    (void)w;
    const struct work *k = ctx;
    for (size_t i = begin; i < end; i++)
        k->out[i] = steps((uint32_t)i, k->spins != NULL ? k->spins[i] : 4);
}

static void work_body(struct sched_worker *w, void *ctx)
{
    const struct work *k = ctx;
    sched_for(w, k->count, k->grain, work_range, ctx);
}

/* The serial loop's time over twice the time on two workers, measured in turn. */
static void bench_for(const char *name, size_t count, size_t grain, const uint32_t *spins)
{
    double ratios[ROUNDS_MAX];
    uint32_t *serial = calloc(count, sizeof *serial), *shared = calloc(count, sizeof *shared);
    tsv_check(serial != NULL && shared != NULL, "no memory");
    struct scheduler *s = scheduler(2, 20000);
    struct work k = {count, grain, spins, shared};
    run_on(s, work_body, &k);
    for (unsigned r = 0; r < round_count; r++) {
        struct work one = {count, grain, spins, serial};
        uint64_t start_ns = clock_ns();
        work_range(NULL, &one, 0, count);
        double serial_ns = (double)(clock_ns() - start_ns);
        ratios[r] = serial_ns / (2 * run_on(s, work_body, &k));
        tsv_check(memcmp(serial, shared, count * sizeof *serial) == 0, "ranges");
    }
    sched_free(s);
    free(serial);
    free(shared);
    row(name, tsv_median(ratios, round_count), "efficiency");
}

/* --- wake-ups --- */

struct alarm_task {
    struct sched_task task; /* first */
    _Atomic uint64_t ran_ns;
};

static void alarm_run(struct sched_worker *w, struct sched_task *task)
{
    (void)w;
    atomic_store(&((struct alarm_task *)task)->ran_ns, clock_ns());
}

/* The bare thing: one word, one thread that sleeps on it. */
struct bare {
    _Atomic uint32_t bell; /* 0, 1: wake up, 2: end */
    _Atomic uint64_t ran_ns;
};

static void *bare_main(void *arg)
{
    struct bare *b = arg;
    for (;;) {
        uint32_t bell;
        while ((bell = atomic_load(&b->bell)) == 0)
            syscall(SYS_futex, &b->bell, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
        if (bell == 2)
            return NULL;
        atomic_store(&b->bell, 0);
        atomic_store(&b->ran_ns, clock_ns());
    }
}

static void bare_ring(struct bare *b, uint32_t bell)
{
    atomic_store(&b->bell, bell);
    syscall(SYS_futex, &b->bell, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* How long until *ran_ns is set, from start_ns on. */
static double await_ns(_Atomic uint64_t *ran_ns, uint64_t start_ns)
{
    uint64_t at_ns;
    while ((at_ns = atomic_load(ran_ns)) == 0)
        continue;
    return at_ns > start_ns ? (double)(at_ns - start_ns) : 0;
}

static void bench_wake(const char *name, uint64_t idle_ns, uint64_t spin_ns)
{
    enum { WAKES = 400 };
    static double ours[WAKES], peers[WAKES];
    struct scheduler *s = scheduler(1, spin_ns);
    struct bare b = {0, 0};
    pthread_t thread;
    tsv_check(pthread_create(&thread, NULL, bare_main, &b) == 0, "no thread");
    struct timespec nap = {0, (long)idle_ns};
    for (unsigned i = 0; i < WAKES; i++) {
        struct alarm_task t = {.task = {.run = alarm_run}};
        nanosleep(&nap, NULL);
        uint64_t start_ns = clock_ns();
        tsv_check(sched_submit(s, &t.task, SCHED_LANE_NORMAL) == 0, "not submitted");
        ours[i] = await_ns(&t.ran_ns, start_ns);
        nanosleep(&nap, NULL);
        atomic_store(&b.ran_ns, 0);
        start_ns = clock_ns();
        bare_ring(&b, 1);
        peers[i] = await_ns(&b.ran_ns, start_ns);
    }
    bare_ring(&b, 2);
    pthread_join(thread, NULL);
    sched_free(s);
    double mine = tsv_median(ours, WAKES), bare = tsv_median(peers, WAKES);
    const struct tsv_case c = {"core", name, "ns", TSV_LESS, WAKES, 0};
    tsv_row(&c, mine, "bare futex", bare);
}

int main(int argc, char **argv)
{
    if (argc > 1)
        round_count = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2 || round_count == 0 || round_count > ROUNDS_MAX) {
        fprintf(stderr, "usage: bench_core [ROUNDS 1..%d]\n", ROUNDS_MAX);
        return 2;
    }
    bench_flow("ring, spsc", false, 1, 20000000);
    bench_flow("ring, mpmc 1p1c", true, 1, 10000000);
    bench_flow("ring, mpmc 2p2c", true, 2, 2000000);
    bench_deque("deque, push and take by 1", 1);
    bench_deque("deque, push and take by 64", 64);
    bench_fib("spawn and join, fib(30), 1 worker", 1);
    bench_fib("spawn and join, fib(30), 2 workers", 2);
    bench_for("ranges, 1 M light, grain 256", 1000000, 256, NULL);
    uint32_t pieces[64];
    for (uint32_t i = 0; i < 64; i++) /* 64 uneven pieces, the longest 32 times the shortest */
        pieces[i] = 20000 * (1 + i * 37 % 64 / 2);
    bench_for("ranges, 64 uneven pieces", 64, 1, pieces);
    bench_wake("wake-up, parked for 1 ms", 1000000, 0);
    bench_wake("wake-up, parked after spinning, 1 ms", 1000000, 20000);
    bench_wake("wake-up, spinning for 20 us", 20000, 1000000);
    return 0;
}
