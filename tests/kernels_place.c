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

static size_t page_bytes(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

struct placed place(const void *from, size_t bytes, size_t gap)
{
    size_t page = page_bytes();
    size_t usable = (GUARD_BYTES + bytes + gap + page - 1) / page * page;
    struct placed p = {.map_bytes = usable + page, .bytes = bytes};
    p.map = mmap(NULL, p.map_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p.map == MAP_FAILED || mprotect(p.map + usable, page, PROT_NONE) != 0) {
        perror("mmap");
        exit(EXIT_FAILURE);
    }
    p.data = p.map + usable - gap - bytes;
    memset(p.map, GUARD_BYTE, (size_t)(p.data - p.map));
    memset(p.data + bytes, GUARD_BYTE, gap);
    memcpy(p.data, from, bytes);
    return p;
}

void unplace(struct placed *p)
{
    if (p->map != NULL)
        munmap(p->map, p->map_bytes);
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
