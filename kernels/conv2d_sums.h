/* The innermost part of a conv2d, a template: up to CONV2D_ROWS rows x SUMS_VECS vectors of sums
 * stay in registers while the kernel passes by.
 *
 * Its includer defines first:
 *   elem        element of the image and the result
 *   tap         element of the kernel and the ring
 *   v_tap       a vector of taps or sums
 *   taps_load, tap_spread    v_tap from memory; one tap into all lanes
 *   taps_hold   a v_tap that stays in its register
 *   sums_zero
 *   sums_mac(acc, a, b)      acc + a * b
 *   SUMS_MAC_SPLIT           whether that needs a register for the product
 *   sums_store(c, to, sums), sums_store_n(c, to, sums, n)
 *               complete sums become elements of the result
 *
 * The result's row q takes row t - q of the kernel at row t of the ring, so rows below each other
 * share each vector that is loaded, and each still sums over i, then j, in order. The counts of
 * rows and vectors are compile-time constants of each variant, for the compiler must know every
 * accumulator by name. */
#ifndef KERNELS_CONV2D_SUMS_H
#define KERNELS_CONV2D_SUMS_H

#include "conv2d_geom.h"
#include "vec.h"

#define SUMS_INLINE static inline __attribute__((always_inline))

/* What the registers hold beside a row of the ring and one tap. Three fill 16 to the last: gcc 12
 * manages that, clang 22 spills two sums and runs at half the rate. So does an engine that
 * overwrites a factor with each fused multiply-add, unless there are fewer rows. */
#define SUMS_ROWS CONV2D_ROWS
#if V_REGS >= 32
#define SUMS_VECS 4
#elif V_SPREADS && !SUMS_MAC_SPLIT
#undef SUMS_ROWS
#define SUMS_ROWS 2
#define SUMS_VECS 3
#elif !SUMS_MAC_SPLIT && !defined(__clang__)
#define SUMS_VECS 3
#else
#define SUMS_VECS 2
#endif

enum { SUMS_LANES = V_I32_LANES };

_Static_assert(SUMS_LANES <= (int)CONV2D_SLACK, "a row of the ring ends too early");

/* A few rows of the result, one tile across. */
struct strip {
    const struct kern_conv2d *conv;
    const tap *kernel; /* where V_SPREADS, spread */
    const tap *ring, *ring_last; /* its first row and its last */
    const tap *top; /* its row under the first row of the kernel, for the first result */
    size_t stride;
    elem *out;
    size_t out_stride; /* elements to the next row */
    size_t elems;      /* across */
};

#if V_SPREADS
/* One column of the kernel; k is where it has its row for q = hi - 1. */
SUMS_INLINE void sums_step(v_tap acc[CONV2D_ROWS][SUMS_VECS], const tap *in, const tap *k,
                           size_t lo, size_t hi, size_t vecs)
{
    v_tap x[SUMS_VECS];

    for (size_t v = 0; v < vecs; v++)
        x[v] = taps_load(in + v * SUMS_LANES);
    for (size_t q = lo; q < hi; q++) {
        v_tap y = taps_load(k + (hi - 1 - q) * CONV2D_SPREAD);
        for (size_t v = 0; v < vecs; v++)
            acc[q][v] = sums_mac(acc[q][v], y, x[v]);
    }
}

/* A way out after each step keeps the steps apart: an engine would load for several before it adds
 * for any, and has no registers for that. Four a turn, since the sums change registers in each and
 * must be back for the next turn. */
