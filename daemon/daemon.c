/* Puts the rooms together, and turns signals into what they mean.
 *
 * One pass of the loop: sockets are read and their jobs submitted (poll), then batches leave and
 * answers are written (check). Before the loop blocks it looks once more for what workers have
 * finished (prepare); from then on a worker that finishes wakes it.
 */
#include "config.h"

#include "daemon_priv.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "clock.h"
#include "cpus.h"
#include "log.h"

enum { TICK_MS = 1000 };

static const int signal_numbers[SIGNAL_COUNT] = {SIGTERM, SIGINT, SIGHUP};

/* ---- the loop's pass ---- */

static void pass_end(struct daemon *d)
{
    pipeline_flush(d->pipeline);
    connection_set_flush(d->connections);
    if (d->draining && connection_set_count(d->connections) == 0 &&
        pipeline_in_flight(d->pipeline) == 0)
        uv_stop(&d->loop);
}

static void spin(struct daemon *d)
{
    enum loop_spin_end end = loop_spin_before(&d->spin, pipeline_in_flight(d->pipeline) == 0);
    if (end != LOOP_SPIN_NONE)
        monitor_add(monitor_loop(d->monitor),
                    end == LOOP_SPIN_PAID ? MONITOR_loop_spins_paid : MONITOR_loop_spins_vain, 1);
}

static void before_block(uv_prepare_t *handle)
{
    struct daemon *d = handle->data;
    do
        pass_end(d);
    while (!pipeline_may_sleep(d->pipeline));
    spin(d);
}

static void after_block(uv_check_t *handle)
{
    struct daemon *d = handle->data;
    loop_spin_after(&d->spin);
    pipeline_awake(d->pipeline);
    pass_end(d);
}

static void tick(void *user)
{
    struct daemon *d = user;
    monitor_tick(d->monitor, clock_ns());
    wasm_tick(d->wasm);
}

static void tell_watchdog(void *user)
{
    struct daemon *d = user;
    if (pipeline_made_progress(d->pipeline))
        notify_alive(d->notify);
    else
        log_warn("no progress", "jobs_in_flight=%zu", pipeline_in_flight(d->pipeline));
}

/* ---- signals ---- */

static void set_ready(struct daemon *d, bool ready)
{
    monitor_set_ready(d->monitor, ready);
    if (d->http != NULL)
        http_set_ready(d->http, ready);
}

static void drain_late(uv_timer_t *timer)
{
    struct daemon *d = timer->data;
    log_warn("drain cut short", "connections=%zu jobs_in_flight=%zu",
             connection_set_count(d->connections), pipeline_in_flight(d->pipeline));
    connection_set_close(d->connections);
}

static void drain_begin(struct daemon *d, int signal_number)
{
    d->draining = true;
    log_info("draining", "signal=%s connections=%zu jobs_in_flight=%zu",
             signal_number == SIGTERM ? "SIGTERM" : "SIGINT",
             connection_set_count(d->connections), pipeline_in_flight(d->pipeline));
    set_ready(d, false);
    notify_stopping(d->notify);
    listener_stop(d->listener);
    d->listener = NULL;
    pipeline_drain(d->pipeline);
    connection_set_drain(d->connections);
    uv_timer_start(&d->drain, drain_late, d->conf.drain_max / 1000000, 0);
}

static void reload(struct daemon *d)
{
    struct conf fresh;
    char error[CONF_ERROR_MAX];
    struct monitor_thread *t = monitor_loop(d->monitor);
    notify_reloading(d->notify);
    if (d->load(d->load_user, &fresh, error) < 0) {
        monitor_add(t, MONITOR_config_reloads_error, 1);
        log_err("reload refused, the old configuration stays", "reason=%s", log_text(error).text);
    } else {
        unsigned waiting = conf_apply_live(&d->conf, &fresh);
        daemon_apply_live(d);
        monitor_add(t, MONITOR_config_reloads_ok, 1);
        if (waiting > 0)
            log_warn("reloaded in part", "parameters_that_need_a_restart=%u", waiting);
        else
            log_info("reloaded", "");
    }
    notify_ready(d->notify, "serving");
}

static void signal_came(uv_signal_t *handle, int signal_number)
{
    struct daemon *d = handle->data;
    if (signal_number == SIGHUP) {
        if (!d->draining)
            reload(d);
    } else if (d->draining) {
        log_warn("second signal, leaving at once", "jobs_in_flight=%zu",
                 pipeline_in_flight(d->pipeline));
        _exit(DAEMON_EXIT_TEMPORARY);
    } else {
        drain_begin(d, signal_number);
    }
}

