/* Packing of 32-bit elements, which are cells as they lie: copies. A template like matmul_tile.h,
 * whose names it uses, and cells_store, cells_store_n. */
#ifndef KERNELS_MATMUL_PACK_H
#define KERNELS_MATMUL_PACK_H

#include "matmul_tile.h"

/* `elems` elements that follow each other along k, to cells `step` apart. */
static void pack_along(cell *to, size_t step, const elem *from, size_t elems, int32_t zero)
{
    (void)zero;
    if (step == 1) {
        memcpy(to, from, elems * sizeof *to);
        return;
    }
    for (size_t p = 0; p < elems; p++)
        to[p * step] = from[p];
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
