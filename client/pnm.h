/* PGM and PPM images, binary, 8 bits: "P5" grey and "P6" RGB. Pure functions over memory. */
#ifndef CLIENT_PNM_H
#define CLIENT_PNM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PNM_WHY_BYTES = 160, PNM_HEADER_MAX = 16 * 1024, PNM_PRINT_MAX = 64 };

struct pnm {
    uint32_t width, height, channels; /* channels 1 or 3 */
};

/* Whether these first bytes are some portable anymap's ("P1" to "P7"); needs 2. */
bool pnm_is(const uint8_t *p, size_t p_bytes);

/* Like npy_parse(). Comments are skipped. */
int pnm_parse(struct pnm *out, size_t *header_bytes, char why[static PNM_WHY_BYTES],
              const uint8_t *p, size_t p_bytes);

/* Writes a header; returns its length. */
size_t pnm_print(uint8_t out[static PNM_PRINT_MAX], const struct pnm *image);

#endif
