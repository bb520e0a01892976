/* systemd, through libsystemd loaded at run time.
 *
 * Linking the library would cost every start its relocations and those of the compression
 * libraries behind it, with or without systemd. Messages that cannot be sent are dropped: the
 * daemon serves as well unwatched.
 */
#include "config.h"

#include "notify.h"

#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef HAVE_SYSTEMD
#include <systemd/sd-daemon.h>
#else
#define SD_LISTEN_FDS_START 3
#endif

#include "clock.h"

enum { SOCKETS_MAX = 16, NAME_MAX_BYTES = 64, STATUS_MAX_BYTES = 256 };

struct passed_socket {
    int fd; /* -1: taken */
    char name[NAME_MAX_BYTES];
};

struct notify {
    void *library; /* NULL: systemd did not start us, every call is idle */
    int (*send)(int unset_environment, const char *state);
    int (*listen_fds)(int unset_environment, char ***names);
    int (*is_socket)(int fd, int family, int type, int listening);
    int (*watchdog_enabled)(int unset_environment, uint64_t *usec);
    uint64_t watchdog_ms;
    size_t socket_count;
    struct passed_socket sockets[SOCKETS_MAX];
};

static bool started_by_systemd(void)
{
    const char *notify_socket = getenv("NOTIFY_SOCKET");
    return (notify_socket != NULL && *notify_socket != '\0') || getenv("LISTEN_PID") != NULL;
}

#ifdef HAVE_SYSTEMD

/* dlsym() returns a data pointer, which C does not convert to a function's; POSIX lets the bits
 * be copied. */
static int find_function(void *library, const char *name, void *fn, size_t fn_bytes)
{
    void *address = dlsym(library, name);
    assert(fn_bytes == sizeof(address));
    memcpy(fn, &address, fn_bytes);
    return address != NULL ? 0 : -ENOSYS;
}

static int load_library(struct notify *n)
{
    n->library = dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);
    if (n->library == NULL)
        return -ENOSYS;
    void *l = n->library;
    int err = find_function(l, "sd_notify", &n->send, sizeof(n->send));
    if (err == 0)
        err = find_function(l, "sd_listen_fds_with_names", &n->listen_fds, sizeof(n->listen_fds));
    if (err == 0)
        err = find_function(l, "sd_is_socket", &n->is_socket, sizeof(n->is_socket));
    if (err == 0)
        err = find_function(l, "sd_watchdog_enabled", &n->watchdog_enabled,
                            sizeof(n->watchdog_enabled));
    return err;
}

#else

static int load_library(struct notify *n)
{
    (void)n;
    return -ENOSYS;
}

#endif

static int make_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return -errno;
    flags = fcntl(fd, F_GETFD);
    if (flags < 0 || fcntl(fd, F_SETFD, flags | FD_CLOEXEC) < 0)
        return -errno;
    return 0;
}

static int read_sockets(struct notify *n)
{
    char **names = NULL;
    int count = n->listen_fds(1, &names); /* 0 too if they were meant for another process */
    int err = count < 0 ? count : 0;
    for (int i = 0; i < count; i++) {
        int fd = SD_LISTEN_FDS_START + i;
        if (n->socket_count == SOCKETS_MAX) {
            close(fd);
            continue;
        }
        struct passed_socket *s = &n->sockets[n->socket_count++];
        s->fd = fd;
        snprintf(s->name, sizeof(s->name), "%s", names != NULL ? names[i] : "");
        if (err == 0)
            err = make_nonblocking(fd);
    }
    for (char **name = names; name != NULL && *name != NULL; name++)
        free(*name);
    free(names);
    return err;
}

static void read_watchdog(struct notify *n)
{
    uint64_t interval_us = 0;
    if (n->watchdog_enabled(0, &interval_us) <= 0)
        return;
    n->watchdog_ms = interval_us / 2 / 1000;
    if (n->watchdog_ms == 0)
        n->watchdog_ms = 1;
}

int notify_new(struct notify **out)
{
    struct notify *n = calloc(1, sizeof(*n));
    if (n == NULL)
        return -ENOMEM;
    int err = 0;
    if (started_by_systemd()) {
        err = load_library(n);
        if (err == 0)
            err = read_sockets(n);
        if (err == 0)
            read_watchdog(n);
    }
    if (err < 0) {
        notify_free(n);
        return err;
    }
    *out = n;
    return 0;
}

void notify_free(struct notify *n)
{
    if (n == NULL)
        return;
    for (size_t i = 0; i < n->socket_count; i++)
        if (n->sockets[i].fd >= 0)
            close(n->sockets[i].fd);
    if (n->library != NULL)
        dlclose(n->library);
    free(n);
}

static bool is_job(const char *name)
{
    return strcmp(name, "job") == 0;
}

static bool is_of_kind(const struct notify *n, int fd, bool job)
{
    if (job)
        return n->is_socket(fd, AF_UNIX, SOCK_STREAM, 1) > 0;
    return n->is_socket(fd, AF_INET, SOCK_STREAM, 1) > 0 ||
           n->is_socket(fd, AF_INET6, SOCK_STREAM, 1) > 0;
}

static int take(struct passed_socket *s, int *fd)
{
    *fd = s->fd;
    s->fd = -1;
    return 0;
}

int notify_take_socket(struct notify *n, const char *name, int *fd)
{
    bool job = is_job(name);
    assert(job || strcmp(name, "metrics") == 0);
    for (size_t i = 0; i < n->socket_count; i++) {
        struct passed_socket *s = &n->sockets[i];
        if (s->fd < 0 || strcmp(s->name, name) != 0)
            continue;
        return is_of_kind(n, s->fd, job) ? take(s, fd) : -EINVAL;
    }
    /* systemd-socket-activate gives no names, a socket unit without FileDescriptorName= its own. */
    for (size_t i = 0; i < n->socket_count; i++) {
        struct passed_socket *s = &n->sockets[i];
        bool named = is_job(s->name) || strcmp(s->name, "metrics") == 0;
        if (s->fd >= 0 && !named && is_of_kind(n, s->fd, job))
            return take(s, fd);
    }
    return -ENOENT;
}

static void send_state(struct notify *n, const char *state)
{
    if (n->library != NULL)
        (void)n->send(0, state);
}

void notify_status(struct notify *n, const char *status)
{
    char state[STATUS_MAX_BYTES];
    assert(strchr(status, '\n') == NULL); /* the next line would be another message */
    snprintf(state, sizeof(state), "STATUS=%s", status);
    send_state(n, state);
}

void notify_ready(struct notify *n, const char *status)
{
    char state[STATUS_MAX_BYTES];
    assert(strchr(status, '\n') == NULL);
    snprintf(state, sizeof(state), "READY=1\nSTATUS=%s", status);
    send_state(n, state);
}

void notify_reloading(struct notify *n)
{
    char state[STATUS_MAX_BYTES];
    snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading",
             clock_ns() / 1000);
    send_state(n, state);
}

void notify_stopping(struct notify *n)
{
    send_state(n, "STOPPING=1\nSTATUS=Draining: answering accepted jobs");
}

uint64_t notify_watchdog_ms(const struct notify *n)
{
    return n->watchdog_ms;
}

void notify_alive(struct notify *n)
{
    if (n->watchdog_ms != 0)
        send_state(n, "WATCHDOG=1");
}
