/* Why a module's code stopped, in the words of task.h.
 *
 * The engine's message is a page with a backtrace. Of it we keep what its author can use: what
 * happened, at which address, in which function.
 */
#include "config.h"

#include "trap.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reason.h"

static enum host_status status_of(wasmtime_trap_code_t code)
{
    switch (code) {
    case WASMTIME_TRAP_CODE_STACK_OVERFLOW:
        return HOST_TRAP_STACK;
    case WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS:
    case WASMTIME_TRAP_CODE_HEAP_MISALIGNED:
        return HOST_TRAP_MEMORY;
    case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW:
    case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO:
    case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER:
        return HOST_TRAP_MATH;
    case WASMTIME_TRAP_CODE_ALLOCATION_TOO_LARGE:
        return HOST_NO_MEMORY;
    default:
        return HOST_TRAP_CODE;
    }
}

/* The text between `before` and the end of its line, with its length; NULL if it is not there. */
static const char *line_after(const char *text, size_t bytes, const char *before, size_t *out)
{
    const char *at = memmem(text, bytes, before, strlen(before));
    if (at == NULL)
        return NULL;
    at += strlen(before);
    const char *end = memchr(at, '\n', bytes - (size_t)(at - text));
    *out = end != NULL ? (size_t)(end - at) : bytes - (size_t)(at - text);
    return at;
}

/* " in NAME" of the innermost function that has one. */
static void place_of(char *out, size_t out_bytes, const wasm_trap_t *trap)
{
    wasm_frame_vec_t frames;

    out[0] = '\0';
    wasm_trap_trace(trap, &frames);
    if (frames.size != 0) {
        const wasm_name_t *name = wasmtime_frame_func_name(frames.data[0]);
        if (name != NULL)
            snprintf(out, out_bytes, " in %.*s", name->size < 80 ? (int)name->size : 80,
                     name->data);
        else
            snprintf(out, out_bytes, " in function %u", wasm_frame_func_index(frames.data[0]));
    }
    wasm_frame_vec_delete(&frames);
}

/* A stack in memory ends at address 0, as the kit has modules linked; what is below wraps to the
 * end of the window, which is never mapped. */
static bool is_below_zero(const char *hex)
{
    return strtoull(hex, NULL, 16) >= WINDOW_END;
}

void trap_explain(struct host_task *task, const wasm_trap_t *trap)
{
    wasmtime_trap_code_t code;
    wasm_message_t message;
    char place[128];
    size_t what_bytes = 0, where_bytes = 0;

    task->status = wasmtime_trap_code(trap, &code) ? status_of(code) : HOST_INTERNAL;
    place_of(place, sizeof place, trap);
    wasm_trap_message(trap, &message);
    const char *what = line_after(message.data, message.size, "wasm trap: ", &what_bytes);
    const char *where =
        line_after(message.data, message.size, "memory fault at wasm address ", &where_bytes);
    if (where != NULL) {
        const char *end = memchr(where, ' ', where_bytes);
        where_bytes = end != NULL ? (size_t)(end - where) : where_bytes;
        reason_format(task->reason, "out of bounds memory access at %.*s%s%s", (int)where_bytes,
                      where, place, is_below_zero(where) ? " (is its stack full?)" : "");
    } else if (what != NULL) {
        reason_format(task->reason, "%.*s%s", what_bytes < 120 ? (int)what_bytes : 120, what,
                      place);
    } else {
        reason_copy(task->reason, message.data, strnlen(message.data, message.size));
    }
    wasm_byte_vec_delete(&message);
}

/* The engine's "what\n\nCaused by:\n    why" as "what: why". Returns the length. */
static size_t one_line(char *out, size_t out_bytes, const char *text, size_t text_bytes)
{
    static const char cause[] = "Caused by:";
    size_t n = 0;

    for (size_t i = 0; i < text_bytes && n < out_bytes; i++) {
        bool blank = (unsigned char)text[i] <= ' ';
        if (text_bytes - i > sizeof cause && memcmp(text + i, cause, sizeof cause - 1) == 0) {
            i += sizeof cause - 2;
            for (; n != 0 && out[n - 1] == ' '; n--)
                ;
            out[n++] = ':';
        } else if (!blank || (n != 0 && out[n - 1] != ' ')) {
            out[n++] = blank ? ' ' : text[i];
        }
    }
    return n != 0 && out[n - 1] == ' ' ? n - 1 : n;
}

void trap_reason_error(char reason[static HOST_REASON_BYTES], const wasmtime_error_t *error)
{
    char line[2 * HOST_REASON_BYTES];
    wasm_message_t message;

    wasmtime_error_message(error, &message);
    size_t n = one_line(line, sizeof line, message.data, strnlen(message.data, message.size));
    reason_copy(reason, line, n);
    wasm_byte_vec_delete(&message);
}
