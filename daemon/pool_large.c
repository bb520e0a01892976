/* Kept mappings, found by size and given up by age; see pool_large.h. */
#include "config.h"

#include "pool_large.h"

#include <stdbool.h>

#include <sys/mman.h>

#include "pool_poison.h"

#define HUGE_BYTES ((size_t)2 << 20)

/* A search through blocks of like size ends here; mapping afresh costs more than this many looks,
 * but not more than any number of them. */
enum { LOOK_MAX = 64 };

struct kept {
    struct kept *newer, *older;        /* all sizes */
    struct kept *bucket_newer, *bucket_older;
    size_t bytes;
};

size_t large_round(size_t bytes)
{
    size_t limit = (size_t)256 << 10;
    for (; limit <= (size_t)1 << 20; limit *= 4) {
        if (bytes <= limit)
            return limit;
    }
    if (bytes > SIZE_MAX / 4)
        return bytes;
    limit = (size_t)2 << 20;
    while (bytes > limit)
        limit *= 2;
    size_t step = limit / 16;
    return (bytes + step - 1) / step * step;
}

static unsigned bucket_of(size_t bytes)
{
    unsigned bucket = 0;
    while (bytes >>= 1)
        bucket++;
    return bucket;
}

static void kept_remove(struct large *g, struct kept *k)
{
    *(k->newer ? &k->newer->older : &g->newest) = k->older;
    *(k->older ? &k->older->newer : &g->oldest) = k->newer;
    *(k->bucket_newer ? &k->bucket_newer->bucket_older : &g->bucket[bucket_of(k->bytes)]) =
        k->bucket_older;
    if (k->bucket_older)
        k->bucket_older->bucket_newer = k->bucket_newer;
    g->kept_bytes -= k->bytes;
}

void *large_find(struct large *g, size_t bytes)
{
    struct kept *k = g->bucket[bucket_of(bytes)];
    for (unsigned looks = 0; k && looks < LOOK_MAX; looks++, k = k->bucket_older) {
        if (k->bytes == bytes) {
            kept_remove(g, k);
            return k;
        }
    }
    return NULL;
}

void large_keep(struct large *g, void *block, size_t bytes)
{
    struct kept **bucket = &g->bucket[bucket_of(bytes)];
    struct kept *k = block;
    *k = (struct kept){.older = g->newest, .bucket_older = *bucket, .bytes = bytes};
    *(k->older ? &k->older->newer : &g->oldest) = k;
    if (k->bucket_older)
        k->bucket_older->bucket_newer = k;
    g->newest = k;
    *bucket = k;
    g->kept_bytes += bytes;
    pool_poison((char *)block + sizeof *k, bytes - sizeof *k);
}

void *large_evict(struct large *g, size_t *bytes)
{
    struct kept *k = g->oldest;
    if (!k)
        return NULL;
    kept_remove(g, k);
    *bytes = k->bytes;
    return k;
}

void *large_map(size_t bytes)
{
    /* Aligned to huge pages where one fits, since matrices are walked along columns, too. */
    bool huge = bytes >= HUGE_BYTES;
    if (bytes > SIZE_MAX - HUGE_BYTES)
        return NULL;
    size_t map_bytes = huge ? bytes + HUGE_BYTES : bytes;
    char *map = mmap(NULL, map_bytes, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (map == MAP_FAILED)
        return NULL;
    if (!huge)
        return map;
    size_t skip = (HUGE_BYTES - ((uintptr_t)map & (HUGE_BYTES - 1))) & (HUGE_BYTES - 1);
    if (skip > 0)
        (void)munmap(map, skip);
    if (skip < HUGE_BYTES)
        (void)munmap(map + skip + bytes, HUGE_BYTES - skip);
    (void)madvise(map + skip, bytes, MADV_HUGEPAGE); /* a hint; fails where there are none */
    return map + skip;
}

void large_unmap(void *block, size_t bytes)
{
    pool_unpoison(block, bytes);
    /* Fails only where the kernel is out of mappings; then at least the pages go. */
    if (munmap(block, bytes) < 0)
        (void)madvise(block, bytes, MADV_DONTNEED);
}
