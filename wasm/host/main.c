/* simdd-wasm: runs one user's WebAssembly for the daemon.
 *
 * It is started by the daemon alone, with one end of a socket pair at HOST_FD, and ends when that
 * is closed. This thread answers messages; tasks come to the partners through memory. See task.h.
 */
#include "config.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "engine.h"
#include "fault.h"
#include "kernels/kern.h"
#include "loader.h"
#include "message.h"
#include "module.h"
#include "op.h"
#include "partner.h"
#include "reason.h"
#include "sandbox.h"
#include "window.h"

enum { WORKERS_MAX = 1024, INSTANCES_ROOM = 4 };

/* The host's own memory, and the compiler's. */
static const uint64_t OWN_BYTES = (uint64_t)1 << 30;

struct host {
    struct house house;
    struct partners *partners; /* NULL until START */
};

__attribute__((format(printf, 3, 4))) static void refuse(struct answer *a,
                                                         enum host_reply_status status,
                                                         const char *format, ...)
{
    char text[HOST_REASON_BYTES];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    a->reply.status = status;
    reason_copy(a->reply.reason, text, strlen(text));
}

/* Takes descriptor i of a message. -1 if it has none. */
static int take_fd(struct message *m, unsigned i)
{
    if (i >= m->fds)
        return -1;
    int fd = m->fd[i];
    m->fd[i] = -1;
    return fd;
}

static int map_lanes(struct host_lane **out, int fd, uint32_t workers)
{
    size_t bytes = workers * sizeof(struct host_lane);

    if (lseek(fd, 0, SEEK_END) < (off_t)bytes)
        return -EINVAL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return -errno;
    *out = p;
    return 0;
}

/* Threads and filters. Files are given up before the threads are there, since a thread keeps what
 * its starter had; system calls after, since then none can be started. */
static int settle(struct host *h, struct host_lane *lanes, uint32_t workers)
{
    uint64_t data_bytes = OWN_BYTES + INSTANCES_ROOM * workers * h->house.memory_max;

    int err = sandbox_limit(data_bytes);
    if (err == 0)
        err = sandbox_files();
    if (err == 0)
        err = partners_start(&h->partners, &h->house, lanes, workers);
    if (err == 0)
        err = sandbox_calls();
    return err;
}

/* Whether it is the kernels' module. */
static bool is_kernels(const wasmtime_module_t *code)
{
    wasm_importtype_vec_t imports;
    wasm_exporttype_vec_t exports;
    bool found = false;

    wasmtime_module_imports(code, &imports);
    wasmtime_module_exports(code, &exports);
    for (size_t i = 0; i < exports.size && !found; i++) {
        const wasm_name_t *name = wasm_exporttype_name(exports.data[i]);
        const wasm_functype_t *type =
            wasm_externtype_as_functype_const(wasm_exporttype_type(exports.data[i]));
        found = name->size == 10 && memcmp(name->data, "simdd_kern", 10) == 0 && type != NULL &&
                wasm_functype_params(type)->size == 1 && wasm_functype_results(type)->size == 0;
    }
    found = found && imports.size == 0;
    wasm_importtype_vec_delete(&imports);
    wasm_exporttype_vec_delete(&exports);
    return found;
}

static void load_kernels(struct host *h, int file, int compiled, struct answer *a)
{
    wasmtime_module_t *code = loader_load(h->house.engine, file, compiled, a);
    if (code == NULL)
        return;
    if (!is_kernels(code)) {
        refuse(a, HOST_REPLY_REFUSED, "it is not the kernels' module");
        wasmtime_module_delete(code);
        return;
    }
    h->house.kernels = module_new(UINT32_MAX, code, NULL, 0);
    if (h->house.kernels == NULL)
        refuse(a, HOST_REPLY_FAILED, "no memory");
}

static void start(struct host *h, struct message *m, struct answer *a)
{
    const struct host_msg *msg = &m->msg;
    struct host_lane *lanes = NULL;

    if (h->partners != NULL || msg->version != HOST_VERSION || msg->workers == 0 ||
        msg->workers > WORKERS_MAX || m->fds < 3) {
        refuse(a, HOST_REPLY_REFUSED, "START of another version, or not as it should be");
        return;
    }
    h->house.spin_ns = msg->spin_ns;
    h->house.memory_max = msg->memory_max;
    windows_limit(h->house.windows, msg->memory_max);
    int err = map_lanes(&lanes, m->fd[0], msg->workers);
    if (err == 0 && msg->bytes != 0) {
        err = windows_map(h->house.windows, m->fd[1], WINDOW_SEGMENT, msg->bytes);
        if (err == 0)
            take_fd(m, 1);
    }
    if (err == 0)
        err = settle(h, lanes, msg->workers);
    if (err < 0) {
        refuse(a, HOST_REPLY_FAILED, "cannot start: %s", strerror(-err));
        return;
    }
    load_kernels(h, m->fd[2], msg->compiled_has != 0 && m->fds > 3 ? m->fd[3] : -1, a);
    if (h->house.kernels != NULL)
        partners_go(h->partners);
}

static void map(struct host *h, struct message *m, struct answer *a)
{
    int err = m->fds != 1 ? -EINVAL
                          : windows_map(h->house.windows, m->fd[0], m->msg.at, m->msg.bytes);
    if (err < 0)
        refuse(a, HOST_REPLY_FAILED, "cannot map: %s", strerror(-err));
    else
        take_fd(m, 0);
}

