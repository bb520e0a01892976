/* What a module imports, read from its bytes: for people who ask what it uses. */
#ifndef DAEMON_MODULE_IMPORTS_H
#define DAEMON_MODULE_IMPORTS_H

#include <stddef.h>
#include <stdint.h>

/* One name; not terminated, borrowed from the bytes. */
typedef void module_import_fn(void *user, const char *name, size_t name_bytes);

/**
 * Tells the field names ("matmul_f32") of a WebAssembly module's imports, in order. The engine has
 * let the module pass, but nothing here depends on it: any bytes will do.
 * Returns 0, or -EINVAL where the bytes cannot be followed; some imports may have been told.
 * Thread: any; pure.
 */
int module_imports(const uint8_t *p, size_t p_bytes, module_import_fn *tell, void *user);

#endif
