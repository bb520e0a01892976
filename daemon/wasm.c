/* Users, their processes, limits and statistics; see wasm.h. */
#include "config.h"

#include "wasm_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "clock.h"
#include "log.h"

/* The time has a compilation of the kernels' module in it. */
enum { START_TRIES = 4, START_TIMEOUT_MS = 60000 };

static int digest_of_file(int fd, struct module_digest *digest)
{
    struct stat st;
    if (fstat(fd, &st) < 0)
        return -errno;
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    *digest = module_digest_of(map, (size_t)st.st_size);
    (void)munmap(map, (size_t)st.st_size);
    return 0;
}

int wasm_new(struct wasm **out, const struct wasm_config *cfg, const struct wasm_limits *limits)
{
    struct wasm *w = calloc(1, sizeof(*w));
    if (w == NULL)
        return -ENOMEM;
    int err = -pthread_mutex_init(&w->limits_lock, NULL);
    w->host_path = strdup(cfg->host_path);
    if (err < 0 || w->host_path == NULL) {
        free(w->host_path);
        free(w);
        return err < 0 ? err : -ENOMEM;
    }
    w->cfg = *cfg;
    w->limits = *limits;
    w->kernels_fd = open(cfg->kernels_path, O_RDONLY | O_CLOEXEC);
    w->host_there = access(cfg->host_path, X_OK) == 0;
    if (w->kernels_fd >= 0 && digest_of_file(w->kernels_fd, &w->kernels_digest) < 0) {
        close(w->kernels_fd);
        w->kernels_fd = -1;
    }
    /* The process looks closer, and says if a compiled form is not for its engine and CPU. */
    (void)snprintf(w->key, sizeof(w->key), HOST_ENGINE "-%s-%lx-%lx",
                   kern_isa_name(kern_isa_best(KERN_ISA_COUNT)), getauxval(AT_HWCAP),
                   getauxval(AT_HWCAP2));
    *out = w;
    return 0;
}

bool wasm_usable(const struct wasm *w)
{
    return w->kernels_fd >= 0 && w->host_there;
}

enum kern_isa wasm_isa(const struct wasm *w)
{
    return w->cfg.isa;
}

void wasm_set_limits(struct wasm *w, const struct wasm_limits *limits)
{
    (void)pthread_mutex_lock(&w->limits_lock);
    w->limits = *limits;
    (void)pthread_mutex_unlock(&w->limits_lock);
}

void wasm_get_limits(const struct wasm *w, struct wasm_limits *out)
{
    struct wasm *locked = (struct wasm *)(uintptr_t)w;
    (void)pthread_mutex_lock(&locked->limits_lock);
    *out = w->limits;
    (void)pthread_mutex_unlock(&locked->limits_lock);
}

/* ---- sessions ---- */

static void session_free(struct wasm_session *s)
{
    wasm_window_fini(s);
    wasm_modules_fini(s);
    wasm_process_put(s->process);
    free(s->lanes);
    free(s);
}

/* Under the user's lock. */
static void session_put(struct wasm_session *s)
{
    struct wasm *w = s->user->wasm;
    if (--s->refs > 0)
        return;
    session_free(s);
    atomic_fetch_sub_explicit(&w->processes, 1, memory_order_relaxed);
}

/* The current one ends, or has ended. Under the user's lock. */
static void session_retire(struct wasm_user *u)
{
    struct wasm_session *s = u->current;
    u->current = NULL;
    session_put(s);
}

int wasm_ask(struct wasm_session *s, struct wasm_reply *reply, const struct host_msg *msg,
             const int *fds, size_t count, uint64_t timeout_ns)
{
    return wasm_process_ask(s->process, reply, msg, fds, count, timeout_ns);
}

static uid_t compiled_uid(const struct wasm_user *u, bool kernels)
{
    return kernels ? MODULE_UID_KERNELS : u->uid;
}

int wasm_compiled_open(struct wasm_user *u, struct module_digest digest, bool kernels)
{
    struct wasm *w = u->wasm;
    if (w->cfg.store == NULL)
        return -1;
    return module_compiled_open(w->cfg.store, compiled_uid(u, kernels), digest, w->key);
}

