/* Chunks, spans and the bits of their free blocks; see pool_depot.h.
 *
 * A chunk is aligned to its size, so a block's address leads to its chunk, its span and its bit
 * by masks alone. Chunks are listed by what they can offer: a span that has pages already (warm),
 * one that has none (cold), nothing (full). Left out on purpose: moving half-used spans between
 * threads or classes, and giving back single pages of a span in use.
 */
#include "config.h"

#include "pool_depot.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include <sys/mman.h>

#include "pool_poison.h"

#define CHUNK_BYTES ((size_t)4 << 20)
#define SPAN_BYTES  ((size_t)DEPOT_BLOCK_MAX)

enum { SPAN_COUNT = 64, SPAN_WORDS = 16 }; /* 1,024 blocks of 64 bytes are 16 words of bits */

enum { WARM, COLD, FULL };

struct span {
    struct span *prev, *next; /* in depot.partial */
    uint32_t carved_count;    /* blocks cut off so far; those behind were never handed out */
    uint32_t free_count;      /* bits set in `free` */
    uint8_t cls;
    bool warm; /* had pages before it came to its class */
    uint64_t free[SPAN_WORDS];
};

struct chunk {
    struct chunk *prev, *next; /* in depot.chunks[list] */
    unsigned list;
    uint64_t idle;  /* spans of no class; bit 0 never, since this header lies there */
    uint64_t dirty; /* spans that may have pages */
    struct span span[SPAN_COUNT];
};

_Static_assert(sizeof(struct chunk) <= DEPOT_BLOCK_MAX, "the header fits into the first span");

static const uint64_t all_idle = ~(uint64_t)1;

static struct chunk *chunk_of(const void *p)
{
    return (struct chunk *)((uintptr_t)p & ~(uintptr_t)(CHUNK_BYTES - 1));
}

static unsigned lowest_bit(uint64_t bits)
{
    return (unsigned)ffsll((long long)bits) - 1;
}

static unsigned span_index(const struct span *s)
{
    return (unsigned)(s - chunk_of(s)->span);
}

static void *span_base(const struct span *s)
{
    return (char *)chunk_of(s) + span_index(s) * SPAN_BYTES;
}

static uint32_t blocks_per_span(unsigned cls)
{
    return (uint32_t)(SPAN_BYTES >> (6 + 2 * cls));
}

static void chunk_unlist(struct depot *d, struct chunk *c)
{
    if (c->next)
        c->next->prev = c->prev;
    if (c->prev)
        c->prev->next = c->next;
    else
        d->chunks[c->list] = c->next;
}

static void chunk_list(struct depot *d, struct chunk *c, unsigned list)
{
    c->list = list;
    c->prev = NULL;
    c->next = d->chunks[list];
    if (c->next)
        c->next->prev = c;
    d->chunks[list] = c;
}

/* Moves the chunk to the list that its bits now ask for. */
static void chunk_relist(struct depot *d, struct chunk *c)
{
    unsigned list = (c->idle & c->dirty) ? WARM : c->idle ? COLD : FULL;
    if (list == c->list)
        return;
    chunk_unlist(d, c);
    chunk_list(d, c, list);
}

