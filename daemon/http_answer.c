/* One request: checked, routed, answered.
 *
 * libmicrohttpd calls three times: with the raw target, with the headers, and after the body. A
 * refusal is queued at the second call, which makes it close the connection: after a request that
 * we do not trust, what follows on that connection is not to be trusted either. Everything else is
 * queued at the third call, which keeps the connection alive.
 *
 * A scrape's snapshot is printed once and served for a few milliseconds: printing costs more than
 * all the rest of a request, and no graph can tell.
 */
#include "config.h"

#include "http_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http_guard.h"
#include "http_target.h"
#include "metrics.h"

enum {
    BODY_MAX_BYTES = 65536, /* of a request; nobody needs one, but GET may carry it */
    BODY_KEPT_MS = 5
};

struct request {
    struct http_target target;
    size_t body_bytes;
    bool is_checked;
};

static const char text_type[] = "text/plain; charset=utf-8";

static const char index_text[] = "simdd\n"
                                 "\n"
                                 "/metrics   JSON; Prometheus and OpenMetrics text by Accept\n"
                                 "           or ?format=json|prometheus|openmetrics\n"
                                 "/livez     200 while the loop turns\n"
                                 "/readyz    200 while jobs are taken, else 503\n";

void *http_request_begin(void *user, const char *target, struct MHD_Connection *connection)
{
    (void)user;
    (void)connection;
    struct request *r = calloc(1, sizeof *r);
    if (r != NULL)
        http_target_parse(&r->target, target, strlen(target));
    return r;
}

/* Takes `body` if the mode is MUST_FREE. NULL: out of memory. */
static struct MHD_Response *response_new(struct http *h, char *body, size_t bytes,
                                         enum MHD_ResponseMemoryMode mode, const char *type)
{
    struct MHD_Response *r = h->mhd.create_response_from_buffer(bytes, body, mode);
    if (r == NULL) {
        if (mode == MHD_RESPMEM_MUST_FREE)
            free(body);
        return NULL;
    }
    bool ok = h->mhd.add_response_header(r, "Content-Type", type) == MHD_YES;
    ok = ok && h->mhd.add_response_header(r, "Cache-Control", "no-store") == MHD_YES;
    ok = ok && h->mhd.add_response_header(r, "Vary", "Accept") == MHD_YES;
    ok = ok && h->mhd.add_response_header(r, "X-Content-Type-Options", "nosniff") == MHD_YES;
    if (!ok) {
        h->mhd.destroy_response(r);
        return NULL;
    }
    return r;
}

/* Takes `response`; NULL closes the connection. */
static enum MHD_Result queue(struct http *h, struct MHD_Connection *connection, unsigned code,
                             struct MHD_Response *response)
{
    if (response == NULL)
        return MHD_NO;
    enum MHD_Result result = h->mhd.queue_response(connection, code, response);
    h->mhd.destroy_response(response);
    monitor_add(monitor_loop(h->monitor), MONITOR_http_requests, 1);
    return result;
}

/* Answers with a line of text; `text` lives for ever. */
static enum MHD_Result say(struct http *h, struct MHD_Connection *connection, unsigned code,
                           const char *text)
{
    /* PERSISTENT promises not to write, but the parameter is not const. */
    struct MHD_Response *r = response_new(h, (char *)(uintptr_t)text, strlen(text),
                                          MHD_RESPMEM_PERSISTENT, text_type);
    if (r != NULL && code == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)h->mhd.add_response_header(r, "Allow", "GET, HEAD");
    return queue(h, connection, code, r);
}

static enum MHD_Result guard_header(void *user, enum MHD_ValueKind kind, const char *name,
                                    size_t name_bytes, const char *value, size_t value_bytes)
{
    (void)kind;
    http_guard_header(user, name, name_bytes, value != NULL ? value : "", value_bytes);
    return MHD_YES;
}

static enum MHD_Result accept_header(void *user, enum MHD_ValueKind kind, const char *name,
                                     size_t name_bytes, const char *value, size_t value_bytes)
{
    (void)kind;
    if (name_bytes == 6 && strncasecmp(name, "Accept", 6) == 0 && value != NULL)
        http_accept_add(user, value, value_bytes);
    return MHD_YES;
}

