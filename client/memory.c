/* Shared memory for operands and results.
 *
 * Book-keeping lies outside of the shared pages, since the daemon can write to those. Each arena
 * has a table with one byte per page: at a block's first page the block's class, so that a block
 * is freed by its address alone. Blocks are never joined again: the classes a program uses are
 * few, and it uses them again and again.
 */
#include "config.h"

#include "memory.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { CLASS_COUNT = 4 * 48, CLASS_NONE = 255 };
_Static_assert(CLASS_COUNT < CLASS_NONE, "a class fits into a byte");

struct arena {
    uint8_t *base;
    size_t bytes, used_bytes;
    uint8_t *page_class; /* by page; CLASS_NONE but at the first page of a block in use */
    uint32_t number;
    int fd;
    bool refused;
};

/* Free blocks of one class, latest first: its pages are the ones that are still in cache. */
struct free_list {
    uint8_t **block;
    size_t count, cap;
};

struct memory {
    struct memory_events events;
    struct arena *arena; /* sorted by base */
    size_t arena_count, arena_cap;
    uint32_t next_number;
    size_t keep_bytes, free_bytes; /* free_bytes counts blocks with an arena of their own */
    struct free_list free[CLASS_COUNT];
};

/* 1, 2, 3, 4, then 5, 6, 7, 8 times the powers of two. */
static size_t class_pages(unsigned c)
{
    return c < 4 ? c + 1 : (size_t)(5 + c % 4) << (c / 4 - 1);
}

static unsigned class_of(size_t pages)
{
    unsigned c = 0;
    while (c < CLASS_COUNT && class_pages(c) < pages)
        c++;
    return c;
}

int memory_new(struct memory **out, const struct memory_events *events, size_t keep_bytes)
{
    struct memory *m = calloc(1, sizeof(*m));
    if (m == NULL)
        return -ENOMEM;
    m->events = *events;
    m->keep_bytes = keep_bytes;
    *out = m;
    return 0;
}

static void arena_fini(struct arena *a)
{
    if (a->base != NULL)
        (void)munmap(a->base, a->bytes);
    if (a->fd >= 0)
        (void)close(a->fd);
    free(a->page_class);
}

void memory_free(struct memory *m)
{
    if (m == NULL)
        return;
    for (size_t i = 0; i < m->arena_count; i++)
        arena_fini(&m->arena[i]);
    for (unsigned c = 0; c < CLASS_COUNT; c++)
        free(m->free[c].block);
    free(m->arena);
    free(m);
}

void memory_set_keep(struct memory *m, size_t keep_bytes)
{
    m->keep_bytes = keep_bytes;
}

