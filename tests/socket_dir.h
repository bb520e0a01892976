/* A directory of its own for each test, with a path for a socket in it. Check runs every test in a
 * process of its own, so these may be plain statics. */
#ifndef TESTS_SOCKET_DIR_H
#define TESTS_SOCKET_DIR_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <check.h>

static char dir[] = "/tmp/simdd-test-listener-XXXXXX";
static char path[64];

static inline void socket_dir_make(void)
{
    memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/simdd.sock", dir);
}

static inline void socket_dir_remove(void)
{
    unlink(path);
    chmod(dir, 0700);
    rmdir(dir);
}

static inline bool exists(const char *name)
{
    struct stat st;
    return lstat(name, &st) == 0;
}

static inline struct sockaddr_un address_of(const char *name)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    memcpy(a.sun_path, name, strlen(name));
    return a;
}

/* 0 and a connected client, or -errno. */
static inline int try_connect(int *fd)
{
    struct sockaddr_un a = address_of(path);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    ck_assert_int_ge(*fd, 0);
    return connect(*fd, (struct sockaddr *)&a, sizeof(a)) == 0 ? 0 : -errno;
}

#endif
