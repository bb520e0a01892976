/* Connections: their life, what they wait for, and when they stop reading.
 *
 * A connection reads while its answers are taken and its jobs end; otherwise it is stalled until
 * half of the excess is gone, so a client that never reads holds bounded memory. What waits counts
 * against its client's quota, and where that is used up a connection may have but little waiting;
 * so a client gains nothing by never reading on thousands of connections. Answers that gather
 * during a pass of the loop leave at its end, one sendmsg per connection.
 */
#include "config.h"

#include "connection_priv.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

/* What large payloads like: twice the throughput of the default 208 KiB at 4 MiB, and an answer of
 * 4 MiB goes in one call (the kernel doubles the figure and counts its own overhead in). */
enum { SOCKET_BUFFER_BYTES = 5 * 512 * 1024, LARGE_ANSWER_BYTES = 256 * 1024 };

/* So many connections may have that: what lies in the kernel's buffers is in no quota of ours. */
enum { ROOMY_MAX = 64 };

/* What any connection may have waiting, however much its client has elsewhere. */
enum { OUT_LEAST_BYTES = 16384 };

static void connection_event(uv_poll_t *poll, int status, int events);

/* ---- what it waits for ---- */

/* Whatever is asked for, libuv also tells when both ways are closed; so a client whose jobs run is
 * always watched. Where its half close would be told again and again, urgent data is asked for,
 * which no client of ours sends; if one does, it is told once and not watched any more. */
static void watch(struct connection *c)
{
    int events = 0;
    if (!c->read_ended && !c->stalled)
        events |= UV_READABLE;
    else if (!c->read_ended && !c->half_closed)
        events |= UV_DISCONNECT;
    else if (!c->distracted)
        events |= UV_PRIORITIZED;
    if (c->out.bytes > 0)
        events |= UV_WRITABLE;
    if (events == c->events)
        return;
    c->events = events;
    if (events == 0)
        uv_poll_stop(&c->poll);
    else
        uv_poll_start(&c->poll, events, connection_event);
}

/* True if the peer has closed both ways, not only stopped sending. */
static bool peer_is_gone(const struct connection *c)
{
    struct pollfd p = {.fd = c->fd};
    return poll(&p, 1, 0) == 1 && (p.revents & (POLLHUP | POLLERR)) != 0;
}

static void connection_event(uv_poll_t *poll, int status, int events)
{
    struct connection *c = poll->data;
    assert(c->magic == CONNECTION_MAGIC);
    if (status < 0) {
        connection_lost(c);
        return;
    }
    if ((events & UV_READABLE) != 0 && !c->stalled && !c->read_ended) {
        connection_read(c);
    } else if ((events & (UV_DISCONNECT | UV_PRIORITIZED)) != 0) {
        if (peer_is_gone(c))
            connection_lost(c);
        else if ((events & UV_DISCONNECT) != 0)
            c->half_closed = true; /* it still takes its answers */
        else
            c->distracted = true;
    }
    if (!c->closing)
        connection_touch(c);
}

/* Tells admission what this connection holds. */
static void account(struct connection *c, size_t bytes)
{
    admission_hold(c->client, c->held_bytes, bytes);
    c->held_bytes = bytes;
}

/* How much may wait to be written. Never less than a little, so that whoever is stalled has
 * something waiting, and hears when it is taken. */
static size_t out_limit(const struct connection *c)
{
    size_t max = c->set->limits.out_max_bytes;
    size_t room = admission_room(c->set->rooms.admission, c->client) + c->held_bytes;
    return room > max ? max : room < OUT_LEAST_BYTES ? OUT_LEAST_BYTES : room;
}

/* Decides whether to go on reading. */
static void flow_control(struct connection *c)
{
    const struct connection_limits *limits = &c->set->limits;
    size_t out_max_bytes = out_limit(c);
    uint32_t jobs = c->jobs - (c->job != NULL); /* that one ends only if its payload is read */
    if (!c->stalled && (c->out.bytes > out_max_bytes || jobs >= limits->jobs_max)) {
        c->stalled = true;
        monitor_add(monitor_loop(c->set->rooms.monitor), MONITOR_read_stalls, 1);
    } else if (c->stalled && c->out.bytes <= out_max_bytes / 2 &&
               jobs <= limits->jobs_max / 2) {
        c->stalled = false;
    }
}

void connection_touch(struct connection *c)
{
    if (c->dirty || c->closing)
        return;
    c->dirty = true;
    c->next_dirty = c->set->dirty;
    c->set->dirty = c;
    c->refs++; /* the list's */
}

void connection_queued(struct connection *c)
{
    if (c->closing)
        return;
    account(c, c->out.bytes + c->kept_bytes);
    connection_touch(c);
}

/* ---- the end ---- */

void connection_put(struct connection *c)
{
    if (--c->refs > 0)
        return;
    assert(c->jobs == 0);
    c->magic = 0;
    free(c);
}

static void poll_closed(uv_handle_t *handle)
{
    struct connection *c = handle->data;
    struct connection_set *s = c->set;
    close(c->fd);
    if (c->prev != NULL)
        c->prev->next = c->next;
    else
        s->all = c->next;
    if (c->next != NULL)
        c->next->prev = c->prev;
    s->count--;
    s->roomy_count -= c->roomy;
    connection_put(c);
}

