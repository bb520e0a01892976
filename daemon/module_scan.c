/* What lies on disk when the store is opened.
 *
 * Folders and names are ours, but their contents are as old as the disk: each file is opened
 * without following links, looked at, read once for its digest. What is no module is told in the
 * log and left where it is; only unfinished writes, which have a name of their own, are removed.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define XXH_STATIC_LINKING_ONLY /* the state lives on the stack */
#include <xxhash.h>

#include "call.h"
#include "log.h"
#include "module_file.h"
#include "module_store_priv.h"

enum { READ_BYTES = 64 * 1024, HEADER_BYTES = 8 };

/* Reads the whole file: its digest, and whether it begins as a module does. 0 or -errno. */
static int digest_file(struct module_digest *out, int fd, size_t bytes, uint8_t *buffer)
{
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_128bits_reset(&state);
    for (size_t at = 0; at < bytes;) {
        ssize_t n = pread(fd, buffer, READ_BYTES, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? -errno : -EIO;
        if (at == 0 && (n < HEADER_BYTES || memcmp(buffer, "\0asm", 4) != 0))
            return -ENOEXEC;
        XXH3_128bits_update(&state, buffer, (size_t)n);
        at += (size_t)n;
    }
    XXH128_hash_t h = XXH3_128bits_digest(&state);
    *out = (struct module_digest){.lo = h.low64, .hi = h.high64};
    return 0;
}

/* Returns 0 and *out, or -errno. */
static int load(struct module **out, const struct module_store *s, int dir, uid_t owner,
                const char *name, const char *file, uint8_t *buffer)
{
    struct stat st;
    struct module_digest digest;
    /* non-blocking: it could be a pipe */
    int fd = openat(dir, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = 0;
    if (fstat(fd, &st) < 0)
        err = -errno;
    else if (!S_ISREG(st.st_mode) || st.st_size < HEADER_BYTES)
        err = -ENOEXEC;
    else if ((uint64_t)st.st_size > s->limits.file_max_bytes)
        err = -EFBIG;
    if (err == 0)
        err = digest_file(&digest, fd, (size_t)st.st_size, buffer);
    if (err == 0)
        err = module_new(out, owner, name, fd, (size_t)st.st_size, digest,
                         (uint64_t)st.st_mtime);
    if (err < 0)
        (void)close(fd);
    return err;
}

/* NAME.wasm -> NAME; false: it is called something else. */
static bool name_of(char name[static WIRE_NAME_MAX + 1], const char *file)
{
    size_t n = strlen(file), suffix = strlen(MODULE_SUFFIX);
    if (n <= suffix || strcmp(file + n - suffix, MODULE_SUFFIX) != 0 ||
        !call_name_is_valid(file, n - suffix))
        return false;
    memcpy(name, file, n - suffix);
    name[n - suffix] = '\0';
    return true;
}

static int scan_file(struct module_store *s, int dir, uid_t owner, const char *folder,
                     const char *file, uint8_t *buffer)
{
    char name[WIRE_NAME_MAX + 1];
    struct module *m = NULL;

    if (strncmp(file, MODULE_FILE_UNFINISHED, strlen(MODULE_FILE_UNFINISHED)) == 0) {
        (void)unlinkat(dir, file, 0);
        return 0;
    }
    int err = name_of(name, file) ? load(&m, s, dir, owner, name, file, buffer) : -EINVAL;
    if (err == 0)
        err = module_store_reserve(s);
    if (err < 0) {
        module_put(m);
        log_warn("module left out", "folder=%s file=%s reason=%s", log_text(folder).text,
                 log_text(file).text,
                 err == -ENOEXEC  ? "\"no module\""
                 : err == -EINVAL ? "\"no name of a module\""
                                  : log_text(strerror(-err)).text);
        return err == -ENOMEM ? err : 0;
    }
    (void)module_store_insert(s, m); /* file names differ, so nothing is replaced */
    return 0;
}

static int scan_folder(struct module_store *s, const char *folder, uint8_t *buffer)
{
    uid_t owner;
    if (!module_owner_of(&owner, folder, "all")) {
        log_warn("folder of modules left out", "folder=%s", log_text(folder).text);
        return 0;
    }
    int dir = module_folder_open(s->modules_dir, folder, 0);
    int listing = dir < 0 ? -1 : dup(dir);
    DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (d == NULL) {
        log_warn("folder of modules left out", "folder=%s", log_text(folder).text);
        if (listing >= 0)
            (void)close(listing);
        if (dir >= 0)
            (void)close(dir);
        return 0;
    }
    int err = 0;
    struct dirent *entry;
    while (err == 0 && (entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = scan_file(s, dir, owner, folder, entry->d_name, buffer);
    }
    (void)closedir(d);
    (void)close(dir);
    return err;
}

int module_scan(struct module_store *s)
{
    int listing = openat(s->modules_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (d == NULL) {
        int err = -errno;
        if (listing >= 0)
            (void)close(listing);
        return err;
    }
    int err = 0;
    uint8_t *buffer = NULL; /* most daemons have no modules */
    struct dirent *entry;
    while (err == 0 && (entry = readdir(d)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        if (buffer == NULL && (buffer = malloc(READ_BYTES)) == NULL)
            err = -ENOMEM;
        else
            err = scan_folder(s, entry->d_name, buffer);
    }
    free(buffer);
    (void)closedir(d);
    return err;
}
