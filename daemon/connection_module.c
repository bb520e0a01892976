/* Users' modules over the socket.
 *
 * A list comes from memory and a removal is a name taken away: both are answered at once. Adding
 * compiles and writes to disk, showing may compile: those become jobs, admitted and counted like
 * others, whose worker runs an errand. A module is read like an operand, so a large one takes no
 * memory before it is admitted.
 */
#include "config.h"

#include "connection_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "module_errand.h"
#include "module_store.h"
#include "protocol/shape.h"

/* The name that a payload begins with. */
static enum wire_status take_name(char name[static WIRE_NAME_MAX + 1],
                                  const struct wire_request *r, const uint8_t *payload)
{
    size_t bytes = r->arg[0];
    if (bytes > WIRE_NAME_MAX)
        return WIRE_BAD_NAME;
    memcpy(name, payload, bytes);
    name[bytes] = '\0';
    return call_name_is_valid(name, bytes) ? WIRE_OK : WIRE_BAD_NAME;
}

/* ---- at once ---- */

/* Returns owned: a JSON array of modules, or NULL: out of memory. */
static char *print_list(struct module **modules, size_t count)
{
    json_t *array = json_array();
    int err = 0;
    for (size_t i = 0; i < count && err == 0; i++)
        err = json_array_append_new(array, module_describe(modules[i]));
    char *text = err == 0 ? json_dumps(array, JSON_COMPACT) : NULL;
    json_decref(array);
    return text;
}

static void list(struct connection *c, const struct wire_request *r)
{
    struct answer_to to = {.type = r->type, .id = r->id};
    struct module **modules;
    size_t count;
    char *text = NULL;
    if (module_store_list(c->set->rooms.modules, client_uid(c->client), &modules, &count) == 0) {
        text = print_list(modules, count);
        module_list_free(modules, count);
    }
    if (text != NULL)
        answer_text(c, &to, text, strlen(text));
    else
        answer_error(c, &to, WIRE_OUT_OF_MEMORY, NULL, 0);
    free(text);
}

static void remove_module(struct connection *c, const struct wire_request *r, const char *name)
{
    struct answer_to to = {.type = r->type, .id = r->id};
    int os_err = 0;
    enum wire_status status =
        module_store_remove(c->set->rooms.modules, client_uid(c->client),
                            r->arg[1] == WIRE_MODULE_ALL, name, &os_err);
    if (status == WIRE_OK)
        answer_text(c, &to, NULL, 0);
    else
        answer_reason(c, &to, status, status == WIRE_MODULE_UNKNOWN ? "name" : NULL,
                      os_err != 0 ? strerror(-os_err) : NULL, 0);
}

/* ---- errands ---- */

/* Returns owned: a job with its errand, or NULL and why. */
static struct job *errand_make(struct connection *c, const struct wire_request *r,
                               const char *name, uint64_t now_ns, enum wire_status *status)
{
    struct module_errand *e = calloc(1, sizeof(*e));
    struct job *job = e != NULL ? connection_job_new(c, r, now_ns) : NULL;
    if (job == NULL) {
        free(e);
        *status = WIRE_OVERLOADED;
        return NULL;
    }
    e->kind = r->type == WIRE_MODULE_ADD ? MODULE_ERRAND_ADD : MODULE_ERRAND_SHOW;
    e->store = c->set->rooms.modules;
    e->uid = client_uid(c->client);
    memcpy(e->name, name, strlen(name) + 1);
    job->module = e;
    job->backend = WIRE_BACKEND_WASM;
    job->total_bytes = wire_pad(r->arg[2]);
    *status = pipeline_route(c->set->rooms.pipeline, job);
    if (*status != WIRE_OK) {
        job_free(c->set->rooms.local, job);
        return NULL;
    }
    return job;
}

static int64_t show(struct connection *c, const struct wire_request *r, const char *name,
                    uint64_t now_ns)
{
    enum wire_status status = WIRE_MODULE_UNKNOWN;
    struct module *m = module_store_find(c->set->rooms.modules, client_uid(c->client), name);
    struct job *job = m != NULL ? errand_make(c, r, name, now_ns, &status) : NULL;
    if (job == NULL) {
        connection_refuse(c, r, status, m == NULL ? "name" : NULL, NULL);
        module_put(m);
    } else {
        job->module->module = m;
        connection_job_start(c, job, r, WIRE_OK, NULL);
    }
    return (int64_t)r->payload_bytes;
}

/* The file becomes the job's one operand. */
static int64_t add(struct connection *c, const struct wire_request *r, const char *name,
                   struct buf *buf, const uint8_t *payload, size_t have_bytes, uint64_t now_ns)
{
    bool for_all = r->arg[1] == WIRE_MODULE_ALL;
    enum wire_status status = module_store_may_add(c->set->rooms.modules, client_uid(c->client),
                                                   for_all, name, r->arg[2]);
    if (status == WIRE_OK && have_bytes < r->payload_bytes && connection_reads_in_place(r))
        return -EAGAIN;
    struct job *job = NULL;
    if (status == WIRE_OK)
        job = errand_make(c, r, name, now_ns, &status);
    if (job == NULL) {
        connection_refuse(c, r, status, NULL, NULL);
        return connection_skip(c, r, have_bytes);
    }
    job->module->for_all = for_all;
    job->in_count = 1;
    job->in_bytes[0] = r->arg[2];
    return connection_job_inline(c, job, r, buf, payload, have_bytes, wire_pad(r->arg[0]));
}

int64_t connection_module(struct connection *c, const struct wire_request *r, struct buf *buf,
                          const uint8_t *payload, size_t have_bytes, uint64_t now_ns)
{
    char name[WIRE_NAME_MAX + 1];
    enum wire_status status = WIRE_OK;
    const char *field = NULL;
    if (have_bytes < wire_pad(r->arg[0]))
        return -EAGAIN;
    if (c->set->rooms.modules == NULL) {
        status = WIRE_NO_BACKEND;
        field = "state_dir"; /* not set, or not to be used: the log says why */
    } else if (r->type != WIRE_MODULE_LIST) {
        status = take_name(name, r, payload);
        field = "name";
    }
    if (status != WIRE_OK) {
        connection_refuse(c, r, status, field, NULL);
        return connection_skip(c, r, have_bytes);
    }
    switch (r->type) {
    case WIRE_MODULE_ADD:
        return add(c, r, name, buf, payload, have_bytes, now_ns);
    case WIRE_MODULE_SHOW:
        return show(c, r, name, now_ns);
    case WIRE_MODULE_REMOVE:
        remove_module(c, r, name);
        break;
    default:
        list(c, r);
    }
    return (int64_t)r->payload_bytes;
}