void connection_lost(struct connection *c)
{
    if (c->closing)
        return;
    struct connection_set *s = c->set;
    c->closing = true;
    /* relaxed: see job_is_gone() */
    atomic_store_explicit(&c->gone, true, memory_order_relaxed);
    struct job *job = c->job;
    c->job = NULL;
    if (job != NULL)
        pipeline_fail(s->rooms.pipeline, job, WIRE_CANCELLED);
    connection_drop_arenas(c);
    connection_drop_fds(c);
    buf_put(s->rooms.local, c->kept);
    c->kept = NULL;
    outq_clear(&c->out, s->rooms.local);
    account(c, 0);
    admission_disconnect(s->rooms.admission, c->client);
    monitor_add(monitor_loop(s->rooms.monitor), MONITOR_connections_closed, 1);
    uv_poll_stop(&c->poll);
    uv_close((uv_handle_t *)&c->poll, poll_closed);
}

void connection_end_reading(struct connection *c, enum wire_status why)
{
    c->read_ended = true;
    if (peer_is_gone(c)) {
        connection_lost(c);
        return;
    }
    struct job *job = c->job;
    c->job = NULL;
    if (job != NULL)
        pipeline_fail(c->set->rooms.pipeline, job, why);
    connection_touch(c);
}

/* ---- writing ---- */

static void connection_flush(struct connection *c)
{
    struct connection_set *s = c->set;
    if (c->out.bytes > LARGE_ANSWER_BYTES && !c->roomy && s->roomy_count < ROOMY_MAX) {
        int bytes = SOCKET_BUFFER_BYTES; /* the kernel's limit may make it less */
        (void)setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
        c->roomy = true;
        s->roomy_count++;
    }
    size_t wrote;
    int err = outq_write(&c->out, s->rooms.local, c->fd, &wrote);
    monitor_add(monitor_loop(s->rooms.monitor), MONITOR_written_bytes, wrote);
    if (err < 0 || (c->read_ended && c->jobs == 0 && c->out.bytes == 0)) {
        connection_lost(c);
        return;
    }
    account(c, c->out.bytes + c->kept_bytes);
    flow_control(c);
    watch(c);
}

static void observe_written(struct connection_set *s)
{
    if (s->time_count == 0)
        return;
    struct monitor_thread *t = monitor_loop(s->rooms.monitor);
    uint64_t now = clock_ns();
    for (size_t i = 0; i < s->time_count; i++) {
        if (s->times[i].ended_ns != 0) /* else it came from the cache */
            monitor_observe(t, MONITOR_STAGE_write, now - s->times[i].ended_ns);
        monitor_observe(t, MONITOR_STAGE_total, now - s->times[i].arrived_ns);
    }
    s->time_count = 0;
}

void connection_set_flush(struct connection_set *s)
{
    while (s->dirty != NULL) {
        struct connection *c = s->dirty;
        s->dirty = c->next_dirty;
        c->dirty = false;
        if (!c->closing)
            connection_flush(c);
        connection_put(c);
    }
    observe_written(s);
    connection_forget_metrics(s);
}

/* ---- the set ---- */

static int connection_new(struct connection_set *s, int fd, struct client *client)
{
    struct connection *c = calloc(1, sizeof(*c));
    if (c == NULL)
        return -ENOMEM;
    int err = uv_poll_init(s->rooms.loop, &c->poll, fd);
    if (err < 0) {
        free(c);
        return err;
    }
    c->magic = CONNECTION_MAGIC;
    c->fd = fd;
    c->set = s;
    c->chunk = &s->chunk;
    c->refs = 1;
    c->client = client;
    c->poll.data = c;
    c->next = s->all;
    if (s->all != NULL)
        s->all->prev = c;
    s->all = c;
    s->count++;
    watch(c);
    return 0;
}

void connection_set_accept(struct connection_set *s, int fd)
{
    struct monitor_thread *t = monitor_loop(s->rooms.monitor);
    struct ucred peer;
    socklen_t peer_bytes = sizeof(peer);
    struct client *client = NULL;
    if (!s->draining && s->count < s->limits.connections_max &&
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_bytes) == 0)
        client = admission_connect(s->rooms.admission, peer.uid);
    if (client == NULL || connection_new(s, fd, client) < 0) {
        if (client != NULL)
            admission_disconnect(s->rooms.admission, client);
        monitor_add(t, MONITOR_connections_refused, 1);
        close(fd);
        return;
    }
    monitor_add(t, MONITOR_connections_opened, 1);
    log_debug("client connected", "uid=%u pid=%d connections=%zu", (unsigned)peer.uid,
              (int)peer.pid, s->count);
}

int connection_set_new(struct connection_set **out, const struct connection_rooms *rooms,
                       const struct connection_limits *limits)
{
    struct connection_set *s = calloc(1, sizeof(*s));
    if (s == NULL)
        return -ENOMEM;
    s->rooms = *rooms;
    s->limits = *limits;
    *out = s;
    return 0;
}

void connection_set_free(struct connection_set *s)
{
    if (s == NULL)
        return;
    assert(s->count == 0 && s->dirty == NULL);
    connection_forget_metrics(s);
    connection_forget_chunks(s);
    free(s);
}

void connection_set_limits(struct connection_set *s, const struct connection_limits *limits)
{
    s->limits = *limits;
}

void connection_set_drain(struct connection_set *s)
{
    s->draining = true;
    for (struct connection *c = s->all; c != NULL; c = c->next) {
        if (!c->closing)
            connection_end_reading(c, WIRE_SHUTTING_DOWN);
    }
}

void connection_set_close(struct connection_set *s)
{
    for (struct connection *c = s->all; c != NULL; c = c->next)
        connection_lost(c);
}

size_t connection_set_count(const struct connection_set *s)
{
    return s->count;
}
