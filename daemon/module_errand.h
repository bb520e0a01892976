/* What is to be done about a module where it may take long: on a worker.
 *
 * A request to add or show a module becomes a job with `module` set. It is admitted and submitted
 * like any other; its worker calls module_errand_run() instead of a kernel, and the job's answer
 * is the errand's text.
 */
#ifndef DAEMON_MODULE_ERRAND_H
#define DAEMON_MODULE_ERRAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <jansson.h>

#include "module_store.h"
#include "protocol/wire.h"
#include "wasm.h"

enum module_errand_kind { MODULE_ERRAND_ADD, MODULE_ERRAND_SHOW };

struct module_errand {
    enum module_errand_kind kind;
    struct module_store *store; /* borrowed */
    uid_t uid;
    bool for_all;                 /* ADD */
    char name[WIRE_NAME_MAX + 1]; /* checked */
    struct module *module;        /* SHOW: owned reference */
    const uint8_t *bytes;         /* ADD: the file; borrowed from the job's in_buf */
    size_t byte_count;

    /* the worker's; JSON for SHOW, nothing for ADD */
    char *text; /* owned (free) */
    size_t text_bytes;
};

/**
 * Runs the errand. reason: HOST_REASON_BYTES, empty before; on failure what stands behind the
 * sentence. WASM_CRASHED: the process died, and the errand may be run again.
 * Thread: a worker.
 */
enum wire_status module_errand_run(struct module_errand *e, struct wasm_session *s, char *reason);

/* What is known of a module without asking the engine, as a JSON object. Returns owned, or NULL:
 * out of memory. Thread: any. */
json_t *module_describe(const struct module *m);

/* NULL is fine. */
void module_errand_free(struct module_errand *e);

#endif