bool wasm_compiled(struct wasm_user *u, struct wasm_reply *reply, struct module_digest digest,
                   bool kernels)
{
    struct wasm *w = u->wasm;
    /* relaxed, here and below: totals */
    atomic_fetch_add_explicit(&w->stale_total, reply->head.stale != 0, memory_order_relaxed);
    if (reply->head.from_disk != 0) {
        atomic_fetch_add_explicit(&w->from_disk_total, 1, memory_order_relaxed);
        return false;
    }
    atomic_fetch_add_explicit(&w->compiled_total, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&w->compile_ns_total, reply->head.compile_ns, memory_order_relaxed);
    if (reply->head.compiled == 0 || reply->fds[0] < 0 || w->cfg.store == NULL)
        return false;
    int err = module_compiled_keep(w->cfg.store, compiled_uid(u, kernels), digest, w->key,
                                   reply->fds[0], (size_t)reply->head.compiled_bytes);
    if (err < 0)
        log_warn("cannot keep a compiled module", "reason=%s", log_text(strerror(-err)).text);
    return err == 0;
}

/* Starts one that has looked at nothing yet. Somebody may kill it while it starts, too. */
static int process_try(struct wasm_user *u, const struct wasm_limits *limits,
                       struct wasm_process **out, struct wasm_reply *reply)
{
    struct wasm *w = u->wasm;
    const struct wasm_process_config cfg = {.path = w->host_path,
                                            .workers = w->cfg.workers,
                                            .spin_ns = w->cfg.spin_ns,
                                            .memory_max = limits->memory_max,
                                            .timeout_ns = (uint64_t)START_TIMEOUT_MS * 1000000};
    const int compiled_fd = wasm_compiled_open(u, w->kernels_digest, true);
    int err = -EPROTO;
    for (unsigned tries = 0; err == -EPROTO && tries < START_TRIES; tries++) {
        err = wasm_process_start(out, reply, &cfg, w->kernels_fd, compiled_fd,
                                 segment_fd(u->segment), segment_bytes(u->segment));
        /* relaxed, here and below: totals */
        atomic_fetch_add_explicit(&w->crashes_total, err == -EPROTO, memory_order_relaxed);
    }
    if (compiled_fd >= 0)
        close(compiled_fd);
    return err;
}

/* A process that had to compile the kernels holds 4 MB that the compiler left; one that finds them
 * on disk, a fifth of that. So it is started once more, if they could be kept. */
static int process_start(struct wasm_user *u, const struct wasm_limits *limits,
                         struct wasm_process **out, struct wasm_reply *reply)
{
    bool kept = true;
    int err = 0;
    for (unsigned starts = 0; err == 0 && kept && starts < 2; starts++) {
        if (starts > 0)
            wasm_process_put(*out);
        err = process_try(u, limits, out, reply);
        kept = err == 0 && wasm_compiled(u, reply, u->wasm->kernels_digest, true);
        if (err == 0)
            wasm_reply_close(reply);
    }
    return err;
}

/* One reference. Thread: any. */
static enum wire_status session_start(struct wasm_user *u, struct wasm_session **out, char *reason)
{
    struct wasm *w = u->wasm;
    struct wasm_limits limits;
    wasm_get_limits(w, &limits);
    /* relaxed: a count; two that start at once may both see the last place */
    if (atomic_fetch_add_explicit(&w->processes, 1, memory_order_relaxed) >= limits.processes_max) {
        atomic_fetch_sub_explicit(&w->processes, 1, memory_order_relaxed);
        (void)snprintf(reason, HOST_REASON_BYTES, "wasm_processes_max: as many run already");
        return WIRE_OVERLOADED;
    }
    struct wasm_session *s = calloc(1, sizeof(*s));
    uint32_t *lanes = calloc(w->cfg.workers, sizeof(*lanes));
    struct wasm_reply reply = {.fds = {-1, -1}};
    int err = s == NULL || lanes == NULL ? -ENOMEM : process_start(u, &limits, &s->process, &reply);
    if (err < 0) {
        const char *why = err == -ECANCELED ? reply.head.reason : strerror(-err);
        atomic_fetch_sub_explicit(&w->processes, 1, memory_order_relaxed);
        free(s);
        free(lanes);
        (void)snprintf(reason, HOST_REASON_BYTES, "simdd-wasm cannot start: %.200s", why);
        log_err("simdd-wasm cannot start", "uid=%u reason=%s", (unsigned)u->uid,
                log_text(why).text);
        return WIRE_NO_BACKEND;
    }
    s->user = u;
    s->lanes = lanes;
    s->refs = 1;
    *out = s;
    atomic_fetch_add_explicit(&w->starts_total, 1, memory_order_relaxed);
    log_info("simdd-wasm started", "uid=%u pid=%d", (unsigned)u->uid,
             wasm_process_pid(s->process));
    return WIRE_OK;
}

