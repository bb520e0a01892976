/* HTTP connections on the loop: accepted here, then libmicrohttpd's, driven through its epoll
 * descriptor.
 *
 * We accept ourselves for three reasons: the library is loaded by the first connection only; at
 * the limit of connections the one that has been silent for longest makes room, so that idle or
 * malicious ones cannot shut a scraper out; and when descriptors run out we pause instead of
 * spinning. Patience is ours too: libmicrohttpd's timeout starts anew with every byte, so one byte
 * now and then would hold a connection for ever.
 */
#include "config.h"

#include "http_priv.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"

enum {
    PATIENCE_MS = 30000,
    SWEEP_MS = 1000,
    ACCEPT_AT_ONCE_MAX = 16, /* then others get their turn on the loop */
    CONNECTION_MEMORY_BYTES = 16384,
    CONNECTION_MEMORY_STEP_BYTES = 2048
};

static void run(struct http *h);
static void accept_ready(uv_poll_t *poll, int status, int events);

/* libmicrohttpd has taken a connection in, or lets it go. */
static void peer_changed(void *user, struct MHD_Connection *connection, void **context,
                         enum MHD_ConnectionNotificationCode what)
{
    struct http *h = user;
    if (what == MHD_CONNECTION_NOTIFY_CLOSED) {
        struct http_peer *gone = *context;
        if (gone != NULL) {
            gone->used = false;
            h->peer_count--;
        }
        return;
    }
    const union MHD_ConnectionInfo *info =
        h->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    for (size_t i = 0; info != NULL && i < HTTP_CONNECTIONS_MAX; i++) {
        struct http_peer *peer = &h->peers[i];
        if (peer->used)
            continue;
        *peer = (struct http_peer){
            .used = true, .fd = info->connect_fd, .since_ms = uv_now(h->loop)};
        h->peer_count++;
        *context = peer;
        return;
    }
}

/* libmicrohttpd sees the end of the stream and closes the descriptor, which is its to close. */
static void peer_drop(struct http_peer *peer)
{
    (void)shutdown(peer->fd, SHUT_RDWR);
}

static void peer_drop_oldest(struct http *h)
{
    struct http_peer *oldest = NULL;
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        if (h->peers[i].used && (oldest == NULL || h->peers[i].since_ms < oldest->since_ms))
            oldest = &h->peers[i];
    if (oldest != NULL)
        peer_drop(oldest);
}

/* Once a second or so: drops whom we have waited for long enough and what is stale. */
static void sweep(struct http *h, uint64_t now_ms)
{
    h->swept_ms = now_ms;
    for (size_t i = 0; i < HTTP_CONNECTIONS_MAX; i++)
        if (h->peers[i].used && now_ms - h->peers[i].since_ms >= h->patience_ms)
            peer_drop(&h->peers[i]);
    if (!h->is_accepting)
        h->is_accepting = uv_poll_start(&h->listen_poll, UV_READABLE, accept_ready) == 0;
}

static uint64_t sweep_interval_ms(const struct http *h)
{
    return h->patience_ms / 2 < SWEEP_MS ? h->patience_ms / 2 + 1 : SWEEP_MS;
}

static void timer_due(uv_timer_t *timer)
{
    run(timer->data);
}

/* Lets libmicrohttpd work and sees to it that somebody calls again. */
static void run(struct http *h)
{
    uint64_t now_ms = uv_now(h->loop);
    if (now_ms - h->swept_ms >= sweep_interval_ms(h))
        sweep(h, now_ms);
    if (h->daemon != NULL)
        h->mhd.run(h->daemon);

    bool bodies = http_bodies_drop(h, now_ms > SWEEP_MS ? now_ms - SWEEP_MS : 0);
    uint64_t wait_ms = UINT64_MAX;
    MHD_UNSIGNED_LONG_LONG wish_ms;
    if (h->peer_count > 0 || bodies || !h->is_accepting)
        wait_ms = sweep_interval_ms(h);
    if (h->daemon != NULL && h->mhd.get_timeout(h->daemon, &wish_ms) == MHD_YES &&
        wish_ms < wait_ms)
        wait_ms = wish_ms; /* 0: it has more to do without any event */
    if (wait_ms == UINT64_MAX)
        uv_timer_stop(&h->timer);
    else
        uv_timer_start(&h->timer, timer_due, wait_ms, 0);
}

static void mhd_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    run(poll->data);
}

static void handle_closed(uv_handle_t *handle)
{
    struct http *h = handle->data;
    if (--h->handles_open == 0)
        free(h);
}

