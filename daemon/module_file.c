/* A file is written under a name of its own, synced and renamed: POSIX makes the rename atomic, and
 * the sync before it keeps an empty file from taking the name if the host goes down. */
#include "config.h"

#include "module_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TRIES = 16 };

int module_folder_open(int parent, const char *name, int make)
{
    if (make && mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
        return -errno;
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int module_file_begin(struct module_file *f, int dir)
{
    *f = (struct module_file){.dir = dir, .fd = -1};
    for (int i = 0; i < TRIES; i++) {
        uint64_t number;
        if (getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number))
            return -EIO;
        snprintf(f->temporary, sizeof(f->temporary), MODULE_FILE_UNFINISHED "%016jx",
                 (uintmax_t)number);
        f->fd = openat(dir, f->temporary, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                       0600);
        if (f->fd >= 0)
            return 0;
        if (errno != EEXIST)
            break;
    }
    f->temporary[0] = '\0';
    return -errno;
}

int module_file_write(struct module_file *f, const void *bytes, size_t byte_count)
{
    const uint8_t *p = bytes;
    while (byte_count > 0) {
        ssize_t n = write(f->fd, p, byte_count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        byte_count -= (size_t)n;
    }
    return 0;
}

int module_file_sync(struct module_file *f)
{
    return fsync(f->fd) < 0 ? -errno : 0;
}

int module_file_finish(struct module_file *f, const char *name)
{
    if (renameat(f->dir, f->temporary, f->dir, name) < 0)
        return -errno;
    f->temporary[0] = '\0';
    return 0;
}

void module_file_end(struct module_file *f)
{
    if (f->temporary[0] != '\0')
        (void)unlinkat(f->dir, f->temporary, 0);
    f->temporary[0] = '\0';
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = -1;
}
