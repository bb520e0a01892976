/* The import section of a WebAssembly module: vec(module name, field name, kind, type).
 *
 * Sections are skipped by their size. Of a kind but a function's only the shortest forms are known,
 * since none of them is ever let in.
 */
#include "config.h"

#include "module_imports.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

enum { PREAMBLE_BYTES = 8, SECTION_IMPORT = 2, KIND_FUNCTION = 0 };

/* Bytes that are still to be read. `bad` stays set. */
struct reader {
    const uint8_t *p;
    size_t left;
    bool bad;
};

static uint8_t take_byte(struct reader *r)
{
    if (r->left == 0) {
        r->bad = true;
        return 0;
    }
    r->left--;
    return *r->p++;
}

/* LEB128, unsigned, 32 bits. */
static uint32_t take_u32(struct reader *r)
{
    uint32_t value = 0;
    for (unsigned shift = 0; shift < 35 && !r->bad; shift += 7) {
        uint8_t byte = take_byte(r);
        if (shift == 28 && (byte & 0x70) != 0)
            break;
        value |= (uint32_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
    r->bad = true;
    return 0;
}

/* The next so many bytes, or NULL. */
static const uint8_t *take_bytes(struct reader *r, size_t bytes)
{
    if (r->bad || bytes > r->left) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->p;
    r->p += bytes;
    r->left -= bytes;
    return p;
}

static int read_section(struct reader *r, module_import_fn *tell, void *user)
{
    uint32_t count = take_u32(r);
    for (uint32_t i = 0; i < count && !r->bad; i++) {
        (void)take_bytes(r, take_u32(r)); /* the module's name */
        uint32_t name_bytes = take_u32(r);
        const uint8_t *name = take_bytes(r, name_bytes);
        uint8_t kind = take_byte(r);
        (void)take_u32(r); /* its type */
        if (r->bad || kind != KIND_FUNCTION)
            return -EINVAL;
        tell(user, (const char *)name, name_bytes);
    }
    return r->bad ? -EINVAL : 0;
}

int module_imports(const uint8_t *p, size_t p_bytes, module_import_fn *tell, void *user)
{
    struct reader r = {.p = p, .left = p_bytes};
    const uint8_t *preamble = take_bytes(&r, PREAMBLE_BYTES);
    if (preamble == NULL || memcmp(preamble, "\0asm\1\0\0\0", PREAMBLE_BYTES) != 0)
        return -EINVAL;
    while (r.left > 0) {
        uint8_t id = take_byte(&r);
        uint32_t bytes = take_u32(&r);
        const uint8_t *body = take_bytes(&r, bytes);
        if (body == NULL)
            return -EINVAL;
        if (id == SECTION_IMPORT) {
            struct reader section = {.p = body, .left = bytes};
            return read_section(&section, tell, user);
        }
    }
    return 0;
}
