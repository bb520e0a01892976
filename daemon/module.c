/* One module: a file that is open and what is known of it. */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "module_store_priv.h"

int module_new(struct module **out, uid_t owner, const char *name, int fd, size_t bytes,
               struct module_digest digest, uint64_t added_s)
{
    struct module *m = malloc(sizeof(*m));
    if (m == NULL)
        return -ENOMEM;
    *m = (struct module){
        .owner = owner, .fd = fd, .bytes = bytes, .added_s = added_s, .digest = digest};
    atomic_init(&m->refs, 1);
    snprintf(m->name, sizeof(m->name), "%s", name);
    *out = m;
    return 0;
}

struct module *module_get(struct module *m)
{
    /* relaxed: whoever hands us `m` holds a reference, so it cannot go away meanwhile */
    atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    return m;
}

void module_put(struct module *m)
{
    /* acq_rel: release pairs with the acquire of the last holder here, so that our use of the file
     * is over before it is closed; acquire pairs with the others' release, so that theirs is */
    if (m == NULL || atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) > 1)
        return;
    (void)close(m->fd);
    free(m);
}

const char *module_name(const struct module *m)
{
    return m->name;
}

uid_t module_uid(const struct module *m)
{
    return module_is_for_all(m) ? 0 : m->owner;
}

bool module_is_for_all(const struct module *m)
{
    return m->owner == MODULE_UID_ALL;
}

struct module_digest module_digest(const struct module *m)
{
    return m->digest;
}

size_t module_bytes(const struct module *m)
{
    return m->bytes;
}

int module_fd(const struct module *m)
{
    return m->fd;
}

uint64_t module_added_s(const struct module *m)
{
    return m->added_s;
}

struct module_digest module_digest_of(const void *bytes, size_t byte_count)
{
    XXH128_hash_t h = XXH3_128bits(bytes, byte_count);
    return (struct module_digest){.lo = h.low64, .hi = h.high64};
}

void module_digest_text(char out[static MODULE_DIGEST_TEXT], struct module_digest d)
{
    snprintf(out, MODULE_DIGEST_TEXT, "%016" PRIx64 "%016" PRIx64, d.hi, d.lo);
}

void module_owner_text(char out[static MODULE_OWNER_TEXT], uid_t owner, const char *all)
{
    if (owner == MODULE_UID_ALL)
        snprintf(out, MODULE_OWNER_TEXT, "%s", all);
    else
        snprintf(out, MODULE_OWNER_TEXT, "%ju", (uintmax_t)owner);
}

bool module_owner_of(uid_t *owner, const char *folder, const char *all)
{
    char text[MODULE_OWNER_TEXT];
    char *end;

    if (strcmp(folder, all) == 0) {
        *owner = MODULE_UID_ALL;
        return true;
    }
    errno = 0;
    unsigned long long number = strtoull(folder, &end, 10);
    if (errno != 0 || *end != '\0' || number >= MODULE_UID_ALL)
        return false;
    *owner = (uid_t)number;
    module_owner_text(text, *owner, all);
    return strcmp(text, folder) == 0; /* no blank, sign or zero in front */
}
