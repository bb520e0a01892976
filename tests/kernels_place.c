/* Memory that shows what a kernel touches beside its operands. */
#include "config.h"

#include "kernels_place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    GUARD_BYTE = 0xc5,
    GUARD_BYTES = 256 /* before the data, at least */
};

/* Where to map; base NULL: anywhere. `at` goes round, so that addresses vary. */
static struct {
    uint8_t *base;
    size_t bytes, at;
} within;

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

void place_within(uint8_t *base, size_t bytes)
{
    within.base = base;
    within.bytes = bytes;
}

static void *map_new(size_t bytes)
{
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    if (within.base == NULL)
        return mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (within.bytes - within.at < bytes)
        within.at = 0;
    uint8_t *at = within.base + within.at;
    within.at += bytes;
    return mmap(at, bytes, PROT_READ | PROT_WRITE, flags | MAP_FIXED, -1, 0);
}

static void map_end(void *map, size_t bytes)
{
    if (within.base == NULL)
        munmap(map, bytes);
    else
        mmap(map, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

struct placed place(const void *from, size_t bytes, size_t gap)
{
    size_t page = page_bytes();
    size_t usable = (GUARD_BYTES + bytes + gap + page - 1) / page * page;
    struct placed p = {.map_bytes = usable + page, .bytes = bytes};
    p.map = map_new(p.map_bytes);
    if (p.map == MAP_FAILED || mprotect(p.map + usable, page, PROT_NONE) != 0) {
        perror("mmap");
        exit(EXIT_FAILURE);
    }
    p.data = p.map + usable - gap - bytes;
    memset(p.map, GUARD_BYTE, (size_t)(p.data - p.map));
    memset(p.data + bytes, GUARD_BYTE, gap);
    if (from != NULL)
        memcpy(p.data, from, bytes);
    return p;
}

void unplace(struct placed *p)
{
    if (p->map != NULL)
        map_end(p->map, p->map_bytes);
}

static bool is_guard(const uint8_t *from, const uint8_t *to)
{
    for (; from < to; from++) {
        if (*from != GUARD_BYTE)
            return false;
    }
    return true;
}

bool place_guards_intact(const struct placed *p)
{
    return is_guard(p->map, p->data) &&
           is_guard(p->data + p->bytes, p->map + p->map_bytes - page_bytes());
}

void *place_alloc(size_t bytes)
{
    void *p = aligned_alloc(64, (bytes + 64) / 64 * 64); /* one byte more, so never NULL for 0 */
    if (p == NULL) {
        perror("aligned_alloc");
        exit(EXIT_FAILURE);
    }
    return p;
}
