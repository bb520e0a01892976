/* Users' modules: by name and uid, on disk, so that they outlive a restart.
 *
 *   STATE_DIR/modules/UID/NAME.wasm, STATE_DIR/modules/all/NAME.wasm   what users added
 *   STATE_DIR/compiled/UID/DIGEST-KEY.cwasm                            the engine's output for it
 *
 * Whatever is kept is written under another name, synced, renamed, and its folder synced: after a
 * crash there is the old file or the new one. The store knows files, not WebAssembly: who adds a
 * module has let the engine look at it.
 *
 * Compiled forms are kept for the uid whose process made them, and only that uid's processes get
 * them: whoever breaks into one must not leave code for another's.
 *
 * Thread: any. Workers add and look for compiled forms; the loop looks up, lists and removes, and
 * never waits for a disk write, only for a rename.
 */
#ifndef DAEMON_MODULE_STORE_H
#define DAEMON_MODULE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"

struct module;
struct module_store;

/* Instead of a uid, for module_compiled_*(): the daemon's own kernels. */
#define MODULE_UID_KERNELS ((uid_t)-1)

struct module_limits {
    size_t file_max_bytes;     /* of one module */
    size_t compiled_max_bytes; /* of one compiled form */
    size_t count_max;          /* modules per uid; those for all count as one uid's */
};

/* XXH3-128 of the file. It finds damage and names compiled forms; it withstands no attack, and need
 * not, since a uid could only fool itself. */
struct module_digest {
    uint64_t lo, hi;
};

/* ---- one module: immutable ---- */

struct module *module_get(struct module *m);

/* The last reference closes the file, which may have lost its name long before. NULL is fine. */
void module_put(struct module *m);

/* Everything below is borrowed from the module. */
const char *module_name(const struct module *m);
uid_t module_uid(const struct module *m); /* whose it is; 0 if it is for all */
bool module_is_for_all(const struct module *m);
struct module_digest module_digest(const struct module *m);
size_t module_bytes(const struct module *m);
int module_fd(const struct module *m); /* read only; use pread() or mmap(), never its offset */
uint64_t module_added_s(const struct module *m); /* when, in seconds since 1970 */

struct module_digest module_digest_of(const void *bytes, size_t byte_count);

/* 32 digits, as the files are called. */
enum { MODULE_DIGEST_TEXT = 33 };
void module_digest_text(char out[static MODULE_DIGEST_TEXT], struct module_digest d);

/* ---- the store ---- */

/**
 * Makes the folders that lack below `state_dir`, which exists, and reads what is there. A file that
 * cannot be a module (name, kind, first bytes, size) is logged and left alone; what an interrupted
 * write left is removed, and so are compiled forms of modules that are gone.
 * 0 or -errno.
 */
int module_store_open(struct module_store **out, const char *state_dir,
                      const struct module_limits *limits);

/* Modules that are still referenced live on. NULL is fine. */
void module_store_close(struct module_store *s);

void module_store_set_limits(struct module_store *s, const struct module_limits *limits);
size_t module_store_file_max(struct module_store *s);

/* Returns owned: the uid's module of that name, else the one for all, else NULL. */
struct module *module_store_find(struct module_store *s, uid_t uid, const char *name);

/* Whether a module of `byte_count` may be added under that name: WIRE_OK, BAD_NAME,
 * MODULE_NOT_ALLOWED (for all, and uid is not 0), MODULE_TOO_BIG or MODULE_LIMIT. */
enum wire_status module_store_may_add(struct module_store *s, uid_t uid, bool for_all,
                                      const char *name, size_t byte_count);

/**
 * Adds a module, or puts it in the place of the one of that name, which whoever holds it can still
 * run. Either all of it happens or nothing.
 * bytes    copied
 * out      on success, if not NULL: an owned reference
 * os_err   with MODULE_UNKEPT: -errno of what failed, such as -ENOSPC
 * Returns WIRE_OK, what module_store_may_add() does, MODULE_UNKEPT or OUT_OF_MEMORY.
 */
enum wire_status module_store_add(struct module_store *s, uid_t uid, bool for_all,
                                  const char *name, const void *bytes, size_t byte_count,
                                  struct module **out, int *os_err);

/* Removes the uid's own module, or the one for all: WIRE_OK, BAD_NAME, MODULE_NOT_ALLOWED,
 * MODULE_UNKNOWN or MODULE_UNKEPT (its file could not be removed, and it stays). */
enum wire_status module_store_remove(struct module_store *s, uid_t uid, bool for_all,
                                     const char *name, int *os_err);

/* What `uid` may call: its own by name, then those for all. Returns 0 and an owned array
 * (module_list_free()) of *count references, NULL if there are none; or -ENOMEM. */
int module_store_list(struct module_store *s, uid_t uid, struct module ***out, size_t *count);
void module_list_free(struct module **list, size_t count);

/* Modules of all users. */
size_t module_store_count(struct module_store *s);

/* ---- compiled forms ---- */

/**
 * key  the engine's version and the CPU's features: 1 to 63 of A-Z a-z 0-9 _ . -, no point first
 * Returns a descriptor (read only, close-on-exec), which the caller closes; -ENOENT or -errno.
 */
int module_compiled_open(struct module_store *s, uid_t uid, struct module_digest digest,
                         const char *key);

/**
 * Keeps what a process compiled; one that was there is replaced, and those of other keys are
 * removed.
 * from_fd  a memfd (anything else is -EINVAL: reading it could block), borrowed; `bytes` are read
 *          from its start, and nothing is believed about it
 * 0, -EFBIG (over compiled_max_bytes) or -errno; then nothing is kept.
 */
int module_compiled_keep(struct module_store *s, uid_t uid, struct module_digest digest,
                         const char *key, int from_fd, size_t bytes);

/* It was damaged or stale: removes it. */
void module_compiled_drop(struct module_store *s, uid_t uid, struct module_digest digest,
                          const char *key);

#endif
