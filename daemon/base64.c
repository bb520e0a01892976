/* Strict: each run of bytes has one spelling only, so equal texts and equal bytes are the same. */
#include "config.h"

#include "base64.h"

#include <errno.h>

static int letter(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static size_t padding(const char *text, size_t text_bytes)
{
    if (text_bytes == 0 || text[text_bytes - 1] != '=')
        return 0;
    return text[text_bytes - 2] == '=' ? 2 : 1;
}

int base64_bytes(size_t *out, const char *text, size_t text_bytes)
{
    if (text_bytes % 4 != 0)
        return -EINVAL;
    *out = text_bytes / 4 * 3 - padding(text, text_bytes);
    return 0;
}

int base64_decode(uint8_t *out, const char *text, size_t text_bytes)
{
    size_t letters = text_bytes - padding(text, text_bytes);
    uint32_t bits = 0; /* the last 24 that were read */
    unsigned pending = 0;

    for (size_t i = 0; i < letters; i++) {
        int value = letter(text[i]);
        if (value < 0)
            return -EINVAL;
        bits = (bits << 6 | (uint32_t)value) & 0xffffff;
        pending += 6;
        if (pending >= 8) {
            pending -= 8;
            *out++ = (uint8_t)(bits >> pending);
        }
    }
    return (bits & ((1u << pending) - 1)) == 0 ? 0 : -EINVAL;
}
