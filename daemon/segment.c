/* The segment in granules of 64 KiB, each noted outside of it; see segment.h.
 *
 * A granule is free, the first of a run that one block takes, or cut into small blocks of one size
 * with a bit for each. Runs are found first-fit: there are few blocks, and most are small. Pages of
 * a run that is freed stay until the segment is idle, since touching new ones costs more than most
 * kernels; when the last block comes back they are all given up but the first few.
 */
#include "config.h"

#include "segment.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <pthread.h>
#include <sys/mman.h>

#define GRANULE_BYTES ((size_t)64 << 10)

/* Kept when nothing is in use: what the next jobs will most likely want. */
#define KEEP_BYTES ((size_t)4 << 20)

enum {
    SMALL_MIN_SHIFT = 6,
    SMALL_MAX_SHIFT = 15,
    SMALL_CLASSES = SMALL_MAX_SHIFT - SMALL_MIN_SHIFT + 1
};
enum { WORDS = 16 }; /* 1,024 blocks of 64 bytes */
enum { NONE = UINT32_MAX };

/* A granule that is cut up. */
struct cut {
    uint32_t granule;
    uint32_t free_count, total;
    unsigned cls;
    struct cut *prev, *next; /* those of a class with free blocks */
    uint64_t free[WORDS];
};

struct granule {
    uint32_t run;    /* first of a run: its length; else 0 */
    struct cut *cut; /* cut up */
    bool used;
};

struct segment {
    _Atomic uint32_t refs; /* any thread */
    int fd;
    uint8_t *base;
    uint32_t granule_count;
    pthread_mutex_t lock;
    /* under the lock */
    struct granule *granules;
    struct cut *partial[SMALL_CLASSES];
    uint32_t hint;    /* no free granule before it */
    uint32_t touched; /* no granule from here on has pages */
    size_t used_bytes;
};

