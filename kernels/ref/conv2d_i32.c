/* Reference of conv2d_i32: one row of the result per unit, modulo 2^32. */
#include "ref.h"

#include "border.h"

/* The sum over the kernel, laid round one element of the image. */
static uint32_t sum_at(const struct kern_conv2d *c, const uint32_t *image,
                       const uint32_t *kernel, int64_t y, int64_t x, int64_t ch)
{
    uint32_t sum = 0;
    for (int64_t i = 0; i < c->r; i++) {
        for (int64_t j = 0; j < c->s; j++) {
            int64_t row = ref_border(y + i - c->r / 2, c->h, c->border);
            int64_t col = ref_border(x + j - c->s / 2, c->w, c->border);
            uint32_t pixel = 0;
            if (row >= 0 && col >= 0)
                pixel = image[(row * c->w + col) * c->channels + ch];
            sum += pixel * kernel[i * c->s + j];
        }
    }
    return sum;
}

/* Whether the whole kernel lies inside the image there. */
static bool is_interior(const struct kern_conv2d *c, int64_t y, int64_t x)
{
    int64_t up = c->r / 2, left = c->s / 2;
    return y >= up && y + up < c->h && x >= left && x + left < c->w;
}

KERN_DEFINE(conv2d_i32)
{
    const struct kern_conv2d *c = &args->u.conv2d;
    const uint32_t *image = args->in[0], *kernel = args->in[1];
    uint32_t *out = args->out; /* unsigned, so that it may wrap */

    for (size_t y = part->begin; y < part->end; y++) {
        for (size_t x = 0; x < c->w; x++) {
            for (size_t ch = 0; ch < c->channels; ch++) {
                size_t at = (y * c->w + x) * c->channels + ch;
                if (c->border == KERN_BORDER_KEEP && !is_interior(c, (int64_t)y, (int64_t)x))
                    out[at] = image[at];
                else
                    out[at] = sum_at(c, image, kernel, (int64_t)y, (int64_t)x, (int64_t)ch);
            }
        }
    }
}
