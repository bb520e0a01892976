/* How a matmul is cut: tile sizes per ISA, blocks, phases and units. The plan and the kernels must
 * see the same cuts, so both include this; every function is O(1).
 *
 * k is counted in cells: one element of f32 and i32, a pair of elements of u8 (the 32 bits that
 * one lane of a multiply-add takes).
 *
 * A direct job has one phase. A unit is up to DIRECT_ROWS x DIRECT_COLS of c and runs the whole k;
 * b is read where it lies, or packed a little at a time on the stack. No memory of its own, no
 * barrier: for small and for thin matrices.
 *
 * A packed job works through b block by block (block_cols columns by block_cells of k; all of k
 * for one column block, then the next). Each block has two phases: the workers pack it into the
 * shared memory, MATMUL_PACK_COLS columns per unit; then they multiply it, one unit per
 * row block x column tile, packing their rows of a into scratch. Column tiles of one row block are
 * neighbours, so a worker that runs units one after the other packs its rows once, even range by
 * range if it keeps its scratch. Between blocks of k the sums wait in c. */
#ifndef KERNELS_MATMUL_GEOM_H
#define KERNELS_MATMUL_GEOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern.h"

/* ISA, lanes of 32 bits, rows and vectors of the tile that the registers hold. */
#define MATMUL_TILES(X)                                                                            \
    X(SSE4, sse4, 4, 4, 2)                                                                         \
    X(AVX2, avx2, 8, 6, 2)                                                                         \
    X(AVX512, avx512, 16, 12, 2)                                                                   \
    X(NEON, neon, 4, 12, 2)                                                                        \
    X(WASM128, wasm128, 4, 8, 1)                                                                   \
    X(WASM128R, wasm128r, 4, 8, 1)

enum {
#define X(upper, lower, lanes, rows, vecs)                                                         \
    MATMUL_LANES_##lower = (lanes), MATMUL_ROWS_##lower = (rows), MATMUL_VECS_##lower = (vecs),
    MATMUL_TILES(X)
#undef X

    /* The packed rows of a (390 KiB) and a tile of b (512 KiB) share L2; both pass through L1 once
     * per tile of c, at a quarter of what L2 delivers. Fewer cells would mean to fetch and store
     * the sums in c more often, and more would push the tile of b out. */
    MATMUL_BLOCK_CELLS = 1024,
    MATMUL_BLOCK_ROWS = 96,
    MATMUL_TILE_COLS = 128,
    MATMUL_BLOCK_COLS = 2048, /* 8 MiB of shared memory */
    /* Panels of any width fit; fewer columns would mean to read b in short runs. */
    MATMUL_PACK_COLS = 128,
    /* A line of L1 stays empty between packed rows of a: rows a power of two apart would fight for
     * the same few sets (12 of 4 KiB: 7 % of the time). */
    MATMUL_ROW_GAP = 16,

    MATMUL_DIRECT_ROWS = 96,
    MATMUL_DIRECT_COLS = 128,
    MATMUL_DIRECT_CELLS = 64, /* packed on the stack at a time */
    MATMUL_DIRECT_ROW_CELLS = MATMUL_DIRECT_CELLS + MATMUL_ROW_GAP,
    /* How much of b may be read again for each row of tiles: what L2 holds if it is read in place,
     * less if it is packed on the stack each time. */
    MATMUL_DIRECT_B_BYTES = 1024 * 1024,
    MATMUL_DIRECT_STACK_B_BYTES = 64 * 1024,
    MATMUL_CELL_BYTES = 4
};

struct matmul_geom {
    bool packed;
    size_t cells; /* of k */
    /* Only if packed. The last block or tile of each kind may be smaller. */
    size_t block_rows, block_cols, block_cells, tile_cols;
    size_t row_blocks, col_blocks, cell_blocks;
};

static inline size_t matmul_ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

static inline size_t matmul_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* The size of equal parts, a multiple of `step`, when `total` is cut into parts of at most `max`
 * (a multiple of step too). Equal, since a last part of a few rows would run at a worse rate. */
static inline size_t matmul_even_part(size_t total, size_t max, size_t step)
{
    size_t part = matmul_ceil_div(total, matmul_ceil_div(total, max));
    return matmul_ceil_div(part, step) * step;
}

/* A tile of one vector takes a quarter of each line of b where it lies, four times: better
 * packed. */
static inline void matmul_geom_init(struct matmul_geom *g, const struct kern_matmul *mm,
                                    size_t k_per_cell, size_t tile_rows, size_t tile_vecs,
                                    size_t panel_cols)
{
    g->cells = matmul_ceil_div(mm->k, k_per_cell);
    const bool in_place = k_per_cell == 1 && tile_vecs > 1 && !mm->trans_b;
    const size_t b_bytes = in_place ? MATMUL_DIRECT_B_BYTES : MATMUL_DIRECT_STACK_B_BYTES;
    g->packed = mm->m > MATMUL_DIRECT_ROWS && g->cells * mm->n > b_bytes / MATMUL_CELL_BYTES;
    if (!g->packed)
        return;
    g->block_rows = matmul_even_part(mm->m, MATMUL_BLOCK_ROWS, tile_rows);
    g->row_blocks = matmul_ceil_div(mm->m, g->block_rows);
    g->block_cols = matmul_even_part(mm->n, MATMUL_BLOCK_COLS, panel_cols);
    g->col_blocks = matmul_ceil_div(mm->n, g->block_cols);
    g->block_cells = matmul_even_part(g->cells, MATMUL_BLOCK_CELLS, 1);
    g->cell_blocks = matmul_ceil_div(g->cells, g->block_cells);
    g->tile_cols = matmul_even_part(g->block_cols, MATMUL_TILE_COLS, panel_cols);
}

/* What lies in scratch before the packed rows of a. */
struct matmul_packed {
    _Alignas(64) size_t row; /* of a: the first one that is packed; SIZE_MAX: none is */
};

/* From one packed row of a to the next. */
static inline size_t matmul_packed_row(size_t cells)
{
    return cells + MATMUL_ROW_GAP;
}

/* One phase of a packed job: what it does, and the block of b that it does it with. */
struct matmul_phase {
    bool multiply; /* or pack */
    bool first;    /* the first block of k: sums start from 0, not from c */
    bool last;     /* the last one: sums are complete after it */
    size_t col, cols, cell, cells;
};

static inline void matmul_phase_init(struct matmul_phase *p, const struct matmul_geom *g,
                                     const struct kern_matmul *mm, uint32_t phase)
{
    size_t block = phase / 2, cell_block = block % g->cell_blocks;
    p->multiply = phase % 2 != 0;
    p->first = cell_block == 0;
    p->last = cell_block == g->cell_blocks - 1;
    p->col = block / g->cell_blocks * g->block_cols;
    p->cols = matmul_min(mm->n - p->col, g->block_cols);
    p->cell = cell_block * g->block_cells;
    p->cells = matmul_min(g->cells - p->cell, g->block_cells);
}

#endif
