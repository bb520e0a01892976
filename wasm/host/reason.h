/* Short texts that say why, as they cross to the daemon: HOST_REASON_BYTES, terminated, valid UTF-8
 * without control characters, whatever they were made from. */
#ifndef WASM_HOST_REASON_H
#define WASM_HOST_REASON_H

#include <stddef.h>

#include "wasm/host/task.h"

/* Cuts what is too long at a character. */
__attribute__((format(printf, 2, 3))) void reason_format(char reason[static HOST_REASON_BYTES],
                                                         const char *format, ...);

/* From foreign bytes, text_bytes long: control characters become blanks, bytes that are no UTF-8
 * question marks. */
void reason_copy(char reason[static HOST_REASON_BYTES], const char *text, size_t text_bytes);

#endif