static void unmap(struct host *h, const struct host_msg *msg, struct answer *a)
{
    int err = windows_unmap(h->house.windows, msg->at, msg->bytes);
    if (err < 0)
        refuse(a, HOST_REPLY_FAILED, "cannot unmap: %s", strerror(-err));
}

/* ---- users' modules ---- */

/* Beside the answer, last: the list of functions. */
static int tell_functions(struct answer *a, const struct host_function *functions, uint32_t count)
{
    int fd = memfd_create("functions", MFD_CLOEXEC);
    size_t bytes = count * sizeof functions[0], sent = 0;

    if (fd < 0)
        return -ENOMEM;
    while (sent < bytes) {
        ssize_t n = write(fd, (const char *)functions + sent, bytes - sent);
        if (n <= 0 && errno != EINTR) {
            close(fd);
            return -ENOMEM;
        }
        sent += n > 0 ? (size_t)n : 0;
    }
    a->fd[a->fds++] = fd;
    a->reply.value = count;
    return 0;
}

/* Takes `code`. */
static void add_checked(struct host *h, uint32_t number, wasmtime_module_t *code, struct answer *a)
{
    struct host_function *functions = NULL;
    uint32_t count = 0;

    int err = module_check(code, h->house.memory_max, &functions, &count, a->reply.reason);
    if (err == -EINVAL) {
        a->reply.status = HOST_REPLY_REFUSED;
        wasmtime_module_delete(code);
        return;
    }
    if (err == 0)
        err = tell_functions(a, functions, count);
    struct module *m = err == 0 ? module_new(number, code, functions, count) : NULL;
    if (m == NULL) {
        free(functions);
        wasmtime_module_delete(code);
        refuse(a, HOST_REPLY_FAILED, "no memory");
        return;
    }
    if (modules_add(h->house.modules, m) < 0) {
        module_put(m);
        refuse(a, HOST_REPLY_FAILED, "no memory");
    }
    partners_nudge(h->partners);
}

static void add(struct host *h, struct message *m, struct answer *a)
{
    if (m->fds < 1) {
        refuse(a, HOST_REPLY_FAILED, "no module came along");
        return;
    }
    int compiled = m->msg.compiled_has != 0 && m->fds > 1 ? m->fd[1] : -1;
    wasmtime_module_t *code = loader_load(h->house.engine, m->fd[0], compiled, a);
    if (code != NULL)
        add_checked(h, m->msg.number, code, a);
}

static void drop(struct host *h, const struct host_msg *msg, struct answer *a)
{
    if (modules_drop(h->house.modules, msg->number) < 0)
        refuse(a, HOST_REPLY_FAILED, "no module %u", msg->number);
    else
        partners_nudge(h->partners);
}

/* ---- the process ---- */

static int respond(struct host *h, struct message *m)
{
    struct answer a = {.fds = 0};
    uint32_t type = m->msg.type;

    if (h->house.kernels == NULL && type != HOST_MSG_START)
        return -EBADMSG;
    if (type == HOST_MSG_START)
        start(h, m, &a);
    else if (type == HOST_MSG_MAP)
        map(h, m, &a);
    else if (type == HOST_MSG_UNMAP)
        unmap(h, &m->msg, &a);
    else if (type == HOST_MSG_MODULE)
        add(h, m, &a);
    else if (type == HOST_MSG_MODULE_DROP)
        drop(h, &m->msg, &a);
    else
        return -EBADMSG;
    /* a refusal brings no descriptors */
    for (; a.reply.status != HOST_REPLY_OK && a.fds != 0; a.fds--)
        close(a.fd[a.fds - 1]);
    if (a.reply.status != HOST_REPLY_OK)
        a.reply.compiled = a.reply.value = 0;
    message_close(m);
    return message_answer(HOST_FD, &a);
}

static int open_house(struct house *house)
{
    wasmtime_memory_creator_t creator;

    int err = windows_new(&house->windows);
    if (err == 0)
        err = modules_new(&house->modules);
    if (err < 0)
        return err;
    windows_creator(house->windows, &creator);
    house->engine = engine_new(&creator);
    if (house->engine == NULL)
        return -ENOMEM;
    house->linker = wasmtime_linker_new(house->engine);
    house->ops = kern_table(kern_isa_best(KERN_ISA_COUNT));
    return house->linker == NULL ? -ENOMEM : ops_define(house->linker);
}

int main(int argc, char **argv)
{
    struct host h = {.partners = NULL};
    struct message m;

    (void)argv;
    if (argc != 1) {
        fprintf(stderr, "simdd-wasm is started by simdd\n");
        return 64;
    }
    /* One arena: partners hardly allocate, and each arena of their own would keep pages. */
    mallopt(M_ARENA_MAX, 1);
    int err = sandbox_begin(HOST_FD);
    if (err == 0) {
        fault_handle();
        err = open_house(&h.house);
    }
    while (err == 0) {
        err = message_receive(HOST_FD, &m);
        if (err == 0)
            err = respond(&h, &m);
    }
    /* Partners may be in the middle of something: nothing is tidied up under them. */
    if (err == -EPIPE)
        _exit(0);
    fprintf(stderr, "<3>simdd-wasm: %s\n", strerror(-err));
    _exit(HOST_EXIT_INTERNAL);
}
