/* PNG images through libpng.
 *
 * libpng reports errors by longjmp, so each function here keeps what it must clean up in a struct
 * of its caller's frame, which no jump makes indeterminate. Colours are taken as they stand: gamma
 * and profiles are ignored, since filters work on the numbers.
 */
#include "config.h"

#include "image_png.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

#include <png.h>

/* Level 6 takes three times as long for a tenth less. */
enum { COMPRESSION_LEVEL = 3, DIM_MAX = 1 << 24 };

struct job {
    png_structp png;
    png_infop info;
    png_bytep *rows; /* owned */
    char *why;
    int err;
    struct input *in;
    struct output *out;
};

bool image_png_is(const uint8_t *p, size_t p_bytes)
{
    return p_bytes >= 8 && png_sig_cmp(p, 0, 8) == 0;
}

static void on_error(png_structp png, png_const_charp words)
{
    struct job *j = png_get_error_ptr(png);
    (void)snprintf(j->why, IMAGE_PNG_WHY_BYTES, "%s", words);
    if (j->err == 0)
        j->err = -EINVAL;
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp words)
{
    (void)png;
    (void)words;
}

static void on_read(png_structp png, png_bytep into, size_t bytes)
{
    struct job *j = png_get_io_ptr(png);
    size_t got = 0;
    j->err = input_read(j->in, into, bytes, &got);
    if (j->err < 0)
        png_error(png, "reading failed");
    if (got < bytes)
        png_error(png, "the PNG image is cut short");
}

static void on_write(png_structp png, png_bytep from, size_t bytes)
{
    struct job *j = png_get_io_ptr(png);
    j->err = output_write(j->out, from, bytes);
    if (j->err < 0)
        png_error(png, "writing failed");
}

static void on_flush(png_structp png)
{
    (void)png;
}

/* Whatever the file holds -> 8-bit grey, RGB or RGBA. */
static void ask_for_bytes(struct job *j)
{
    png_byte type = png_get_color_type(j->png, j->info);
    bool transparent = png_get_valid(j->png, j->info, PNG_INFO_tRNS) != 0;
    if (png_get_bit_depth(j->png, j->info) == 16)
        png_error(j->png, "its 16 bits per channel are not supported; convert it to 8");
    png_set_expand(j->png);
    if (type == PNG_COLOR_TYPE_GRAY_ALPHA || (type == PNG_COLOR_TYPE_GRAY && transparent))
        png_set_gray_to_rgb(j->png);
    (void)png_set_interlace_handling(j->png);
    png_read_update_info(j->png, j->info);
}

static bool rows_init(struct job *j, uint8_t *pixels, const struct image_png *image)
{
    size_t row_bytes = (size_t)image->width * image->channels;
    j->rows = calloc(image->height, sizeof(*j->rows));
    for (uint32_t y = 0; j->rows != NULL && y < image->height; y++)
        j->rows[y] = pixels + y * row_bytes;
    return j->rows != NULL;
}

/* Between setjmp and its return no local changes. */
static void read_body(struct job *j, struct image_png *image,
                      void *(*take)(void *user, const struct image_png *image), void *user)
{
    if (setjmp(png_jmpbuf(j->png)) != 0)
        return;
    png_set_read_fn(j->png, j, on_read);
    png_set_user_limits(j->png, DIM_MAX, DIM_MAX);
    png_read_info(j->png, j->info);
    ask_for_bytes(j);
    image->width = png_get_image_width(j->png, j->info);
    image->height = png_get_image_height(j->png, j->info);
    image->channels = png_get_channels(j->png, j->info);
    uint8_t *pixels = take(user, image);
    if (pixels == NULL || !rows_init(j, pixels, image)) {
        j->err = -ENOMEM;
        png_error(j->png, "there is no memory for its pixels");
    }
    png_read_image(j->png, j->rows);
    png_read_end(j->png, NULL);
}

int image_png_read(struct image_png *image, char why[static IMAGE_PNG_WHY_BYTES], struct input *in,
                   void *(*take)(void *user, const struct image_png *image), void *user)
{
    struct job j = {.why = why, .in = in};
    j.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
    if (j.png != NULL)
        j.info = png_create_info_struct(j.png);
    if (j.info == NULL)
        j.err = -ENOMEM;
    else
        read_body(&j, image, take, user);
    png_destroy_read_struct(&j.png, &j.info, NULL);
    free(j.rows);
    return j.err;
}

static void write_body(struct job *j, const struct image_png *image, uint8_t *pixels)
{
    if (setjmp(png_jmpbuf(j->png)) != 0)
        return;
    int type = image->channels == 1   ? PNG_COLOR_TYPE_GRAY
               : image->channels == 3 ? PNG_COLOR_TYPE_RGB
                                      : PNG_COLOR_TYPE_RGBA;
    png_set_write_fn(j->png, j, on_write, on_flush);
    png_set_user_limits(j->png, DIM_MAX, DIM_MAX);
    png_set_compression_level(j->png, COMPRESSION_LEVEL);
    png_set_IHDR(j->png, j->info, image->width, image->height, 8, type, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_write_info(j->png, j->info);
    if (!rows_init(j, pixels, image)) {
        j->err = -ENOMEM;
        png_error(j->png, "there is no memory for its rows");
    }
    png_write_image(j->png, j->rows);
    png_write_end(j->png, NULL);
}

int image_png_write(char why[static IMAGE_PNG_WHY_BYTES], struct output *out,
                    const struct image_png *image, const uint8_t *pixels)
{
    struct job j = {.why = why, .out = out};
    j.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &j, on_error, on_warning);
    if (j.png != NULL)
        j.info = png_create_info_struct(j.png);
    if (j.info == NULL)
        j.err = -ENOMEM;
    else
        write_body(&j, image, (uint8_t *)(uintptr_t)pixels); /* libpng reads only */
    png_destroy_write_struct(&j.png, &j.info);
    free(j.rows);
    return j.err;
}
