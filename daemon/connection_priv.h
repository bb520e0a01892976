/* What the files of the connection room share:
 *   connection.c         life, events, flow control
 *   connection_read.c    bytes from the socket -> frames and lines
 *   connection_job.c     frames and lines -> jobs and other requests
 *   connection_call.c    calls of users' functions -> jobs
 *   connection_module.c  users' modules: listed, removed, or jobs that add and show them
 *   connection_arena.c   arenas by number, and operands in them
 *   connection_answer.c  answers -> the out queue
 */
#ifndef DAEMON_CONNECTION_PRIV_H
#define DAEMON_CONNECTION_PRIV_H

#include <stdatomic.h>

#include "arena.h"
#include "call.h"
#include "connection.h"
#include "job.h"
#include "outq.h"
#include "protocol/wire.h"

enum {
    CONNECTION_MAGIC = 0x436f6e6e, /* "Conn" */
    CONNECTION_FDS_MAX = 4,        /* descriptors that wait for their frame */
    CONNECTION_TIMES_MAX = 1024
};

enum connection_language { LANGUAGE_UNKNOWN, LANGUAGE_FRAMES, LANGUAGE_LINES };

struct arena_entry {
    uint32_t number;
    struct arena *arena; /* owned reference */
};

struct connection {
    uint32_t magic;
    int fd;
    struct connection_set *set;
    struct connection *next, *prev; /* all of the set */
    struct connection *next_dirty;
    struct client *client;
    uint32_t refs; /* one for the socket, one for each job */
    uint32_t jobs; /* in flight */
    _Atomic bool gone; /* workers look at it; the loop sets it once */
    bool dirty;        /* in the set's list of those with something to write or decide */
    bool closing;      /* its poll handle is being closed */
    bool read_ended;   /* nothing more will be read: end of file, drain or a fatal error */
    bool half_closed;  /* the peer sends no more, but what it sent is not all read */
    bool distracted;   /* woken by urgent data, which we have no use for */
    bool stalled;      /* reading stopped until answers are taken or jobs end */
    bool roomy;        /* its send buffer was raised */
    int events;        /* that uv_poll watches */
    uv_poll_t poll;

    /* reading */
    enum connection_language language;
    struct buf *kept;    /* owned: an incomplete frame or line, kept_bytes of it */
    size_t kept_bytes;
    struct job *job;     /* owned, admitted: its payload is being read into in_buf */
    size_t payload_have; /* of the job's payload */
    uint64_t skip_bytes; /* of a refused payload, still to come */
    int fds[CONNECTION_FDS_MAX];
    unsigned fd_count;
    struct read_chunk *chunk;   /* borrowed: where it reads */
    struct arena_entry *arenas; /* owned; by number, rising */
    size_t arena_count, arena_cap;

    /* writing */
    struct outq out;
    size_t held_bytes; /* of out and kept, as admission knows them */
};

/* A piece of memory that reads go to, one behind the other; jobs hold references to it. */
struct read_chunk {
    struct buf *buf;
    size_t used;
    struct segment *segment; /* counted: small wasm jobs are worked on where they were read, too */
    struct read_chunk *next;
};

struct connection_set {
    struct connection_rooms rooms;
    struct connection_limits limits;
    struct connection *all;
    struct connection *dirty;
    size_t count;
    size_t roomy_count; /* those whose send buffer was raised */
    bool draining;

    struct read_chunk chunk;   /* where connections read */
    struct read_chunk *shared; /* owned: where those of wasm users do, one for each */

    /* metrics printed in this pass, for all who ask in it; owned */
    struct {
        char *text;
        size_t bytes;
    } metrics[WIRE_METRICS_OPENMETRICS + 1];

    /* jobs answered in this pass, for the stages that end when the answer is written */
    struct {
        uint64_t arrived_ns, ended_ns;
    } times[CONNECTION_TIMES_MAX];
    size_t time_count;
};

/* ---- connection.c ---- */

/* Something is to be written, or decided, at the end of this pass. */
void connection_touch(struct connection *c);

/* An answer was queued: counts it against its client until it is written. */
void connection_queued(struct connection *c);

/* The peer is gone or out of step: ends the connection without another word. */
void connection_lost(struct connection *c);

/* Reads no more; ends when all answers are written. `why` answers the job whose payload is still
 * on its way, if there is one. */
void connection_end_reading(struct connection *c, enum wire_status why);

/* Drops a reference, perhaps the connection. */
void connection_put(struct connection *c);

/* ---- connection_read.c ---- */

/* The socket is readable: one recvmsg, and all that it completes. */
void connection_read(struct connection *c);

/* From its next read on its bytes go to a wasm user's segment, where that user's jobs can have
 * their operands. */
