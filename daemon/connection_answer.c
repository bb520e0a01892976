/* Answers: what a connection says, in the language of its client.
 *
 * Nothing is written here: answers gather in the out queue and leave at the end of the loop's
 * pass. A small result is copied behind its header, a large one is queued by reference. What that
 * takes is vital memory; a client whose answer finds not even that is cut off, since a missing
 * answer would be silence.
 */
#include "config.h"

#include "connection_priv.h"

#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "frame.h"
#include "json_job.h"
#include "module_errand.h"

/* Copying so much costs less than another segment in writev. */
enum { COPY_BYTES_MAX = 4096 };

static void count_answer(struct connection *c, enum wire_status status)
{
    if ((unsigned)status < MONITOR_STATUS_MAX)
        monitor_bump(&monitor_loop(c->set->rooms.monitor)->answers[status], 1);
}

/* A header and a payload of payload_bytes that are copied from `payload` and padded. */
static void queue_copied(struct connection *c, const struct wire_answer *h, const void *payload,
                         size_t payload_bytes)
{
    struct pool_local *l = c->set->rooms.local;
    size_t padded = (size_t)h->payload_bytes;
    uint8_t *at = outq_reserve(&c->out, l, sizeof(*h) + padded);
    if (at == NULL) {
        connection_lost(c);
        return;
    }
    memcpy(at, h, sizeof(*h));
    if (padded > 0) {
        memset(at + sizeof(*h) + padded - WIRE_ALIGN, 0, WIRE_ALIGN);
        memcpy(at + sizeof(*h), payload, payload_bytes);
    }
    connection_queued(c);
}

/* A header, then a payload by reference: `buf` holds it and its padding. */
static void queue_shared(struct connection *c, const struct wire_answer *h, struct buf *buf)
{
    struct pool_local *l = c->set->rooms.local;
    void *at = outq_reserve(&c->out, l, sizeof(*h));
    if (at == NULL || outq_add(&c->out, l, buf, (size_t)h->payload_bytes) < 0) {
        connection_lost(c);
        return;
    }
    memcpy(at, h, sizeof(*h));
    connection_queued(c);
}

/* `text` of any length, which needs no header (a JSON line). False: there is no memory for it. */
static bool queue_text(struct connection *c, const char *text, size_t bytes)
{
    struct pool_local *l = c->set->rooms.local;
    if (bytes <= OUTQ_SMALL_MAX) {
        void *at = outq_reserve(&c->out, l, bytes);
        if (at == NULL)
            return false;
        memcpy(at, text, bytes);
    } else {
        struct buf *buf = buf_new(l, bytes);
        if (buf != NULL)
            memcpy(buf->data, text, bytes);
        bool queued = buf != NULL && outq_add(&c->out, l, buf, bytes) == 0;
        buf_put(l, buf);
        if (!queued)
            return false;
    }
    connection_queued(c);
    return true;
}

static void queue_json(struct connection *c, const struct json_answer *a)
{
    size_t bytes;
    char *line = json_job_print(a, &bytes);
    bool queued = line != NULL && queue_text(c, line, bytes);
    free(line);
    if (queued)
        return;
    if (a->status != WIRE_OK) {
        connection_lost(c);
        return;
    }
    /* A long result may find no memory where a short sorry still does. */
    struct json_answer sorry = {.status = WIRE_OUT_OF_MEMORY,
                                .id_text = a->id_text,
                                .reason = wire_status_sentence(WIRE_OUT_OF_MEMORY)};
    queue_json(c, &sorry);
}

void answer_reason(struct connection *c, const struct answer_to *to, enum wire_status status,
                   const char *field, const char *reason, uint32_t retry_after_us)
{
    char text[512];
    size_t text_bytes = frame_reason(text, sizeof(text), status, field, reason);
    count_answer(c, status);
    if (to->json) {
        struct json_answer a = {.status = status,
                                .id_text = to->json_id,
                                .reason = text,
                                .retry_after_us = retry_after_us};
        queue_json(c, &a);
        return;
    }
    struct wire_answer h;
    frame_answer(&h, to->type, to->id, status, text_bytes);
    h.retry_after_us = retry_after_us;
    queue_copied(c, &h, text, text_bytes);
}

void answer_error(struct connection *c, const struct answer_to *to, enum wire_status status,
                  const char *field, uint32_t retry_after_us)
{
    answer_reason(c, to, status, field, NULL, retry_after_us);
}

uint8_t answer_type(const struct job *job)
{
    if (job->module != NULL)
        return job->module->kind == MODULE_ERRAND_ADD ? WIRE_MODULE_ADD : WIRE_MODULE_SHOW;
    return job->call != NULL ? WIRE_CALL : WIRE_JOB;
}

