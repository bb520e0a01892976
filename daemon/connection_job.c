/* Requests: from frames and lines to jobs, arenas, metrics.
 *
 * A job with a large payload is admitted before the payload is read, so that memory is counted
 * against its client before it is taken. Whatever is wrong with a request is answered by name, its
 * payload skipped, and the connection lives on.
 */
#include "config.h"

#include "connection_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "frame.h"
#include "json_job.h"
#include "wasm.h"

/* Payloads up to this are worked on where they were read; larger ones get memory of their own. */
enum { IN_PLACE_BYTES_MAX = 16384 };

/* When memory is short, somebody's job must end or somebody's answer be taken first. */
enum { RETRY_US = 10000 };

void connection_refuse(struct connection *c, const struct wire_request *r,
                       enum wire_status status, const char *field, const char *reason)
{
    struct answer_to to = {.type = r->type, .id = r->id};
    monitor_add(monitor_loop(c->set->rooms.monitor), MONITOR_jobs_refused, 1);
    answer_reason(c, &to, status, field, reason, status == WIRE_OVERLOADED ? RETRY_US : 0);
}

static void refuse(struct connection *c, const struct wire_request *r, enum wire_status status,
                   const char *field)
{
    connection_refuse(c, r, status, field, NULL);
}

/* The oldest descriptor that came with this connection's bytes, or -1. */
static int take_fd(struct connection *c)
{
    if (c->fd_count == 0)
        return -1;
    int fd = c->fds[0];
    c->fd_count--;
    memmove(&c->fds[0], &c->fds[1], c->fd_count * sizeof(c->fds[0]));
    return fd;
}

static void job_done(struct job *job)
{
    struct connection *c = job->conn;
    struct pool_local *l = c->set->rooms.local;
    assert(c->magic == CONNECTION_MAGIC);
    c->jobs--;
    if (!c->closing) {
        answer_job(c, job);
        connection_touch(c);
    }
    job_free(l, job);
    connection_put(c);
}

struct job *connection_job_new(struct connection *c, const struct wire_request *r,
                               uint64_t now_ns)
{
    struct job *job = job_new(c->set->rooms.local);
    if (job == NULL)
        return NULL;
    job->id = r->id;
    job->done = job_done;
    job->conn = c;
    job->gone = &c->gone;
    job->client = c->client;
    job->arrived_ns = now_ns;
    if (r->deadline_us != 0)
        job->deadline_ns = now_ns + (uint64_t)r->deadline_us * 1000;
    return job;
}

/* From here on the job counts: its end is job_done(). */
static enum wire_status job_admit(struct connection *c, struct job *job)
{
    enum wire_status status = pipeline_admit(c->set->rooms.pipeline, job);
    if (status == WIRE_OK) {
        c->jobs++;
        c->refs++;
    }
    return status;
}

/* Returns owned: likewise with its shape. */
static struct job *job_make(struct connection *c, const struct wire_request *r,
                            const struct shape *shape, uint64_t now_ns)
{
    struct job *job = connection_job_new(c, r, now_ns);
    if (job != NULL)
        job_set_shape(job, shape, r);
    return job;
}

void connection_job_start(struct connection *c, struct job *job, const struct wire_request *r,
                          enum wire_status status, const char *field)
{
    struct pool_local *l = c->set->rooms.local;
    if (status == WIRE_OK)
        status = job_check_offsets(l, job);
    if (status == WIRE_OK)
        status = job_admit(c, job);
    if (status == WIRE_OK) {
        pipeline_submit(c->set->rooms.pipeline, job);
        return;
    }
    struct answer_to to = {answer_type(job), job->json, r->id, job->json_id};
    uint32_t retry_us = job->retry_after_us;
    if (status == WIRE_OVERLOADED && retry_us == 0)
        retry_us = RETRY_US;
    monitor_add(monitor_loop(c->set->rooms.monitor), MONITOR_jobs_refused, 1);
    answer_error(c, &to, status, field, retry_us);
    job_free(l, job);
}

/* A large inline payload: memory now, bytes as they come. */
static enum wire_status job_begin_payload(struct connection *c, struct job *job,
                                          size_t inline_bytes)
{
    struct pool_local *l = c->set->rooms.local;
    struct buf *buf = job_buf_new(l, job, inline_bytes);
    if (buf == NULL)
        return WIRE_OVERLOADED;
    job_set_inline(job, buf, buf->data);
    buf_put(l, buf);
    enum wire_status status = job_admit(c, job);
    if (status == WIRE_OK) {
        c->job = job;
        c->payload_have = 0;
    }
    return status;
}

void connection_payload_done(struct connection *c)
{
    struct job *job = c->job;
    c->job = NULL;
    enum wire_status status = job_check_offsets(c->set->rooms.local, job);
    if (status == WIRE_OK)
        pipeline_submit(c->set->rooms.pipeline, job);
    else
        pipeline_fail(c->set->rooms.pipeline, job, status);
}

