/* Sobel: how steep an image is at each pixel.
 *
 *     simdctl run NAME/sobel photo.png -o edges.png
 *
 * Operand  u8 [h,w], or [h,w,3] for red, green, blue: of those the luma,
 *          (77 r + 150 g + 29 b + 128) / 256 rounded down.
 * Result   u8 [h,w]: sqrt(gx^2 + gy^2) rounded to the nearest, at most 255, where
 *
 *               -1 0 1             -1 -2 -1
 *          gx = -2 0 2   and  gy =  0  0  0   are summed over the pixel's neighbours;
 *               -1 0 1              1  2  1
 *
 *          beyond the edge lies the edge's own pixel again.
 *
 * Three lines of luma are held at a time, each with a pixel more at both ends. So grey and coloured
 * images, edges and middle all take the same road. Units are bands of rows.
 */
#include <wasm_simd128.h>

#include "simdd.h"

SIMDD_MODULE

enum { BAND_ROWS = 16, VECTOR = 16, BAD_IMAGE = 16 };

static bool is_colour(const struct simdd_call *call)
{
    return call->in[0].rank == 3;
}

static int check(struct simdd_call *call)
{
    const struct simdd_array *image = &call->in[0];
    int err = simdd_want(call, 0, SIMDD_U8, 0);

    if (err != 0)
        return err;
    if (image->rank != 2 && !(image->rank == 3 && image->dim[2] == 3))
        return simdd_fail(call, BAD_IMAGE, "the image is neither [h,w] nor [h,w,3]");
    return 0;
}

SIMDD_SHAPE(sobel)
{
    int err = check(call);
    return err != 0 ? err : simdd_result(call, SIMDD_U8, 2, call->in[0].dim);
}

SIMDD_UNITS(sobel)
{
    return (int)((call->in[0].dim[0] + BAND_ROWS - 1) / BAND_ROWS);
}

static v128_t luma8(v128_t r, v128_t g, v128_t b)
{
    v128_t sum = wasm_i16x8_add(wasm_i16x8_mul(r, wasm_i16x8_splat(77)), wasm_i16x8_splat(128));
    sum = wasm_i16x8_add(sum, wasm_i16x8_mul(g, wasm_i16x8_splat(150)));
    sum = wasm_i16x8_add(sum, wasm_i16x8_mul(b, wasm_i16x8_splat(29)));
    return wasm_u16x8_shr(sum, 8); /* at most 65408 before, so nothing wrapped */
}

/* 16 pixels of red, green, blue: each channel is picked out of three vectors in two steps. */
static v128_t luma16(const uint8_t *rgb)
{
    v128_t x = wasm_v128_load(rgb), y = wasm_v128_load(rgb + 16), z = wasm_v128_load(rgb + 32);
    v128_t r = wasm_i8x16_shuffle(x, y, 0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 0, 0, 0, 0, 0);
    v128_t g = wasm_i8x16_shuffle(x, y, 1, 4, 7, 10, 13, 16, 19, 22, 25, 28, 31, 0, 0, 0, 0, 0);
    v128_t b = wasm_i8x16_shuffle(x, y, 2, 5, 8, 11, 14, 17, 20, 23, 26, 29, 0, 0, 0, 0, 0, 0);
    r = wasm_i8x16_shuffle(r, z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 17, 20, 23, 26, 29);
    g = wasm_i8x16_shuffle(g, z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 18, 21, 24, 27, 30);
    b = wasm_i8x16_shuffle(b, z, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 19, 22, 25, 28, 31);

    v128_t low = luma8(wasm_u16x8_extend_low_u8x16(r), wasm_u16x8_extend_low_u8x16(g),
                       wasm_u16x8_extend_low_u8x16(b));
    v128_t high = luma8(wasm_u16x8_extend_high_u8x16(r), wasm_u16x8_extend_high_u8x16(g),
                        wasm_u16x8_extend_high_u8x16(b));
    return wasm_u8x16_narrow_i16x8(low, high);
}

/* Row y of the image into line[1 .. w], and its ends again into line[0] and line[w + 1]. Rows
 * beyond the image are its first and its last. */
