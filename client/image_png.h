/* PNG images through libpng, as 8-bit grey, RGB or RGBA. */
#ifndef CLIENT_IMAGE_PNG_H
#define CLIENT_IMAGE_PNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"

enum { IMAGE_PNG_WHY_BYTES = 160 };

struct image_png {
    uint32_t width, height, channels; /* channels 1, 3 or 4 */
};

bool image_png_is(const uint8_t *p, size_t p_bytes);

/**
 * Reads an image. Palettes, 1, 2 and 4 bits and transparent colours are expanded, grey with alpha
 * becomes RGBA; 16 bits are refused.
 * take  gives memory for the pixels once their number is known, or NULL
 * Returns 0, and the pixels lie where take() said; -EINVAL and *why; -ENOMEM.
 */
int image_png_read(struct image_png *image, char why[static IMAGE_PNG_WHY_BYTES], struct input *in,
                   void *(*take)(void *user, const struct image_png *image), void *user);

/* Writes height rows of width * channels bytes. 0; -EINVAL and *why; -errno of the output. */
int image_png_write(char why[static IMAGE_PNG_WHY_BYTES], struct output *out,
                    const struct image_png *image, const uint8_t *pixels);

#endif
