/* One request on its way: encoded, queued, sent, perhaps again, answered, completed.
 *
 * A request is recycled, never freed before its handle, so its slot in the handle's table stands
 * for it on the wire.
 */
#ifndef CLIENT_REQUEST_H
#define CLIENT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "memory.h"
#include "protocol/shape.h"
#include "protocol/wire.h"
#include "simdd.h"

enum {
    REQUEST_IOV_MAX = 1 + 2 * (KERN_IN_MAX + 1), /* header; each part with its padding */
    REQUEST_STAGE_MAX = 16 * 1024          /* an operand so small is copied to shared memory */
};

/* Rows of a matrix whose gaps are not the daemon's to write. */
struct request_rows {
    size_t count, bytes, stride_bytes; /* count 0: the result is one run of bytes */
};

struct request {
    struct request *next, *prev; /* its place in one queue */
    uint32_t slot, generation;   /* together the id on the wire */

    struct simdd_job job; /* of a WIRE_JOB */
    struct simdd_function *function; /* owned: of a WIRE_CALL, with its name; else NULL */
    void *head; /* owned: what the payload begins with, a call's head or a module's name */
    struct wire_request header;
    struct wire_ref refs[KERN_IN_MAX + 1];
    const void *part[KERN_IN_MAX + 1]; /* borrowed: the payload, each padded to 8 */
    size_t part_bytes[KERN_IN_MAX + 1];
    unsigned part_count;
    size_t frame_bytes;
    int fd; /* owned: travels with an ARENA_ADD, else -1 */

    void *out; /* borrowed: where the result goes; NULL: it is text, and kept */
    size_t out_bytes;
    void *bounce; /* owned: the result on its way, where `out` must not be written early */
    struct request_rows rows;
    void *stage[KERN_IN_MAX]; /* owned, from memory.h: copies of small operands */

    simdd_done_fn *done;
    void *arg;
    uint64_t due_us; /* when a request that was turned away goes out again */
    uint32_t sent_count, resent_count, turned_away_count;
    bool control;  /* the library's own: never completes, never survives its connection */
    bool on_wire;  /* some of it was sent on this connection */
    bool answered; /* but not wholly sent yet */

    struct wire_answer answer; /* the latest */
    char *text;                /* owned: a result without `out`, or the sentence of a refusal */
    int status;
};

/* A queue of requests, first in first out. */
struct request_queue {
    struct request *first, *last;
};

void request_queue_push(struct request_queue *q, struct request *r);
void request_queue_push_front(struct request_queue *q, struct request *r);
/* Before the first that is due later. */
void request_queue_push_due(struct request_queue *q, struct request *r);
void request_queue_remove(struct request_queue *q, struct request *r);

static inline uint64_t request_id(const struct request *r)
{
    return (uint64_t)r->generation << 32 | r->slot;
}

/* Operands and result of a job, as far as moving them is concerned. */
struct request_data {
    unsigned in_count;
    const void *in[KERN_IN_MAX];
    size_t in_bytes[KERN_IN_MAX];
    void *out; /* NULL: the result's size is not known, and it is kept as text */
    size_t out_bytes;
    struct request_rows rows;
};

/* Makes the payload behind the first head_bytes (of r->head; 0: there is none), and the frame's
 * size. The rest of the header is set. 0, -EINVAL or -ENOMEM. */
int request_encode_data(struct request *r, struct memory *m, const struct request_data *d,
                        size_t head_bytes);

/* What every header begins with. */
void request_encode_header(struct request *r, enum wire_type type);

/**
 * Makes the frame of r->job or r->function: by shared memory where all operands lie there and `m`
 * is not NULL, else inline. May be called again for the same request.
 * field  on a refusal: name of the field at fault, a constant, or NULL
 * Returns 0, -EINVAL (an operand is NULL), -ENOMEM or a wire status.
 */
int request_encode(struct request *r, struct memory *m, const char **field);

/* Makes the frame of a request without operands. */
void request_encode_plain(struct request *r, enum wire_type type, uint32_t arg0);

/* The frame from byte `skip` on, as at most REQUEST_IOV_MAX pieces. Returns how many. */
unsigned request_pieces(const struct request *r, size_t skip, struct iovec *iov);

/* Where the result's bytes are to be read into, r->out_bytes of them. */
static inline void *request_target(const struct request *r)
{
    return r->bounce != NULL ? r->bounce : r->out;
}

/* The result is complete: copies it from where it waited to where the caller wants it. */
void request_deliver(struct request *r);

/* ---- function.c ---- */

/* request_encode() of r->function. */
int request_encode_function(struct request *r, struct memory *m, const char **field);

/* Whether the answer's type and shape are what was asked for and fit its size. */
bool request_answer_fits(const struct request *r, const struct wire_answer *a);

/* request_deliver() of r->function: fills in its result. */
void request_deliver_function(struct request *r);

/* Gives back whatever the request holds, so that it can be used for another. */
void request_reset(struct request *r, struct memory *m);

#endif
