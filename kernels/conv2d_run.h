/* A conv2d from a range of rows down to its strips, a template: see conv2d_geom.h for the cuts.
 *
 * Its includer defines, besides what conv2d_sums.h asks for:
 *   taps_widen(to, from, n)    n elements of the image become taps
 */
#ifndef KERNELS_CONV2D_RUN_H
#define KERNELS_CONV2D_RUN_H

#include <string.h>

#include "conv2d_geom.h"
#include "conv2d_sums.h"

struct job {
    const struct kern_conv2d *conv;
    const elem *image;
    const tap *kernel;
    elem *out;
    tap *ring;
    struct conv2d_geom geom;
};

/* Columns of one tile, in pixels. */
struct tile {
    size_t col, cols;
};

/* ---- the ring ---- */

/* The index in 0..n-1 that stands for i, or -1 if 0 stands there. */
static ptrdiff_t border_index(ptrdiff_t i, ptrdiff_t n, enum kern_border border)
{
    if (i >= 0 && i < n)
        return i;
    if (border == KERN_BORDER_REPLICATE)
        return i < 0 ? 0 : n - 1;
    if (border != KERN_BORDER_REFLECT101)
        return -1;
    if (n == 1)
        return 0;
    const ptrdiff_t period = 2 * (n - 1);
    i = (i < 0 ? -i : i) % period; /* symmetric round 0 */
    return i < n ? i : period - i;
}

/* Pixels from..to-1 of a row, all of them beyond its edge. */
static void ring_fill_border(const struct job *job, tap *ring, const elem *row, ptrdiff_t from,
                             ptrdiff_t to)
{
    const size_t channels = job->conv->channels;

    for (; from < to; from++, ring += channels) {
        ptrdiff_t x = border_index(from, (ptrdiff_t)job->conv->w, job->conv->border);
        for (size_t ch = 0; ch < channels; ch++)
            ring[ch] = x < 0 ? 0 : (tap)row[(size_t)x * channels + ch];
    }
}

/* Row y of the image, which may lie beyond its edge, for one tile. */
static void ring_fill(const struct job *job, tap *ring, ptrdiff_t y, const struct tile *tile)
{
    const struct kern_conv2d *c = job->conv;
    const size_t channels = c->channels;
    const ptrdiff_t w = (ptrdiff_t)c->w, reach = (ptrdiff_t)(c->s / 2);
    const ptrdiff_t from = (ptrdiff_t)tile->col - reach;
    const ptrdiff_t to = (ptrdiff_t)(tile->col + tile->cols) + reach;
    const ptrdiff_t inside_from = from < 0 ? 0 : from, inside_to = to > w ? w : to;
    const ptrdiff_t row_index = border_index(y, (ptrdiff_t)c->h, c->border);

    if (row_index < 0) {
        memset(ring, 0, (size_t)(to - from) * channels * sizeof *ring);
        return;
    }
    const elem *row = job->image + (size_t)row_index * c->w * channels;
    ring_fill_border(job, ring, row, from, inside_from);
    ring += (size_t)(inside_from - from) * channels;
    taps_widen(ring, row + (size_t)inside_from * channels,
               (size_t)(inside_to - inside_from) * channels);
    ring += (size_t)(inside_to - inside_from) * channels;
    ring_fill_border(job, ring, row, inside_to, to);
}

#if V_SPREADS
/* Returns `to`: see CONV2D_SPREAD. */
static const tap *taps_spread(const struct job *job, tap *to)
{
    const size_t r = job->conv->r, s = job->conv->s;

    for (size_t i = 0; i < r; i++) {
        for (size_t j = 0; j < s; j++) {
            for (size_t lane = 0; lane < CONV2D_SPREAD; lane++)
                to[(j * r + i) * CONV2D_SPREAD + lane] = job->kernel[i * s + j];
        }
    }
    return to;
}
#endif

/* ---- the result ---- */

static void tile_run(const struct job *job, const struct tile *tile, size_t begin, size_t end)
{
    const struct kern_conv2d *c = job->conv;
    const struct conv2d_geom *g = &job->geom;
    const size_t row_elems = (size_t)c->w * c->channels;
    const ptrdiff_t reach = (ptrdiff_t)(c->r / 2);
    tap *const ring_last = job->ring + (g->rows - 1) * g->stride;
    tap *fill = job->ring;   /* where the next row goes */
    size_t filled = begin;   /* rows up to filled - reach - 1 are in the ring */
    struct strip strip = {.conv = c,
                          .kernel = job->kernel,
                          .ring = job->ring,
                          .ring_last = ring_last,
                          .top = job->ring,
                          .stride = g->stride,
                          .out_stride = row_elems,
                          .elems = tile->cols * c->channels};

    for (size_t y = begin, rows; y < end; y += rows) {
        rows = SUMS_ROWS >= 4 && end - y >= 4 && c->r >= 3 ? 4 : conv2d_min(end - y, 2);
        for (; filled < y + rows + c->r - 1; filled++) {
            ring_fill(job, fill, (ptrdiff_t)filled - reach, tile);
            fill = fill == ring_last ? job->ring : fill + g->stride;
        }
        strip.out = job->out + y * row_elems + tile->col * c->channels;
        if (rows == 4)
            strip_run_4(&strip);
        else if (rows == 2)
            strip_run_2(&strip);
        else
            strip_run_1(&strip);
        for (size_t q = 0; q < rows; q++)
            strip.top = ring_next(&strip, strip.top);
    }
}

/* Pixels col..end-1 of rows begin..end-1 as they are in the image. */
static void keep(const struct job *job, size_t begin, size_t end, size_t col, size_t col_end)
{
    const size_t channels = job->conv->channels;

    for (size_t y = begin; col < col_end && y < end; y++) {
        size_t at = (y * job->conv->w + col) * channels;
        memcpy(job->out + at, job->image + at, (col_end - col) * channels * sizeof(elem));
    }
}

static size_t clamp_to(size_t x, size_t lo, size_t hi)
{
    return x < lo ? lo : conv2d_min(x, hi);
}

static void conv2d_run(const struct kern_args *args, const struct kern_part *part)
{
    const struct kern_conv2d *c = &args->u.conv2d;
    struct job job = {.conv = c,
                      .image = args->in[0],
                      .kernel = args->in[1],
                      .out = args->out,
                      .ring = part->scratch};
    const size_t begin = part->begin, end = kern_end(part, c->h);
    /* What is computed; the rest of the range is kept. */
    size_t top = begin, bottom = end, left = 0, right = c->w;

    if (begin >= end)
        return;
    if (c->border == KERN_BORDER_KEEP) {
        const size_t up = c->r / 2, aside = c->s / 2;
        top = clamp_to(up, begin, end);
        bottom = clamp_to(c->h > up ? c->h - up : 0, top, end);
        left = conv2d_min(aside, c->w);
        right = clamp_to(c->w > aside ? c->w - aside : 0, left, c->w);
        keep(&job, begin, top, 0, c->w);
        keep(&job, top, bottom, 0, left);
        keep(&job, top, bottom, right, c->w);
        keep(&job, bottom, end, 0, c->w);
    }
    conv2d_geom_init(&job.geom, c);
#if V_SPREADS
    job.kernel = taps_spread(&job, job.ring + job.geom.rows * job.geom.stride);
#endif
    for (struct tile tile = {.col = left}; tile.col < right; tile.col += tile.cols) {
        tile.cols = conv2d_min(right - tile.col, job.geom.cols);
        tile_run(&job, &tile, top, bottom);
    }
}

#endif