/* Maps twice the size and cuts off what is not aligned. */
static struct chunk *chunk_new(struct depot *d)
{
    char *map = mmap(NULL, 2 * CHUNK_BYTES, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    size_t skip = (CHUNK_BYTES - ((uintptr_t)map & (CHUNK_BYTES - 1))) & (CHUNK_BYTES - 1);
    if (skip > 0)
        (void)munmap(map, skip);
    if (skip < CHUNK_BYTES)
        (void)munmap(map + skip + CHUNK_BYTES, CHUNK_BYTES - skip);
    struct chunk *c = (struct chunk *)(map + skip);
    /* Else the first touch of an idle daemon could cost a page of 2 MiB. Fails where the kernel
     * has no huge pages, which is what we want. */
    (void)madvise(c, CHUNK_BYTES, MADV_NOHUGEPAGE);
    c->idle = all_idle;
    chunk_list(d, c, COLD);
    d->held_bytes += sizeof *c;
    return c;
}

static void chunk_free(struct depot *d, struct chunk *c)
{
    chunk_unlist(d, c);
    d->held_bytes -= sizeof *c;
    pool_unpoison(c, CHUNK_BYTES);
    (void)munmap(c, CHUNK_BYTES);
}

static void partial_add(struct depot *d, struct span *s)
{
    struct span **head = &d->partial[s->cls];
    s->prev = NULL;
    s->next = *head;
    if (s->next)
        s->next->prev = s;
    *head = s;
}

static void partial_remove(struct depot *d, struct span *s)
{
    if (s->next)
        s->next->prev = s->prev;
    if (s->prev)
        s->prev->next = s->next;
    else
        d->partial[s->cls] = s->next;
}

static struct span *span_new(struct depot *d, unsigned cls)
{
    struct chunk *c = d->chunks[WARM] ? d->chunks[WARM] : d->chunks[COLD];
    if (!c && !(c = chunk_new(d)))
        return NULL;
    uint64_t warm = c->idle & c->dirty;
    unsigned index = lowest_bit(warm ? warm : c->idle);
    uint64_t bit = (uint64_t)1 << index;
    struct span *s = &c->span[index];
    s->carved_count = 0;
    s->free_count = 0;
    s->cls = (uint8_t)cls;
    s->warm = warm != 0;
    memset(s->free, 0, (blocks_per_span(cls) + 63) / 64 * sizeof s->free[0]);
    if (!warm)
        d->held_bytes += SPAN_BYTES;
    c->idle &= ~bit;
    c->dirty |= bit;
    chunk_relist(d, c);
    return s;
}

/* All its blocks are back: any class may have the span now. */
static void span_free(struct depot *d, struct span *s)
{
    if (s->free_count > 0)
        partial_remove(d, s);
    if (d->carving[s->cls] == s)
        d->carving[s->cls] = NULL;
    struct chunk *c = chunk_of(s);
    c->idle |= (uint64_t)1 << span_index(s);
    chunk_relist(d, c);
}

void depot_fini(struct depot *d)
{
    for (unsigned list = 0; list < DEPOT_CHUNK_LISTS; list++) {
        while (d->chunks[list]) {
            assert(d->chunks[list]->idle == all_idle);
            chunk_free(d, d->chunks[list]);
        }
    }
}

static size_t span_take(struct span *s, void **out, size_t max)
{
    char *base = span_base(s);
    unsigned shift = 6 + 2u * s->cls;
    size_t n = 0;
    for (size_t w = 0; n < max && s->free_count > 0; w++) {
        while (s->free[w] && n < max) {
            out[n++] = base + ((w * 64 + lowest_bit(s->free[w])) << shift);
            s->free[w] &= s->free[w] - 1;
            s->free_count--;
        }
    }
    return n;
}

size_t depot_take(struct depot *d, unsigned cls, void **out, size_t max)
{
    size_t n = 0;
    while (n < max && d->partial[cls]) {
        struct span *s = d->partial[cls];
        n += span_take(s, out + n, max - n);
        if (s->free_count == 0)
            partial_remove(d, s);
    }
    d->out_bytes += n * depot_class_bytes(cls);
    return n;
}

size_t depot_carve(struct depot *d, unsigned cls, size_t max, void **out, bool *fresh)
{
    struct span *s = d->carving[cls];
    if (!s && !(s = span_new(d, cls)))
        return 0;
    size_t left = blocks_per_span(cls) - s->carved_count;
    size_t n = left < max ? left : max;
    *out = (char *)span_base(s) + s->carved_count * depot_class_bytes(cls);
    *fresh = !s->warm;
    s->carved_count += (uint32_t)n;
    d->carving[cls] = n < left ? s : NULL;
    d->out_bytes += n * depot_class_bytes(cls);
    return n;
}

void depot_give(struct depot *d, unsigned cls, void *const *blocks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uintptr_t offset = (uintptr_t)blocks[i] & (CHUNK_BYTES - 1);
        struct span *s = &chunk_of(blocks[i])->span[offset / SPAN_BYTES];
        size_t index = (offset & (SPAN_BYTES - 1)) >> (6 + 2 * cls);
        uint64_t bit = (uint64_t)1 << (index & 63);
        assert(s->cls == cls && !(s->free[index / 64] & bit)); /* wrong size, or given twice */
        s->free[index / 64] |= bit;
        if (++s->free_count == 1)
            partial_add(d, s);
        if (s->free_count == s->carved_count)
            span_free(d, s);
    }
    d->out_bytes -= n * depot_class_bytes(cls);
}

size_t depot_trim_begin(struct depot *d, struct span **spans, size_t max)
{
    size_t n = 0;
    while (n < max && d->chunks[WARM]) {
        struct chunk *c = d->chunks[WARM];
        unsigned index = lowest_bit(c->idle & c->dirty);
        c->idle &= ~((uint64_t)1 << index);
        chunk_relist(d, c);
        spans[n++] = &c->span[index];
    }
    d->held_bytes -= n * SPAN_BYTES;
    return n;
}

void depot_span_empty(struct span *s)
{
    void *base = span_base(s);
    pool_unpoison(base, SPAN_BYTES);
    (void)madvise(base, SPAN_BYTES, MADV_DONTNEED);
}

void depot_trim_end(struct depot *d, struct span *const *spans, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct chunk *c = chunk_of(spans[i]);
        uint64_t bit = (uint64_t)1 << span_index(spans[i]);
        c->idle |= bit;
        c->dirty &= ~bit;
        if (c->idle == all_idle && c->dirty == 0)
            chunk_free(d, c);
        else
            chunk_relist(d, c);
    }
}
