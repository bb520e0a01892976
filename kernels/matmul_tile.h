/* The innermost part of a matmul, a template: up to TILE_ROWS x TILE_VECS vectors of sums stay in
 * registers while k passes by.
 *
 * Its includer defines first:
 *   cell          32 bits: what a multiply-add takes per lane along k
 *   sum           the element of c
 *   v_cell, v_sum vectors of either
 *   cells_load, cells_load_n, cell_spread    v_cell from memory; one cell into all lanes
 *               (where V_SPREADS, v_b32_spread does that)
 *   sums_zero, sums_load, sums_load_n, sums_store, sums_store_n
 *   sums_mac(acc, a, b)    acc + a * b
 *
 * a is read through two strides, so that it need not be packed, and may lie either way. The row
 * count is a compile-time constant of each variant, for the compiler must know every accumulator
 * by name; a table picks the variant. */
#ifndef KERNELS_MATMUL_TILE_H
#define KERNELS_MATMUL_TILE_H

#include "matmul_geom.h"
#include "vec.h"

#if V_SPREADS
#define TILE_ROWS 8
#elif V_REGS >= 32
#define TILE_ROWS 12
#elif V_FUSED
#define TILE_ROWS 6
#else
#define TILE_ROWS 4 /* a split multiply-add needs one more register for the product */
#endif

/* Whether a tile is two vectors wide, or one. */
#define TILE_PAIRS (!V_SPREADS)

/* Whether loading or storing some lanes of a vector is cheap. */
#define TILE_MASKS (V_BYTES > 16)

#define TILE_INLINE static inline __attribute__((always_inline))

enum {
    TILE_LANES = V_I32_LANES,
    TILE_VECS = (int)KERN_PASTE(MATMUL, _VECS, KERN_ISA),
    TILE_COLS = TILE_LANES * TILE_VECS,
    /* With so few rows the registers hold wider tiles: more independent sums, and b comes from
     * memory in longer runs. */
    TILE_WIDE_ROWS = TILE_ROWS / 4,
    TILE_WIDE_VECS = TILE_VECS * 4,
    TILE_WIDE_COLS = TILE_LANES * TILE_WIDE_VECS,
    TILE_WIDE_AHEAD = 16 /* rows of b to prefetch: it is read once, at the memory's speed */
};

_Static_assert(TILE_ROWS == (int)KERN_PASTE(MATMUL, _ROWS, KERN_ISA), "see matmul_geom.h");
_Static_assert(TILE_VECS == (TILE_PAIRS ? 2 : 1), "see matmul_geom.h");
_Static_assert(TILE_LANES == (int)KERN_PASTE(MATMUL, _LANES, KERN_ISA), "see matmul_geom.h");

/* A row of tiles, each `rows` x `vecs` vectors, from left to right with the same rows of a. */
struct tile_row {
    const cell *a;
    size_t a_row, a_cell; /* cells from one row of a, or step of k, to the next */
    const cell *b;
    size_t b_cell, b_tile; /* cells from one step of k, or tile, to the next */
    sum *c;
    size_t ldc;
    size_t cells; /* of k */
    size_t tiles;
    size_t edge; /* columns in the last vector; only the edge variants look at it */
    bool first;  /* sums start from 0, not from c */
};

typedef void tile_fn(const struct tile_row *t);

TILE_INLINE v_sum tile_sums_load(const sum *p, bool part, size_t edge)
{
    return part ? sums_load_n(p, edge) : sums_load(p);
}

TILE_INLINE void tile_sums_store(sum *p, v_sum sums, bool part, size_t edge)
{
    if (part)
        sums_store_n(p, sums, edge);
    else
        sums_store(p, sums);
}