SUMS_INLINE void sums_row(v_tap acc[CONV2D_ROWS][SUMS_VECS], const struct strip *p, const tap *in,
                          const tap *k, size_t lo, size_t hi, size_t vecs)
{
    const size_t step = p->conv->channels, column = p->conv->r * CONV2D_SPREAD;
    size_t left = p->conv->s;

    k -= (hi - lo - 1) * CONV2D_SPREAD;
#define STEP()                                                                                     \
    sums_step(acc, in, k, lo, hi, vecs);                                                           \
    in += step;                                                                                    \
    k += column;                                                                                   \
    if (--left == 0)                                                                               \
        break;
    for (;;) {
        STEP()
        STEP()
        STEP()
        STEP()
    }
#undef STEP
}
#else
/* One row of the ring for the results lo <= q < hi. k is the kernel's row for q = lo. */
SUMS_INLINE void sums_row(v_tap acc[CONV2D_ROWS][SUMS_VECS], const struct strip *p, const tap *in,
                          const tap *k, size_t lo, size_t hi, size_t vecs)
{
    const size_t s = p->conv->s, step = p->conv->channels;

    for (size_t j = 0; j < s; j++, in += step) {
        v_tap x[SUMS_VECS];
        for (size_t v = 0; v < vecs; v++)
            x[v] = taps_hold(taps_load(in + v * SUMS_LANES));
        for (size_t q = lo; q < hi; q++) {
            const tap *row = k - (q - lo) * s;
            v_tap y = tap_spread(row[j]);
            for (size_t v = 0; v < vecs; v++)
                acc[q][v] = sums_mac(acc[q][v], x[v], y);
        }
    }
}

#endif

SUMS_INLINE const tap *ring_next(const struct strip *p, const tap *row)
{
    return row == p->ring_last ? p->ring : row + p->stride;
}

/* rows x vecs vectors of the result at element x; n elements of the last vector are stored.
 * The kernel has at least rows - 1 rows. */
SUMS_INLINE void sums_run(const struct strip *p, size_t x, size_t n, size_t rows, size_t vecs)
{
    const size_t r = p->conv->r, k_row = V_SPREADS ? CONV2D_SPREAD : p->conv->s;
    const tap *in = p->top, *k = p->kernel;
    v_tap acc[CONV2D_ROWS][SUMS_VECS];

    for (size_t q = 0; q < rows; q++)
        for (size_t v = 0; v < vecs; v++)
            acc[q][v] = sums_zero();

    /* The kernel enters row by row, lies on all rows, and leaves. Spelt out, since gcc unrolls no
     * loop round another. */
#define ROW(lo, hi)                                                                                \
    do {                                                                                           \
        sums_row(acc, p, in + x, k, (lo), (hi), vecs);                                             \
        in = ring_next(p, in);                                                                     \
    } while (0)
    if (rows > 1) {
        ROW(0, 1);
        k += k_row;
    }
    if (rows > 2) {
        ROW(0, 2);
        k += k_row;
    }
    if (rows > 3) {
        ROW(0, 3);
        k += k_row;
    }
    for (size_t t = rows - 1; t < r; t++) {
        ROW(0, rows);
        k += k_row;
    }
    k -= k_row;
    if (rows > 1)
        ROW(1, rows);
    if (rows > 2)
        ROW(2, rows);
    if (rows > 3)
        ROW(3, rows);
#undef ROW

    for (size_t q = 0; q < rows; q++) {
        elem *to = p->out + q * p->out_stride + x;
        for (size_t v = 0; v < vecs; v++) {
            if (v == vecs - 1 && n != SUMS_LANES)
                sums_store_n(p->conv, to + v * SUMS_LANES, acc[q][v], n);
            else
                sums_store(p->conv, to + v * SUMS_LANES, acc[q][v]);
        }
    }
}

SUMS_INLINE void strip_run(const struct strip *p, size_t rows)
{
    const size_t wide = SUMS_VECS * SUMS_LANES;
    size_t x = 0;

    for (; p->elems - x >= wide; x += wide)
        sums_run(p, x, SUMS_LANES, rows, SUMS_VECS);
    for (; x < p->elems; x += SUMS_LANES)
        sums_run(p, x, conv2d_min(p->elems - x, SUMS_LANES), rows, 1);
}

static void strip_run_1(const struct strip *p)
{
    strip_run(p, 1);
}

static void strip_run_2(const struct strip *p)
{
    strip_run(p, 2);
}

/* Fewer rows leave it unused. */
static void strip_run_4(const struct strip *p)
{
    strip_run(p, SUMS_ROWS);
}

#endif
