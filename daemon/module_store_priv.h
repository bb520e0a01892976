/* What the files of the module store share:
 *   module_store.c     modules by name: found, added, removed, listed
 *   module_scan.c      what lies on disk when the store is opened
 *   module_compiled.c  compiled forms
 *   module.c           one module
 */
#ifndef DAEMON_MODULE_STORE_PRIV_H
#define DAEMON_MODULE_STORE_PRIV_H

#include <pthread.h>
#include <stdatomic.h>

#include "module_store.h"

/* The owner of what is for all; no user has this number either. */
#define MODULE_UID_ALL ((uid_t)-1)

#define MODULE_SUFFIX   ".wasm"
#define COMPILED_SUFFIX ".cwasm"

enum { MODULE_OWNER_TEXT = 16 };

struct module {
    _Atomic uint32_t refs; /* any thread */
    /* fixed */
    uid_t owner; /* a uid or MODULE_UID_ALL */
    int fd;
    size_t bytes;
    uint64_t added_s;
    struct module_digest digest;
    char name[WIRE_NAME_MAX + 1];
};

struct module_store {
    int modules_dir, compiled_dir; /* fixed */
    pthread_mutex_t lock; /* all below; held over a rename or an unlink, never over a sync */
    struct module_limits limits;
    struct module **list; /* owned references; by owner, then by name */
    size_t count, cap;
};

/* ---- module.c ---- */

/* Takes fd on success. -ENOMEM. */
int module_new(struct module **out, uid_t owner, const char *name, int fd, size_t bytes,
               struct module_digest digest, uint64_t added_s);

/* The name of an owner's folder. `all` is what MODULE_UID_ALL is called here. */
void module_owner_text(char out[static MODULE_OWNER_TEXT], uid_t owner, const char *all);

/* And back: false if it is no owner's. */
bool module_owner_of(uid_t *owner, const char *folder, const char *all);

/* ---- module_store.c ---- */

/* Puts a module into its place and returns what was there (owned) or NULL. Room has been made.
 * Takes it. Locked, or before anybody else knows the store. */
struct module *module_store_insert(struct module_store *s, struct module *m);

/* Room for one more. 0 or -ENOMEM. Likewise. */
int module_store_reserve(struct module_store *s);

/* Whether a module that `owner` may call has that digest. Locked, likewise. */
bool module_store_knows(const struct module_store *s, uid_t owner, struct module_digest digest);

/* ---- module_scan.c ---- */

int module_scan(struct module_store *s);

/* ---- module_compiled.c ---- */

/* Removes an owner's compiled forms that belong to no module it may call. */
void module_compiled_sweep(struct module_store *s, uid_t owner);
void module_compiled_sweep_all(struct module_store *s);

#endif
