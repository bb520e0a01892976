/* What the suites of module_store.h share: a store in a folder of its own, small limits, and two
 * modules to keep. */
#ifndef TESTS_MODULE_STORE_BED_H
#define TESTS_MODULE_STORE_BED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "module_store.h"

enum { ALICE = 1001, BOB = 1002, FILE_MAX = 4096, COUNT_MAX = 3 };

#define ONE "\0asm\1\0\0\0one"
#define TWO "\0asm\1\0\0\0two!"
#define BYTES(text) (sizeof(text) - 1)

struct store_bed {
    char dir[64];
    struct module_store *store;
    struct module_limits limits;
};

void bed_open(struct store_bed *b);
void bed_close(struct store_bed *b);

/* Closes the store, and opens it on what it left. */
void bed_reopen(struct store_bed *b);

/* Adds, must work. */
void bed_add(struct store_bed *b, uid_t uid, bool for_all, const char *name, const void *bytes,
             size_t byte_count);

/* Removes, and returns what that answers. */
enum wire_status bed_drop(struct store_bed *b, uid_t uid, bool for_all, const char *name);

/* How many entries the folder b->dir/sub has; 0 if it is not there. */
unsigned bed_files(const struct store_bed *b, const char *sub);

void bed_put_file(const struct store_bed *b, const char *path_in_dir, const void *bytes,
                  size_t byte_count);

#endif
