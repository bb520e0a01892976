/* PGM and PPM images. */
#include "config.h"

#include "pnm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

enum { DIM_MAX = 1 << 24 }; /* a larger image is a broken header */

bool pnm_is(const uint8_t *p, size_t p_bytes)
{
    return p_bytes >= 2 && p[0] == 'P' && p[1] >= '1' && p[1] <= '7';
}

__attribute__((format(printf, 2, 3))) static int refuse(char *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, PNM_WHY_BYTES, format, args);
    va_end(args);
    return -EINVAL;
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Skips blanks and comments, at least one blank. -EAGAIN at the end of what we have. */
static int skip_blanks(const uint8_t *p, size_t p_bytes, size_t *at, char *why)
{
    size_t start = *at;
    bool comment = false;
    for (; *at < p_bytes; ++*at) {
        uint8_t c = p[*at];
        if (comment)
            comment = c != '\n' && c != '\r';
        else if (c == '#')
            comment = true;
        else if (!is_blank(c))
            return *at > start ? 0 : refuse(why, "its header has something that is not a number");
    }
    return -EAGAIN;
}

static int read_number(const uint8_t *p, size_t p_bytes, size_t *at, uint32_t *out,
                       const char *what, char *why)
{
    int err = skip_blanks(p, p_bytes, at, why);
    if (err < 0)
        return err;
    uint32_t value = 0;
    size_t start = *at;
    for (; *at < p_bytes && p[*at] >= '0' && p[*at] <= '9'; ++*at) {
        value = value * 10 + (uint32_t)(p[*at] - '0');
        if (value > DIM_MAX)
            return refuse(why, "its %s is over %d", what, DIM_MAX);
    }
    if (*at == p_bytes)
        return -EAGAIN;
    if (*at == start)
        return refuse(why, "its %s is not a number", what);
    *out = value;
    return 0;
}

int pnm_parse(struct pnm *out, size_t *header_bytes, char why[static PNM_WHY_BYTES],
              const uint8_t *p, size_t p_bytes)
{
    if (p_bytes < 2)
        return -EAGAIN;
    if (!pnm_is(p, p_bytes))
        return refuse(why, "it is not a PGM or PPM image");
    if (p[1] != '5' && p[1] != '6')
        return refuse(why,
                      "it is P%c; of the portable anymaps only binary grey (P5) and colour (P6) "
                      "are supported",
                      (char)p[1]);
    uint32_t maxval = 0;
    struct pnm image = {.channels = p[1] == '5' ? 1 : 3};
    size_t at = 2;
    int err = read_number(p, p_bytes, &at, &image.width, "width", why);
    if (err == 0)
        err = read_number(p, p_bytes, &at, &image.height, "height", why);
    if (err == 0)
        err = read_number(p, p_bytes, &at, &maxval, "maxval", why);
    if (err == -EAGAIN && p_bytes >= PNM_HEADER_MAX)
        return refuse(why, "its header does not end");
    if (err < 0)
        return err;
    if (image.width == 0 || image.height == 0)
        return refuse(why, "its %s is 0", image.width == 0 ? "width" : "height");
    if (maxval != 255)
        return refuse(why, "its maxval is %u; only 255 (8 bits) is supported", maxval);
    if (!is_blank(p[at]))
        return refuse(why, "its maxval is not a number");
    *out = image;
    *header_bytes = at + 1;
    return 0;
}

size_t pnm_print(uint8_t out[static PNM_PRINT_MAX], const struct pnm *image)
{
    int n = snprintf((char *)out, PNM_PRINT_MAX, "P%c\n%u %u\n255\n",
                     image->channels == 1 ? '5' : '6', image->width, image->height);
    return (size_t)n;
}