/* Index of the first arena whose base is above p. */
static size_t arena_above(const struct memory *m, const uint8_t *p)
{
    size_t low = 0, high = m->arena_count;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if ((uintptr_t)m->arena[mid].base > (uintptr_t)p)
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static struct arena *arena_of(const struct memory *m, const void *p)
{
    size_t i = arena_above(m, p);
    if (i == 0)
        return NULL;
    struct arena *a = &m->arena[i - 1];
    return (uintptr_t)p - (uintptr_t)a->base < a->bytes ? a : NULL;
}

/* A memfd of `bytes` that can no longer change its size: the daemon takes no other. */
static int arena_init(struct arena *a, size_t bytes)
{
    *a = (struct arena){.bytes = bytes, .fd = -1};
    size_t pages = bytes / MEMORY_PAGE_BYTES;
    a->page_class = malloc(pages);
    if (a->page_class == NULL)
        return -ENOMEM;
    memset(a->page_class, CLASS_NONE, pages);

    int err = 0;
    a->fd = memfd_create("simdd-arena", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (a->fd < 0 || ftruncate(a->fd, (off_t)bytes) < 0 ||
        fcntl(a->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        err = -errno;
        goto out;
    }
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, a->fd, 0);
    if (base == MAP_FAILED)
        err = -errno;
    else
        a->base = base;
out:
    if (err < 0)
        arena_fini(a);
    return err;
}

static int arena_add(struct memory *m, size_t bytes, struct arena **out)
{
    if (m->arena_count == m->arena_cap) {
        size_t cap = m->arena_cap != 0 ? 2 * m->arena_cap : 8;
        struct arena *grown = realloc(m->arena, cap * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        m->arena = grown;
        m->arena_cap = cap;
    }
    struct arena a;
    int err = arena_init(&a, bytes);
    if (err < 0)
        return err;
    a.number = m->next_number++;
    size_t at = arena_above(m, a.base);
    memmove(&m->arena[at + 1], &m->arena[at], (m->arena_count - at) * sizeof(a));
    m->arena[at] = a;
    m->arena_count++;
    m->events.added(m->events.user, a.number, a.fd, a.bytes);
    *out = &m->arena[at];
    return 0;
}

static void arena_drop(struct memory *m, struct arena *a)
{
    m->events.dropped(m->events.user, a->number);
    arena_fini(a);
    size_t at = (size_t)(a - m->arena);
    m->arena_count--;
    memmove(a, a + 1, (m->arena_count - at) * sizeof(*a));
}

/* A free block of the class, or of one up to a quarter larger. */
static void *take_free(struct memory *m, unsigned c)
{
    for (unsigned i = c; i < c + 2 && i < CLASS_COUNT; i++) {
        struct free_list *f = &m->free[i];
        if (f->count == 0)
            continue;
        uint8_t *p = f->block[--f->count];
        struct arena *a = arena_of(m, p);
        a->page_class[(size_t)(p - a->base) / MEMORY_PAGE_BYTES] = (uint8_t)i;
        if (a->bytes > MEMORY_ARENA_BYTES)
            m->free_bytes -= a->bytes;
        return p;
    }
    return NULL;
}

void *memory_block_take(struct memory *m, size_t bytes, int *err)
{
    size_t pages = bytes / MEMORY_PAGE_BYTES + (bytes % MEMORY_PAGE_BYTES != 0 || bytes == 0);
    unsigned c = class_of(pages);
    if (c == CLASS_COUNT || class_pages(c) > SIZE_MAX / MEMORY_PAGE_BYTES / 2) {
        *err = -ENOMEM;
        return NULL;
    }
    void *reused = take_free(m, c);
    if (reused != NULL)
        return reused;

    size_t block_bytes = class_pages(c) * MEMORY_PAGE_BYTES;
    struct arena *a = NULL;
    for (size_t i = 0; i < m->arena_count && a == NULL; i++)
        if (m->arena[i].bytes - m->arena[i].used_bytes >= block_bytes)
            a = &m->arena[i];
    if (a == NULL) {
        bool own = block_bytes > MEMORY_ARENA_BYTES;
        *err = arena_add(m, own ? block_bytes : MEMORY_ARENA_BYTES, &a);
        if (*err < 0)
            return NULL;
    }
    uint8_t *p = a->base + a->used_bytes;
    a->page_class[a->used_bytes / MEMORY_PAGE_BYTES] = (uint8_t)c;
    a->used_bytes += block_bytes;
    return p;
}

void memory_block_give(struct memory *m, void *p)
{
    if (p == NULL)
        return;
    struct arena *a = arena_of(m, p);
    assert(a != NULL && "not from simdd_alloc()");
    size_t offset = (size_t)((uint8_t *)p - a->base);
    uint8_t *page_class = &a->page_class[offset / MEMORY_PAGE_BYTES];
    assert(offset % MEMORY_PAGE_BYTES == 0 && *page_class != CLASS_NONE && "freed twice");

    struct free_list *f = &m->free[*page_class];
    bool own = a->bytes > MEMORY_ARENA_BYTES;
    if (f->count == f->cap) {
        size_t cap = f->cap != 0 ? 2 * f->cap : 8;
        uint8_t **grown = realloc(f->block, cap * sizeof(*grown));
        if (grown != NULL) {
            f->block = grown;
            f->cap = cap;
        }
    }
    *page_class = CLASS_NONE;
    if (own && (m->free_bytes + a->bytes > m->keep_bytes || f->count == f->cap)) {
        arena_drop(m, a);
        return;
    }
    if (f->count == f->cap)
        return; /* no memory to note it: the block stays unused until its arena goes */
    if (own)
        m->free_bytes += a->bytes;
    f->block[f->count++] = p;
}

bool memory_find(const struct memory *m, const void *p, size_t bytes, uint32_t *number,
                 uint64_t *offset)
{
    const struct arena *a = arena_of(m, p);
    if (a == NULL || a->refused)
        return false;
    size_t at = (size_t)((const uint8_t *)p - a->base);
    if (bytes > a->bytes - at)
        return false;
    *number = a->number;
    *offset = at;
    return true;
}

void memory_refuse(struct memory *m, uint32_t number)
{
    for (size_t i = 0; i < m->arena_count; i++)
        if (m->arena[i].number == number)
            m->arena[i].refused = true;
}

int memory_dup_fd(int fd)
{
    int dup = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    return dup < 0 ? -errno : dup;
}

void memory_announce(struct memory *m)
{
    for (size_t i = 0; i < m->arena_count; i++) {
        struct arena *a = &m->arena[i];
        a->refused = false;
        m->events.added(m->events.user, a->number, a->fd, a->bytes);
    }
}