/* The second call: MHD_YES goes on to the third. */
static enum MHD_Result check(struct http *h, struct MHD_Connection *connection,
                             const struct request *r, const char *method, const char *version)
{
    struct http_guard guard;
    http_guard_init(&guard, version);
    h->mhd.get_connection_values_n(connection, MHD_HEADER_KIND, guard_header, &guard);
    const char *refusal = http_guard_verdict(&guard);
    if (refusal == NULL && strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return say(h, connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
    if (refusal == NULL && r->target.route == HTTP_ROUTE_BAD)
        refusal = "bad request target";
    if (refusal == NULL && guard.content_length > BODY_MAX_BYTES)
        return say(h, connection, MHD_HTTP_CONTENT_TOO_LARGE, "body too large\n");
    if (refusal == NULL)
        return MHD_YES;

    char text[128];
    size_t length = strlen(refusal);
    length = length < sizeof text - 1 ? length : sizeof text - 1;
    memcpy(text, refusal, length);
    text[length] = '\n';
    return queue(h, connection, MHD_HTTP_BAD_REQUEST,
                 response_new(h, text, length + 1, MHD_RESPMEM_MUST_COPY, text_type));
}

static enum wire_metrics form_of(struct http *h, struct MHD_Connection *connection,
                                 const struct http_target *target)
{
    if (target->has_form)
        return target->form;
    struct http_accept accept;
    http_accept_init(&accept);
    h->mhd.get_connection_values_n(connection, MHD_HEADER_KIND, accept_header, &accept);
    return http_accept_best(&accept);
}

static void body_drop(struct http *h, struct http_body *body)
{
    if (body->response != NULL)
        h->mhd.destroy_response(body->response); /* those that are being written keep it */
    body->response = NULL;
}

bool http_bodies_drop(struct http *h, uint64_t before_ms)
{
    bool left = false;
    for (size_t i = 0; i < HTTP_FORM_COUNT; i++) {
        if (h->bodies[i].response != NULL && h->bodies[i].printed_ms < before_ms)
            body_drop(h, &h->bodies[i]);
        left = left || h->bodies[i].response != NULL;
    }
    return left;
}

static enum MHD_Result show_metrics(struct http *h, struct MHD_Connection *connection,
                                    enum wire_metrics form)
{
    struct http_body *body = &h->bodies[form];
    uint64_t now_ms = uv_now(h->loop);
    if (body->response == NULL || now_ms - body->printed_ms >= BODY_KEPT_MS) {
        body_drop(h, body);
        struct snapshot snapshot;
        size_t bytes;
        monitor_snapshot(h->monitor, &snapshot);
        char *text = metrics_print(&snapshot, form, &bytes);
        if (text != NULL)
            body->response = response_new(h, text, bytes, MHD_RESPMEM_MUST_FREE,
                                          metrics_content_type(form));
        body->printed_ms = now_ms;
    }
    if (body->response == NULL)
        return say(h, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory\n");
    monitor_add(monitor_loop(h->monitor), MONITOR_http_requests, 1);
    return h->mhd.queue_response(connection, MHD_HTTP_OK, body->response);
}

/* The third call. */
static enum MHD_Result serve(struct http *h, struct MHD_Connection *connection,
                             const struct http_target *target)
{
    switch (target->route) {
    case HTTP_ROUTE_ROOT:
        return say(h, connection, MHD_HTTP_OK, index_text);
    case HTTP_ROUTE_METRICS:
        if (target->has_bad_form)
            return say(h, connection, MHD_HTTP_BAD_REQUEST,
                       "format is json, prometheus or openmetrics\n");
        return show_metrics(h, connection, form_of(h, connection, target));
    case HTTP_ROUTE_LIVEZ:
        return say(h, connection, MHD_HTTP_OK, "ok\n");
    case HTTP_ROUTE_READYZ:
        if (h->is_ready)
            return say(h, connection, MHD_HTTP_OK, "ok\n");
        return say(h, connection, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready\n");
    case HTTP_ROUTE_BAD:
    case HTTP_ROUTE_UNKNOWN:
        break;
    }
    return say(h, connection, MHD_HTTP_NOT_FOUND, "no such page; / lists them\n");
}

enum MHD_Result http_request_answer(void *user, struct MHD_Connection *connection,
                                    const char *url, const char *method, const char *version,
                                    const char *body, size_t *body_bytes, void **request)
{
    (void)url; /* decoded in place; the raw target has been read */
    (void)body;
    struct http *h = user;
    struct request *r = *request;
    if (r == NULL)
        return MHD_NO; /* out of memory at the start */
    if (!r->is_checked) {
        r->is_checked = true;
        return check(h, connection, r, method, version);
    }
    if (*body_bytes > 0) {
        r->body_bytes += *body_bytes;
        *body_bytes = 0;
        return r->body_bytes <= BODY_MAX_BYTES ? MHD_YES : MHD_NO;
    }
    return serve(h, connection, &r->target);
}

void http_request_end(void *user, struct MHD_Connection *connection, void **request,
                      enum MHD_RequestTerminationCode why)
{
    (void)why;
    struct http *h = user;
    const union MHD_ConnectionInfo *info =
        h->mhd.get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_peer *peer = info != NULL ? info->socket_context : NULL;
    if (peer != NULL)
        peer->since_ms = uv_now(h->loop);
    free(*request);
    *request = NULL;
}