int segment_new(struct segment **out, size_t bytes)
{
    struct segment *s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    atomic_init(&s->refs, 1);
    s->granule_count = (uint32_t)(bytes / GRANULE_BYTES);
    s->granules = calloc(s->granule_count, sizeof(*s->granules));
    s->base = MAP_FAILED;
    int err = s->granules ? 0 : -ENOMEM;
    s->fd = memfd_create("simdd-segment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (err == 0 && (s->fd < 0 || ftruncate(s->fd, (off_t)bytes) < 0))
        err = -errno;
    /* Else a process that holds the descriptor could end us by SIGBUS. */
    if (err == 0 && fcntl(s->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        err = -errno;
    if (err == 0) {
        s->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, s->fd, 0);
        if (s->base == MAP_FAILED)
            err = -errno;
    }
    if (err == 0)
        err = -pthread_mutex_init(&s->lock, NULL);
    if (err < 0) {
        if (s->base != MAP_FAILED)
            (void)munmap(s->base, bytes);
        if (s->fd >= 0)
            close(s->fd);
        free(s->granules);
        free(s);
        return err;
    }
    *out = s;
    return 0;
}

struct segment *segment_get(struct segment *s)
{
    /* relaxed: whoever hands us `s` holds a reference */
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void segment_put(struct segment *s)
{
    /* acq_rel: the last holder sees what the others did before they let go */
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    assert(s->used_bytes == 0);
    for (uint32_t i = 0; i < s->granule_count; i++)
        free(s->granules[i].cut);
    (void)munmap(s->base, segment_bytes(s));
    close(s->fd);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->granules);
    free(s);
}

/* ---- under the lock ---- */

static uint32_t run_take(struct segment *s, uint32_t count)
{
    uint32_t found = 0;
    bool first = true;
    for (uint32_t i = s->hint; i < s->granule_count; i++) {
        if (s->granules[i].used) {
            found = 0;
            continue;
        }
        if (first) {
            s->hint = i;
            first = false;
        }
        if (++found < count)
            continue;
        uint32_t begin = i + 1 - count;
        for (uint32_t j = begin; j <= i; j++)
            s->granules[j].used = true;
        s->granules[begin].run = count;
        if (s->touched < i + 1)
            s->touched = i + 1;
        return begin;
    }
    return NONE;
}

/* Gives pages of idle granules back, from `keep` on. */
static void pages_drop(struct segment *s, uint32_t keep)
{
    if (s->touched <= keep)
        return;
    /* Fails only where the file system cannot; then the pages stay. */
    (void)fallocate(s->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    (off_t)(keep * GRANULE_BYTES), (off_t)((s->touched - keep) * GRANULE_BYTES));
    s->touched = keep;
}

static void run_give(struct segment *s, uint32_t begin)
{
    uint32_t count = s->granules[begin].run;
    s->granules[begin].run = 0;
    for (uint32_t i = begin; i < begin + count; i++)
        s->granules[i].used = false;
    if (begin < s->hint)
        s->hint = begin;
}

static void partial_add(struct segment *s, struct cut *c)
{
    c->prev = NULL;
    c->next = s->partial[c->cls];
    if (c->next)
        c->next->prev = c;
    s->partial[c->cls] = c;
}

static void partial_remove(struct segment *s, struct cut *c)
{
    if (c->next)
        c->next->prev = c->prev;
    *(c->prev ? &c->prev->next : &s->partial[c->cls]) = c->next;
}

static struct cut *cut_new(struct segment *s, unsigned cls)
{
    struct cut *c = calloc(1, sizeof(*c));
    uint32_t granule = c ? run_take(s, 1) : NONE;
    if (granule == NONE) {
        free(c);
        return NULL;
    }
    c->granule = granule;
    c->cls = cls;
    c->total = c->free_count = (uint32_t)(GRANULE_BYTES >> (cls + SMALL_MIN_SHIFT));
    for (uint32_t i = 0; i < c->total; i++)
        c->free[i / 64] |= (uint64_t)1 << i % 64;
    s->granules[granule].cut = c;
    partial_add(s, c);
    return c;
}

static void *small_take(struct segment *s, unsigned cls)
{
    struct cut *c = s->partial[cls];
    if (!c && !(c = cut_new(s, cls)))
        return NULL;
    unsigned word = 0;
    while (c->free[word] == 0)
        word++;
    unsigned bit = (unsigned)ffsll((long long)c->free[word]) - 1;
    c->free[word] &= ~((uint64_t)1 << bit);
    if (--c->free_count == 0)
        partial_remove(s, c);
    s->used_bytes += (size_t)1 << (cls + SMALL_MIN_SHIFT);
    return s->base + c->granule * GRANULE_BYTES +
           ((size_t)(word * 64 + bit) << (cls + SMALL_MIN_SHIFT));
}

static void small_give(struct segment *s, struct cut *c, size_t at)
{
    uint32_t index = (uint32_t)(at >> (c->cls + SMALL_MIN_SHIFT));
    assert((c->free[index / 64] >> index % 64 & 1) == 0);
    c->free[index / 64] |= (uint64_t)1 << index % 64;
    s->used_bytes -= (size_t)1 << (c->cls + SMALL_MIN_SHIFT);
    if (c->free_count++ == 0)
        partial_add(s, c);
    /* One empty granule per class stays: a job in, a job out would cut it anew each time. */
    if (c->free_count == c->total && (c->prev || c->next)) {
        partial_remove(s, c);
        s->granules[c->granule].cut = NULL;
        run_give(s, c->granule);
        free(c);
    }
}

/* Nothing is in use: all cuts go, and pages beyond KEEP_BYTES. */
static void rest(struct segment *s)
{
    uint32_t keep = (uint32_t)(KEEP_BYTES / GRANULE_BYTES);
    if (s->touched <= keep)
        return;
    for (unsigned cls = 0; cls < SMALL_CLASSES; cls++) {
        struct cut *c = s->partial[cls];
        if (!c)
            continue;
        s->partial[cls] = NULL;
        s->granules[c->granule].cut = NULL;
        run_give(s, c->granule);
        free(c);
    }
    pages_drop(s, keep);
}

/* ---- */

void *segment_take(struct segment *s, size_t bytes)
{
    void *block = NULL;
    if (bytes > segment_bytes(s))
        return NULL;
    (void)pthread_mutex_lock(&s->lock);
    if (bytes <= (size_t)1 << SMALL_MAX_SHIFT) {
        unsigned cls = 0;
        while ((size_t)1 << (cls + SMALL_MIN_SHIFT) < bytes)
            cls++;
        block = small_take(s, cls);
    } else {
        uint32_t count = (uint32_t)((bytes + GRANULE_BYTES - 1) / GRANULE_BYTES);
        uint32_t begin = run_take(s, count);
        if (begin != NONE) {
            s->used_bytes += count * GRANULE_BYTES;
            block = s->base + begin * GRANULE_BYTES;
        }
    }
    (void)pthread_mutex_unlock(&s->lock);
    return block;
}

void segment_give(struct segment *s, void *block)
{
    if (!block)
        return;
    size_t at = segment_offset(s, block);
    uint32_t granule = (uint32_t)(at / GRANULE_BYTES);
    (void)pthread_mutex_lock(&s->lock);
    struct granule *g = &s->granules[granule];
    assert(g->used && g->run != 0);
    if (g->cut) {
        small_give(s, g->cut, at % GRANULE_BYTES);
    } else {
        s->used_bytes -= g->run * GRANULE_BYTES;
        run_give(s, granule);
    }
    if (s->used_bytes == 0)
        rest(s);
    (void)pthread_mutex_unlock(&s->lock);
}

int segment_holds(const struct segment *s, const void *p, size_t bytes)
{
    uintptr_t at = (uintptr_t)p - (uintptr_t)s->base;
    return (uintptr_t)p >= (uintptr_t)s->base && at <= segment_bytes(s) &&
           bytes <= segment_bytes(s) - at;
}

size_t segment_offset(const struct segment *s, const void *p)
{
    return (size_t)((const uint8_t *)p - s->base);
}

int segment_fd(const struct segment *s)
{
    return s->fd;
}

size_t segment_bytes(const struct segment *s)
{
    return s->granule_count * GRANULE_BYTES;
}

size_t segment_used_bytes(struct segment *s)
{
    (void)pthread_mutex_lock(&s->lock);
    size_t bytes = s->used_bytes;
    (void)pthread_mutex_unlock(&s->lock);
    return bytes;
}

size_t segment_held_bytes(struct segment *s)
{
    (void)pthread_mutex_lock(&s->lock);
    size_t bytes = s->touched * GRANULE_BYTES;
    (void)pthread_mutex_unlock(&s->lock);
    return bytes;
}
