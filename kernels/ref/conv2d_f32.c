/* Reference of conv2d_f32: one row of the result per unit. */
#include "ref.h"

#include "border.h"

/* The sum over the kernel, laid round one element of the image. */
static float sum_at(const struct kern_conv2d *c, const float *image, const float *kernel, int64_t y,
                    int64_t x, int64_t ch)
{
    float sum = 0.0f;
    for (int64_t i = 0; i < c->r; i++) {
        for (int64_t j = 0; j < c->s; j++) {
            int64_t row = ref_border(y + i - c->r / 2, c->h, c->border);
            int64_t col = ref_border(x + j - c->s / 2, c->w, c->border);
            float pixel = 0.0f;
            if (row >= 0 && col >= 0)
                pixel = image[(row * c->w + col) * c->channels + ch];
            sum = ref_madd(pixel, kernel[i * c->s + j], sum);
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

KERN_DEFINE(conv2d_f32)
{
    const struct kern_conv2d *c = &args->u.conv2d;
    const float *image = args->in[0], *kernel = args->in[1];
    float *out = args->out;

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