/* Thousands of connections need as many descriptors; the soft limit is meant for select(2). */
static void raise_fd_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int handles_start(struct daemon *d)
{
    int err = uv_loop_init(&d->loop);
    if (err < 0)
        return err;
    d->loop_ready = true;
    for (size_t i = 0; i < SIGNAL_COUNT && err == 0; i++) {
        err = uv_signal_init(&d->loop, &d->signals[i]);
        d->signals[i].data = d;
        if (err == 0)
            err = uv_signal_start(&d->signals[i], signal_came, signal_numbers[i]);
    }
    if (err < 0)
        return err;
    loop_spin_init(&d->spin, uv_backend_fd(&d->loop),
                   cpus_available() > 1 ? d->conf.loop_spin : 0);
    uv_prepare_init(&d->loop, &d->prepare);
    uv_check_init(&d->loop, &d->check);
    uv_timer_init(&d->loop, &d->drain);
    d->prepare.data = d->check.data = d->drain.data = d;
    return 0;
}

static int alarms_start(struct daemon *d)
{
    const uint64_t watchdog_ms = notify_watchdog_ms(d->notify);
    int err = alarm_start(&d->tick, &d->loop, TICK_MS, tick, d);
    if (err == 0 && watchdog_ms > 0)
        err = alarm_start(&d->watchdog, &d->loop, watchdog_ms, tell_watchdog, d);
    return err;
}

static enum daemon_exit open_all(struct daemon *d)
{
    int err = notify_new(&d->notify);
    if (err == 0)
        err = handles_start(d);
    if (err == 0)
        err = daemon_open_rooms(d);
    if (err == 0)
        err = alarms_start(d);
    if (err < 0) {
        log_err("cannot start", "reason=%s", log_text(strerror(-err)).text);
        return err == -ENOMEM ? DAEMON_EXIT_TEMPORARY : DAEMON_EXIT_OS;
    }
    return daemon_open_sockets(d);
}

enum daemon_exit daemon_new(struct daemon **out, const struct conf *conf, daemon_load_fn *load,
                            void *load_user)
{
    struct daemon *d = calloc(1, sizeof(*d));
    if (d == NULL)
        return DAEMON_EXIT_TEMPORARY;
    d->conf = *conf;
    d->load = load;
    d->load_user = load_user;
    (void)signal(SIGPIPE, SIG_IGN); /* a client that leaves is an error code, not our end */
    raise_fd_limit();

    enum daemon_exit code = open_all(d);
    if (code != DAEMON_EXIT_OK) {
        daemon_free(d);
        return code;
    }
    uv_prepare_start(&d->prepare, before_block);
    uv_check_start(&d->check, after_block);
    *out = d;
    return DAEMON_EXIT_OK;
}

enum daemon_exit daemon_run(struct daemon *d)
{
    struct sched_stats workers;
    sched_stats(pipeline_scheduler(d->pipeline), &workers);
    log_info("serving", "socket=%s http_port=%d isa=%s workers=%u",
             d->socket_passed ? "passed" : log_text(d->conf.socket).text,
             d->http == NULL ? 0 : http_port(d->http), kern_isa_name(d->native.isa),
             workers.worker_count);
    set_ready(d, true);
    notify_ready(d->notify, "serving");
    uv_run(&d->loop, UV_RUN_DEFAULT);
    log_info("drained", "jobs_done=%llu",
             (unsigned long long)atomic_load_explicit(
                 &monitor_loop(d->monitor)->counter[MONITOR_jobs_done], memory_order_relaxed));
    return DAEMON_EXIT_OK;
}

static void close_ours(struct daemon *d)
{
    uv_handle_t *ours[] = {(uv_handle_t *)&d->prepare, (uv_handle_t *)&d->check,
                           (uv_handle_t *)&d->drain};
    alarm_stop(&d->tick);
    alarm_stop(&d->watchdog);
    for (size_t i = 0; i < SIGNAL_COUNT; i++) {
        if (d->signals[i].data != NULL)
            uv_close((uv_handle_t *)&d->signals[i], NULL);
    }
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++) {
        if (ours[i]->data != NULL)
            uv_close(ours[i], NULL);
    }
}

void daemon_free(struct daemon *d)
{
    if (d == NULL)
        return;
    listener_stop(d->listener);
    http_stop(d->http);
    if (d->connections != NULL)
        connection_set_close(d->connections);
    if (d->loop_ready)
        close_ours(d);
    pipeline_free(d->pipeline);
    if (d->loop_ready) {
        uv_run(&d->loop, UV_RUN_DEFAULT); /* every handle's close callback */
        uv_loop_close(&d->loop);
    }
    connection_set_free(d->connections);
    batcher_free(d->batcher);
    cache_free(d->cache);
    wasm_free(d->wasm); /* after everyone who holds a block of a segment */
    module_store_close(d->store);
    admission_free(d->admission);
    monitor_free(d->monitor);
    pool_local_free(d->local);
    pool_free(d->pool);
    notify_free(d->notify);
    free(d);
}
