/* The compiled form of a module, as it is kept on disk. */
#include "config.h"

#include "compiled.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include <sys/mman.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The CPU's features and the engine's settings are not here: the engine keeps its own and compares
 * them when it loads. */
struct header {
    char magic[8];
    char engine[24];
    struct digest module, body;
    uint64_t body_bytes;
};

static void header_init(struct header *h, struct digest module)
{
    memset(h, 0, sizeof *h);
    memcpy(h->magic, "simddwc1", sizeof h->magic);
    memcpy(h->engine, WASMTIME_VERSION, sizeof WASMTIME_VERSION);
    h->module = module;
}

_Static_assert(sizeof WASMTIME_VERSION <= sizeof ((struct header *)0)->engine, "it fits");

struct digest digest_of(const void *bytes, size_t count)
{
    XXH128_hash_t h = XXH3_128bits(bytes, count);
    return (struct digest){.low = h.low64, .high = h.high64};
}

static bool fits(const struct header *found, size_t bytes, struct digest module)
{
    struct header expected;

    header_init(&expected, module);
    expected.body_bytes = bytes - sizeof *found;
    expected.body = digest_of(found + 1, expected.body_bytes);
    return memcmp(found, &expected, sizeof expected) == 0;
}

int compiled_load(wasmtime_module_t **out, wasm_engine_t *engine, int fd, struct digest digest)
{
    off_t size = lseek(fd, 0, SEEK_END);
    int err = -ESTALE;

    if (size < 0)
        return -EIO;
    size_t bytes = (size_t)size;
    if (bytes <= sizeof(struct header))
        return -ESTALE;
    struct header *found = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    if (found == MAP_FAILED)
        return -EIO;
    if (fits(found, bytes, digest)) {
        wasmtime_error_t *error = wasmtime_module_deserialize(
            engine, (const uint8_t *)(found + 1), bytes - sizeof *found, out);
        if (error == NULL)
            err = 0;
        else
            wasmtime_error_delete(error);
    }
    munmap(found, bytes);
    return err;
}

static int write_all(int fd, const void *bytes, size_t count)
{
    const char *at = bytes;

    while (count != 0) {
        ssize_t n = write(fd, at, count);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -EIO;
        at += n;
        count -= (size_t)n;
    }
    return 0;
}

static int keep(int *out, const struct header *h, const wasm_byte_vec_t *body)
{
    int fd = memfd_create("compiled", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return -ENOMEM;
    int err = write_all(fd, h, sizeof *h);
    if (err == 0)
        err = write_all(fd, body->data, body->size);
    if (err == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) != 0)
        err = -EIO;
    if (err < 0)
        close(fd);
    else
        *out = fd;
    return err;
}

int compiled_keep(int *fd, uint64_t *bytes, const wasmtime_module_t *code, struct digest digest)
{
    wasm_byte_vec_t body;
    struct header h;

    /* the C API lacks a const here */
    wasmtime_error_t *error =
        wasmtime_module_serialize((wasmtime_module_t *)(uintptr_t)code, &body);
    if (error != NULL) {
        wasmtime_error_delete(error);
        return -ENOMEM;
    }
    header_init(&h, digest);
    h.body_bytes = body.size;
    h.body = digest_of(body.data, body.size);
    *bytes = sizeof h + body.size;
    int err = keep(fd, &h, &body);
    wasm_byte_vec_delete(&body);
    return err;
}
