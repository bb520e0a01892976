/* Files that are there whole or not at all, and the folders they lie in: module_store's own. */
#ifndef DAEMON_MODULE_FILE_H
#define DAEMON_MODULE_FILE_H

#include <stddef.h>

enum { MODULE_FILE_NAME = 160 };

/* Every name that an unfinished write may leave behind begins so. */
#define MODULE_FILE_UNFINISHED ".new-"

/* One file on its way; nobody sees it before module_file_finish(). */
struct module_file {
    int dir; /* borrowed */
    int fd;  /* for writing and reading; the caller's to close, -1 when it is */
    char temporary[32];
};

/* Opens the folder `name` in `parent`, which it makes, mode 0700, if it is not there and `make` is
 * set. A descriptor or -errno. Follows no link. */
int module_folder_open(int parent, const char *name, int make);

/* Begins a file in the folder `dir`. 0 or -errno. */
int module_file_begin(struct module_file *f, int dir);

/* Appends. 0 or -errno. */
int module_file_write(struct module_file *f, const void *bytes, size_t byte_count);

/* What was written reaches the disk. 0 or -errno. */
int module_file_sync(struct module_file *f);

/* Gives it its name, in place of what had it. Only now is it seen. 0 or -errno. Its folder is to be
 * synced by the caller. */
int module_file_finish(struct module_file *f, const char *name);

/* Takes back what was not finished, and closes. Harmless afterwards. */
void module_file_end(struct module_file *f);

#endif
