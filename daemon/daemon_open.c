/* From parameters to rooms, and the sockets. */
#include "config.h"

#include "daemon_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cpus.h"
#include "log.h"
#include "metrics.h"

static struct admission_limits conf_admission(const struct conf *c)
{
    return (struct admission_limits){
        .client_jobs = c->client_jobs_max,
        .client_bytes = c->client_bytes_max,
        .client_arena_bytes = c->client_arena_bytes_max,
        .client_arenas = c->client_arenas_max,
        .client_connections = c->client_connections_max,
    };
}

static struct batch_limits conf_batch(const struct conf *c)
{
    return (struct batch_limits){
        .max_jobs = (uint32_t)c->batch_max_jobs,
        .max_bytes = c->batch_max_bytes,
        .max_delay_ns = c->batch_max_delay,
    };
}

static struct pipeline_limits conf_pipeline(const struct conf *c)
{
    return (struct pipeline_limits){.inline_max_ns = c->inline_max, .split_min_ns = c->split_min};
}

static struct connection_limits conf_connection(const struct conf *c)
{
    return (struct connection_limits){
        .job_max_bytes = c->job_max_bytes,
        .json_max_bytes = c->json_max_bytes,
        .out_max_bytes = c->out_max_bytes,
        .jobs_max = (uint32_t)c->connection_jobs_max,
        .connections_max = (uint32_t)c->connections_max,
    };
}

static void conf_log(const struct conf *c)
{
    enum log_level level;
    if (log_level_parse(&level, c->log_level) == 0)
        log_set_level(level);
}

void daemon_apply_live(struct daemon *d)
{
    struct admission_limits admission = conf_admission(&d->conf);
    struct batch_limits batch = conf_batch(&d->conf);
    struct pipeline_limits pipeline = conf_pipeline(&d->conf);
    struct connection_limits connection = conf_connection(&d->conf);
    conf_log(&d->conf);
    pool_set_limits(d->pool, d->conf.memory_max, d->conf.memory_keep);
    cache_set_max(d->cache, d->conf.cache_max);
    admission_set_limits(d->admission, &admission);
    batcher_set_limits(d->batcher, &batch);
    pipeline_set_limits(d->pipeline, &pipeline);
    connection_set_limits(d->connections, &connection);
    daemon_apply_wasm(d);
}

static char *metrics_text(void *user, enum wire_metrics form, size_t *bytes)
{
    struct daemon *d = user;
    struct snapshot *s = malloc(sizeof(*s));
    if (s == NULL)
        return NULL;
    monitor_snapshot(d->monitor, s);
    char *text = metrics_print(s, form, bytes);
    free(s);
    return text;
}

int daemon_open_rooms(struct daemon *d)
{
    struct admission_limits admission = conf_admission(&d->conf);
    struct batch_limits batch = conf_batch(&d->conf);
    struct pipeline_limits limits = conf_pipeline(&d->conf);
    struct connection_limits connection = conf_connection(&d->conf);
    unsigned workers = d->conf.workers != 0 ? (unsigned)d->conf.workers : cpus_available();
    enum kern_isa isa_max = KERN_ISA_COUNT;
    (void)kern_isa_find(&isa_max, d->conf.isa_max); /* "best" sets no limit */
    backend_native_init(&d->native, isa_max);
    conf_log(&d->conf);

    int err = pool_new(&d->pool, d->conf.memory_max, d->conf.memory_keep);
    if (err == 0)
        err = pool_local_new(&d->local, d->pool);
    if (err == 0)
        err = monitor_new(&d->monitor);
    if (err == 0)
        err = admission_new(&d->admission, &admission);
    if (err == 0)
        err = cache_new(&d->cache, d->conf.cache_max, d->local);
    if (err == 0)
        err = batcher_new(&d->batcher, &batch, d->local);
    if (err == 0)
        err = daemon_open_wasm(d, workers);
    if (err < 0)
        return err;

    struct pipeline_rooms rooms = {
        .loop = &d->loop,
        .pool = d->pool,
        .local = d->local,
        .admission = d->admission,
        .cache = d->cache,
        .batcher = d->batcher,
        .native = &d->native,
        .monitor = d->monitor,
        .wasm = d->wasm,
        .backend = daemon_backend(&d->conf),
    };
    const struct pipeline_crew crew = {.worker_count = workers,
                                       .spin_ns = d->conf.spin,
                                       .nice = (unsigned)d->conf.worker_nice};
    err = pipeline_new(&d->pipeline, &rooms, &limits, &crew);
    if (err < 0)
        return err;
    struct connection_rooms connection_rooms = {
        .loop = &d->loop,
        .local = d->local,
        .admission = d->admission,
        .pipeline = d->pipeline,
        .monitor = d->monitor,
        .wasm = d->wasm,
        .modules = d->store,
        .metrics = metrics_text,
        .metrics_user = d,
    };
    err = connection_set_new(&d->connections, &connection_rooms, &connection);
    struct monitor_sources sources = {
        .pool = d->pool,
        .cache = d->cache,
        .batcher = d->batcher,
        .scheduler = pipeline_scheduler(d->pipeline),
        .admission = d->admission,
        .pipeline = d->pipeline,
        .wasm = d->wasm,
        .isa = kern_isa_name(d->native.isa),
        .version = PACKAGE_VERSION,
    };
    monitor_set_sources(d->monitor, &sources);
    return err;
}

