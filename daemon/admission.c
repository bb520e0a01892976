/* Quotas per uid and turns between uids.
 *
 * A host has few uids with jobs at a time, so clients live in a list that moves the last one found
 * to the front. A client stays while it has connections, jobs or batches; its totals go with it.
 * Waiting batches form a round of clients: a client takes its turn while its deficit, refilled by
 * one quantum of estimated time per round, covers its next batch.
 */
#include "config.h"

#include "admission.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "batch.h"
#include "scheduler.h"

/* One turn's worth of estimated worker time. Small against a large matmul, so that short jobs of
 * other clients wait for one of those at most; large against a batch of small jobs, so that a turn
 * is not one batch only. */
enum { QUANTUM_NS = 500000 };

struct client {
    struct client *next; /* all clients */
    uid_t uid;
    uint64_t connections, arenas;
    uint64_t jobs_in_flight;
    size_t bytes_in_flight, arena_bytes;
    size_t held_bytes; /* by connections */
    uint64_t jobs_total, refused_total, run_ns_total;

    /* waiting batches */
    struct client *turn_next; /* circular list of clients that have any */
    struct {
        struct batch *first, *last;
    } queue[SCHED_LANE_COUNT]; /* by priority: it orders a client's own work, no more */
    size_t queued;
    uint64_t deficit_ns;
};

struct admission {
    struct client *clients;
    struct client *turn; /* last of the circular list: its turn_next is next to go */
    struct admission_limits limits;
};

int admission_new(struct admission **out, const struct admission_limits *limits)
{
    struct admission *a = calloc(1, sizeof(*a));
    if (a == NULL)
        return -ENOMEM;
    a->limits = *limits;
    *out = a;
    return 0;
}

void admission_free(struct admission *a)
{
    if (a == NULL)
        return;
    while (a->clients != NULL) {
        struct client *c = a->clients;
        a->clients = c->next;
        free(c);
    }
    free(a);
}

void admission_set_limits(struct admission *a, const struct admission_limits *limits)
{
    a->limits = *limits;
}

static struct client *client_find(struct admission *a, uid_t uid)
{
    for (struct client **at = &a->clients; *at != NULL; at = &(*at)->next) {
        struct client *c = *at;
        if (c->uid == uid) {
            *at = c->next;
            c->next = a->clients;
            a->clients = c;
            return c;
        }
    }
    return NULL;
}

/* Lets a client go that nothing refers to any more. */
static void client_release(struct admission *a, struct client *c)
{
    if (c->connections > 0 || c->jobs_in_flight > 0 || c->arenas > 0 || c->queued > 0)
        return;
    for (struct client **at = &a->clients; *at != NULL; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            free(c);
            return;
        }
    }
}

struct client *admission_connect(struct admission *a, uid_t uid)
{
    struct client *c = client_find(a, uid);
    if (c == NULL) {
        c = calloc(1, sizeof(*c));
        if (c == NULL)
            return NULL;
        c->uid = uid;
        c->next = a->clients;
        a->clients = c;
    } else if (c->connections >= a->limits.client_connections) {
        return NULL;
    }
    c->connections++;
    return c;
}

void admission_disconnect(struct admission *a, struct client *c)
{
    c->connections--;
    client_release(a, c);
}

/* How long until a slot is likely free: the mean run of this client's jobs, within reason. */
static uint32_t retry_hint_us(const struct client *c)
{
    uint64_t done = c->jobs_total - c->jobs_in_flight;
    uint64_t us = done == 0 ? 1000 : c->run_ns_total / done / 1000;
    return us < 1000 ? 1000 : us > 1000000 ? 1000000 : (uint32_t)us;
}

enum wire_status admission_enter(struct admission *a, struct client *c, size_t bytes,
                                 uint32_t *retry_after_us)
{
    /* The first job always gets in, so that a job below job_max_bytes can run at all. */
    bool first = c->jobs_in_flight == 0 && c->held_bytes == 0;
    if (!first && (c->jobs_in_flight >= a->limits.client_jobs || bytes > admission_room(a, c))) {
        c->refused_total++;
        *retry_after_us = retry_hint_us(c);
        return WIRE_OVERLOADED;
    }
    c->jobs_in_flight++;
    c->jobs_total++;
    c->bytes_in_flight += bytes;
    return WIRE_OK;
}

