/* A simdd-wasm process with a hostile module in it, for the suites that call such modules. */
#ifndef TESTS_WASM_HOSTILE_H_BED
#define TESTS_WASM_HOSTILE_H_BED

#include "tests/wasm/hostile.h"
#include "tests/wasm_host.h"

enum { BED_ARENA_BYTES = 1 << 16, BED_OPERAND_BYTES = 4096 };

/* Module 0 is the hostile one. Operand 0 of a call lies at the start of the segment, the result
 * behind it; there is one arena, at WINDOW_ARENAS. */
struct hostile_bed {
    struct wasm_host host; /* two lanes */
    struct wasm_answer functions;
    uint8_t *arena;
};

/* Compiles the kernels, so that the tests' own processes need not. */
void bed_warm(void);

/* make: hostile_run or hostile_run_whole */
void bed_open(struct hostile_bed *bed, void (*make)(struct wasm_bytes *));

/* Ends the process, if it lives. Returns its exit status as waitpid() has it. */
int bed_close(struct hostile_bed *bed);

/* Adds another module as number 1. */
void bed_add(struct hostile_bed *bed, void (*make)(struct wasm_bytes *), struct wasm_answer *a);

/* A call of a function of module 0, with 8 parameters that are 0. */
struct host_task bed_call(const struct hostile_bed *bed, const char *function);

/* A call that is right is answered rightly. */
void bed_check_lives(struct hostile_bed *bed);

/* A reason can be printed: UTF-8 without control characters. */
void bed_check_text(const char *reason);

#endif
