/* A matmul from a part of a phase down to its tiles, a template: see matmul_geom.h for the cuts.
 *
 * Its includer defines, besides what matmul_tile.h and matmul_panels.h ask for:
 *   CELL_IN_PLACE          whether an element as it lies in a or b is a cell
 *   finish_needed, finish_row
 *                          what happens to complete sums: alpha and beta
 */
#ifndef KERNELS_MATMUL_RUN_H
#define KERNELS_MATMUL_RUN_H

#include "matmul_geom.h"
#include "matmul_panels.h"
#include "matmul_tile.h"

/* ---- multiplying ---- */

/* The last columns, where stores of a part of a vector are dear: full tiles beside c. */
static void edge_run_aside(struct tile_row *t, size_t rows, size_t cols, size_t vecs)
{
    sum aside[TILE_ROWS * TILE_COLS] = {0};
    sum *c = t->c;
    const size_t ldc = t->ldc;

    if (!t->first) {
        for (size_t i = 0; i < rows; i++) {
            for (size_t j = 0; j < cols; j++)
                aside[i * TILE_COLS + j] = c[i * ldc + j];
        }
    }
    t->c = aside;
    t->ldc = TILE_COLS;
    tile_edge[vecs - 1][rows - 1](t);
    for (size_t i = 0; i < rows; i++) {
        for (size_t j = 0; j < cols; j++)
            c[i * ldc + j] = aside[i * TILE_COLS + j];
    }
    t->c = c;
    t->ldc = ldc;
}

/* The widest tiles first; a tile narrower than TILE_COLS comes last. b and c of *t move on. */
static void tiles_run(struct tile_row *t, size_t rows, size_t cols)
{
    const bool packed = t->b_tile != TILE_COLS;

    if (rows <= TILE_WIDE_ROWS && !packed && cols >= TILE_WIDE_COLS) {
        t->tiles = cols / TILE_WIDE_COLS;
        t->b_tile = TILE_WIDE_COLS;
        tile_wide[rows - 1](t);
        t->b_tile = TILE_COLS;
        t->b += t->tiles * TILE_WIDE_COLS;
        t->c += t->tiles * TILE_WIDE_COLS;
        cols %= TILE_WIDE_COLS;
    }
    t->tiles = cols / TILE_COLS;
    if (t->tiles != 0) {
        tile_full[rows - 1](t);
        t->b += t->tiles * t->b_tile;
        t->c += t->tiles * TILE_COLS;
        cols %= TILE_COLS;
    }
    if (cols != 0) {
        size_t vecs = matmul_ceil_div(cols, TILE_LANES);
        t->tiles = 1;
        t->edge = cols - (vecs - 1) * TILE_LANES;
        if (TILE_MASKS || t->edge == TILE_LANES)
            tile_edge[vecs - 1][rows - 1](t);
        else
            edge_run_aside(t, rows, cols, vecs);
    }
}

/* Any number of rows, `height` at a time, from where *t starts; its a, b and c come back changed.
 * a_next is how many cells a advances per row from one run of rows to the next. *t is never
 * copied: a vector load of fields just stored one by one would wait for all of them. */
static void area_run(struct tile_row *t, size_t rows, size_t cols, size_t height, size_t a_next)
{
    const cell *b = t->b;
    sum *c = t->c;

    for (size_t i = 0; i < rows; i += height) {
        t->b = b;
        t->c = c;
        tiles_run(t, matmul_min(rows - i, height), cols);
        t->a += height * a_next;
        c += height * t->ldc;
    }
}

static void area_finish(const struct job *job, const struct area *area)
{
    if (!finish_needed(job->mm))
        return;
    for (size_t i = area->row; i < area->row + area->rows; i++) {
        size_t at = i * job->mm->ldc + area->col;
        finish_row(job->mm, job->c + at, job->c_in != NULL ? job->c_in + at : NULL, area->cols);
    }
}

/* ---- direct jobs ---- */