void admission_leave(struct admission *a, struct client *c, size_t bytes, uint64_t run_ns)
{
    c->jobs_in_flight--;
    c->bytes_in_flight -= bytes;
    c->run_ns_total += run_ns;
    client_release(a, c);
}

void admission_hold(struct client *c, size_t before, size_t now)
{
    c->held_bytes += now - before;
}

size_t admission_room(const struct admission *a, const struct client *c)
{
    size_t taken = c->bytes_in_flight + c->held_bytes;
    return taken < a->limits.client_bytes ? a->limits.client_bytes - taken : 0;
}

enum wire_status admission_arena_enter(struct admission *a, struct client *c, size_t bytes)
{
    if (c->arenas >= a->limits.client_arenas || bytes > a->limits.client_arena_bytes ||
        c->arena_bytes > a->limits.client_arena_bytes - bytes)
        return WIRE_ARENA_LIMIT;
    c->arenas++;
    c->arena_bytes += bytes;
    return WIRE_OK;
}

void admission_arena_leave(struct admission *a, struct client *c, size_t bytes)
{
    c->arenas--;
    c->arena_bytes -= bytes;
    client_release(a, c);
}

uid_t client_uid(const struct client *c)
{
    return c->uid;
}

static enum sched_lane batch_lane(const struct batch *b)
{
    switch (b->priority) {
    case WIRE_PRIORITY_HIGH:
        return SCHED_LANE_HIGH;
    case WIRE_PRIORITY_LOW:
        return SCHED_LANE_LOW;
    default:
        return SCHED_LANE_NORMAL;
    }
}

void admission_queue(struct admission *a, struct batch *b)
{
    struct client *c = b->client;
    enum sched_lane lane = batch_lane(b);
    b->next = NULL;
    if (c->queue[lane].last != NULL)
        c->queue[lane].last->next = b;
    else
        c->queue[lane].first = b;
    c->queue[lane].last = b;
    if (c->queued++ > 0)
        return;

    /* Its first one: the client joins the round at the end. */
    c->deficit_ns = 0;
    if (a->turn == NULL) {
        c->turn_next = c;
    } else {
        c->turn_next = a->turn->turn_next;
        a->turn->turn_next = c;
    }
    a->turn = c;
}

/* The batch that a client would run next. */
static struct batch *client_head(const struct client *c, size_t *lane)
{
    size_t at = 0;
    while (c->queue[at].first == NULL)
        at++;
    *lane = at;
    return c->queue[at].first;
}

struct batch *admission_next(struct admission *a)
{
    if (a->turn == NULL)
        return NULL;
    size_t lane;
    struct client *c = a->turn->turn_next;
    struct batch *b = client_head(c, &lane);
    /* Alone, a client need not wait for its deficit to grow. */
    while (c != c->turn_next && c->deficit_ns < b->estimate_ns) {
        c->deficit_ns += QUANTUM_NS;
        if (c->deficit_ns >= b->estimate_ns)
            break;
        a->turn = c;
        c = c->turn_next;
        b = client_head(c, &lane);
    }

    c->deficit_ns -= c->deficit_ns < b->estimate_ns ? c->deficit_ns : b->estimate_ns;
    c->queue[lane].first = b->next;
    if (b->next == NULL)
        c->queue[lane].last = NULL;
    b->next = NULL;
    if (--c->queued == 0) {
        struct client *before = a->turn;
        before->turn_next = c->turn_next;
        if (before == c)
            a->turn = NULL;
    } else if (c->deficit_ns < client_head(c, &lane)->estimate_ns) {
        a->turn = c;
    }
    return b;
}

size_t admission_stats(const struct admission *a, struct client_stats *rows, size_t max)
{
    size_t count = 0, kept = 0;
    for (const struct client *c = a->clients; c != NULL; c = c->next, count++) {
        struct client_stats row = {
            .uid = c->uid,
            .connections = c->connections,
            .arenas = c->arenas,
            .jobs_in_flight = c->jobs_in_flight,
            .bytes_in_flight = c->bytes_in_flight,
            .arena_bytes = c->arena_bytes,
            .jobs_total = c->jobs_total,
            .refused_total = c->refused_total,
            .run_ns_total = c->run_ns_total,
        };
        /* Insertion into the sorted rows: `max` is small. */
        size_t at = kept < max ? kept++ : max;
        while (at > 0 && rows[at - 1].jobs_total < row.jobs_total) {
            if (at < max)
                rows[at] = rows[at - 1];
            at--;
        }
        if (at < max)
            rows[at] = row;
    }
    return count;
}
