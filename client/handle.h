/* struct simdd: what the rooms of libsimdd share. simdd.c is the interface; pump.c moves requests
 * and mends the connection; settle.c says what becomes of an answer. */
#ifndef CLIENT_HANDLE_H
#define CLIENT_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "memory.h"
#include "request.h"
#include "simdd.h"

enum { HANDLE_ERROR_BYTES = 512, HANDLE_BURST_BYTES = 256 * 1024, HANDLE_BURST_JOBS = 128 };

struct handle_options {
    uint64_t reconnects, reconnect_us, resends, overload_retries;
};

struct simdd {
    char *path;
    struct handle_options options;
    struct link link;
    struct link_sink sink;
    struct memory *memory;

    struct request **slots; /* all requests there ever were, by slot */
    size_t slot_count, slot_cap;
    struct request_queue idle;
    struct request_queue queue;    /* to be sent; the first perhaps in part */
    struct request_queue sent;     /* sent, not answered */
    struct request_queue answered; /* refused before they were wholly sent, which they now are */
    struct request_queue waiting;  /* turned away, by the time they are due */
    struct request_queue finished; /* complete, for simdd_take() */
    struct request *taken;         /* shown by the last simdd_take() */
    struct request *answering;     /* whose answer is being read; NULL: nobody's */
    struct request *completing;    /* whose callback is running */
    size_t in_flight;
    size_t queued_bytes, queued_count; /* since the last send */

    int link_error; /* not 0: the connection broke, and pump_run() must see to it */
    int fatal_status; /* the daemon's last word on a stream that it could not follow */
    unsigned attempt_count; /* connections in a row that brought no answer */
    uint64_t connect_due_us;

    int epoll_fd, timer_fd;
    bool full;            /* the socket took no more; not tried again before epoll says so */
    uint64_t timer_at_us; /* UINT64_MAX: off */
    bool busy;            /* inside pump_run(), so inside a callback if a caller sees it */
    bool closing;
    int completed;        /* by this pump_run() */
    char error[HANDLE_ERROR_BYTES];
};

uint64_t handle_now_us(void);

/* Notes the sentence of a failure: `words`, or NULL for the usual ones of the status. */
void handle_fail(struct simdd *s, int status, const char *words);

/* An idle request, or NULL: no memory. */
struct request *handle_request(struct simdd *s);
void handle_recycle(struct simdd *s, struct request *r);

/* Queues it for sending. */
void handle_enqueue(struct simdd *s, struct request *r);

/* ---- simdd.c: for those who make requests ---- */

/* An idle request for a job: 0 and *r; or -ECANCELED, -ENOMEM, noted. */
int handle_begin(struct simdd *s, struct request **r);

/* Encodes r and queues it. Takes it. 0; or why it can never run, noted, and then it is gone. */
int handle_submit(struct simdd *s, struct request *r, simdd_done_fn *done, void *arg);

/* Queues r, which is encoded. Takes it. */
void handle_queue(struct simdd *s, struct request *r, simdd_done_fn *done, void *arg);

/* Recycles r, notes `err` and returns it. */
int handle_give_up(struct simdd *s, struct request *r, int err);

/* One request that its caller waits for: begin, submit with handle_call_done and the call as its
 * arg, end. */
struct handle_call {
    bool done;
    struct simdd_result result;
    char **text; /* takes the answer's payload; NULL: nobody wants it */
};

/* 0 or -EBUSY, noted: not from a callback. */
int handle_call_begin(struct simdd *s);
void handle_call_done(struct simdd *s, const struct simdd_result *result);

/* err: why it was not submitted, or 0. Waits, fills *result unless it is NULL, returns the
 * status. */
int handle_call_end(struct simdd *s, struct handle_call *call, int err,
                    struct simdd_result *result);

/* The descriptors that wait. 0 or -errno; pump_fini() in any case. */
int pump_init(struct simdd *s);
void pump_fini(struct simdd *s);

/* Connects, tells the daemon of all arenas. 0 or -errno. */
int pump_connect(struct simdd *s);

/* Sends what the socket takes; a failure is left in link_error. */
void pump_send(struct simdd *s);

/* The work behind simdd_process(). */
int pump_run(struct simdd *s, int timeout_ms);

/* What the link tells of answers; its user is the handle. */
extern const struct link_sink settle_sink;

/* r has its answer and is in no queue: completes it, or sends it on another round. */
void settle_answered(struct simdd *s, struct request *r);

/* r is in no queue: tells its owner how it ended. */
void settle_complete(struct simdd *s, struct request *r, int status);

/* Completes everything in flight with `status`. */
void settle_abandon(struct simdd *s, int status);

/* Fills a result for a complete request. */
void settle_result(const struct request *r, struct simdd_result *result);

#endif
