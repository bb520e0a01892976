/* A bare socket to the daemon. */
#include "config.h"

#include "dial.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

/* The daemon's queue of new connections may be full for a moment when hundreds come at once. */
enum { TRIES = 1000, PAUSE_NS = 1000000, LARGE_BYTES = 2 << 20 };

int dial(const char *path, bool large)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(path);
    if (length >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, length + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int err = 0;
    for (int i = 0; i < TRIES; i++) {
        err = connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
        if (err != -EAGAIN && err != -EINTR)
            break;
        const struct timespec pause = {0, PAUSE_NS};
        (void)nanosleep(&pause, NULL);
    }
    if (err < 0) {
        (void)close(fd);
        return err;
    }
    int bytes = LARGE_BYTES;
    if (large && setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    if (large && setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes)) < 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    return fd;
}
