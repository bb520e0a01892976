/* From parameters to the wasm backend: where its parts lie, and what is kept where. */
#include "config.h"

#include "daemon_priv.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "log.h"
#include "module_store.h"
#include "wasm.h"

/* Room for it, since compiled code is a few times as large as the module. */
enum { COMPILED_TIMES = 16 };

#define SEGMENT_GRAIN ((size_t)64 << 10)

static struct module_limits conf_modules(const struct conf *c)
{
    return (struct module_limits){
        .file_max_bytes = c->module_max_bytes,
        .compiled_max_bytes = c->module_max_bytes * COMPILED_TIMES,
        .count_max = c->modules_max,
    };
}

static struct wasm_limits conf_wasm(const struct conf *c)
{
    return (struct wasm_limits){
        .max_run_ns = c->wasm_max_run_time,
        .compile_max_ns = c->wasm_max_compile_time,
        .idle_ns = c->wasm_idle_time,
        .memory_max = c->wasm_memory_max,
        .segment_bytes = c->wasm_segment_max / SEGMENT_GRAIN * SEGMENT_GRAIN,
        .result_max = c->wasm_result_max,
        .processes_max = (unsigned)c->wasm_processes_max,
    };
}

/* The parameter, or the installed file, or the one beside a daemon that was not installed. */
static void path_of(char *out, size_t cap, const char *set, const char *installed,
                    const char *beside)
{
    char self[PATH_MAX];
    (void)snprintf(out, cap, "%s", set[0] != '\0' ? set : installed);
    if (set[0] != '\0' || access(installed, F_OK) == 0)
        return;
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    if (n <= 0)
        return;
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash != NULL)
        (void)snprintf(out, cap, "%.*s/%s", (int)(slash - self), self, beside);
}

static const char *state_dir(const struct conf *c)
{
    const char *given = getenv("STATE_DIRECTORY"); /* systemd's */
    if (c->state_dir[0] != '\0')
        return c->state_dir;
    return given != NULL && given[0] != '\0' ? given : NULL;
}

static void store_open(struct daemon *d)
{
    struct module_limits limits = conf_modules(&d->conf);
    const char *dir = state_dir(&d->conf);
    if (dir == NULL)
        return;
    (void)mkdir(dir, 0700); /* it may be there, or lie where we may not make it: open tells */
    int err = module_store_open(&d->store, dir, &limits);
    if (err < 0)
        log_err("users' modules cannot be kept", "state_dir=%s reason=%s", log_text(dir).text,
                log_text(strerror(-err)).text);
}

/* Where the CPU has no fused multiply-add the engine would split relaxed ones. */
static enum kern_isa wasm_isa_for(const struct backend *native)
{
    bool fused = kern_isa_usable(KERN_ISA_AVX2) || kern_isa_usable(KERN_ISA_NEON);
    return fused && native->table->fused ? KERN_ISA_WASM128R : KERN_ISA_WASM128;
}

int daemon_open_wasm(struct daemon *d, unsigned workers)
{
    char host[PATH_MAX], kernels[PATH_MAX];
    struct wasm_limits limits = conf_wasm(&d->conf);
    path_of(host, sizeof(host), d->conf.wasm_host, PKGLIBEXECDIR "/simdd-wasm",
            "../wasm/host/simdd-wasm");
    path_of(kernels, sizeof(kernels), d->conf.wasm_kernels, PKGLIBDIR "/kernels.wasm",
            "../wasm/kernels.wasm");
    store_open(d);
    const struct wasm_config cfg = {.host_path = host,
                                    .kernels_path = kernels,
                                    .store = d->store,
                                    .workers = workers,
                                    .spin_ns = (uint32_t)d->conf.spin,
                                    .isa = wasm_isa_for(&d->native)};
    return wasm_new(&d->wasm, &cfg, &limits);
}

void daemon_apply_wasm(struct daemon *d)
{
    struct module_limits modules = conf_modules(&d->conf);
    struct wasm_limits limits = conf_wasm(&d->conf);
    wasm_set_limits(d->wasm, &limits);
    if (d->store != NULL)
        module_store_set_limits(d->store, &modules);
}

enum wire_backend daemon_backend(const struct conf *c)
{
    return strcmp(c->backend, "wasm") == 0 ? WIRE_BACKEND_WASM : WIRE_BACKEND_NATIVE;
}