enum {
    A_IN_PLACE = CELL_IN_PLACE && !V_SPREADS,
    A_ROWS_CELLS = A_IN_PLACE ? 1 : MATMUL_DIRECT_ROWS * MATMUL_DIRECT_ROW_CELLS
};

/* a where it lies, as cells. */
static void tile_row_aim(struct tile_row *t, const struct job *job, const void *a, size_t row,
                         size_t cell_at)
{
    const cell *cells = a;
    t->a_row = job->mm->trans_a ? 1 : job->mm->lda;
    t->a_cell = job->mm->trans_a ? job->mm->lda : 1;
    t->a = cells + row * t->a_row + cell_at * t->a_cell;
}

static void direct_in_place(const struct job *job, const void *a, const void *b,
                            const struct area *area)
{
    const struct kern_matmul *mm = job->mm;
    const size_t height = matmul_even_part(area->rows, TILE_ROWS, 1);
    const cell *b_cells = b;
    _Alignas(64) cell a_rows[A_ROWS_CELLS];
    struct span k;

    for (k.cell = 0; k.cell < job->geom.cells; k.cell += k.cells) {
        struct tile_row t;
        size_t a_next;

        k.cells = job->geom.cells - k.cell;
        if (A_IN_PLACE) {
            tile_row_aim(&t, job, a, area->row, 0);
            a_next = t.a_row;
        } else {
            k.cells = matmul_min(k.cells, MATMUL_DIRECT_CELLS);
            pack_a(a_rows, job, area, k, height);
            tile_row_aim_packed(&t, job, a_rows, k, height);
            a_next = matmul_packed_row(k.cells);
        }
        t.b = b_cells + k.cell * mm->ldb + area->col;
        t.b_cell = mm->ldb;
        t.b_tile = TILE_COLS;
        t.c = job->c + area->row * mm->ldc + area->col;
        t.ldc = mm->ldc;
        t.cells = k.cells;
        t.first = k.cell == 0;
        area_run(&t, area->rows, area->cols, height, a_next);
    }
}

/* b cannot be read as it lies: it is transposed, too narrow for a vector, or not in cells. */
static void direct_via_stack(const struct job *job, const void *a, const struct area *area)
{
    const struct kern_matmul *mm = job->mm;
    const size_t height = matmul_even_part(area->rows, TILE_ROWS, 1);
    _Alignas(64) cell b_panel[MATMUL_DIRECT_CELLS * TILE_COLS];
    _Alignas(64) cell a_rows[A_ROWS_CELLS];
    struct span k;

    for (k.cell = 0; k.cell < job->geom.cells; k.cell += k.cells) {
        k.cells = matmul_min(job->geom.cells - k.cell, MATMUL_DIRECT_CELLS);
        if (!A_IN_PLACE)
            pack_a(a_rows, job, area, k, height);
        for (size_t j = 0; j < area->cols; j += TILE_COLS) {
            struct area panel = {area->row, area->rows, area->col + j,
                                 matmul_min(area->cols - j, TILE_COLS)};
            struct tile_row t = {.b = b_panel,
                                 .b_cell = TILE_COLS,
                                 .b_tile = TILE_COLS * k.cells,
                                 .c = job->c + panel.row * mm->ldc + panel.col,
                                 .ldc = mm->ldc,
                                 .cells = k.cells,
                                 .first = k.cell == 0};
            pack_b(b_panel, job, &panel, k);
            if (A_IN_PLACE) {
                tile_row_aim(&t, job, a, panel.row, k.cell);
                area_run(&t, panel.rows, panel.cols, height, t.a_row);
            } else {
                tile_row_aim_packed(&t, job, a_rows, k, height);
                area_run(&t, panel.rows, panel.cols, height, matmul_packed_row(k.cells));
            }
        }
    }
}

