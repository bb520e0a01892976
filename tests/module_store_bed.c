/* A store in a folder of its own. */
#include "config.h"

#include "module_store_bed.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <check.h>

#include "log.h"

void bed_reopen(struct store_bed *b)
{
    module_store_close(b->store);
    b->store = NULL;
    ck_assert_int_eq(module_store_open(&b->store, b->dir, &b->limits), 0);
}

void bed_open(struct store_bed *b)
{
    log_init(LOG_LEVEL_ERR);
    *b = (struct store_bed){.limits = {FILE_MAX, 4 * FILE_MAX, COUNT_MAX}};
    snprintf(b->dir, sizeof(b->dir), "/tmp/test_module_store.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(b->dir));
    bed_reopen(b);
}

void bed_close(struct store_bed *b)
{
    char command[128];
    module_store_close(b->store);
    snprintf(command, sizeof(command), "rm -rf '%s'", b->dir);
    ck_assert_int_eq(system(command), 0);
}

void bed_add(struct store_bed *b, uid_t uid, bool for_all, const char *name, const void *bytes,
             size_t byte_count)
{
    int os_err = 0;
    enum wire_status status =
        module_store_add(b->store, uid, for_all, name, bytes, byte_count, NULL, &os_err);
    ck_assert_msg(status == WIRE_OK, "%s: %s", wire_status_name(status), strerror(-os_err));
}

enum wire_status bed_drop(struct store_bed *b, uid_t uid, bool for_all, const char *name)
{
    int os_err = 0;
    return module_store_remove(b->store, uid, for_all, name, &os_err);
}

unsigned bed_files(const struct store_bed *b, const char *sub)
{
    char path[PATH_MAX];
    unsigned count = 0;
    snprintf(path, sizeof(path), "%s/%s", b->dir, sub);
    DIR *d = opendir(path);
    if (d == NULL)
        return 0;
    struct dirent *entry;
    while ((entry = readdir(d)) != NULL)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(d);
    return count;
}

void bed_put_file(const struct store_bed *b, const char *path_in_dir, const void *bytes,
                  size_t byte_count)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", b->dir, path_in_dir);
    FILE *f = fopen(path, "w");
    ck_assert_msg(f != NULL, "%s", path);
    ck_assert_uint_eq(fwrite(bytes, 1, byte_count, f), byte_count);
    ck_assert_int_eq(fclose(f), 0);
}
