/* Base64 of RFC 4648, section 4: the standard alphabet, padded, nothing between the letters. */
#ifndef DAEMON_BASE64_H
#define DAEMON_BASE64_H

#include <stddef.h>
#include <stdint.h>

/* How many bytes the text stands for. 0, or -EINVAL if its length or padding is wrong. */
int base64_bytes(size_t *out, const char *text, size_t text_bytes);

/* Decodes a text that base64_bytes() measured into that many bytes. 0, or -EINVAL for a byte that
 * is no letter, or for bits behind the last byte; `out` may then hold anything. */
int base64_decode(uint8_t *out, const char *text, size_t text_bytes);

#endif
