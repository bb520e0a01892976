/* Conversion of numbers, and nothing about jobs.
 *
 * JSON has one kind of number, so 3, 3.0 and 3e0 are all the integer 3; the parser hands all of
 * them over as doubles, in which every i32 and u32 is exact. An f32 is therefore rounded twice,
 * which can move the last bit of a decimal written with more than 17 digits; the digits that we
 * print ourselves come back exactly.
 */
#include "config.h"

#include "json_array.h"

#include <math.h>

enum wire_status json_array_dims(struct json_dims *out, const json_t *v)
{
    if (!json_is_array(v))
        return WIRE_BAD_FIELD;
    out->rank = 0;
    for (; json_is_array(v); v = json_array_get(v, 0)) {
        if (out->rank == JSON_RANK_MAX || json_array_size(v) == 0)
            return WIRE_BAD_SHAPE;
        out->size[out->rank++] = json_array_size(v);
    }
    return WIRE_OK;
}

static bool to_f32(float *out, double d)
{
    /* half a step above FLT_MAX: from there on the nearest float is infinity */
    if (!(fabs(d) < 0x1.ffffffp127))
        return false;
    *out = (float)d;
    return true;
}

static bool is_integer_in(double d, double min, double max)
{
    return d >= min && d <= max && d == trunc(d);
}

static bool to_type(void *dst, enum kern_type type, double d)
{
    switch (type) {
    case KERN_f32:
        return to_f32(dst, d);
    case KERN_i32:
        if (!is_integer_in(d, INT32_MIN, INT32_MAX))
            return false;
        *(int32_t *)dst = (int32_t)d;
        return true;
    case KERN_u32:
        if (!is_integer_in(d, 0, UINT32_MAX))
            return false;
        *(uint32_t *)dst = (uint32_t)d;
        return true;
    case KERN_u8:
        if (!is_integer_in(d, 0, UINT8_MAX))
            return false;
        *(uint8_t *)dst = (uint8_t)d;
        return true;
    case KERN_u64: /* no operand has it, and a double could not hold it */
        break;
    }
    return false;
}

enum wire_status json_number(void *dst, enum kern_type type, const json_t *v)
{
    if (!json_is_number(v))
        return WIRE_BAD_FIELD;
    return to_type(dst, type, json_number_value(v)) ? WIRE_OK : WIRE_BAD_VALUE;
}

/* Fills from *dst on and moves it behind the last number. Recurses rank - 1 deep at most. */
static enum wire_status fill(uint8_t **dst, enum kern_type type, const json_t *v,
                             const struct json_dims *dims, unsigned level)
{
    if (!json_is_array(v) || json_array_size(v) != dims->size[level])
        return WIRE_SHAPE_MISMATCH;
    for (size_t i = 0; i < dims->size[level]; i++) {
        const json_t *element = json_array_get(v, i);
        enum wire_status status;
        if (level + 1 < dims->rank) {
            status = fill(dst, type, element, dims, level + 1);
        } else if (json_is_array(element)) {
            status = WIRE_SHAPE_MISMATCH;
        } else {
            status = json_number(*dst, type, element);
            *dst += kern_type_bytes(type);
        }
        if (status != WIRE_OK)
            return status;
    }
    return WIRE_OK;
}

enum wire_status json_array_fill(void *dst, enum kern_type type, const json_t *v,
                                 const struct json_dims *dims)
{
    uint8_t *cursor = dst;
    return fill(&cursor, type, v, dims, 0);
}
