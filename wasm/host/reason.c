/* Short texts that say why. */
#include "config.h"

#include "reason.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the UTF-8 character at `p`, of which `left` can be read; 0 if it is none. */
static size_t character_bytes(const uint8_t *p, size_t left)
{
    size_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3
                                                              : p[0] < 0xf5   ? 4
                                                                              : 0;
    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    /* longer than need be, halves of pairs, beyond the last plane */
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

void reason_copy(char reason[static HOST_REASON_BYTES], const char *text, size_t text_bytes)
{
    size_t out = 0;

    for (size_t i = 0; i < text_bytes;) {
        size_t n = character_bytes((const uint8_t *)text + i, text_bytes - i);
        size_t step = n == 0 ? 1 : n;
        if (out + step >= HOST_REASON_BYTES)
            break;
        if (n == 0)
            reason[out] = '?';
        else if (n == 1 && ((uint8_t)text[i] < 0x20 || text[i] == 0x7f))
            reason[out] = ' ';
        else
            memcpy(reason + out, text + i, n);
        out += step;
        i += step;
    }
    memset(reason + out, 0, HOST_REASON_BYTES - out);
}

void reason_format(char reason[static HOST_REASON_BYTES], const char *format, ...)
{
    char text[2 * HOST_REASON_BYTES];
    va_list args;

    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        n = 0;
    reason_copy(reason, text, strnlen(text, sizeof text));
}
