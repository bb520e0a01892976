/* From a module's bytes to code that can run. */
#include "config.h"

#include "loader.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compiled.h"
#include "reason.h"
#include "trap.h"

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static wasmtime_module_t *compile(wasm_engine_t *engine, const uint8_t *bytes, size_t count,
                                  struct answer *a)
{
    wasmtime_module_t *code = NULL;
    uint64_t begin_ns = now_ns();

    wasmtime_error_t *error = wasmtime_module_new(engine, bytes, count, &code);
    a->reply.compile_ns = now_ns() - begin_ns;
    if (error == NULL)
        return code;
    a->reply.status = HOST_REPLY_REFUSED;
    trap_reason_error(a->reply.reason, error);
    wasmtime_error_delete(error);
    return NULL;
}

/* Puts the compiled form beside the answer. That it cannot be kept is no reason to fail. */
static void keep(struct answer *a, const wasmtime_module_t *code, struct digest digest)
{
    if (compiled_keep(&a->fd[a->fds], &a->reply.compiled_bytes, code, digest) < 0)
        return;
    a->fds++;
    a->reply.compiled = 1;
}

static wasmtime_module_t *load(wasm_engine_t *engine, const uint8_t *bytes, size_t count,
                               int compiled, struct answer *a)
{
    struct digest digest = digest_of(bytes, count);
    wasmtime_module_t *code = NULL;

    if (compiled >= 0) {
        if (compiled_load(&code, engine, compiled, digest) == 0) {
            a->reply.from_disk = 1;
            return code;
        }
        a->reply.stale = 1;
    }
    code = compile(engine, bytes, count, a);
    if (code != NULL)
        keep(a, code, digest);
    malloc_trim(0); /* compiling takes megabytes, which an idle process need not keep */
    return code;
}

wasmtime_module_t *loader_load(wasm_engine_t *engine, int file, int compiled, struct answer *a)
{
    off_t size = lseek(file, 0, SEEK_END);
    uint8_t *bytes =
        size <= 0 ? MAP_FAILED : mmap(NULL, (size_t)size, PROT_READ, MAP_PRIVATE, file, 0);

    if (size == 0) {
        a->reply.status = HOST_REPLY_REFUSED;
        reason_format(a->reply.reason, "the file is empty");
        return NULL;
    }
    if (bytes == MAP_FAILED) {
        a->reply.status = HOST_REPLY_FAILED;
        reason_format(a->reply.reason, "the module cannot be read: %s", strerror(errno));
        return NULL;
    }
    wasmtime_module_t *code = load(engine, bytes, (size_t)size, compiled, a);
    munmap(bytes, (size_t)size);
    return code;
}
