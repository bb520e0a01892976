/* Modules by name: one sorted array under one lock.
 *
 * There are tens of modules, looked up once a call: a binary search is nothing beside it. An add
 * writes and syncs its file before it takes the lock; under it the file gets its name and the array
 * its entry, so that disk and array never tell different things for longer than a rename takes.
 */
#include "config.h"

#include "module_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "call.h"
#include "module_file.h"
#include "module_store_priv.h"

enum { WHOLE_FILE_NAME = WIRE_NAME_MAX + sizeof(MODULE_SUFFIX) };

/* ---- the array ---- */

static int compare(const struct module *m, uid_t owner, const char *name)
{
    if (m->owner != owner)
        return m->owner < owner ? -1 : 1;
    return strcmp(m->name, name);
}

/* Index of the first module that is not before that owner and name. */
static size_t index_of(const struct module_store *s, uid_t owner, const char *name)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(s->list[middle], owner, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct module *find(const struct module_store *s, uid_t owner, const char *name)
{
    size_t at = index_of(s, owner, name);
    return at < s->count && compare(s->list[at], owner, name) == 0 ? s->list[at] : NULL;
}

/* An owner's modules are the array's [*begin, *end). */
static void range_of(const struct module_store *s, uid_t owner, size_t *begin, size_t *end)
{
    *begin = *end = index_of(s, owner, "");
    while (*end < s->count && s->list[*end]->owner == owner)
        ++*end;
}

int module_store_reserve(struct module_store *s)
{
    if (s->count < s->cap)
        return 0;
    size_t cap = s->cap == 0 ? 8 : s->cap * 2;
    struct module **grown = realloc(s->list, cap * sizeof(*grown));
    if (grown == NULL)
        return -ENOMEM;
    s->list = grown;
    s->cap = cap;
    return 0;
}

struct module *module_store_insert(struct module_store *s, struct module *m)
{
    size_t at = index_of(s, m->owner, m->name);
    if (at < s->count && compare(s->list[at], m->owner, m->name) == 0) {
        struct module *before = s->list[at];
        s->list[at] = m;
        return before;
    }
    memmove(&s->list[at + 1], &s->list[at], (s->count - at) * sizeof(s->list[0]));
    s->list[at] = m;
    s->count++;
    return NULL;
}

bool module_store_knows(const struct module_store *s, uid_t owner, struct module_digest digest)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct module *m = s->list[i];
        if ((m->owner == owner || m->owner == MODULE_UID_ALL) && m->digest.lo == digest.lo &&
            m->digest.hi == digest.hi)
            return true;
    }
    return false;
}

/* ---- looking ---- */

struct module *module_store_find(struct module_store *s, uid_t uid, const char *name)
{
    (void)pthread_mutex_lock(&s->lock);
    struct module *m = find(s, uid, name);
    if (m == NULL)
        m = find(s, MODULE_UID_ALL, name);
    if (m != NULL)
        module_get(m);
    (void)pthread_mutex_unlock(&s->lock);
    return m;
}