/* A dead process is counted once, by whoever finds it. Under the user's lock. */
static void session_bury(struct wasm_user *u)
{
    log_warn("simdd-wasm has ended", "uid=%u pid=%d how=%s", (unsigned)u->uid,
             wasm_process_pid(u->current->process), wasm_process_end(u->current->process).text);
    atomic_fetch_add_explicit(&u->wasm->crashes_total, 1, memory_order_relaxed);
    session_retire(u);
}

enum wire_status wasm_enter(struct wasm_user *u, struct wasm_session **out, char *reason)
{
    enum wire_status status = WIRE_OK;
    reason[0] = '\0';
    wasm_lock(u);
    if (u->current != NULL && !wasm_process_alive(u->current->process)) {
        session_bury(u);
        atomic_fetch_add_explicit(&u->wasm->restarts_total, 1, memory_order_relaxed);
    }
    if (u->current == NULL)
        status = session_start(u, &u->current, reason);
    if (status == WIRE_OK) {
        struct wasm_session *s = u->current;
        s->refs++;
        s->entered_ns = clock_ns();
        *out = s;
    }
    wasm_unlock(u);
    return status;
}

enum wire_status wasm_enter_alone(struct wasm_user *u, struct wasm_session **out, char *reason)
{
    reason[0] = '\0';
    return session_start(u, out, reason);
}

void wasm_leave(struct wasm_session *s)
{
    struct wasm_user *u = s->user;
    wasm_lock(u);
    s->idle_since_ns = clock_ns();
    session_put(s);
    wasm_unlock(u);
}

bool wasm_was_killed(const struct wasm_session *s)
{
    /* acquire: pairs with the release in wasm_run(), before the process is killed */
    return atomic_load_explicit(&s->killed, memory_order_acquire);
}

/* ---- users ---- */

struct wasm_user *wasm_user_of(struct wasm *w, uid_t uid)
{
    for (struct wasm_user *u = w->users; u != NULL; u = u->next) {
        if (u->uid == uid)
            return u;
    }
    struct wasm_user *u = calloc(1, sizeof(*u));
    if (u == NULL)
        return NULL;
    u->wasm = w;
    u->uid = uid;
    u->next = w->users;
    /* Neither fails: they only fill the struct. */
    (void)pthread_mutex_init(&u->lock, NULL);
    (void)pthread_mutex_init(&u->gone_lock, NULL);
    w->users = u;
    return u;
}

struct segment *wasm_user_segment(struct wasm_user *u)
{
    if (u->segment == NULL) {
        struct wasm_limits limits;
        wasm_get_limits(u->wasm, &limits);
        int err = segment_new(&u->segment, limits.segment_bytes);
        if (err < 0)
            log_err("cannot make a payload segment", "uid=%u reason=%s", (unsigned)u->uid,
                    log_text(strerror(-err)).text);
    }
    return u->segment;
}

struct segment *wasm_user_segment_made(const struct wasm_user *u)
{
    return u->segment;
}

uid_t wasm_user_uid(const struct wasm_user *u)
{
    return u->uid;
}

void wasm_count_copied(struct wasm_user *u, uint64_t bytes)
{
    atomic_fetch_add_explicit(&u->wasm->copied_bytes, bytes, memory_order_relaxed);
}

