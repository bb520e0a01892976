/* Lent memory: what a client's descriptor must be before we map it.
 *
 * The danger is a file that shrinks under a worker: a touch beyond its end is SIGBUS. A memfd
 * with F_SEAL_SHRINK cannot, and seals are never taken off, so the checks made here hold as long
 * as the mapping does. F_SEAL_GROW is asked for too: the size that admission counted is then the
 * size for good. Files on real disks have no seals at all, so they are refused with the rest.
 *
 * References are counted without atomics: jobs are made and freed on the loop.
 */
#include "config.h"

#include "arena.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

struct arena {
    uint8_t *base;
    size_t bytes;
    size_t refs;
    int fd; /* ours: a wasm process maps it, too */
    arena_closed_fn *closed; /* NULL: nobody asked */
    void *room, *owner;
};

/* A memfd that we may read, write and map. F_SEAL_WRITE and F_SEAL_FUTURE_WRITE forbid a writable
 * mapping, so such a memfd is as good as opened for reading only. */
static enum wire_status check_kind(int fd)
{
    int access = fcntl(fd, F_GETFL);
    int seals = fcntl(fd, F_GET_SEALS);
    struct stat st;
    struct statfs fs;

    if (access < 0 || (access & O_ACCMODE) != O_RDWR || seals < 0)
        return WIRE_ARENA_NOT_MEMFD;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || fstatfs(fd, &fs) < 0)
        return WIRE_ARENA_NOT_MEMFD;
    /* huge pages come from a small pool of the host's; running out of it is SIGBUS */
    if (fs.f_type == HUGETLBFS_MAGIC)
        return WIRE_ARENA_NOT_MEMFD;
    if ((seals & (F_SEAL_SHRINK | F_SEAL_GROW)) != (F_SEAL_SHRINK | F_SEAL_GROW))
        return WIRE_ARENA_UNSEALED;
    if ((seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE)) != 0)
        return WIRE_ARENA_NOT_MEMFD;
    return WIRE_OK;
}

/* Only after the seals are seen is the size a fact. */
static enum wire_status check_size(int fd, uint64_t want_bytes)
{
    struct stat st;

    if (fstat(fd, &st) < 0 || st.st_size <= 0 || (uint64_t)st.st_size != want_bytes)
        return WIRE_ARENA_BAD_SIZE;
    return WIRE_OK;
}

enum wire_status arena_open(struct arena **out, int fd, uint64_t want_bytes)
{
    enum wire_status status = check_kind(fd);
    if (status == WIRE_OK)
        status = check_size(fd, want_bytes);
    if (status != WIRE_OK)
        return status;

    struct arena *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return WIRE_OUT_OF_MEMORY;
    void *base = mmap(NULL, (size_t)want_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (base == MAP_FAILED || own < 0) {
        if (base != MAP_FAILED)
            munmap(base, (size_t)want_bytes);
        if (own >= 0)
            close(own);
        free(a);
        return WIRE_OUT_OF_MEMORY;
    }
    *a = (struct arena){.base = base, .bytes = (size_t)want_bytes, .refs = 1, .fd = own};
    *out = a;
    return WIRE_OK;
}

void arena_on_close(struct arena *a, arena_closed_fn *closed, void *room, void *owner)
{
    a->closed = closed;
    a->room = room;
    a->owner = owner;
}

struct arena *arena_get(struct arena *a)
{
    assert(a->refs > 0);
    a->refs++;
    return a;
}

void arena_put(struct arena *a)
{
    if (a == NULL)
        return;
    assert(a->refs > 0);
    if (--a->refs > 0)
        return;
    munmap(a->base, a->bytes); /* fails for a bad range only, and this one came from mmap */
    close(a->fd);
    if (a->closed != NULL)
        a->closed(a->room, a->owner, a);
    free(a);
}

size_t arena_bytes(const struct arena *a)
{
    return a->bytes;
}

enum wire_status arena_at(const struct arena *a, uint64_t offset, size_t bytes, void **p)
{
    if (offset % WIRE_ALIGN != 0)
        return WIRE_ARENA_MISALIGNED;
    if (offset > a->bytes || bytes > a->bytes - (size_t)offset)
        return WIRE_ARENA_RANGE;
    *p = a->base + offset;
    return WIRE_OK;
}

const void *arena_base(const struct arena *a)
{
    return a->base;
}

int arena_fd(const struct arena *a)
{
    return a->fd;
}
