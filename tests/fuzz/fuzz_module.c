/* A file that is added as a module: whatever the bytes, it is refused in words that can be printed,
 * or its functions have names that can be called. What is valid is compiled only if it is short:
 * compiling a long one is slow, not wrong. */
#include "config.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wasmtime.h>

#include "wasm/host/engine.h"
#include "wasm/host/module.h"
#include "wasm/host/reason.h"

enum { COMPILED_MAX = 4096, MEMORY_MAX = 16 << 20 };

#define check(truth) ((truth) ? (void)0 : fail(#truth))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static void fail(const char *what)
{
    fprintf(stderr, "not true: %s\n", what);
    abort();
}

static void check_reason(const char *reason)
{
    size_t n = strnlen(reason, HOST_REASON_BYTES);

    check(n > 0 && n < HOST_REASON_BYTES);
    for (size_t i = 0; i < n; i++)
        check((unsigned char)reason[i] >= ' ' && reason[i] != 0x7f);
}

/* Takes it. */
static void check_error(wasmtime_error_t *error)
{
    char reason[HOST_REASON_BYTES];
    wasm_message_t message;

    wasmtime_error_message(error, &message);
    reason_copy(reason, message.data, strnlen(message.data, message.size));
    check_reason(reason);
    wasm_byte_vec_delete(&message);
    wasmtime_error_delete(error);
}

static void check_functions(const struct host_function *f, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        size_t n = strnlen(f[i].name, sizeof(f[i].name));
        check(n > 0 && n < sizeof(f[i].name));
        for (size_t k = 0; k < n; k++)
            check((unsigned char)f[i].name[k] > ' ' && f[i].name[k] != '/');
        check(f[i].splits <= 1 && f[i].shapes <= 1);
        check(i == 0 || strcmp(f[i - 1].name, f[i].name) < 0);
    }
}

static void check_module(const wasmtime_module_t *code)
{
    struct host_function *functions = NULL;
    char reason[HOST_REASON_BYTES] = "";
    uint32_t count = 0;

    int err = module_check(code, MEMORY_MAX, &functions, &count, reason);
    check(err == 0 || err == -EINVAL || err == -ENOMEM);
    if (err == 0)
        check_functions(functions, count);
    else if (err == -EINVAL)
        check_reason(reason);
    if (err == 0)
        free(functions);
}

/* No module runs here, so no memory is made. */
static wasmtime_error_t *no_memory(void *env, const wasm_memorytype_t *type, size_t minimum,
                                   size_t maximum, size_t reserved, size_t guard,
                                   wasmtime_linear_memory_t *out)
{
    (void)env, (void)type, (void)minimum, (void)maximum, (void)reserved, (void)guard, (void)out;
    return wasmtime_error_new("no memory");
}

/* Made once: it takes longer than a look at a module. */
static wasm_engine_t *engine(void)
{
    static wasm_engine_t *made;
    wasmtime_memory_creator_t creator = {.new_memory = no_memory};

    if (made == NULL)
        made = engine_new(&creator);
    check(made != NULL);
    return made;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    wasmtime_module_t *code = NULL;

    wasmtime_error_t *error = wasmtime_module_validate(engine(), data, data_bytes);
    if (error == NULL && data_bytes <= COMPILED_MAX)
        error = wasmtime_module_new(engine(), data, data_bytes, &code);
    if (error != NULL) {
        check_error(error);
        return 0;
    }
    if (code != NULL) {
        check_module(code);
        wasmtime_module_delete(code);
    }
    return 0;
}
