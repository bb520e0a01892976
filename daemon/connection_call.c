/* Calls: from a frame that names a function of a user's module to a job.
 *
 * The head of the payload is read where it lies, as soon as it is whole; what comes behind it goes
 * the way of any job's operands. The job holds the module as it is now: whoever adds another under
 * its name changes nothing for it.
 */
#include "config.h"

#include "connection_priv.h"

#include <errno.h>
#include <stdlib.h>

#include "module_store.h"

enum wire_status connection_call_module(struct connection *c, struct call *call,
                                        const struct call_name *name)
{
    struct module_store *store = c->set->rooms.modules;
    if (store == NULL)
        return WIRE_NO_BACKEND;
    call->module = module_store_find(store, client_uid(c->client), name->module);
    return call->module != NULL ? WIRE_OK : WIRE_MODULE_UNKNOWN;
}

/* What the payload must be as long as, once its head is known. */
static size_t payload_bytes(const struct call *call, const struct wire_request *r)
{
    size_t rest = (r->flags & WIRE_F_ARENA) != 0
                      ? ((size_t)call->in_count + 1) * sizeof(struct wire_ref)
                      : call_inline_bytes(call);
    return call_head_bytes(r) + rest; /* below job_max_bytes and a little */
}

/* Returns owned: a job with its call, or NULL and why. Takes the call's module. */
static struct job *job_make(struct connection *c, const struct wire_request *r,
                            const struct call *parsed, uint64_t now_ns, enum wire_status *status)
{
    struct call *call = malloc(sizeof(*call));
    struct job *job = call != NULL ? connection_job_new(c, r, now_ns) : NULL;
    if (job == NULL) {
        module_put(parsed->module);
        free(call);
        *status = WIRE_OVERLOADED;
        return NULL;
    }
    *call = *parsed;
    job_set_call(job, call, r);
    *status = pipeline_route(c->set->rooms.pipeline, job);
    if (*status != WIRE_OK) {
        job_free(c->set->rooms.local, job);
        return NULL;
    }
    return job;
}

int64_t connection_call(struct connection *c, const struct wire_request *r, struct buf *buf,
                        const uint8_t *payload, size_t have_bytes, uint64_t now_ns)
{
    struct call call;
    struct call_name name;
    const char *field;
    size_t head = call_head_bytes(r);
    if (have_bytes < head)
        return -EAGAIN;

    struct job *job = NULL;
    enum wire_status status =
        call_parse(&call, &name, r, payload, c->set->limits.job_max_bytes, &field);
    if (status == WIRE_OK && r->payload_bytes != payload_bytes(&call, r)) {
        status = WIRE_BAD_PAYLOAD_BYTES;
        field = "payload_bytes";
    }
    if (status == WIRE_OK && have_bytes < r->payload_bytes && connection_reads_in_place(r))
        return -EAGAIN;
    if (status == WIRE_OK) {
        status = connection_call_module(c, &call, &name);
        field = status == WIRE_MODULE_UNKNOWN ? "name" : NULL;
    }
    if (status == WIRE_OK) {
        job = job_make(c, r, &call, now_ns, &status);
        field = NULL;
    }
    if (job == NULL) {
        connection_refuse(c, r, status, field, NULL);
        return connection_skip(c, r, have_bytes);
    }
    if ((r->flags & WIRE_F_ARENA) == 0)
        return connection_job_inline(c, job, r, buf, payload, have_bytes, head);
    status = connection_arena_operands(c, job, payload + head, (size_t)r->payload_bytes - head,
                                       &field);
    connection_job_start(c, job, r, status, field);
    return (int64_t)r->payload_bytes;
}
