/* Claims the path of the job socket.
 *
 * A daemon that was killed leaves its socket file behind, and bind() refuses it. Whether somebody
 * lives behind a file only connect() tells. Between that question and the unlink() another daemon
 * may bind, so both happen under a lock on the directory (flock; no lock file to leave behind).
 *
 * The umask is not touched, since it belongs to the whole process: the socket's own mode is
 * narrowed before bind(), which takes it over, and widened when the group is right. Nobody can
 * connect before listen(), which comes last.
 */
#include "config.h"

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    BACKLOG = 4096, /* the kernel's own default bound, net.core.somaxconn */
    LOCK_TRIES = 100,
    LOCK_WAIT_MS = 10
};

static int fill_address(struct sockaddr_un *address, const char *path)
{
    size_t bytes = strlen(path);
    if (bytes == 0)
        return -EINVAL; /* would be an autobound abstract name */
    if (bytes >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, bytes);
    return 0;
}

static int open_directory(const char *path)
{
    char directory[sizeof(((struct sockaddr_un *)0)->sun_path)];
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        memcpy(directory, ".", 2);
    } else {
        size_t bytes = slash == path ? 1 : (size_t)(slash - path);
        memcpy(directory, path, bytes);
        directory[bytes] = '\0';
    }
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd >= 0 ? fd : -errno;
}

/* Bounded: in a shared directory anybody may hold the lock. A file system without locks cannot
 * serve two starts at once, but it can serve one. */
static int lock_directory(int fd)
{
    const struct timespec wait = {.tv_nsec = LOCK_WAIT_MS * 1000000L};
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return 0;
        if (errno != EWOULDBLOCK && errno != EINTR)
            return 0;
        nanosleep(&wait, NULL);
    }
    return -EBUSY;
}

/* Somebody answers: -EADDRINUSE. Nobody does: 0. */
static int ask_owner(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int err = connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 ? 0 : errno;
    close(fd);
    switch (err) {
    case ECONNREFUSED:
        return 0;
    case 0:
    case EAGAIN:     /* its backlog is full: very much alive */
    case EPROTOTYPE: /* a socket of another type, bound by a live process */
        return -EADDRINUSE;
    default:
        return -err;
    }
}

static int remove_stale(const struct sockaddr_un *address)
{
    struct stat st;
    if (lstat(address->sun_path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode))
        return -EEXIST;
    int err = ask_owner(address);
    if (err < 0)
        return err;
    if (unlink(address->sun_path) < 0 && errno != ENOENT)
        return -errno;
    return 0;
}

static int find_group(gid_t *gid, const char *name)
{
    errno = 0;
    const struct group *g = getgrnam(name); /* before threads start: one static buffer */
    if (g == NULL)
        return -ESRCH;
    *gid = g->gr_gid;
    return 0;
}

static int bind_and_listen(int fd, const struct sockaddr_un *address, bool has_group, gid_t gid)
{
    if (fchmod(fd, 0600) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return -errno;
    if ((has_group && lchown(address->sun_path, (uid_t)-1, gid) < 0) ||
        chmod(address->sun_path, 0660) < 0 || listen(fd, BACKLOG) < 0) {
        int err = -errno;
        unlink(address->sun_path); /* ours: the directory is still locked */
        return err;
    }
    return 0;
}

int listener_bind(int *fd, const char *path, const char *group)
{
    struct sockaddr_un address;
    gid_t gid = 0;
    bool has_group = group != NULL && *group != '\0';
    int directory = -1, sock = -1;
    int err = fill_address(&address, path);
    if (err == 0 && has_group)
        err = find_group(&gid, group);
    if (err < 0)
        goto out;

    err = directory = open_directory(path);
    if (err < 0)
        goto out;
    err = lock_directory(directory);
    if (err == 0)
        err = remove_stale(&address);
    if (err < 0)
        goto out;
    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    err = sock >= 0 ? bind_and_listen(sock, &address, has_group, gid) : -errno;
out:
    if (err < 0 && sock >= 0)
        close(sock);
    if (directory >= 0)
        close(directory); /* unlocks */
    if (err == 0)
        *fd = sock;
    return err;
}
