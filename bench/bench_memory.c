/* What the pool and the result cache cost, and how well the cache chooses.
 *
 *     bench_memory [ROUNDS]          pool beside malloc and what other allocators are installed;
 *                                    cache operations; medians of so many rounds, 9 unless given
 *     bench_memory --trace FILE...   hit ratios on traces of little-endian uint32 ids; - is stdin
 *
 * Prints the TSV rows that tsv.h tells of. Ours and the peers run in turn in each round. What is
 * timed is checked first; a wrong result ends the program with 1.
 */
#include "config.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench/cache_sim.h"
#include "bench/tsv.h"
#include "cache.h"
#include "clock.h"
#include "pool.h"
#include "ring.h"

enum { ROUNDS_MAX = 101, HEAPS_MAX = 6 };

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/* --- heaps --- */

/* Our pool, or a malloc. */
struct heap {
    const char *name;
    struct pool *pool; /* NULL: a peer */
    void *(*malloc)(size_t bytes);
    void (*free)(void *block);
};

/* One thread's way into a heap. */
struct door {
    const struct heap *heap;
    struct pool_local *local;
};

static struct door door_open(const struct heap *heap)
{
    struct door d = {.heap = heap};
    if (heap->pool)
        tsv_check(pool_local_new(&d.local, heap->pool) == 0, "no local");
    return d;
}

static void door_close(struct door *d)
{
    pool_local_free(d->local);
}

static inline void *take(const struct door *d, size_t bytes)
{
    return d->local ? pool_take(d->local, bytes) : d->heap->malloc(bytes);
}

static inline void give(const struct door *d, void *block, size_t bytes)
{
    if (d->local)
        pool_give(d->local, block, bytes);
    else
        d->heap->free(block);
}

/* Ours first, then glibc's, then what else is installed. Returns how many. */
static size_t heaps_open(struct heap heaps[static HEAPS_MAX])
{
    static const struct {
        const char *name, *file, *malloc, *free;
    } others[] = {
        {"jemalloc", "libjemalloc.so.2", "malloc", "free"},
        {"mimalloc", "libmimalloc.so.2", "mi_malloc", "mi_free"},
        {"tcmalloc", "libtcmalloc_minimal.so.4", "tc_malloc", "tc_free"},
        {"tbbmalloc", "libtbbmalloc.so.2", "scalable_malloc", "scalable_free"},
    };
    size_t count = 2;
    heaps[0] = (struct heap){.name = "pool"};
    tsv_check(pool_new(&heaps[0].pool, (size_t)1 << 32, (size_t)256 << 20) == 0, "no pool");
    heaps[1] = (struct heap){.name = "malloc", .malloc = malloc, .free = free};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        void *lib = dlopen(others[i].file, RTLD_NOW | RTLD_LOCAL);
        if (!lib) {
            tsv_skip(others[i].name, "no library");
            continue;
        }
        struct heap *h = &heaps[count];
        h->name = others[i].name;
        h->pool = NULL;
        /* POSIX's way round ISO C, which has no cast from object to function pointers */
        *(void **)&h->malloc = dlsym(lib, others[i].malloc);
        *(void **)&h->free = dlsym(lib, others[i].free);
        count += h->malloc && h->free;
    }
    return count;
}

/* --- pool cases: nanoseconds per take and give --- */

/* The size is not to be known to the compiler: a pool asked for constants would be faster still. */
static volatile size_t same_bytes = 1024;

static double run_same_size(const struct heap *heap)
{
    enum { PAIRS = 10000 };
    struct door d = door_open(heap);
    size_t bytes = same_bytes;
    uint64_t began_ns = 0;
    for (int pass = 0; pass < 2; pass++) { /* the first warms up */
        began_ns = clock_ns();
        for (int i = 0; i < PAIRS; i++) {
            volatile char *block = take(&d, bytes);
            *block = 1;
            give(&d, (void *)(uintptr_t)block, bytes);
        }
    }
    double ns = (double)(clock_ns() - began_ns) / (double)PAIRS;
    door_close(&d);
    return ns;
}

enum { LIVE = 1000, STEPS = 100000 };

