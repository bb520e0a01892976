/* The listening loop: accepts what waits, and survives running out of descriptors.
 *
 * listener_bind.c claims the path. A pass accepts at most ACCEPTS_MAX connections, so that a storm
 * of new clients leaves time for those who are there; the rest is reported again at once, since
 * the poll is level-triggered.
 *
 * When descriptors or memory run out the connection stays in the backlog and the socket readable:
 * polling on would spin. So accepting pauses, and clients wait instead of being turned away.
 */
#include "config.h"

#include "listener.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

enum {
    ACCEPTS_MAX = 256, /* a few hundred microseconds of accept4() */
    PAUSE_MS = 100     /* long enough to cost nothing, short enough to go unnoticed */
};
static const uint64_t log_interval_ns = 1000000000;

struct listener {
    uv_poll_t poll;
    uv_timer_t pause;
    unsigned open_handles; /* freed when both have closed */
    bool stopping;
    int fd;
    char *path;       /* NULL: nothing to unlink */
    dev_t path_dev;   /* what the path was when we started */
    ino_t path_inode;
    uint64_t logged_ns; /* last complaint; 0: none yet */
    listener_accept_fn *accept;
    void *user;
};

static void on_readable(uv_poll_t *poll, int status, int events);

static void on_pause_end(uv_timer_t *timer)
{
    struct listener *l = timer->data;
    int err = uv_poll_start(&l->poll, UV_READABLE, on_readable);
    if (err < 0) /* out of memory in the loop's tables */
        uv_timer_start(timer, on_pause_end, PAUSE_MS, 0);
}

static void pause_accepting(struct listener *l, int err)
{
    uint64_t now_ns = clock_ns();
    if (l->logged_ns == 0 || now_ns - l->logged_ns >= log_interval_ns) {
        log_warn("accepting pauses", "error=%s pause_ms=%d", uv_err_name(err), PAUSE_MS);
        l->logged_ns = now_ns;
    }
    uv_poll_stop(&l->poll);
    uv_timer_start(&l->pause, on_pause_end, PAUSE_MS, 0);
}

/* The client's trouble, not ours: the next one may be fine. */
static bool is_clients_error(int error)
{
    return error == ECONNABORTED || error == EINTR || error == EPERM || error == EPROTO;
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct listener *l = poll->data;
    (void)events;
    if (status < 0) {
        pause_accepting(l, status);
        return;
    }
    for (int i = 0; i < ACCEPTS_MAX && !l->stopping; i++) {
        int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            l->accept(l->user, fd);
            continue;
        }
        if (errno == EAGAIN)
            return;
        if (is_clients_error(errno))
            continue;
        pause_accepting(l, -errno);
        return;
    }
}

static void on_close(uv_handle_t *handle)
{
    struct listener *l = handle->data;
    assert(l->open_handles > 0);
    if (--l->open_handles > 0)
        return;
    free(l->path);
    free(l);
}

int listener_start(struct listener **out, uv_loop_t *loop, int fd, const char *path,
                   listener_accept_fn *accept, void *user)
{
    struct listener *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return -ENOMEM;
    int err = 0;
    struct stat st;
    l->fd = fd;
    l->accept = accept;
    l->user = user;
    if (path != NULL) {
        l->path = strdup(path);
        if (l->path == NULL)
            err = -ENOMEM;
        else if (lstat(path, &st) < 0)
            err = -errno;
        if (err < 0)
            goto fail;
        l->path_dev = st.st_dev;
        l->path_inode = st.st_ino;
    }
    err = uv_poll_init(loop, &l->poll, fd);
    if (err < 0)
        goto fail;
    uv_timer_init(loop, &l->pause);
    l->poll.data = l;
    l->pause.data = l;
    l->open_handles = 2;
    err = uv_poll_start(&l->poll, UV_READABLE, on_readable);
    if (err < 0) {
        /* The caller keeps fd and path; the handles end by themselves. */
        uv_close((uv_handle_t *)&l->poll, on_close);
        uv_close((uv_handle_t *)&l->pause, on_close);
        return err;
    }
    *out = l;
    return 0;
fail:
    free(l->path);
    free(l);
    return err;
}

void listener_stop(struct listener *l)
{
    if (l == NULL)
        return;
    struct stat st;
    l->stopping = true;
    /* By now the path may be another daemon's: an operator removed ours and started a second. */
    if (l->path != NULL && lstat(l->path, &st) == 0 && st.st_dev == l->path_dev &&
        st.st_ino == l->path_inode)
        unlink(l->path);
    uv_close((uv_handle_t *)&l->poll, on_close);
    uv_close((uv_handle_t *)&l->pause, on_close);
    close(l->fd);
}