/* The first connection is here. */
static int library_start(struct http *h)
{
    int err = mhd_load(&h->mhd);
    if (err < 0)
        return err;
    h->daemon = h->mhd.start_daemon(
        MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET, 0, NULL, NULL, http_request_answer, h,
        MHD_OPTION_URI_LOG_CALLBACK, http_request_begin, h,
        MHD_OPTION_NOTIFY_COMPLETED, http_request_end, h,
        MHD_OPTION_NOTIFY_CONNECTION, peer_changed, h,
        MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_CONNECTIONS_MAX,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY_BYTES,
        MHD_OPTION_CONNECTION_MEMORY_INCREMENT, (size_t)CONNECTION_MEMORY_STEP_BYTES,
        MHD_OPTION_END);
    if (h->daemon == NULL)
        return -ENOMEM;

    const union MHD_DaemonInfo *info =
        h->mhd.get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    err = info != NULL ? uv_poll_init(h->loop, &h->mhd_poll, info->epoll_fd) : -ENOSYS;
    if (err == 0) {
        h->handles_open++;
        h->mhd_poll.data = h;
        err = uv_poll_start(&h->mhd_poll, UV_READABLE, mhd_ready);
        if (err == 0)
            return 0;
        uv_close((uv_handle_t *)&h->mhd_poll, handle_closed);
    }
    h->mhd.stop_daemon(h->daemon);
    h->daemon = NULL;
    return err;
}

static void accept_pause(struct http *h)
{
    uv_poll_stop(&h->listen_poll);
    h->is_accepting = false;
    h->swept_ms = uv_now(h->loop);
    uv_timer_start(&h->timer, timer_due, sweep_interval_ms(h), 0);
}

/* Returns false when there is nothing more to accept now. */
static bool accept_one(struct http *h)
{
    struct sockaddr_storage address;
    socklen_t address_bytes = sizeof address;
    int fd = accept4(h->listen_fd, (struct sockaddr *)&address, &address_bytes,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            accept_pause(h);
        return errno == EINTR || errno == ECONNABORTED;
    }
    int err = h->daemon == NULL ? library_start(h) : 0;
    if (err < 0) {
        log_err("http is off", "error=%s library=libmicrohttpd.so.12", uv_err_name(err));
        close(fd);
        accept_pause(h);
        return false;
    }
    if (h->peer_count == HTTP_CONNECTIONS_MAX) {
        peer_drop_oldest(h);
        h->mhd.run(h->daemon); /* it closes the connection and makes room */
    }
    /* Takes fd, also when it refuses. */
    (void)h->mhd.add_connection(h->daemon, fd, (const struct sockaddr *)&address, address_bytes);
    return true;
}

static void accept_ready(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
    struct http *h = poll->data;
    int left = ACCEPT_AT_ONCE_MAX;
    while (left > 0 && accept_one(h))
        left--;
    if (h->daemon != NULL && h->is_accepting)
        run(h);
}

int http_start(struct http **out, uv_loop_t *loop, int fd, struct monitor *monitor)
{
    struct http *h = calloc(1, sizeof *h);
    if (h == NULL)
        return -ENOMEM;
    *h = (struct http){.loop = loop,
                       .monitor = monitor,
                       .listen_fd = fd,
                       .patience_ms = PATIENCE_MS,
                       .is_accepting = true};
    int err = uv_poll_init(loop, &h->listen_poll, fd);
    if (err < 0) {
        free(h);
        return err;
    }
    uv_timer_init(loop, &h->timer); /* cannot fail */
    h->listen_poll.data = h->timer.data = h;
    h->handles_open = 2;
    err = uv_poll_start(&h->listen_poll, UV_READABLE, accept_ready);
    if (err < 0) {
        uv_close((uv_handle_t *)&h->listen_poll, handle_closed);
        uv_close((uv_handle_t *)&h->timer, handle_closed);
        return err;
    }
    *out = h;
    return 0;
}

void http_set_ready(struct http *h, bool ready)
{
    h->is_ready = ready;
}

void http_set_patience(struct http *h, uint64_t patience_ms)
{
    h->patience_ms = patience_ms;
}

int http_port(const struct http *h)
{
    struct sockaddr_storage address;
    socklen_t bytes = sizeof address;
    if (getsockname(h->listen_fd, (struct sockaddr *)&address, &bytes) != 0)
        return -errno;
    if (address.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address)->sin_port);
}

unsigned http_connection_count(const struct http *h)
{
    return h->peer_count;
}

void http_stop(struct http *h)
{
    if (h == NULL)
        return;
    uv_close((uv_handle_t *)&h->listen_poll, handle_closed);
    uv_close((uv_handle_t *)&h->timer, handle_closed);
    close(h->listen_fd);
    if (h->daemon == NULL)
        return;
    uv_close((uv_handle_t *)&h->mhd_poll, handle_closed);
    http_bodies_drop(h, UINT64_MAX);
    h->mhd.stop_daemon(h->daemon);
}