int module_store_list(struct module_store *s, uid_t uid, struct module ***out, size_t *count)
{
    struct module **list = NULL;
    size_t begin[2], end[2], n = 0;
    int err = 0;

    (void)pthread_mutex_lock(&s->lock);
    range_of(s, uid, &begin[0], &end[0]);
    range_of(s, MODULE_UID_ALL, &begin[1], &end[1]);
    size_t total = end[0] - begin[0] + end[1] - begin[1];
    if (total > 0 && (list = malloc(total * sizeof(struct module *))) == NULL)
        err = -ENOMEM;
    for (size_t r = 0; r < 2 && list != NULL; r++) {
        for (size_t i = begin[r]; i < end[r]; i++)
            list[n++] = module_get(s->list[i]);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (err == 0) {
        *out = list;
        *count = n;
    }
    return err;
}

void module_list_free(struct module **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        module_put(list[i]);
    free(list);
}

size_t module_store_count(struct module_store *s)
{
    (void)pthread_mutex_lock(&s->lock);
    size_t count = s->count;
    (void)pthread_mutex_unlock(&s->lock);
    return count;
}

/* ---- adding ---- */

/* Locked. */
static enum wire_status may_add(const struct module_store *s, uid_t uid, bool for_all,
                                const char *name, size_t byte_count)
{
    uid_t owner = for_all ? MODULE_UID_ALL : uid;
    size_t begin, end;

    if (!call_name_is_valid(name, strlen(name)))
        return WIRE_BAD_NAME;
    if (for_all && uid != 0)
        return WIRE_MODULE_NOT_ALLOWED;
    if (byte_count > s->limits.file_max_bytes)
        return WIRE_MODULE_TOO_BIG;
    range_of(s, owner, &begin, &end);
    if (end - begin >= s->limits.count_max && find(s, owner, name) == NULL)
        return WIRE_MODULE_LIMIT;
    return WIRE_OK;
}

enum wire_status module_store_may_add(struct module_store *s, uid_t uid, bool for_all,
                                      const char *name, size_t byte_count)
{
    (void)pthread_mutex_lock(&s->lock);
    enum wire_status status = may_add(s, uid, for_all, name, byte_count);
    (void)pthread_mutex_unlock(&s->lock);
    return status;
}

/* Writes the file, which nobody sees yet. Returns a descriptor for reading it, or -errno. */
static int write_file(struct module_file *f, int dir, const void *bytes, size_t byte_count)
{
    int err = module_file_begin(f, dir);
    if (err == 0)
        err = module_file_write(f, bytes, byte_count);
    if (err == 0)
        err = module_file_sync(f);
    if (err < 0)
        return err;
    int fd = openat(dir, f->temporary, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The file gets its name and the store its module, or neither. *before: owned, what it replaces. */
static enum wire_status publish(struct module_store *s, uid_t uid, struct module *m,
                                struct module_file *f, struct module **before, int *os_err)
{
    char file[WHOLE_FILE_NAME];
    snprintf(file, sizeof(file), "%s" MODULE_SUFFIX, m->name);

    (void)pthread_mutex_lock(&s->lock);
    /* again: others may have added meanwhile */
    enum wire_status status = may_add(s, uid, m->owner == MODULE_UID_ALL, m->name, m->bytes);
    if (status == WIRE_OK && module_store_reserve(s) < 0)
        status = WIRE_OUT_OF_MEMORY;
    if (status == WIRE_OK && (*os_err = module_file_finish(f, file)) < 0)
        status = WIRE_MODULE_UNKEPT;
    if (status == WIRE_OK)
        *before = module_store_insert(s, module_get(m));
    (void)pthread_mutex_unlock(&s->lock);
    return status;
}

enum wire_status module_store_add(struct module_store *s, uid_t uid, bool for_all,
                                  const char *name, const void *bytes, size_t byte_count,
                                  struct module **out, int *os_err)
{
    enum wire_status status = module_store_may_add(s, uid, for_all, name, byte_count);
    if (status != WIRE_OK)
        return status;

    uid_t owner = for_all ? MODULE_UID_ALL : uid;
    struct module_file file = {.fd = -1};
    struct module *m = NULL, *before = NULL;
    char folder[MODULE_OWNER_TEXT];
    int fd = -1;
    module_owner_text(folder, owner, "all");

    status = WIRE_MODULE_UNKEPT;
    int dir = *os_err = module_folder_open(s->modules_dir, folder, 1);
    if (dir >= 0)
        fd = *os_err = write_file(&file, dir, bytes, byte_count);
    if (fd < 0)
        goto out;
    status = WIRE_OUT_OF_MEMORY;
    *os_err = 0;
    if (module_new(&m, owner, name, fd, byte_count, module_digest_of(bytes, byte_count),
                   (uint64_t)time(NULL)) < 0)
        goto out;
    fd = -1;
    status = publish(s, uid, m, &file, &before, os_err);
    if (status != WIRE_OK)
        goto out;
    /* The file is on disk whole. If its name cannot be, the disk is dying, and what is lost is an
     * add, not half of one. */
    (void)fsync(dir);
    if (before != NULL && !for_all)
        module_compiled_sweep(s, owner);
    if (out != NULL)
        *out = module_get(m);
out:
    module_put(before);
    module_put(m);
    if (fd >= 0)
        (void)close(fd);
    module_file_end(&file);
    if (dir >= 0)
        (void)close(dir);
    return status;
}

/* ---- removing ---- */

/* Locked: takes the file's name away, then the entry. */
static enum wire_status unlink_locked(struct module_store *s, uid_t owner, const char *name,
                                      int *os_err)
{
    char folder[MODULE_OWNER_TEXT], file[WHOLE_FILE_NAME];
    size_t at = index_of(s, owner, name);
    if (at == s->count || compare(s->list[at], owner, name) != 0)
        return WIRE_MODULE_UNKNOWN;
    module_owner_text(folder, owner, "all");
    snprintf(file, sizeof(file), "%s" MODULE_SUFFIX, name);
    int dir = module_folder_open(s->modules_dir, folder, 0);
    int err = dir < 0 ? dir : unlinkat(dir, file, 0) < 0 ? -errno : 0;
    if (dir >= 0)
        (void)close(dir);
    if (err < 0 && err != -ENOENT) {
        *os_err = err;
        return WIRE_MODULE_UNKEPT;
    }
    module_put(s->list[at]);
    s->count--;
    memmove(&s->list[at], &s->list[at + 1], (s->count - at) * sizeof(s->list[0]));
    return WIRE_OK;
}

enum wire_status module_store_remove(struct module_store *s, uid_t uid, bool for_all,
                                     const char *name, int *os_err)
{
    uid_t owner = for_all ? MODULE_UID_ALL : uid;
    if (!call_name_is_valid(name, strlen(name)))
        return WIRE_BAD_NAME;
    if (for_all && uid != 0)
        return WIRE_MODULE_NOT_ALLOWED;
    (void)pthread_mutex_lock(&s->lock);
    enum wire_status status = unlink_locked(s, owner, name, os_err);
    (void)pthread_mutex_unlock(&s->lock);
    if (status == WIRE_OK && !for_all) /* those of one for all go when the store is next opened */
        module_compiled_sweep(s, owner);
    return status;
}

/* ---- life ---- */

void module_store_set_limits(struct module_store *s, const struct module_limits *limits)
{
    (void)pthread_mutex_lock(&s->lock);
    s->limits = *limits;
    (void)pthread_mutex_unlock(&s->lock);
}

size_t module_store_file_max(struct module_store *s)
{
    (void)pthread_mutex_lock(&s->lock);
    size_t max = s->limits.file_max_bytes;
    (void)pthread_mutex_unlock(&s->lock);
    return max;
}

int module_store_open(struct module_store **out, const char *state_dir,
                      const struct module_limits *limits)
{
    struct module_store *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->modules_dir = s->compiled_dir = -1;
    s->limits = *limits;
    (void)pthread_mutex_init(&s->lock, NULL); /* cannot fail without attributes */

    int err = 0;
    int top = open(state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top < 0)
        err = -errno;
    if (err == 0)
        err = s->modules_dir = module_folder_open(top, "modules", 1);
    if (err >= 0)
        err = s->compiled_dir = module_folder_open(top, "compiled", 1);
    if (top >= 0)
        (void)close(top);
    if (err >= 0)
        err = module_scan(s);
    if (err < 0) {
        module_store_close(s);
        return err;
    }
    module_compiled_sweep_all(s);
    *out = s;
    return 0;
}

void module_store_close(struct module_store *s)
{
    if (s == NULL)
        return;
    module_list_free(s->list, s->count);
    if (s->modules_dir >= 0)
        (void)close(s->modules_dir);
    if (s->compiled_dir >= 0)
        (void)close(s->compiled_dir);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}
