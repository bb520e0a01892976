/* Windows: the address spaces of guests.
 *
 * A reservation has no access, and what is in it is put there piece by piece with MAP_FIXED or
 * mprotect(), each in one step for other threads: they see the old or the new, and a touch between
 * is a trap. Descriptors stay open while they are mapped, for the windows to come.
 *
 * A module that declares all 65536 pages as its memory (the kernels' does, so that its bulk
 * operations reach the whole window) gets real pages only up to the limit; the engine then takes
 * everything above for its memory, and what is not mapped still traps.
 */
#include "config.h"

#include "window.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

#include "engine.h"
#include "wasm/host/task.h"

enum { GRAIN = 64 << 10 };

struct mapping {
    uint32_t at;
    uint64_t bytes;
    int fd; /* owned */
};

struct windows {
    pthread_mutex_t lock; /* guards all below, and what is mapped in the windows */
    struct window *first;
    struct mapping *mapping; /* rising addresses */
    size_t mapping_count;
    uint64_t memory_max;
};

struct window {
    struct windows *all;
    struct window *next, *previous;
    uint8_t *base;
    size_t size;     /* of the module's memory, as the engine sees it */
    size_t capacity; /* to which it can grow */
    size_t backed;   /* how much of it has pages; only the owning instance's thread changes it */
};

int windows_new(struct windows **out)
{
    struct windows *all = calloc(1, sizeof *all);
    if (all == NULL)
        return -ENOMEM;
    pthread_mutex_init(&all->lock, NULL);
    *out = all;
    return 0;
}

void windows_limit(struct windows *all, uint64_t memory_max)
{
    uint64_t most = memory_max < WINDOW_CALL ? memory_max : WINDOW_CALL;
    all->memory_max = most / GRAIN * GRAIN;
}

/* ---- what is mapped ---- */

static uint64_t page_up(uint64_t n)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (n + page - 1) / page * page;
}

static int put(struct window *w, const struct mapping *m)
{
    void *p = mmap(w->base + m->at, m->bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
                   m->fd, 0);
    return p == MAP_FAILED ? -errno : 0;
}

static void take_away(struct window *w, const struct mapping *m)
{
    /* Replaces, so that nothing else can come to lie there. It makes no pages and splits nothing
     * new, so it does not fail; if it did, a guest would keep what it should lose. */
    void *p = mmap(w->base + m->at, page_up(m->bytes), PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (p == MAP_FAILED)
        abort();
}

static bool overlaps(const struct mapping *m, uint32_t at, uint64_t bytes)
{
    return at < m->at + page_up(m->bytes) && m->at < at + page_up(bytes);
}

static bool file_holds(int fd, uint64_t bytes)
{
    off_t size = lseek(fd, 0, SEEK_END);
    return size >= 0 && (uint64_t)size >= bytes;
}

/* With the lock held: where a mapping at `at` belongs in the list. */
static size_t place_of(const struct windows *all, uint32_t at)
{
    size_t i = 0;
    while (i < all->mapping_count && all->mapping[i].at < at)
        i++;
    return i;
}

static int map_locked(struct windows *all, const struct mapping *m)
{
    for (size_t i = 0; i < all->mapping_count; i++) {
        if (overlaps(&all->mapping[i], m->at, m->bytes))
            return -EEXIST;
    }
    size_t bytes = (all->mapping_count + 1) * sizeof all->mapping[0];
    struct mapping *grown = realloc(all->mapping, bytes);
    if (grown == NULL)
        return -ENOMEM;
    all->mapping = grown;

    int err = 0;
    struct window *w = all->first;
    for (; w != NULL && (err = put(w, m)) == 0; w = w->next)
        ;
    if (err < 0) {
        for (struct window *done = all->first; done != w; done = done->next)
            take_away(done, m);
        return err;
    }
    size_t i = place_of(all, m->at);
    memmove(&grown[i + 1], &grown[i], (all->mapping_count - i) * sizeof grown[0]);
    grown[i] = *m;
    all->mapping_count++;
    return 0;
}

int windows_map(struct windows *all, int fd, uint32_t at, uint64_t bytes)
{
    struct mapping m = {.at = at, .bytes = bytes, .fd = fd};

    if (at % GRAIN != 0 || at < WINDOW_SEGMENT || bytes == 0 || bytes > WINDOW_END - at ||
        !file_holds(fd, bytes))
        return -EINVAL;
    pthread_mutex_lock(&all->lock);
    int err = map_locked(all, &m);
    pthread_mutex_unlock(&all->lock);
    return err;
}

int windows_unmap(struct windows *all, uint32_t at, uint64_t bytes)
{
    int err = -ENOENT;

    pthread_mutex_lock(&all->lock);
    size_t i = place_of(all, at);
    if (i < all->mapping_count && all->mapping[i].at == at && all->mapping[i].bytes == bytes) {
        for (struct window *w = all->first; w != NULL; w = w->next)
            take_away(w, &all->mapping[i]);
        close(all->mapping[i].fd);
        all->mapping_count--;
        memmove(&all->mapping[i], &all->mapping[i + 1],
                (all->mapping_count - i) * sizeof all->mapping[0]);
        err = 0;
    }
    pthread_mutex_unlock(&all->lock);
    return err;
}

/* ---- one window ---- */

static int back(struct window *w, size_t bytes)
{
    if (bytes <= w->backed)
        return 0;
    if (mprotect(w->base + w->backed, bytes - w->backed, PROT_READ | PROT_WRITE) != 0)
        return -errno;
    w->backed = bytes;
    return 0;
}

static void window_free(void *window)
{
    struct window *w = window;

    pthread_mutex_lock(&w->all->lock);
    if (w->previous != NULL)
        w->previous->next = w->next;
    else
        w->all->first = w->next;
    if (w->next != NULL)
        w->next->previous = w->previous;
    pthread_mutex_unlock(&w->all->lock);
    munmap(w->base, ENGINE_RESERVATION + ENGINE_GUARD);
    free(w);
}

/* Puts in what is mapped, and itself into the list, in one step for windows_map(). */
static int join(struct window *w)
{
    struct windows *all = w->all;
    int err = 0;

    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->mapping_count && err == 0; i++)
        err = put(w, &all->mapping[i]);
    if (err == 0) {
        w->next = all->first;
        if (w->next != NULL)
            w->next->previous = w;
        all->first = w;
    }
    pthread_mutex_unlock(&all->lock);
    return err;
}