struct step {
    uint32_t slot, bytes;
};

static struct step steps[STEPS];

/* Any size from 64 to 65536, each power of two as likely as the others. */
static void make_steps(void)
{
    for (uint32_t i = 0; i < STEPS; i++) {
        uint64_t r = mix(i);
        uint32_t base = (uint32_t)64 << (r % 10);
        steps[i] = (struct step){
            .slot = (uint32_t)(mix(r) % LIVE),
            .bytes = base + (uint32_t)(mix(r + 1) % (base + 1)),
        };
    }
}

static double run_mixed(const struct heap *heap)
{
    static void *live[LIVE];
    static uint32_t live_bytes[LIVE];
    struct door d = door_open(heap);
    uint64_t began_ns = 0;
    for (int pass = 0; pass < 2; pass++) {
        began_ns = clock_ns();
        for (size_t i = 0; i < STEPS; i++) {
            uint32_t slot = steps[i].slot;
            if (live[slot])
                give(&d, live[slot], live_bytes[slot]);
            live[slot] = take(&d, steps[i].bytes);
            live_bytes[slot] = steps[i].bytes;
            *(volatile char *)live[slot] = 1;
        }
    }
    double ns = (double)(clock_ns() - began_ns) / (double)STEPS;
    for (size_t slot = 0; slot < LIVE; slot++) {
        if (live[slot])
            give(&d, live[slot], live_bytes[slot]);
        live[slot] = NULL;
    }
    door_close(&d);
    return ns;
}

enum { CROSS_BLOCKS = 400000, CROSS_BYTES = 256 };

struct cross {
    const struct heap *heap;
    struct ring_spsc *ring;
};

static void *give_all(void *arg)
{
    struct cross *c = arg;
    struct door d = door_open(c->heap);
    for (size_t i = 0; i < CROSS_BLOCKS;) {
        void *block = ring_spsc_pop(c->ring);
        if (!block) {
            sched_yield();
            continue;
        }
        tsv_check(*(size_t *)block == i++, "a block of another");
        give(&d, block, CROSS_BYTES);
    }
    door_close(&d);
    return NULL;
}

static double run_cross_thread(const struct heap *heap)
{
    struct cross c = {.heap = heap};
    struct door d = door_open(heap);
    pthread_t thread;
    tsv_check(ring_spsc_new(&c.ring, 4096) == 0, "no ring");
    tsv_check(pthread_create(&thread, NULL, give_all, &c) == 0, "no thread");
    uint64_t began_ns = clock_ns();
    for (size_t i = 0; i < CROSS_BLOCKS; i++) {
        size_t *block = take(&d, CROSS_BYTES);
        *block = i;
        while (ring_spsc_push(c.ring, block) < 0)
            sched_yield();
    }
    pthread_join(thread, NULL);
    double ns = (double)(clock_ns() - began_ns) / (double)CROSS_BLOCKS;
    ring_spsc_free(c.ring);
    door_close(&d);
    return ns;
}

/* Of 10,000 blocks taken and given back one after the other, how many were new? */
static void bench_reuse(void)
{
    enum { PAIRS = 10000 };
    const struct tsv_case c = {"memory", "pool, reuse in 10000 x 1 KiB", "ratio", TSV_MORE, 1, 0};
    struct pool *pool;
    struct pool_local *local;
    struct pool_stats s;
    tsv_check(pool_new(&pool, (size_t)1 << 30, 0) == 0 && pool_local_new(&local, pool) == 0,
              "no pool");
    for (int i = 0; i < PAIRS; i++)
        pool_give(local, pool_take(local, same_bytes), same_bytes);
    pool_local_free(local); /* which hands its counters in */
    pool_stats(pool, &s);
    tsv_check(s.new_total + s.reused_total == PAIRS, "pool: %d blocks, but %llu were counted",
              PAIRS, (unsigned long long)(s.new_total + s.reused_total));
    tsv_row(&c, (double)s.reused_total / (double)PAIRS, NULL, 0);
    pool_free(pool);
}