static void direct_run(const struct job *job, const struct kern_args *args, size_t unit)
{
    const struct kern_matmul *mm = job->mm;
    const size_t across = matmul_ceil_div(mm->n, MATMUL_DIRECT_COLS);
    const size_t down = unit / across;
    struct area area = {.row = down * MATMUL_DIRECT_ROWS,
                        .col = (unit - down * across) * MATMUL_DIRECT_COLS};
    area.rows = matmul_min(mm->m - area.row, MATMUL_DIRECT_ROWS);
    area.cols = matmul_min(mm->n - area.col, MATMUL_DIRECT_COLS);

    const size_t cols = area.cols;
    size_t rest = 0; /* columns that go via the stack */
    if (!CELL_IN_PLACE || mm->trans_b)
        rest = cols;
    else if (!TILE_MASKS)
        rest = cols % TILE_LANES;
    if (rest != cols) {
        area.cols = cols - rest;
        direct_in_place(job, args->in[0], args->in[1], &area);
        area.cols = cols;
    }
    if (rest != 0) {
        struct area last = {area.row, area.rows, area.col + cols - rest, rest};
        direct_via_stack(job, args->in[0], &last);
    }
    area_finish(job, &area);
}

/* ---- packed jobs ---- */

/* All panels of the range side by side: b is read in runs as long as can be, which counts for more
 * than how many places are written to. */
static void pack_part(const struct job *job, const struct matmul_phase *phase,
                      const struct kern_part *part)
{
    const size_t col = part->begin * MATMUL_PACK_COLS;
    const size_t end = matmul_min(part->end * MATMUL_PACK_COLS, phase->cols);
    const struct area area = {.col = phase->col + col, .cols = end - col};
    cell *to = part->shared;

    pack_b(to + col * phase->cells, job, &area, (struct span){phase->cell, phase->cells});
}

static void multiply_part(const struct job *job, const struct matmul_phase *phase,
                          const struct kern_part *part)
{
    const struct kern_matmul *mm = job->mm;
    const struct matmul_geom *g = &job->geom;
    const size_t across = matmul_ceil_div(phase->cols, g->tile_cols);
    const struct span k = {phase->cell, phase->cells};
    const cell *b_packed = part->shared;
    struct matmul_packed *packed = part->scratch;
    cell *a_packed = (cell *)(void *)(packed + 1);

    if (!part->kept)
        packed->row = SIZE_MAX;
    for (size_t unit = part->begin; unit < part->end; unit++) {
        size_t tile_col = unit % across * g->tile_cols;
        struct area area = {.row = unit / across * g->block_rows, .col = phase->col + tile_col};
        area.rows = matmul_min(mm->m - area.row, g->block_rows);
        area.cols = matmul_min(phase->cols - tile_col, g->tile_cols);
        size_t height = matmul_even_part(area.rows, TILE_ROWS, 1);
        if (packed->row != area.row) {
            pack_a(a_packed, job, &area, k, height);
            packed->row = area.row;
        }
        struct tile_row t = {.b = b_packed + tile_col * k.cells,
                             .b_cell = TILE_COLS,
                             .b_tile = TILE_COLS * k.cells,
                             .c = job->c + area.row * mm->ldc + area.col,
                             .ldc = mm->ldc,
                             .cells = k.cells,
                             .first = phase->first};
        tile_row_aim_packed(&t, job, a_packed, k, height);
        area_run(&t, area.rows, area.cols, height, matmul_packed_row(k.cells));
        if (phase->last)
            area_finish(job, &area);
    }
}

static void matmul_run(const struct kern_args *args, const struct kern_part *part)
{
    struct job job = {.mm = &args->u.matmul,
                      .a = args->in[0],
                      .b = args->in[1],
                      .c_in = args->in[2],
                      .c = args->out};
    struct matmul_phase phase;

    matmul_geom_init(&job.geom, job.mm, CELL_ELEMS, TILE_ROWS, TILE_VECS, TILE_COLS);
    if (!job.geom.packed) {
        for (size_t unit = part->begin; unit < part->end; unit++)
            direct_run(&job, args, unit);
        return;
    }
    matmul_phase_init(&phase, &job.geom, job.mm, part->phase);
    if (phase.multiply)
        multiply_part(&job, &phase, part);
    else
        pack_part(&job, &phase, part);
}

#endif