static enum daemon_exit exit_of(int err, enum daemon_exit otherwise)
{
    switch (err) {
    case -EADDRINUSE:
        return DAEMON_EXIT_RUNNING;
    case -EACCES:
    case -EPERM:
        return DAEMON_EXIT_PERMISSION;
    case -EINVAL:
    case -ENAMETOOLONG:
    case -ESRCH:
        return DAEMON_EXIT_CONFIG;
    default:
        return otherwise;
    }
}

static void accepted(void *user, int fd)
{
    struct daemon *d = user;
    connection_set_accept(d->connections, fd);
}

static enum daemon_exit open_job_socket(struct daemon *d)
{
    const char *path = NULL;
    int fd;
    int err = notify_take_socket(d->notify, "job", &fd);
    d->socket_passed = err == 0;
    if (err == -ENOENT) {
        path = d->conf.socket;
        err = listener_bind(&fd, path, d->conf.socket_group);
    }
    if (err < 0) {
        const char *reason =
            err == -EADDRINUSE ? "another daemon answers there" : strerror(-err);
        log_err("cannot open the job socket", "socket=%s reason=%s",
                path == NULL ? "passed" : log_text(path).text, log_text(reason).text);
        return exit_of(err, DAEMON_EXIT_CREATE);
    }
    err = listener_start(&d->listener, &d->loop, fd, path, accepted, d);
    if (err < 0) {
        close(fd);
        log_err("cannot listen on the job socket", "reason=%s", log_text(strerror(-err)).text);
        return DAEMON_EXIT_OS;
    }
    return DAEMON_EXIT_OK;
}

static enum daemon_exit open_http(struct daemon *d)
{
    int fd;
    int err = notify_take_socket(d->notify, "metrics", &fd);
    if (err == -ENOENT) {
        if (strcmp(d->conf.http, "off") == 0)
            return DAEMON_EXIT_OK;
        err = http_bind(&fd, d->conf.http);
    }
    if (err < 0) {
        log_err("cannot open the metrics socket", "http=%s reason=%s", log_text(d->conf.http).text,
                log_text(strerror(-err)).text);
        return exit_of(err, DAEMON_EXIT_OS);
    }
    err = http_start(&d->http, &d->loop, fd, d->monitor);
    if (err < 0) {
        close(fd);
        log_err("cannot serve metrics", "reason=%s", log_text(strerror(-err)).text);
        return DAEMON_EXIT_OS;
    }
    return DAEMON_EXIT_OK;
}

enum daemon_exit daemon_open_sockets(struct daemon *d)
{
    enum daemon_exit code = open_job_socket(d);
    return code == DAEMON_EXIT_OK ? open_http(d) : code;
}