/* No block is handed out while it is in use, and all come back. */
static void verify_heap(const struct heap *heap)
{
    static uint32_t *blocks[LIVE];
    struct door d = door_open(heap);
    for (uint32_t i = 0; i < LIVE; i++) {
        blocks[i] = take(&d, steps[i].bytes);
        tsv_check(blocks[i] != NULL, "no memory");
        blocks[i][0] = i;
        blocks[i][steps[i].bytes / 4 - 1] = i;
    }
    for (uint32_t i = 0; i < LIVE; i++) {
        tsv_check(blocks[i][0] == i && blocks[i][steps[i].bytes / 4 - 1] == i, "blocks overlap");
        give(&d, blocks[i], steps[i].bytes);
    }
    door_close(&d);
}

static void bench_pool(unsigned round_count)
{
    static const struct {
        const char *name, *unit;
        double (*run)(const struct heap *heap);
        double scale;
    } cases[] = {
        {"pool, 10000 x 1 KiB", "us", run_same_size, 10},
        {"pool, mixed 64..65536, 1000 live", "ns", run_mixed, 1},
        {"pool, freed on another thread", "ns", run_cross_thread, 1},
    };
    struct heap heaps[HEAPS_MAX];
    size_t heap_count = heaps_open(heaps);
    make_steps();
    for (size_t h = 0; h < heap_count; h++)
        verify_heap(&heaps[h]);
    for (size_t k = 0; k < sizeof cases / sizeof cases[0]; k++) {
        static double ns[HEAPS_MAX][ROUNDS_MAX];
        for (unsigned r = 0; r < round_count; r++) {
            for (size_t h = 0; h < heap_count; h++)
                ns[h][r] = cases[k].run(&heaps[h]);
        }
        const struct tsv_case c = {
            "memory", cases[k].name, cases[k].unit, TSV_LESS, round_count, 0};
        double ours = tsv_median(ns[0], round_count) * cases[k].scale;
        for (size_t h = 1; h < heap_count; h++)
            tsv_row(&c, ours, heaps[h].name, tsv_median(ns[h], round_count) * cases[k].scale);
    }
    struct pool_stats s;
    pool_stats(heaps[0].pool, &s);
    tsv_check(s.used_bytes == 0 && s.new_total + s.reused_total == s.returned_total, "blocks lost");
    pool_free(heaps[0].pool);
}

/* --- cache: millions of operations per second --- */

enum { KEYS = 20000, LOOKUPS = 1000000 };

/* Looks keys up and puts what is missing; the cache holds about half of them. */
static double run_cache(struct cache *cache, struct pool_local *local, struct buf **values,
                        const uint32_t *order)
{
    uint64_t operations = 0;
    uint64_t began_ns = clock_ns();
    for (size_t i = 0; i < LOOKUPS; i++) {
        uint32_t id = order[i];
        struct cache_key key = {.lo = mix(id), .hi = mix(~(uint64_t)id)};
        size_t bytes;
        struct buf *b = cache_get(cache, key, &bytes);
        operations++;
        if (b) {
            tsv_check(b == values[id] && bytes == 64, "the value of another key");
            buf_put(local, b);
        } else {
            tsv_check(cache_put(cache, key, values[id], 64) == 0, "not put");
            operations++;
        }
    }
    return (double)operations * 1e3 / (double)(clock_ns() - began_ns);
}

