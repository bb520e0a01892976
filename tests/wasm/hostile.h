/* Modules that nobody would want, built in memory, to test whatever takes modules. */
#ifndef TESTS_WASM_HOSTILE_H
#define TESTS_WASM_HOSTILE_H

#include <stddef.h>
#include <stdint.h>

#include "tests/wasm/wasm_build.h"

/* What adding it must answer. Whatever it is, everything else goes on. */
enum hostile_add {
    HOSTILE_ADDED,
    HOSTILE_REFUSED, /* with the words of `reason` in its reason */
    HOSTILE_EITHER   /* it is just large or odd: added, refused, or over a limit of time or size */
};

struct hostile_form {
    const char *name;
    void (*make)(struct wasm_bytes *out);
    enum hostile_add add;
    const char *reason; /* NULL: whatever it says, it says something */
};

/* Modules that are wrong as they stand: imports, exports, names, memories, bytes. */
extern const struct hostile_form hostile_forms[];
extern const size_t hostile_form_count;

/* Modules that are too much of something. Those that are added have a function `f`, which answers 0
 * if it can be called at all. */
extern const struct hostile_form hostile_sizes[];
extern const size_t hostile_size_count;

/* A right module whose functions do what they should not; see hostile_run.c for each. The second
 * claims the whole window as its memory, so that memory.copy and memory.fill reach all of it. */
enum { HOSTILE_RUN_PAGES = 2 };
void hostile_run(struct wasm_bytes *out);
void hostile_run_whole(struct wasm_bytes *out);

/* Modules with a function `f` that is never reached: `start` and `_initialize` run without end. */
void hostile_start_spins(struct wasm_bytes *out);
void hostile_initialize_spins(struct wasm_bytes *out);
void hostile_start_traps(struct wasm_bytes *out);
/* And one whose start calls one of the daemon's ops, with an address that it may not use. */
void hostile_start_imports(struct wasm_bytes *out);

/* Some of hostile_run()'s bits turned over, the same for the same seed. */
void hostile_flipped(struct wasm_bytes *out, uint64_t seed);
uint64_t hostile_random(uint64_t *state);

/* A module in which nothing is wrong: memory, its export, the ABI and a function `f` that answers
 * 0; for the forms to spoil. */
void hostile_begin(struct wasm_module *m);

/* Where a function finds its call's parts: offsets in struct simdd_call. */
enum {
    CALL_IN_DATA = 8,
    CALL_OUT_DATA = 104,
    CALL_OUT_TYPE = 108,
    CALL_OUT_BYTES = 132,
    CALL_PARAM = 152,
    CALL_REASON = 216,
    CALL_REASON_BYTES = 240
};

#endif