#if V_SPREADS
/* One step of k: the cells of a lie side by side; each vector of them is spread lane by lane. */
TILE_INLINE void tile_step(v_sum acc[TILE_ROWS][TILE_WIDE_VECS], const cell *a, const cell *b,
                           size_t rows, size_t vecs)
{
    v_cell av[TILE_ROWS / 4 + 1], bv[TILE_WIDE_VECS];

    for (size_t r = 0; r < rows; r += 4)
        av[r / 4] = cells_load(a + r);
    for (size_t v = 0; v < vecs; v++)
        bv[v] = cells_load(b + v * TILE_LANES);
    for (size_t r = 0; r < rows; r++) {
        v_cell spread = v_b32_spread(av[r / 4], r % 4);
        for (size_t v = 0; v < vecs; v++)
            acc[r][v] = sums_mac(acc[r][v], spread, bv[v]);
    }
}

/* Two steps at a time, no more: the engine loads all that they need before it uses any of it. The
 * strides are constants if it can be: then they need no instructions. */
TILE_INLINE void tile_steps_by(v_sum acc[TILE_ROWS][TILE_WIDE_VECS], const struct tile_row *t,
                               const cell *b, size_t a_cell, size_t b_cell, size_t rows,
                               size_t vecs)
{
    const cell *a = t->a;
    size_t p = t->cells;

    for (; p >= 2; p -= 2, a += 2 * a_cell, b += 2 * b_cell) {
        tile_step(acc, a, b, rows, vecs);
        tile_step(acc, a + a_cell, b + b_cell, rows, vecs);
    }
    if (p != 0)
        tile_step(acc, a, b, rows, vecs);
}

TILE_INLINE void tile_steps(v_sum acc[TILE_ROWS][TILE_WIDE_VECS], const struct tile_row *t,
                            const cell *b, size_t rows, size_t vecs)
{
    if (rows == TILE_ROWS && t->b_cell == TILE_COLS)
        tile_steps_by(acc, t, b, TILE_ROWS, TILE_COLS, rows, vecs);
    else if (rows == TILE_ROWS)
        tile_steps_by(acc, t, b, TILE_ROWS, t->b_cell, rows, vecs);
    else
        tile_steps_by(acc, t, b, t->a_cell, t->b_cell, rows, vecs);
}
#endif

/* rows, vecs and edge are constants wherever this is inlined. */
TILE_INLINE void tile_row_run(const struct tile_row *t, size_t rows, size_t vecs, bool edge)
{
    /* Copies: a store to c might change *t, for all the compiler knows. */
    const size_t ldc = t->ldc, edge_cols = t->edge, step = vecs * TILE_LANES;
    const bool first = t->first;
    const cell *b_tile = t->b;
#if !V_SPREADS
    const size_t a_row = t->a_row, a_cell = t->a_cell, b_cell = t->b_cell, cells = t->cells;
    const cell *a_tile = t->a;
#endif
    sum *c_tile = t->c;

    for (size_t left = t->tiles; left != 0; left--) {
        v_sum acc[TILE_ROWS][TILE_WIDE_VECS];

        /* Plain loops, one thing each: gcc 12 unrolls them before it decides what may live in
         * registers. */
        if (first) {
            for (size_t r = 0; r < rows; r++)
                for (size_t v = 0; v < vecs; v++)
                    acc[r][v] = sums_zero();
        } else {
            for (size_t r = 0; r < rows; r++)
                for (size_t v = 0; v < vecs; v++)
                    acc[r][v] = tile_sums_load(c_tile + r * ldc + v * TILE_LANES,
                                               edge && v == vecs - 1, edge_cols);
        }
        if (left != 1) {
            for (size_t r = 0; r < rows; r++)
                v_prefetch(c_tile + r * ldc + step);
        }
#if V_SPREADS
        tile_steps(acc, t, b_tile, rows, vecs);
#else
        /* Three rows share a pointer: x86 adds one or two strides for nothing, and so many
         * pointers fit into its registers. */
        const cell *a[TILE_ROWS / 3 + 1];
        const cell *b = b_tile;
        for (size_t r = 0; r < rows; r += 3)
            a[r / 3] = a_tile + r * a_row;

        for (size_t p = cells; p != 0; p--, b += b_cell) {
            v_cell bv[TILE_WIDE_VECS];
            if (vecs == TILE_WIDE_VECS) {
                for (size_t v = 0; v < vecs; v++)
                    v_prefetch(b + TILE_WIDE_AHEAD * b_cell + v * TILE_LANES);
            }
            for (size_t v = 0; v < vecs; v++) {
                const cell *from = b + v * TILE_LANES;
                bv[v] = edge && v == vecs - 1 ? cells_load_n(from, edge_cols) : cells_load(from);
            }
            for (size_t r = 0; r < rows; r++) {
                v_cell av = cell_spread(a[r / 3][r % 3 * a_row]);
                for (size_t v = 0; v < vecs; v++)
                    acc[r][v] = sums_mac(acc[r][v], av, bv[v]);
            }
            for (size_t r = 0; r < rows; r += 3)
                a[r / 3] += a_cell;
        }
#endif

        for (size_t r = 0; r < rows; r++)
            for (size_t v = 0; v < vecs; v++)
                tile_sums_store(c_tile + r * ldc + v * TILE_LANES, acc[r][v],
                                edge && v == vecs - 1, edge_cols);
        b_tile += t->b_tile;
        c_tile += step;
    }
}

