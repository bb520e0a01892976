/* Errands: the worker's part of adding and showing modules.
 *
 * The engine looks at a module before the store keeps it, so that what is kept can run.
 */
#include "config.h"

#include "module_errand.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum wire_status run_add(struct module_errand *e, unsigned worker, char **reason)
{
    (void)worker;
    (void)reason;
    (void)e;
    /* SEAM: wasm_module_check(...) goes here: WIRE_OK, or MODULE_REFUSED and *reason, ... */
    return WIRE_NO_BACKEND;
}

static enum wire_status run_show(struct module_errand *e, unsigned worker, char **reason)
{
    (void)worker;
    (void)reason;
    (void)e;
    /* SEAM: wasm_module_show(...) goes here */
    return WIRE_NO_BACKEND;
}

enum wire_status module_errand_run(struct module_errand *e, unsigned worker, char **reason)
{
    switch (e->kind) {
    case MODULE_ERRAND_ADD:
        return run_add(e, worker, reason);
    case MODULE_ERRAND_SHOW:
        return run_show(e, worker, reason);
    }
    return WIRE_INTERNAL;
}

void module_errand_free(struct module_errand *e)
{
    if (e == NULL)
        return;
    module_put(e->module);
    free(e->text);
    free(e);
}
