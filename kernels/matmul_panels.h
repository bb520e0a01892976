/* Packing: blocks of a and b laid out as the tiles read them, a template.
 *
 * Its includer defines, besides what matmul_tile.h asks for:
 *   elem                   the element of a and b
 *   CELL_ELEMS             how many of them, neighbours along k, make a cell
 *   zero_of_a, zero_of_b   what packing subtracts from each element
 *   pack_line, pack_lines, pack_across
 *                          see matmul_pack.h, which has those of 32-bit elements
 */
#ifndef KERNELS_MATMUL_PANELS_H
#define KERNELS_MATMUL_PANELS_H

#include "matmul_geom.h"
#include "matmul_tile.h"

struct job {
    const struct kern_matmul *mm;
    const elem *a, *b;
    const sum *c_in;
    sum *c;
    struct matmul_geom geom;
};

/* A rectangle of c. */
struct area {
    size_t row, rows, col, cols;
};

/* A range of k, in cells. */
struct span {
    size_t cell, cells;
};

static size_t span_elems(const struct job *job, struct span k)
{
    return matmul_min(job->mm->k - k.cell * CELL_ELEMS, k.cells * CELL_ELEMS);
}

/* Rows of a. Stored by rows they are packed by rows; stored by columns, in panels of `height` rows
 * with the cells of one step of k side by side. So either way packing is copying, and row i (a
 * multiple of height) starts at to + i * matmul_packed_row(k.cells). Where V_SPREADS, tiles take
 * nothing but panels. */
static void pack_a(cell *to, const struct job *job, const struct area *area, struct span k,
                   size_t height)
{
    const struct kern_matmul *mm = job->mm;
    const size_t elems = span_elems(job, k), row = matmul_packed_row(k.cells);
    const elem *from = job->a + (mm->trans_a ? k.cell * CELL_ELEMS * mm->lda + area->row
                                             : area->row * mm->lda + k.cell * CELL_ELEMS);
    if (!mm->trans_a && V_SPREADS) {
        for (size_t i = 0; i < area->rows; i += height)
            pack_lines(to + i * row, height, from + i * mm->lda, mm->lda,
                       matmul_min(area->rows - i, height), elems, zero_of_a(mm));
        return;
    }
    if (!mm->trans_a) {
        for (size_t i = 0; i < area->rows; i++)
            pack_line(to + i * row, from + i * mm->lda, elems, zero_of_a(mm));
        return;
    }
    for (size_t e = 0; e < elems; e += CELL_ELEMS, from += CELL_ELEMS * mm->lda) {
        for (size_t i = 0; i < area->rows; i += height)
            pack_across(to + i * row + e / CELL_ELEMS * height, from + i, mm->lda,
                        matmul_min(elems - e, CELL_ELEMS), matmul_min(area->rows - i, height),
                        zero_of_a(mm));
    }
}

/* The same rows, for the tiles. */
static void tile_row_aim_packed(struct tile_row *t, const struct job *job, const cell *a_packed,
                                struct span k, size_t height)
{
    const bool panels = job->mm->trans_a || V_SPREADS;

    t->a_row = panels ? 1 : matmul_packed_row(k.cells);
    t->a_cell = panels ? height : 1;
    t->a = a_packed;
}

/* Columns of b in panels of TILE_COLS, the cells of one step of k side by side. The last panel is
 * filled up with zeros to whole vectors. */
static void pack_b(cell *to, const struct job *job, const struct area *area, struct span k)
{
    const struct kern_matmul *mm = job->mm;
    const size_t elems = span_elems(job, k), panel = k.cells * TILE_COLS;
    const size_t ragged = area->cols % TILE_COLS;
    const elem *from = job->b + (mm->trans_b ? area->col * mm->ldb + k.cell * CELL_ELEMS
                                             : k.cell * CELL_ELEMS * mm->ldb + area->col);
    if (mm->trans_b) {
        for (size_t j = 0; j < area->cols; j += TILE_COLS)
            pack_lines(to + j * k.cells, TILE_COLS, from + j * mm->ldb, mm->ldb,
                       matmul_min(area->cols - j, TILE_COLS), elems, zero_of_b(mm));
    } else {
        for (size_t e = 0; e < elems; e += CELL_ELEMS, from += CELL_ELEMS * mm->ldb) {
            for (size_t j = 0; j < area->cols; j += TILE_COLS)
                pack_across(to + j / TILE_COLS * panel + e / CELL_ELEMS * TILE_COLS, from + j,
                            mm->ldb, matmul_min(elems - e, CELL_ELEMS),
                            matmul_min(area->cols - j, TILE_COLS), zero_of_b(mm));
        }
    }
    if (ragged % TILE_LANES != 0) {
        const size_t whole = matmul_ceil_div(ragged, TILE_LANES) * TILE_LANES;
        to += area->cols / TILE_COLS * panel;
        for (size_t p = 0; p < k.cells; p++, to += TILE_COLS) {
            for (size_t j = ragged; j < whole; j++)
                to[j] = (cell){0};
        }
    }
}

#endif
