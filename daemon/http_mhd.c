/* dlopen() for a library whose header we do include: the compiler compares each declaration in
 * our table with the library's. */
#include "config.h"

#include "http_mhd.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define X(result, name, arguments)                                                                 \
    _Static_assert(_Generic(&MHD_##name, result(*) arguments : true, default : false),             \
                   "MHD_" #name " is declared otherwise");
MHD_CALLS(X)
#undef X

/* ISO C has no way from a data pointer to a function pointer; POSIX says the bits are the same. */
static bool find(void *library, const char *name, void *function, size_t function_bytes)
{
    void *symbol = dlsym(library, name);
    memcpy(function, &symbol, function_bytes);
    return symbol != NULL;
}

int mhd_load(struct mhd *out)
{
    /* The name carries the ABI's version, 12: that of every 0.9.x since 0.9.38. */
    void *library = dlopen("libmicrohttpd.so.12", RTLD_LAZY | RTLD_LOCAL);
    if (library == NULL)
        return -ELIBACC;
    struct mhd mhd;
    bool found = true;
#define X(result, name, arguments)                                                                 \
    found = find(library, "MHD_" #name, &mhd.name, sizeof mhd.name) && found;
    MHD_CALLS(X)
#undef X
    if (!found) {
        dlclose(library);
        return -ELIBACC;
    }
    *out = mhd; /* never closed: the TLS library below it does not like to be */
    return 0;
}