int64_t connection_skip(struct connection *c, const struct wire_request *r, size_t have_bytes)
{
    uint64_t here = r->payload_bytes < have_bytes ? r->payload_bytes : have_bytes;
    c->skip_bytes = r->payload_bytes - here;
    return (int64_t)here;
}

bool connection_reads_in_place(const struct wire_request *r)
{
    return r->payload_bytes <= IN_PLACE_BYTES_MAX;
}

int64_t connection_job_inline(struct connection *c, struct job *job, const struct wire_request *r,
                              struct buf *buf, const uint8_t *payload, size_t have_bytes,
                              size_t front)
{
    if (connection_reads_in_place(r)) {
        if (job->wasm != NULL)
            connection_read_shared(c, wasm_user_segment_made(job->wasm));
        job_set_inline(job, buf, payload + front);
        connection_job_start(c, job, r, WIRE_OK, NULL);
        return (int64_t)r->payload_bytes;
    }
    size_t inline_bytes = (size_t)r->payload_bytes - front;
    enum wire_status status = job_begin_payload(c, job, inline_bytes);
    if (status != WIRE_OK) {
        refuse(c, r, status, NULL);
        job_free(c->set->rooms.local, job);
        return connection_skip(c, r, have_bytes);
    }
    size_t here = have_bytes - front < inline_bytes ? have_bytes - front : inline_bytes;
    memcpy(job->in_buf->data, payload + front, here);
    c->payload_have = here;
    if (here == inline_bytes)
        connection_payload_done(c);
    return (int64_t)(front + here);
}

/* ---- frames ---- */

void connection_forget_metrics(struct connection_set *s)
{
    for (size_t i = 0; i <= WIRE_METRICS_OPENMETRICS; i++) {
        free(s->metrics[i].text);
        s->metrics[i].text = NULL;
    }
}

/* A request of 64 bytes asks for kilobytes that take long to print: they are printed once for each
 * pass, and a client that leaves its answers where they are gets no more of them. */
static void answer_metrics(struct connection *c, const struct answer_to *to, uint32_t form)
{
    struct connection_set *s = c->set;
    if (c->out.bytes > s->limits.out_max_bytes) {
        answer_error(c, to, WIRE_OVERLOADED, NULL, RETRY_US);
        return;
    }
    if (s->metrics[form].text == NULL && s->rooms.metrics != NULL)
        s->metrics[form].text = s->rooms.metrics(s->rooms.metrics_user, (enum wire_metrics)form,
                                                 &s->metrics[form].bytes);
    if (s->metrics[form].text == NULL)
        answer_error(c, to, WIRE_OUT_OF_MEMORY, NULL, 0);
    else
        answer_text(c, to, s->metrics[form].text, s->metrics[form].bytes);
}

/* Every request but a job is answered at once. */
static void frame_other(struct connection *c, const struct wire_request *r)
{
    struct answer_to to = {.type = r->type, .id = r->id};
    enum wire_status status = WIRE_OK;
    if (r->type == WIRE_METRICS) {
        answer_metrics(c, &to, r->arg[0]);
        return;
    }
    if (r->type == WIRE_ARENA_ADD) {
        int fd = take_fd(c);
        status = connection_arena_add(c, r, fd);
        if (fd >= 0)
            close(fd);
    } else if (r->type == WIRE_ARENA_DROP) {
        status = connection_arena_drop(c, r);
    }
    if (status == WIRE_OK)
        answer_text(c, &to, NULL, 0);
    else
        answer_error(c, &to, status, NULL, 0);
}

static int64_t frame_job(struct connection *c, const struct wire_request *r, struct buf *buf,
                         const uint8_t *payload, size_t have_bytes, uint64_t now_ns)
{
    struct shape shape;
    const char *field = NULL;
    bool in_arenas = (r->flags & WIRE_F_ARENA) != 0;
    enum wire_status status = shape_check(&shape, r, c->set->limits.job_max_bytes, &field);
    if (status == WIRE_OK) {
        size_t want = in_arenas ? (shape.in_count + 1) * sizeof(struct wire_ref)
                                : shape.inline_bytes;
        if (r->payload_bytes != want) {
            status = WIRE_BAD_PAYLOAD_BYTES;
            field = "payload_bytes";
        }
    }
    if (status == WIRE_OK && have_bytes < r->payload_bytes && connection_reads_in_place(r))
        return -EAGAIN;

    struct job *job = NULL;
    if (status == WIRE_OK) {
        job = job_make(c, r, &shape, now_ns);
        status = job == NULL ? WIRE_OVERLOADED : pipeline_route(c->set->rooms.pipeline, job);
    }
    if (status != WIRE_OK) {
        job_free(c->set->rooms.local, job);
        refuse(c, r, status, field);
        return connection_skip(c, r, have_bytes);
    }
    if (!in_arenas)
        return connection_job_inline(c, job, r, buf, payload, have_bytes, 0);
    status = connection_arena_operands(c, job, payload, (size_t)r->payload_bytes, &field);
    connection_job_start(c, job, r, status, field);
    return (int64_t)r->payload_bytes;
}