static int window_new(struct window **out, struct windows *all, size_t minimum)
{
    struct window *w = calloc(1, sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    bool whole = minimum == WINDOW_BYTES;
    w->all = all;
    w->size = minimum;
    w->capacity = whole ? minimum : all->memory_max;
    void *base = mmap(NULL, ENGINE_RESERVATION + ENGINE_GUARD, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED) {
        free(w);
        return -ENOMEM;
    }
    w->base = base;
    int err = back(w, whole ? all->memory_max : minimum);
    if (err == 0 &&
        mprotect(w->base + WINDOW_CALL, WINDOW_CALL_BYTES, PROT_READ | PROT_WRITE) != 0)
        err = -errno;
    if (err == 0)
        err = join(w);
    if (err < 0) {
        munmap(base, ENGINE_RESERVATION + ENGINE_GUARD);
        free(w);
        return err;
    }
    *out = w;
    return 0;
}

/* ---- as the engine sees it ---- */

static uint8_t *get_memory(void *env, size_t *size, size_t *capacity)
{
    struct window *w = env;
    *size = w->size;
    *capacity = w->capacity;
    return w->base;
}

static wasmtime_error_t *grow_memory(void *env, size_t size)
{
    struct window *w = env;
    if (size > w->capacity)
        return wasmtime_error_new("memory limit");
    if (back(w, size) < 0)
        return wasmtime_error_new("no memory");
    w->size = size;
    return NULL;
}

static wasmtime_error_t *new_memory(void *env, const wasm_memorytype_t *type, size_t minimum,
                                    size_t maximum, size_t reserved, size_t guard,
                                    wasmtime_linear_memory_t *out)
{
    struct windows *all = env;
    struct window *w = NULL;

    (void)type, (void)maximum;
    if (reserved > ENGINE_RESERVATION || guard > ENGINE_GUARD)
        return wasmtime_error_new("another reservation than the window's");
    if (minimum != WINDOW_BYTES && minimum > all->memory_max)
        return wasmtime_error_new("its memory starts larger than the limit");
    if (window_new(&w, all, minimum) < 0)
        return wasmtime_error_new("no memory or address space for its window");
    out->env = w;
    out->get_memory = get_memory;
    out->grow_memory = grow_memory;
    out->finalizer = window_free;
    return NULL;
}

void windows_creator(struct windows *all, wasmtime_memory_creator_t *creator)
{
    *creator = (wasmtime_memory_creator_t){.env = all, .new_memory = new_memory};
}

struct window *windows_find(struct windows *all, const uint8_t *base)
{
    pthread_mutex_lock(&all->lock);
    struct window *w = all->first;
    while (w != NULL && w->base != base)
        w = w->next;
    pthread_mutex_unlock(&all->lock);
    return w;
}

uint8_t *window_base(const struct window *w)
{
    return w->base;
}

bool window_holds(const struct window *w, uint32_t at, uint64_t bytes)
{
    uint64_t from = at, to = from + bytes;

    if (bytes == 0 || to <= (w->size < w->backed ? w->size : w->backed))
        return true;
    if (at < WINDOW_SEGMENT || to > WINDOW_END)
        return false;
    pthread_mutex_lock(&w->all->lock);
    const struct mapping *m = w->all->mapping;
    for (size_t i = 0; i < w->all->mapping_count && from < to; i++) {
        /* mappings that touch each other hold together */
        if (m[i].at <= from && from < m[i].at + m[i].bytes)
            from = m[i].at + m[i].bytes;
    }
    pthread_mutex_unlock(&w->all->lock);
    return from >= to;
}

bool window_spans(const struct window *w, const void *address)
{
    const uint8_t *p = address;
    return p >= w->base && p < w->base + ENGINE_RESERVATION + ENGINE_GUARD;
}