#if TILE_ROWS == 12
#define TILE_ROW_COUNTS(X)                                                                         \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
#define TILE_WIDE_ROW_COUNTS(X) X(1) X(2) X(3)
#elif TILE_ROWS == 8
#define TILE_ROW_COUNTS(X)      X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8)
#define TILE_WIDE_ROW_COUNTS(X) X(1) X(2)
#elif TILE_ROWS == 6
#define TILE_ROW_COUNTS(X)      X(1) X(2) X(3) X(4) X(5) X(6)
#define TILE_WIDE_ROW_COUNTS(X) X(1)
#else
#define TILE_ROW_COUNTS(X)      X(1) X(2) X(3) X(4)
#define TILE_WIDE_ROW_COUNTS(X) X(1)
#endif

/* Each variant under its name, and by row count - 1. */
#define X(rows)                                                                                    \
    static void tile_full_##rows(const struct tile_row *t)                                         \
    {                                                                                              \
        tile_row_run(t, rows, TILE_VECS, false);                                                   \
    }
TILE_ROW_COUNTS(X)
#undef X
#if TILE_PAIRS
#define X(rows)                                                                                    \
    static void tile_edge1_##rows(const struct tile_row *t)                                        \
    {                                                                                              \
        tile_row_run(t, rows, 1, TILE_MASKS);                                                      \
    }                                                                                              \
    static void tile_edge2_##rows(const struct tile_row *t)                                        \
    {                                                                                              \
        tile_row_run(t, rows, 2, TILE_MASKS);                                                      \
    }
TILE_ROW_COUNTS(X)
#undef X
#endif
#define X(rows)                                                                                    \
    static void tile_wide_##rows(const struct tile_row *t)                                         \
    {                                                                                              \
        tile_row_run(t, rows, TILE_WIDE_VECS, false);                                              \
    }
TILE_WIDE_ROW_COUNTS(X)
#undef X

static tile_fn *const tile_full[TILE_ROWS] = {
#define X(rows) tile_full_##rows,
    TILE_ROW_COUNTS(X)
#undef X
};

/* By vectors - 1, then rows - 1. */
static tile_fn *const tile_edge[TILE_VECS][TILE_ROWS] = {
#if TILE_PAIRS
    {
#define X(rows) tile_edge1_##rows,
        TILE_ROW_COUNTS(X)
#undef X
    },
    {
#define X(rows) tile_edge2_##rows,
        TILE_ROW_COUNTS(X)
#undef X
    },
#else
    {
#define X(rows) tile_full_##rows,
        TILE_ROW_COUNTS(X)
#undef X
    },
#endif
};

static tile_fn *const tile_wide[TILE_WIDE_ROWS] = {
#define X(rows) tile_wide_##rows,
    TILE_WIDE_ROW_COUNTS(X)
#undef X
};

#endif
