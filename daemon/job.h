/* A job's life: admitted -> (digested) -> batched -> running -> done.
 *
 * Whoever reads a request fills a job and gives it to pipeline_submit(); the pipeline gives it
 * back through `done`, exactly once, on the loop. One job has one answer.
 */
#ifndef DAEMON_JOB_H
#define DAEMON_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "arena.h"
#include "buf.h"
#include "cache.h"
#include "kernels/kern.h"
#include "protocol/shape.h"
#include "protocol/wire.h"

struct call;
struct client;
struct connection;
struct module_errand;
struct wasm_user;

struct job {
    /* set by the connection, then read only */
    struct job *next; /* whoever holds the job chains it */
    void (*done)(struct job *job); /* loop; takes the job */
    struct connection *conn;       /* counted: stays valid until done */
    const _Atomic bool *gone;      /* true once nobody waits for the answer */
    struct client *client;
    uint64_t id;
    char *json_id; /* owned (free): the id of a JSON request, NULL for none */
    bool json;     /* to be answered by a line */
    uint64_t arrived_ns;
    uint64_t deadline_ns; /* 0: none */
    const struct kern_op_info *info; /* NULL for a call or an errand; op is then KERN_OP_NONE */
    struct call *call;               /* owned: a function of a user's module; else NULL */
    struct module_errand *module;    /* owned: adding or showing a module; else NULL */
    struct kern_args args;        /* operands point into in_buf, offsets_buf or arenas */
    struct buf *in_buf;           /* owned reference; NULL if operands lie in arenas */
    struct buf *offsets_buf;      /* owned; private copy of a hash job's offsets from an arena */
    struct arena *arenas[KERN_IN_MAX + 1]; /* owned references; the last is the result's */
    size_t in_bytes[KERN_IN_MAX];
    size_t out_bytes;
    uint8_t op, backend, priority, cache_mode; /* enum kern_op, wire_* */
    uint8_t in_count;
    bool arenas_used;   /* any of arenas[] is set */
    size_t total_bytes; /* operands and result, as admission counts them */

    /* the pipeline's */
    bool split;      /* worth several workers */
    bool keyed;      /* `key` is valid: the result goes into the cache */
    bool cached;     /* answered from the cache */
    uint16_t status; /* enum wire_status; written by the worker that runs it, then by the loop */
    char *reason; /* owned (free): what an error's sentence does not say; NULL: nothing */
    uint32_t retry_after_us;
    uint64_t estimate_ns;
    struct buf *out_buf; /* owned: the result, unless it lies in arenas[KERN_IN_MAX]; for a keyed
                          * arena job the copy that the cache keeps, made by the worker */
    struct cache_key key;
    uint64_t work;
    uint64_t batched_ns, started_ns, ended_ns; /* left its batch; run began; run ended */
    uint64_t busy_ns; /* worker time, if it was split */
    uint16_t isa;
    struct wasm_user *wasm; /* whose process it runs in; NULL: the native backend */
    void *work_memory;      /* wasm: what its tasks work in; owned, in the user's segment */
    uint32_t phases;        /* wasm: tasks that it has in a lane, or will have */
    uint8_t tries, suspected; /* wasm: runs that a process's end cut short; while it ran itself */
};

/* Returns owned: zeroed; NULL when memory is refused. Thread: the loop. */
struct job *job_new(struct pool_local *l);

/* Drops every reference the job holds, and the job. */
void job_free(struct pool_local *l, struct job *job);

/* Takes sizes, dimensions and parameters from a checked shape and its header. */
void job_set_shape(struct job *job, const struct shape *shape, const struct wire_request *h);

/* Takes sizes of a checked call, and the call: job_free() frees it. */
void job_set_call(struct job *job, struct call *call, const struct wire_request *h);

/* Points the operands into one inline payload of shape->inline_bytes that lies in `buf`.
 * Takes one reference of its own. */
void job_set_inline(struct job *job, struct buf *buf, const uint8_t *payload);

/**
 * Checks a hash job's offsets: rising, none beyond the bytes. Offsets in memory that others may
 * still write to are copied to offsets_buf first, unless a guest uses them. Returns WIRE_OK,
 * BAD_OFFSETS, or OVERLOADED when memory for the copy is refused.
 */
enum wire_status job_check_offsets(struct pool_local *l, struct job *job);

/* Moves inline operands into the user's segment, for a wasm job that is complete and has them
 * elsewhere. Returns the bytes moved; or -ENOMEM. */
int64_t job_share_operands(struct pool_local *l, struct job *job);

/* Moves inline operands that lie in a much larger buffer, with others', into one of their own.
 * -ENOMEM: they stay where they are. */
int job_own_operands(struct pool_local *l, struct job *job);

/* Returns owned: memory for `bytes` of the job's operands or result: where its backend has them. */
struct buf *job_buf_new(struct pool_local *l, const struct job *job, size_t bytes);

/* Returns owned: memory for the job's result, padded with zeros as the wire wants it; or NULL. */
struct buf *job_result_new(struct pool_local *l, const struct job *job);

static inline bool job_is_gone(const struct job *job)
{
    /* relaxed: a hint that saves work; the answer is dropped on the loop in any case */
    return atomic_load_explicit(job->gone, memory_order_relaxed);
}

#endif
