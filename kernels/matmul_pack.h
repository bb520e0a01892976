/* Packing of 32-bit elements, which are cells as they lie: copies. A template like matmul_tile.h,
 * whose names it uses, and cells_store, cells_store_n. */
#ifndef KERNELS_MATMUL_PACK_H
#define KERNELS_MATMUL_PACK_H

#include "matmul_tile.h"

/* One line of elements that follow each other along k: a row of a. */
static void pack_line(cell *to, const elem *from, size_t elems, int32_t zero)
{
    (void)zero;
    memcpy(to, from, elems * sizeof *to);
}

/* n such lines, ld apart, to a panel that is to_step cells wide: columns of b. A cache line of each
 * at a time, so that the part of the panel that it fills stays in L1. */
static void pack_lines(cell *to, size_t to_step, const elem *from, size_t ld, size_t n,
                       size_t elems, int32_t zero)
{
    const size_t n4 = n / 4 * 4, elems4 = elems / 4 * 4, run = 64 / sizeof *from;
    (void)zero;
    for (size_t at = 0; at < elems4; at += run) {
        for (size_t j = 0; j < n4; j += 4) {
            for (size_t p = at; p < matmul_min(elems4, at + run); p += 4)
                v_b32_transpose4(to + p * to_step + j, to_step, from + j * ld + p, ld);
        }
    }
    for (size_t j = 0; j < n; j++) {
        for (size_t p = j < n4 ? elems4 : 0; p < elems; p++)
            to[p * to_step + j] = from[j * ld + p];
    }
}

/* One cell of each of n rows of a, or columns of b, that lie side by side. ld is from one step of
 * k to the next and elems, at most CELL_ELEMS, the steps there are. */
static inline void pack_across(cell *to, const elem *from, size_t ld, size_t elems, size_t n,
                               int32_t zero)
{
    size_t j = 0;
    (void)ld;
    (void)elems;
    (void)zero;
    for (; n - j >= TILE_LANES; j += TILE_LANES)
        cells_store(to + j, cells_load(from + j));
    if (TILE_MASKS && j < n)
        cells_store_n(to + j, cells_load_n(from + j, n - j), n - j);
    for (; !TILE_MASKS && j < n; j++)
        to[j] = from[j];
}

#endif