static void fill_line(uint8_t *line, const struct simdd_call *call, int64_t y)
{
    uint32_t h = call->in[0].dim[0], w = call->in[0].dim[1], i = 0;
    size_t row = y < 0 ? 0 : y >= h ? h - 1 : (size_t)y;
    const uint8_t *pixels = simdd_in_u8(call, 0) + row * w * (is_colour(call) ? 3 : 1);

    if (!is_colour(call)) {
        memcpy(line + 1, pixels, w);
    } else {
        for (; w - i >= VECTOR; i += VECTOR)
            wasm_v128_store(line + 1 + i, luma16(pixels + 3 * (size_t)i));
        for (const uint8_t *p = pixels + 3 * (size_t)i; i < w; i++, p += 3)
            line[1 + i] = (uint8_t)((77 * p[0] + 150 * p[1] + 29 * p[2] + 128) >> 8);
    }
    line[0] = line[1];
    line[w + 1] = line[w];
}

/* sqrt(gx^2 + gy^2) of four pixels, whose gx and gy alternate. */
static v128_t length4(v128_t pairs)
{
    v128_t squares = wasm_f32x4_convert_i32x4(wasm_i32x4_dot_i16x8(pairs, pairs));
    return wasm_i32x4_trunc_sat_f32x4(wasm_f32x4_nearest(wasm_f32x4_sqrt(squares)));
}

/* Eight pixels, from the neighbours of the first: top, middle and bottom point to its left. */
static v128_t steep8(const uint8_t *top, const uint8_t *middle, const uint8_t *bottom)
{
    v128_t top_left = wasm_u16x8_load8x8(top), bottom_left = wasm_u16x8_load8x8(bottom);
    v128_t top_right = wasm_u16x8_load8x8(top + 2), bottom_right = wasm_u16x8_load8x8(bottom + 2);
    v128_t across = wasm_i16x8_sub(wasm_u16x8_load8x8(middle + 2), wasm_u16x8_load8x8(middle));
    v128_t down = wasm_i16x8_sub(wasm_u16x8_load8x8(bottom + 1), wasm_u16x8_load8x8(top + 1));

    /* Both diagonals take part in gx and in gy. */
    v128_t fall = wasm_i16x8_sub(bottom_right, top_left);
    v128_t rise = wasm_i16x8_sub(top_right, bottom_left);
    v128_t gx = wasm_i16x8_add(wasm_i16x8_add(fall, rise), wasm_i16x8_shl(across, 1));
    v128_t gy = wasm_i16x8_add(wasm_i16x8_sub(fall, rise), wasm_i16x8_shl(down, 1));

    v128_t first = wasm_i16x8_shuffle(gx, gy, 0, 8, 1, 9, 2, 10, 3, 11);
    v128_t second = wasm_i16x8_shuffle(gx, gy, 4, 12, 5, 13, 6, 14, 7, 15);
    return wasm_i16x8_narrow_i32x4(length4(first), length4(second));
}

/* A row of the result. Lines have room for a vector behind their end. */
static void steep_row(uint8_t *out, uint8_t *const line[3], uint32_t w)
{
    for (uint32_t x = 0; x < w; x += VECTOR) {
        const uint8_t *top = line[0] + x, *middle = line[1] + x, *bottom = line[2] + x;
        v128_t steep = wasm_u8x16_narrow_i16x8(steep8(top, middle, bottom),
                                               steep8(top + 8, middle + 8, bottom + 8));
        if (w - x >= VECTOR)
            wasm_v128_store(out + x, steep);
        else
            memcpy(out + x, &steep, w - x);
    }
}

SIMDD_FUNCTION(sobel)
{
    int err = check(call);
    if (err == 0)
        err = simdd_want_result(call, SIMDD_U8, 2, call->in[0].dim);
    if (err != 0)
        return err;

    uint32_t h = call->in[0].dim[0], w = call->in[0].dim[1];
    size_t line_bytes = (size_t)w + 2 + VECTOR;
    uint8_t *lines = simdd_scratch(3 * line_bytes);
    uint8_t *line[3] = {lines, lines + line_bytes, lines + 2 * line_bytes};
    uint64_t end = (uint64_t)call->end * BAND_ROWS;
    uint32_t y = call->begin * BAND_ROWS;

    if (lines == NULL)
        return simdd_fail(call, SIMDD_NO_MEMORY, "no memory for three lines");
    fill_line(line[0], call, (int64_t)y - 1);
    fill_line(line[1], call, y);
    for (; y < h && y < end; y++) {
        fill_line(line[2], call, (int64_t)y + 1);
        steep_row(simdd_out_u8(call) + (size_t)y * w, line, w);

        uint8_t *oldest = line[0];
        line[0] = line[1];
        line[1] = line[2];
        line[2] = oldest;
    }
    return 0;
}
