/* Chance, and what operands are filled with. */
#include "config.h"

#include "kernels_fill.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Longer operands repeat themselves: drawing each number would take longer than the kernels. */
enum { PERIOD = 65537 };

/* SplitMix64 (Steele, Lea, Flood 2014). */
uint64_t chance_next(struct chance *c)
{
    uint64_t z = c->state += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

size_t chance_below(struct chance *c, size_t n)
{
    return (size_t)(chance_next(c) % n);
}

static float random_f32(struct chance *c, enum kcase_fill fill)
{
    static const float edges[] = {
        0.0f,     -0.0f,    1.0f,         -1.0f,         0.5f,     254.5f,    255.5f, 16777216.0f,
        FLT_MAX,  -FLT_MAX, FLT_MIN,      -FLT_MIN,      FLT_MIN / 4, FLT_TRUE_MIN,
        -FLT_TRUE_MIN,      2147483648.f, -2147483648.f, INFINITY, -INFINITY, NAN};
    switch (fill) {
    case FILL_EDGE:
        return edges[chance_below(c, sizeof edges / sizeof *edges)];
    case FILL_ANY: {
        uint32_t bits = (uint32_t)chance_next(c);
        float f;
        memcpy(&f, &bits, sizeof f);
        return isfinite(f) ? f : 1.5f;
    }
    default:
        return (float)chance_below(c, 65) / 4.0f - 8.0f;
    }
}

static uint64_t random_integer(struct chance *c, enum kern_type type, enum kcase_fill fill)
{
    static const uint64_t edges[] = {
        0,      1,      2,      15,      16,         17,         127,
        128,    254,    255,    0x7fff,  0x8000,     0xffff,     0x10000,
        INT32_MAX, 0x80000000, UINT32_MAX, INT64_MAX, 0x8000000000000000, UINT64_MAX};
    switch (fill) {
    case FILL_EDGE:
        return edges[chance_below(c, sizeof edges / sizeof *edges)];
    case FILL_ANY:
        return chance_next(c);
    default:
        return type == KERN_i32 ? chance_below(c, 19) - 9 : chance_below(c, 10);
    }
}

void fill_elements(struct chance *c, void *data, enum kern_type type, size_t count,
                   enum kcase_fill fill)
{
    const size_t elem_bytes = kern_type_bytes(type);
    uint8_t *at = data;
    for (size_t i = 0; i < count && i < PERIOD; i++, at += elem_bytes) {
        if (type == KERN_f32) {
            float f = random_f32(c, fill);
            memcpy(at, &f, sizeof f);
        } else {
            uint64_t u = random_integer(c, type, fill);
            for (size_t byte = 0; byte < elem_bytes; byte++)
                at[byte] = (uint8_t)(u >> 8 * byte);
        }
    }
    for (size_t i = PERIOD; i < count; i += PERIOD) {
        size_t more = count - i < PERIOD ? count - i : PERIOD;
        memcpy((uint8_t *)data + i * elem_bytes, data, more * elem_bytes);
    }
}