void answer_text(struct connection *c, const struct answer_to *to, const char *text, size_t bytes)
{
    count_answer(c, WIRE_OK);
    if (to->json) {
        struct json_answer a = {.status = WIRE_OK, .id_text = to->json_id, .text = text};
        queue_json(c, &a);
        return;
    }
    struct wire_answer h;
    frame_answer(&h, to->type, to->id, WIRE_OK, bytes);
    if (bytes <= COPY_BYTES_MAX) {
        queue_copied(c, &h, text, bytes);
        return;
    }
    struct buf *buf = buf_new_vital(c->set->rooms.local, (size_t)h.payload_bytes);
    if (buf == NULL) {
        connection_lost(c);
        return;
    }
    memset(buf->data + h.payload_bytes - WIRE_ALIGN, 0, WIRE_ALIGN);
    memcpy(buf->data, text, bytes);
    queue_shared(c, &h, buf);
    buf_put(c->set->rooms.local, buf);
}

static uint32_t saturate_u32(uint64_t v)
{
    return v > UINT32_MAX ? UINT32_MAX : (uint32_t)v;
}

static void answer_job_json(struct connection *c, const struct job *job, uint64_t queued_ns,
                            uint64_t ran_ns)
{
    struct shape shape = {
        .info = job->info,
        .args = job->args,
        .in_count = job->in_count,
        .out_bytes = job->out_bytes,
    };
    struct json_answer a = {
        .status = WIRE_OK,
        .id_text = job->json_id,
        .shape = job->call == NULL ? &shape : NULL,
        .array = job->call != NULL ? &job->call->out : NULL,
        .result = job->out_buf->data,
        .isa = kern_isa_name((enum kern_isa)job->isa),
        .cached = job->cached,
        .queued_ns = queued_ns,
        .ran_ns = ran_ns,
    };
    queue_json(c, &a);
}

/* The stages that end with the write are taken at the end of the pass, with one look at the
 * clock for all of it. */
static void note_times(struct connection_set *s, const struct job *job)
{
    if (s->time_count < CONNECTION_TIMES_MAX) {
        s->times[s->time_count].arrived_ns = job->arrived_ns;
        s->times[s->time_count].ended_ns = job->ended_ns;
        s->time_count++;
    }
}

/* The header of a result: what is known of the run, and of a call what its result is. */
static struct wire_answer job_header(const struct job *job, uint64_t queued_ns, uint64_t ran_ns)
{
    bool in_arena = job->arenas[KERN_IN_MAX] != NULL;
    struct wire_answer h;
    frame_answer(&h, answer_type(job), job->id, WIRE_OK, in_arena ? 0 : job->out_bytes);
    h.flags = (uint16_t)((job->cached ? WIRE_A_CACHED : 0) | (in_arena ? WIRE_A_IN_ARENA : 0));
    h.isa = job->isa;
    h.queued_ns = saturate_u32(queued_ns);
    h.ran_ns = saturate_u32(ran_ns);
    if (job->call != NULL) {
        const struct call_array *out = &job->call->out;
        h.flags |= (uint16_t)(out->type << WIRE_A_TYPE_SHIFT | out->rank << WIRE_A_RANK_SHIFT);
        memcpy(h.dim, out->dim, sizeof(h.dim));
    }
    return h;
}

static void answer_failed(struct connection *c, const struct job *job, enum wire_status status,
                          const char *field)
{
    struct answer_to to = {answer_type(job), job->json, job->id, job->json_id};
    answer_reason(c, &to, status, field, job->reason, job->retry_after_us);
}

void answer_job(struct connection *c, const struct job *job)
{
    if (job->status != WIRE_OK) {
        answer_failed(c, job, (enum wire_status)job->status, NULL);
        return;
    }
    if (job->module != NULL) {
        struct answer_to to = {.type = answer_type(job), .id = job->id};
        answer_text(c, &to, job->module->text, job->module->text_bytes);
        return;
    }
    /* how long a call's result is may be known only now */
    if (job->json && job->out_bytes > c->set->limits.json_max_bytes) {
        answer_failed(c, job, WIRE_TOO_BIG, "result");
        return;
    }
    count_answer(c, WIRE_OK);
    note_times(c->set, job);
    uint64_t queued_ns = job->started_ns == 0 ? 0 : job->started_ns - job->arrived_ns;
    uint64_t ran_ns = job->ended_ns - job->started_ns;
    if (job->json) {
        answer_job_json(c, job, queued_ns, ran_ns);
        return;
    }
    struct wire_answer h = job_header(job, queued_ns, ran_ns);
    if (job->arenas[KERN_IN_MAX] != NULL)
        queue_copied(c, &h, NULL, 0);
    else if (job->out_bytes <= COPY_BYTES_MAX)
        queue_copied(c, &h, job->out_buf->data, job->out_bytes);
    else
        queue_shared(c, &h, job->out_buf);
}
