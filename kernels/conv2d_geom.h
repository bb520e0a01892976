/* How a conv2d is cut. The plan and the kernels must see the same cuts, so both include this; every
 * function is O(1).
 *
 * A range of rows is worked through in tiles of columns, each from top to bottom. The rows of the
 * image that a tile needs wait in a ring, widened to the type of the kernel and with the border
 * round them, so that the sums know neither. */
#ifndef KERNELS_CONV2D_GEOM_H
#define KERNELS_CONV2D_GEOM_H

#include <stddef.h>

#include "kern.h"

enum {
    CONV2D_ROWS = 4,      /* rows of the result at once, for they share what they read */
    /* Each range begins with an empty ring: with fewer rows, filling it would take the time. */
    CONV2D_RANGE_ROWS = 8,
    /* Where V_SPREADS, the taps lie behind the ring, column by column, each in all lanes of a
     * vector: one load, at a constant distance from that for the row above. */
    CONV2D_SPREAD = 4,
    CONV2D_SLACK = 16,    /* elements after each row of the ring: the last vector reads so far */
    CONV2D_LINE = 16,     /* elements in a cache line */
    CONV2D_TAP_BYTES = 4, /* an element of the ring or the kernel */
    /* Leaves L2 room for the rows that pass by. Tiles narrow enough for L1 were slower: memory is
     * read best in long runs. */
    CONV2D_RING_BYTES = 256 * 1024,
    CONV2D_COLS_MIN = 64 /* pixels; the widest kernels' rings outgrow L2 instead */
};

struct conv2d_geom {
    size_t cols;   /* pixels of the result across a tile; the last tile may have less */
    size_t rows;   /* of the ring */
    size_t stride; /* elements from one row of the ring to the next */
    size_t taps;   /* elements of what follows the ring: see CONV2D_SPREAD */
};

static inline size_t conv2d_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline void conv2d_geom_init(struct conv2d_geom *g, const struct kern_conv2d *c)
{
    const size_t halo = (size_t)(c->s - 1) * c->channels;
    g->rows = (size_t)c->r + CONV2D_ROWS - 1;
    /* What a row of the ring may have, less what is no result. */
    size_t elems = CONV2D_RING_BYTES / CONV2D_TAP_BYTES / g->rows;
    elems = elems > halo + CONV2D_SLACK ? elems - halo - CONV2D_SLACK : 0;
    g->cols = elems / c->channels / CONV2D_COLS_MIN * CONV2D_COLS_MIN;
    if (g->cols == 0)
        g->cols = CONV2D_COLS_MIN;
    g->cols = conv2d_min(g->cols, c->w);
    /* An odd number of cache lines, lest the rows meet in a few sets of L1. */
    g->stride = (g->cols * c->channels + halo + CONV2D_SLACK) / CONV2D_LINE * CONV2D_LINE;
    g->taps = (size_t)c->r * c->s * CONV2D_SPREAD;
    g->stride += g->stride / CONV2D_LINE % 2 == 0 ? CONV2D_LINE : 2 * CONV2D_LINE;
}

#endif