static void bench_cache(unsigned round_count)
{
    static struct buf *values[KEYS];
    static double rates[ROUNDS_MAX];
    uint32_t *order = malloc(LOOKUPS * sizeof *order);
    struct pool *pool;
    struct pool_local *local;
    struct cache *cache;
    tsv_check(order && pool_new(&pool, (size_t)1 << 30, 0) == 0 &&
                  pool_local_new(&local, pool) == 0 &&
                  cache_new(&cache, (size_t)KEYS / 2 * 352, local) == 0,
              "no memory");
    for (uint32_t i = 0; i < KEYS; i++)
        values[i] = buf_new(local, 64);
    for (uint32_t i = 0; i < LOOKUPS; i++) {
        /* the product of two makes low ids frequent */
        uint64_t r = mix(i);
        order[i] = (uint32_t)((r % KEYS) * ((r >> 32) % KEYS) / KEYS);
    }
    for (unsigned r = 0; r < round_count; r++)
        rates[r] = run_cache(cache, local, values, order);
    struct cache_stats s;
    cache_stats(cache, &s);
    struct tsv_case c = {"memory", "cache, get and put, 1 thread", "M/s", TSV_MORE, round_count, 0};
    tsv_row(&c, tsv_median(rates, round_count), NULL, 0);
    c.name = "cache, hit ratio of that";
    c.unit = "ratio";
    tsv_row(&c, s.hit_ratio, NULL, 0);
    cache_free(cache);
    for (uint32_t i = 0; i < KEYS; i++)
        buf_put(local, values[i]);
    pool_local_free(local);
    pool_free(pool);
    free(order);
}

/* --- traces --- */

static const double shares[] = {0.001, 0.01, 0.1};
enum { SHARES = sizeof shares / sizeof shares[0] };

struct gap {
    double sum;
    unsigned count;
};

static void row_ratio(const char *trace, double share, double ours, const char *peer, double value)
{
    char name[512];
    snprintf(name, sizeof name, "policy, %s at %g %%", trace, share * 100);
    const struct tsv_case c = {"memory", name, "hits", TSV_MORE, 1, 0};
    tsv_row(&c, ours, peer, value);
}

static int bench_trace(const char *path, struct gap gaps[static SHARES])
{
    struct trace t;
    int err = trace_load(&t, path);
    if (err < 0) {
        fprintf(stderr, "bench_memory: %s: %s\n", path, strerror(-err));
        return err;
    }
    const char *slash = strrchr(path, '/');
    for (size_t i = 0; i < SHARES && err == 0; i++) {
        size_t capacity = (size_t)((double)t.unique_count * shares[i]);
        struct sim_ratios r;
        if (capacity < 2)
            continue;
        err = sim_run(&r, &t, capacity);
        if (err < 0)
            break;
        tsv_check(r.ours <= r.opt && r.lru <= r.opt, "better than the best");
        row_ratio(slash ? slash + 1 : path, shares[i], r.ours, "lru", r.lru);
        row_ratio(slash ? slash + 1 : path, shares[i], r.ours, "opt", r.opt);
        if (r.opt - r.lru > 0.005) {
            gaps[i].sum += (r.ours - r.lru) / (r.opt - r.lru);
            gaps[i].count++;
        }
    }
    trace_fini(&t);
    return err;
}

static int bench_traces(int count, char *const *paths)
{
    struct gap gaps[SHARES] = {0};
    for (int i = 0; i < count; i++) {
        if (bench_trace(paths[i], gaps) < 0)
            return 1;
    }
    for (size_t i = 0; i < SHARES; i++) {
        char name[512];
        const struct tsv_case c = {"memory", name, "share", TSV_MORE, 1, 0};
        snprintf(name, sizeof name, "policy, mean share of the gap lru..opt at %g %%, %u traces",
                 shares[i] * 100, gaps[i].count);
        if (gaps[i].count > 0)
            tsv_row(&c, gaps[i].sum / gaps[i].count, NULL, 0);
    }
    return 0;
}

/* Allocators keep their thread's state in static TLS, of which a program must set aside enough
 * before it starts to load them later. */
static void make_room_for_tls(char **argv)
{
    static const char tunable[] = "glibc.rtld.optional_static_tls=65536";
    if (getenv("GLIBC_TUNABLES"))
        return;
    setenv("GLIBC_TUNABLES", tunable, 1);
    execv("/proc/self/exe", argv); /* if it fails we go on with fewer peers */
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--trace") == 0)
        return bench_traces(argc - 2, argv + 2);
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 9;
    if (rounds < 1 || rounds > ROUNDS_MAX || argc > 2) {
        fprintf(stderr, "usage: bench_memory [ROUNDS] | --trace FILE...\n");
        return 64;
    }
    make_room_for_tls(argv);
    bench_pool((unsigned)rounds);
    bench_reuse();
    bench_cache((unsigned)rounds);
    return 0;
}
