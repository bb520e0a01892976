/* Users' modules in a process: checked, compiled or taken from disk, listed. */
#include "config.h"

#include "wasm_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>

enum { FUNCTIONS_MAX = 65536, LOADED_MAX = 64 };

#define DROP_TIMEOUT_NS ((uint64_t)1000000000)

/* The list lies in a memfd of the process's; nothing about it is believed. */
static enum wire_status functions_read(int fd, size_t count, struct host_function **out,
                                       char *reason)
{
    struct stat st;
    size_t bytes = count * sizeof(**out);
    *out = NULL;
    if (count == 0)
        return WIRE_OK;
    if (count > FUNCTIONS_MAX) {
        (void)snprintf(reason, HOST_REASON_BYTES, "it has more than %d functions", FUNCTIONS_MAX);
        return WIRE_MODULE_REFUSED;
    }
    /* Only a memfd has seals to ask for, and only of that does reading never wait. */
    if (fcntl(fd, F_GET_SEALS) < 0 || fstat(fd, &st) < 0 ||
        (uint64_t)st.st_size < bytes)
        return WIRE_WASM_CRASHED;
    struct host_function *list = malloc(bytes);
    if (list == NULL)
        return WIRE_OUT_OF_MEMORY;
    size_t have = 0;
    while (have < bytes) {
        ssize_t got = pread(fd, (char *)list + have, bytes - have, (off_t)have);
        if (got <= 0) {
            free(list);
            return WIRE_WASM_CRASHED;
        }
        have += (size_t)got;
    }
    for (size_t i = 0; i < count; i++)
        list[i].name[sizeof(list[i].name) - 1] = '\0';
    *out = list;
    return WIRE_OK;
}

/* Under the user's lock. */
static enum wire_status module_ask(struct wasm_session *s, uint32_t number, int fd, size_t bytes,
                                   struct module_digest digest, struct host_function **functions,
                                   size_t *count, char *reason)
{
    struct wasm_limits limits;
    struct wasm_reply reply;
    int compiled_fd = wasm_compiled_open(s->user, digest, false);
    const int fds[2] = {fd, compiled_fd};
    const struct host_msg msg = {.type = HOST_MSG_MODULE,
                                 .number = number,
                                 .bytes = bytes,
                                 .compiled_has = compiled_fd >= 0};
    wasm_get_limits(s->user->wasm, &limits);
    int err = wasm_ask(s, &reply, &msg, fds, compiled_fd >= 0 ? 2 : 1, limits.compile_max_ns);
    if (compiled_fd >= 0)
        close(compiled_fd);
    if (err < 0) {
        (void)snprintf(reason, HOST_REASON_BYTES, "while the module was being compiled");
        return err == -ETIMEDOUT ? WIRE_MODULE_TIMEOUT : WIRE_WASM_CRASHED;
    }
    enum wire_status status = WIRE_OK;
    if (reply.head.status != HOST_REPLY_OK) {
        memcpy(reason, reply.head.reason, HOST_REASON_BYTES);
        status = reply.head.status == HOST_REPLY_REFUSED ? WIRE_MODULE_REFUSED
                                                         : WIRE_OUT_OF_MEMORY;
    } else {
        (void)wasm_compiled(s->user, &reply, digest, false);
        *count = reply.head.value;
        status = functions_read(reply.head.compiled != 0 ? reply.fds[1] : reply.fds[0], *count,
                                functions, reason);
    }
    wasm_reply_close(&reply);
    return status;
}

/* Versions that were replaced pile up; the oldest goes when nobody else is in here to use it. */
static void make_room(struct wasm_session *s)
{
    struct wasm_reply reply;
    if (s->loaded_count < LOADED_MAX || s->refs > 2)
        return;
    const struct host_msg drop = {.type = HOST_MSG_MODULE_DROP, .number = s->loaded[0].number};
    if (wasm_ask(s, &reply, &drop, NULL, 0, DROP_TIMEOUT_NS) == 0)
        wasm_reply_close(&reply);
    module_put(s->loaded[0].module);
    free(s->loaded[0].functions);
    memmove(&s->loaded[0], &s->loaded[1], --s->loaded_count * sizeof(s->loaded[0]));
}

/* Under the user's lock. */
static enum wire_status load(struct wasm_session *s, struct module *m, char *reason)
{
    make_room(s);
    struct wasm_loaded *grown = realloc(s->loaded, (s->loaded_count + 1) * sizeof(*grown));
    if (grown == NULL)
        return WIRE_OUT_OF_MEMORY;
    s->loaded = grown;
    struct wasm_loaded *l = &s->loaded[s->loaded_count];
    *l = (struct wasm_loaded){.number = s->next_number++};
    enum wire_status status = module_ask(s, l->number, module_fd(m), module_bytes(m),
                                         module_digest(m), &l->functions, &l->function_count,
                                         reason);
    if (status != WIRE_OK)
        return status;
    l->module = module_get(m);
    s->loaded_count++;
    return WIRE_OK;
}

enum wire_status wasm_module_load(struct wasm_session *s, struct module *m, uint32_t *number,
                                  const struct host_function **functions, size_t *count,
                                  char *reason)
{
    struct wasm_user *u = s->user;
    enum wire_status status = WIRE_OK;
    wasm_lock(u);
    size_t i = 0;
    while (i < s->loaded_count && s->loaded[i].module != m)
        i++;
    if (i == s->loaded_count)
        status = load(s, m, reason);
    if (status == WIRE_OK) {
        *number = s->loaded[i].number;
        *functions = s->loaded[i].functions;
        *count = s->loaded[i].function_count;
    }
    wasm_unlock(u);
    return status;
}

enum wire_status wasm_module_check(struct wasm_session *s, const void *file, size_t bytes,
                                   struct host_function **functions, size_t *count, char *reason)
{
    int fd = memfd_create("simdd-module", MFD_CLOEXEC);
    if (fd < 0)
        return WIRE_OUT_OF_MEMORY;
    for (size_t have = 0; have < bytes;) {
        ssize_t wrote = write(fd, (const char *)file + have, bytes - have);
        if (wrote < 0) {
            close(fd);
            return WIRE_OUT_OF_MEMORY;
        }
        have += (size_t)wrote;
    }
    enum wire_status status = module_ask(s, s->next_number++, fd, bytes,
                                         module_digest_of(file, bytes), functions, count, reason);
    close(fd);
    return status;
}

void wasm_modules_fini(struct wasm_session *s)
{
    for (size_t i = 0; i < s->loaded_count; i++) {
        module_put(s->loaded[i].module);
        free(s->loaded[i].functions);
    }
    free(s->loaded);
}