static void user_tick(struct wasm_user *u, uint64_t idle_ns)
{
    if (pthread_mutex_trylock(&u->lock) != 0)
        return; /* a worker is starting or asking it: not idle */
    struct wasm_session *s = u->current;
    if (s != NULL && !wasm_process_alive(s->process)) {
        if (s->refs == 1)
            session_bury(u);
    } else if (s != NULL && s->refs == 1) {
        if (clock_ns() - s->idle_since_ns >= idle_ns) {
            log_info("simdd-wasm is idle and ends", "uid=%u pid=%d", (unsigned)u->uid,
                     wasm_process_pid(s->process));
            atomic_fetch_add_explicit(&u->wasm->idle_ends_total, 1, memory_order_relaxed);
            session_retire(u);
        } else {
            wasm_window_sweep(s);
        }
    }
    wasm_unlock(u);
}

void wasm_tick(struct wasm *w)
{
    struct wasm_limits limits;
    wasm_get_limits(w, &limits);
    for (struct wasm_user *u = w->users; u != NULL; u = u->next)
        user_tick(u, limits.idle_ns);
}

void wasm_free(struct wasm *w)
{
    if (w == NULL)
        return;
    struct wasm_user *next;
    for (struct wasm_user *u = w->users; u != NULL; u = next) {
        next = u->next;
        if (u->current != NULL)
            session_retire(u);
        segment_put(u->segment);
        free(u->gone);
        (void)pthread_mutex_destroy(&u->lock);
        (void)pthread_mutex_destroy(&u->gone_lock);
        free(u);
    }
    if (w->kernels_fd >= 0)
        close(w->kernels_fd);
    (void)pthread_mutex_destroy(&w->limits_lock);
    free(w->host_path);
    free(w);
}

void wasm_count_job(struct wasm *w, uid_t uid, const struct module *m, bool ok, uint64_t run_ns)
{
    w->jobs_total++;
    w->run_ns_total += run_ns;
    if (m == NULL)
        return;
    size_t i = 0;
    while (i < w->module_rows &&
           (w->modules[i].uid != uid || strcmp(w->modules[i].name, module_name(m)) != 0))
        i++;
    struct wasm_module_stats *row = i < WASM_MODULE_ROWS ? &w->modules[i] : &w->other_modules;
    if (i == w->module_rows && i < WASM_MODULE_ROWS) {
        w->module_rows++;
        row->uid = uid;
        (void)snprintf(row->name, sizeof(row->name), "%s", module_name(m));
    }
    w->module_count = i < WASM_MODULE_ROWS && w->module_count <= w->module_rows
                          ? w->module_rows
                          : WASM_MODULE_ROWS + 1;
    row->calls_total += ok;
    row->failed_total += !ok;
    row->run_ns_total += run_ns;
}

void wasm_stats(struct wasm *w, struct wasm_stats *out)
{
    *out = (struct wasm_stats){
#define TAKE(name) .name = atomic_load_explicit(&w->name, memory_order_relaxed)
        TAKE(processes),
        TAKE(starts_total),
        TAKE(restarts_total),
        TAKE(idle_ends_total),
        TAKE(tasks_total),
        TAKE(failed_total),
        TAKE(deadline_ends_total),
        TAKE(crashes_total),
        TAKE(compiled_total),
        TAKE(compile_ns_total),
        TAKE(from_disk_total),
        TAKE(stale_total),
        TAKE(mapped_bytes),
#undef TAKE
        .jobs_total = w->jobs_total,
        .run_ns_total = w->run_ns_total,
        .other_modules = w->other_modules,
        .module_rows = w->module_rows,
        .module_count = w->module_count,
        .copied_bytes_total = atomic_load_explicit(&w->copied_bytes, memory_order_relaxed),
    };
    memcpy(out->modules, w->modules, sizeof(out->modules));
    for (unsigned i = 0; i < WASM_TRAP_COUNT; i++)
        out->traps_total[i] = atomic_load_explicit(&w->traps_total[i], memory_order_relaxed);
    for (const struct wasm_user *u = w->users; u != NULL; u = u->next) {
        if (u->segment != NULL)
            out->segment_bytes += segment_held_bytes(u->segment);
    }
}
