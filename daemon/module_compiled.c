/* Compiled forms on disk: DIGEST-KEY.cwasm in a folder of the uid whose process made it.
 *
 * They are a cache: whatever is lost is compiled again. What a process hands over is copied with
 * reads, never mapped, so that it may do with its memfd what it likes meanwhile.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "call.h"
#include "module_file.h"
#include "module_store_priv.h"

enum {
    COPY_BYTES = 64 * 1024,
    NAME_BYTES = MODULE_DIGEST_TEXT + WIRE_NAME_MAX + sizeof(COMPILED_SUFFIX)
};

_Static_assert(MODULE_UID_KERNELS == MODULE_UID_ALL, "both are nobody's number");

static int folder_open(const struct module_store *s, uid_t owner, int make)
{
    char folder[MODULE_OWNER_TEXT];
    module_owner_text(folder, owner, "kernels");
    return module_folder_open(s->compiled_dir, folder, make);
}

static int file_name(char out[static NAME_BYTES], struct module_digest digest, const char *key)
{
    char text[MODULE_DIGEST_TEXT];
    if (!call_name_is_valid(key, strlen(key)))
        return -EINVAL;
    module_digest_text(text, digest);
    snprintf(out, NAME_BYTES, "%s-%s" COMPILED_SUFFIX, text, key);
    return 0;
}

int module_compiled_open(struct module_store *s, uid_t uid, struct module_digest digest,
                         const char *key)
{
    char name[NAME_BYTES];
    int err = file_name(name, digest, key);
    int dir = err < 0 ? err : folder_open(s, uid, 0);
    if (dir < 0)
        return dir;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        fd = -errno;
    (void)close(dir);
    return fd;
}

void module_compiled_drop(struct module_store *s, uid_t uid, struct module_digest digest,
                          const char *key)
{
    char name[NAME_BYTES];
    int err = file_name(name, digest, key);
    int dir = err < 0 ? err : folder_open(s, uid, 0);
    if (dir < 0)
        return;
    (void)unlinkat(dir, name, 0);
    (void)close(dir);
}

/* ---- keeping ---- */

static int copy(struct module_file *to, int from_fd, size_t bytes)
{
    uint8_t *buffer = malloc(COPY_BYTES);
    int err = buffer == NULL ? -ENOMEM : 0;
    for (size_t at = 0; err == 0 && at < bytes;) {
        size_t want = bytes - at < COPY_BYTES ? bytes - at : COPY_BYTES;
        ssize_t n = pread(from_fd, buffer, want, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            err = n < 0 ? -errno : -EIO; /* shorter than it was said to be */
        } else {
            err = module_file_write(to, buffer, (size_t)n);
            at += (size_t)n;
        }
    }
    free(buffer);
    return err;
}

typedef bool unwanted_fn(const char *name, void *user);

/* Removes files of the folder that are unwanted. */
static void clean(int dir, unwanted_fn *unwanted, void *user)
{
    int listing = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (d == NULL) {
        if (listing >= 0)
            (void)close(listing);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            unwanted(entry->d_name, user))
            (void)unlinkat(dir, entry->d_name, 0);
    }
    (void)closedir(d);
}

/* The same module for another engine or CPU. user: the name that stays. */
static bool is_other_key(const char *name, void *user)
{
    return strncmp(name, user, MODULE_DIGEST_TEXT) == 0 && strcmp(name, user) != 0;
}

int module_compiled_keep(struct module_store *s, uid_t uid, struct module_digest digest,
                         const char *key, int from_fd, size_t bytes)
{
    char name[NAME_BYTES];
    struct module_file file = {.fd = -1};
    (void)pthread_mutex_lock(&s->lock);
    size_t max = s->limits.compiled_max_bytes;
    (void)pthread_mutex_unlock(&s->lock);
    if (bytes > max)
        return -EFBIG;
    if (fcntl(from_fd, F_GET_SEALS) < 0) /* only a memfd has any */
        return -EINVAL;
    int err = file_name(name, digest, key);
    int dir = err < 0 ? err : folder_open(s, uid, 1);
    if (dir < 0)
        return dir;
    err = module_file_begin(&file, dir);
    if (err == 0)
        err = copy(&file, from_fd, bytes);
    if (err == 0)
        err = module_file_sync(&file);
    if (err == 0)
        err = module_file_finish(&file, name);
    module_file_end(&file);
    if (err == 0) {
        (void)fsync(dir);
        clean(dir, is_other_key, name);
    }
    (void)close(dir);
    return err;
}

/* ---- sweeping ---- */

struct sweep {
    struct module_store *s;
    uid_t owner;
    bool unfinished; /* writes that were interrupted too: nobody is writing yet */
};

static bool digest_of_name(struct module_digest *out, const char *name)
{
    char half[17] = "";
    char *end[2];
    if (strlen(name) < MODULE_DIGEST_TEXT || name[MODULE_DIGEST_TEXT - 1] != '-')
        return false;
    memcpy(half, name, 16);
    out->hi = strtoull(half, &end[0], 16);
    bool fine = *end[0] == '\0';
    memcpy(half, name + 16, 16);
    out->lo = strtoull(half, &end[1], 16);
    return fine && *end[1] == '\0';
}

static bool is_nobodys(const char *name, void *user)
{
    struct sweep *sweep = user;
    struct module_digest digest;
    if (strncmp(name, MODULE_FILE_UNFINISHED, strlen(MODULE_FILE_UNFINISHED)) == 0)
        return sweep->unfinished;
    if (sweep->owner == MODULE_UID_KERNELS || !digest_of_name(&digest, name))
        return false;
    (void)pthread_mutex_lock(&sweep->s->lock);
    bool known = module_store_knows(sweep->s, sweep->owner, digest);
    (void)pthread_mutex_unlock(&sweep->s->lock);
    return !known;
}

static void sweep_owner(struct module_store *s, uid_t owner, bool unfinished)
{
    struct sweep sweep = {.s = s, .owner = owner, .unfinished = unfinished};
    int dir = folder_open(s, owner, 0);
    if (dir < 0)
        return;
    clean(dir, is_nobodys, &sweep);
    (void)close(dir);
}

void module_compiled_sweep(struct module_store *s, uid_t owner)
{
    sweep_owner(s, owner, false);
}

void module_compiled_sweep_all(struct module_store *s)
{
    int listing = openat(s->compiled_dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = listing < 0 ? NULL : fdopendir(listing);
    if (d == NULL) {
        if (listing >= 0)
            (void)close(listing);
        return;
    }
    struct dirent *entry;
    while ((entry = readdir(d)) != NULL) {
        uid_t owner;
        if (module_owner_of(&owner, entry->d_name, "kernels"))
            sweep_owner(s, owner, true);
    }
    (void)closedir(d);
}