/* A whole header that is no use: answered, and its payload skipped. */
static int64_t frame_refused(struct connection *c, const struct wire_request *r,
                             const struct frame_reject *why, size_t have_bytes)
{
    if (r->type == WIRE_ARENA_ADD) {
        int fd = take_fd(c); /* or the next frame would get it */
        if (fd >= 0)
            close(fd);
    }
    refuse(c, r, why->status, why->field);
    return connection_skip(c, r, have_bytes);
}

int64_t connection_frame(struct connection *c, struct buf *buf, const uint8_t *p, size_t bytes,
                         uint64_t now_ns)
{
    struct wire_request r;
    struct frame_reject why;
    enum frame_result result = frame_parse(&r, &why, p, bytes, c->set->limits.job_max_bytes);
    if (result == FRAME_NEED_MORE)
        return -EAGAIN;
    if (result == FRAME_FATAL) {
        refuse(c, &r, why.status, why.field);
        connection_end_reading(c, why.status);
        return (int64_t)bytes;
    }

    const uint8_t *payload = p + WIRE_HEADER_BYTES;
    size_t have_bytes = bytes - WIRE_HEADER_BYTES;
    int64_t used = 0;
    if (result == FRAME_REJECTED)
        used = frame_refused(c, &r, &why, have_bytes);
    else if (r.type == WIRE_JOB)
        used = frame_job(c, &r, buf, payload, have_bytes, now_ns);
    else if (r.type == WIRE_CALL)
        used = connection_call(c, &r, buf, payload, have_bytes, now_ns);
    else if (r.type >= WIRE_MODULE_ADD)
        used = connection_module(c, &r, buf, payload, have_bytes, now_ns);
    else
        frame_other(c, &r);
    return used < 0 ? used : WIRE_HEADER_BYTES + used;
}

void connection_truncated(struct connection *c)
{
    struct wire_request r = {.type = WIRE_JOB};
    memcpy(&r, c->kept->data, c->kept_bytes < sizeof(r) ? c->kept_bytes : sizeof(r));
    refuse(c, &r, WIRE_BAD_PAYLOAD_BYTES, c->kept_bytes < sizeof(r) ? "header" : "payload_bytes");
}

/* ---- lines ---- */

/* Returns owned: the job that a line describes, or NULL and why. Takes the id and the call. */
static struct job *line_job(struct connection *c, struct json_request *req, uint64_t now_ns,
                            enum wire_status *status, const char **field)
{
    struct call *call = req->call;
    size_t out_bytes = call != NULL ? call->out.bytes : req->shape.out_bytes;
    /* A column times a row is a short line; the loop would print its answer for seconds. */
    if (out_bytes > c->set->limits.json_max_bytes) {
        *status = WIRE_TOO_BIG;
        *field = "result";
        return NULL;
    }
    if (call != NULL && (*status = connection_call_module(c, call, &req->call_name)) != WIRE_OK) {
        *field = *status == WIRE_MODULE_UNKNOWN ? "op" : "";
        return NULL;
    }
    struct job *job = connection_job_new(c, &req->header, now_ns);
    if (job == NULL) {
        *status = WIRE_OVERLOADED;
        return NULL;
    }
    if (call != NULL)
        job_set_call(job, call, &req->header);
    else
        job_set_shape(job, &req->shape, &req->header);
    req->call = NULL;
    *status = pipeline_route(c->set->rooms.pipeline, job);
    if (*status != WIRE_OK) {
        job_free(c->set->rooms.local, job);
        return NULL;
    }
    job->json = true;
    job->json_id = req->id_text;
    req->id_text = NULL;
    return job;
}

void connection_line(struct connection *c, const char *line, size_t bytes, uint64_t now_ns)
{
    struct pool_local *l = c->set->rooms.local;
    struct json_request req = {0};
    char named[64] = "";
    const char *field = named;
    enum wire_status status =
        json_job_parse(&req, named, line, bytes, c->set->limits.job_max_bytes, l);
    struct answer_to to = {.json = true, .json_id = req.id_text};
    struct job *job = NULL;

    if (status == WIRE_OK && (req.header.type == WIRE_JOB || req.header.type == WIRE_CALL))
        job = line_job(c, &req, now_ns, &status, &field);
    if (status != WIRE_OK) {
        monitor_add(monitor_loop(c->set->rooms.monitor), MONITOR_jobs_refused, 1);
        answer_error(c, &to, status, field[0] != '\0' ? field : NULL, 0);
    } else if (job != NULL) {
        job_set_inline(job, req.payload, req.payload->data);
        connection_job_start(c, job, &req.header, WIRE_OK, NULL);
    } else if (req.header.type == WIRE_METRICS) {
        answer_metrics(c, &to, WIRE_METRICS_JSON);
    } else {
        answer_text(c, &to, "\"pong\"", 6);
    }
    buf_put(l, req.payload);
    call_free(req.call);
    free(req.id_text);
}