void connection_read_shared(struct connection *c, struct segment *segment);

/* Gives back what connections read into. */
void connection_forget_chunks(struct connection_set *s);

/* Closes the descriptors that wait for their frame. */
void connection_drop_fds(struct connection *c);

/* ---- connection_job.c ---- */

/**
 * The next frame, as far as it is here: `bytes` at p, which lies in `buf`.
 * Returns how many of those bytes are done with, or -EAGAIN: the header or a small payload is
 * incomplete, call again when more is here. What is missing of a large or refused payload is noted
 * in c->job or c->skip_bytes.
 */
int64_t connection_frame(struct connection *c, struct buf *buf, const uint8_t *p, size_t bytes,
                         uint64_t now_ns);

/* The client stopped sending in the middle of the frame that is kept. */
void connection_truncated(struct connection *c);

/* The payload of c->job is complete. */
void connection_payload_done(struct connection *c);

/* For those who make jobs of other requests: */

/* Answers that a frame is no use. */
void connection_refuse(struct connection *c, const struct wire_request *r,
                       enum wire_status status, const char *field, const char *reason);

/* Skips what has not come yet of a payload; returns what of it is here. */
int64_t connection_skip(struct connection *c, const struct wire_request *r, size_t have_bytes);

/* True if the payload is worked on where it was read, and so must be here as a whole. */
bool connection_reads_in_place(const struct wire_request *r);

/* Returns owned: a job of this connection without a shape, or NULL. */
struct job *connection_job_new(struct connection *c, const struct wire_request *r,
                               uint64_t now_ns);

/* All operands are here: the job goes its way, or its error is answered. Takes it. */
void connection_job_start(struct connection *c, struct job *job, const struct wire_request *r,
                          enum wire_status status, const char *field);

/**
 * Takes a job whose operands lie in its frame, behind the first `front` bytes of the payload: those
 * are here, and so is the rest if it is read in place.
 * Returns how many bytes of the payload are done with.
 */
int64_t connection_job_inline(struct connection *c, struct job *job, const struct wire_request *r,
                              struct buf *buf, const uint8_t *payload, size_t have_bytes,
                              size_t front);

/* One line without its newline. */
void connection_line(struct connection *c, const char *line, size_t bytes, uint64_t now_ns);

/* ---- connection_call.c ---- */

/* A WIRE_CALL, as connection_frame(). */
int64_t connection_call(struct connection *c, const struct wire_request *r, struct buf *buf,
                        const uint8_t *payload, size_t have_bytes, uint64_t now_ns);

/* Finds the module that a call names, for call->module: WIRE_OK, MODULE_UNKNOWN or NO_BACKEND. */
enum wire_status connection_call_module(struct connection *c, struct call *call,
                                        const struct call_name *name);

/* ---- connection_module.c ---- */

/* A WIRE_MODULE_..., as connection_frame(). */
int64_t connection_module(struct connection *c, const struct wire_request *r, struct buf *buf,
                          const uint8_t *payload, size_t have_bytes, uint64_t now_ns);

/* ---- connection_arena.c ---- */

/* Opens and keeps the arena that the request describes. Borrows fd; -1: none came. */
enum wire_status connection_arena_add(struct connection *c, const struct wire_request *r, int fd);
enum wire_status connection_arena_drop(struct connection *c, const struct wire_request *r);

/* Points a job's operands and result into arenas, as the references at p say, with references of
 * its own. *field names the one at fault. */
enum wire_status connection_arena_operands(struct connection *c, struct job *job,
                                           const uint8_t *p, size_t p_bytes, const char **field);

/* Drops all arenas. */
void connection_drop_arenas(struct connection *c);

/* The pass is over: metrics are printed anew from now on. */
void connection_forget_metrics(struct connection_set *s);

/* ---- connection_answer.c ---- */

/* Whom an answer is for. */
struct answer_to {
    uint8_t type; /* of the request */
    bool json;
    uint64_t id;
    const char *json_id;
};

void answer_error(struct connection *c, const struct answer_to *to, enum wire_status status,
                  const char *field, uint32_t retry_after_us);

/* Likewise, with what stands behind the sentence: see frame_reason(). */
void answer_reason(struct connection *c, const struct answer_to *to, enum wire_status status,
                   const char *field, const char *reason, uint32_t retry_after_us);

/* The type of the request that a job came from. */
uint8_t answer_type(const struct job *job);

/* OK, with `bytes` of text as its payload (a JSON value on a JSON connection); text NULL: none. */
void answer_text(struct connection *c, const struct answer_to *to, const char *text, size_t bytes);

/* A finished job's result or error. */
void answer_job(struct connection *c, const struct job *job);

#endif
