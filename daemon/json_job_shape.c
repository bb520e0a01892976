/* Members -> dimensions and operands, one describe function for each family of ops.
 *
 * A dimension may be told by a member of its own, by the nesting of an array, or by both, which
 * then must agree. Elements are looked at only after shape_check() has judged the sizes.
 */
#include "config.h"

#include "json_job_priv.h"

#include <string.h>

#include "base64.h"
#include "json_array.h"

static enum wire_status take_operand(struct json_parse *p, unsigned i, const char *name,
                                     enum kern_type type)
{
    const json_t *v = json_object_get(p->root, name);
    enum wire_status status = json_array_dims(&p->operand[i].dims, v);

    if (status != WIRE_OK)
        return json_parse_refuse(p, status, name);
    p->operand[i].name = name;
    p->operand[i].value = v;
    p->operand[i].type = type;
    return WIRE_OK;
}

/* A dimension that several members tell: they must agree. */
static enum wire_status agree(struct json_parse *p, uint32_t *dim, size_t size, const char *name)
{
    if (size > UINT32_MAX)
        return json_parse_refuse(p, WIRE_BAD_SHAPE, name);
    if (*dim != 0 && *dim != size)
        return json_parse_refuse(p, WIRE_SHAPE_MISMATCH, name);
    *dim = (uint32_t)size;
    return WIRE_OK;
}

/* A flat operand says nothing about rows and columns; it has to hold all of them. */
static enum wire_status check_flat(struct json_parse *p, unsigned i, uint64_t rows, uint64_t cols,
                                   uint32_t planes)
{
    const struct json_dims *d = &p->operand[i].dims;

    if (d->rank != 1)
        return WIRE_OK;
    if (d->size[0] % planes != 0 || d->size[0] / planes != rows * cols)
        return json_parse_refuse(p, WIRE_SHAPE_MISMATCH, p->operand[i].name);
    return WIRE_OK;
}

static enum wire_status describe_vectors(struct json_parse *p, unsigned count)
{
    static const char *const names[] = {"x", "y"};

    for (unsigned i = 0; i < count; i++) {
        enum wire_status status = take_operand(p, i, names[i], p->info->in);
        if (status == WIRE_OK && p->operand[i].dims.rank != 1)
            status = json_parse_refuse(p, WIRE_SHAPE_MISMATCH, names[i]);
        if (status == WIRE_OK)
            status = agree(p, &p->out->header.arg[0], p->operand[i].dims.size[0], names[i]);
        if (status != WIRE_OK)
            return status;
    }
    return WIRE_OK;
}

static enum wire_status take_matrix(struct json_parse *p, unsigned i, const char *name,
                                    enum kern_type type, uint32_t *rows, uint32_t *cols)
{
    enum wire_status status = take_operand(p, i, name, type);
    const struct json_dims *d = &p->operand[i].dims;

    if (status != WIRE_OK || d->rank == 1)
        return status;
    if (d->rank != 2)
        return json_parse_refuse(p, WIRE_SHAPE_MISMATCH, name);
    status = agree(p, rows, d->size[0], name);
    return status == WIRE_OK ? agree(p, cols, d->size[1], name) : status;
}

/* alpha, beta or zero points into arg[6] and arg[7]. */
static enum wire_status take_scalars(struct json_parse *p, bool *has_c)
{
    uint32_t *arg = p->out->header.arg;
    enum wire_status status;

    if (p->info->in == KERN_u8) {
        status = json_parse_number(p, &arg[6], KERN_u32, "zero_a");
        return status == WIRE_OK ? json_parse_number(p, &arg[7], KERN_u32, "zero_b") : status;
    }
    union { /* the same 32 bits, as the op reads them */
        float f32;
        int32_t i32;
        uint32_t bits;
    } alpha, beta = {.bits = 0};
    if (p->info->in == KERN_f32)
        alpha.f32 = 1;
    else
        alpha.i32 = 1;
    status = json_parse_number(p, &alpha, p->info->in, "alpha");
    if (status == WIRE_OK)
        status = json_parse_number(p, &beta, p->info->in, "beta");
    arg[6] = alpha.bits;
    arg[7] = beta.bits;
    *has_c = p->info->in == KERN_f32 ? beta.f32 != 0 : beta.i32 != 0;
    return status;
}

/* Dimensions that have members of their own, into arg[0] on. */
static enum wire_status take_dims(struct json_parse *p, const char *const *names, unsigned count)
{
    enum wire_status status = WIRE_OK;

    for (unsigned i = 0; i < count && status == WIRE_OK; i++)
        status = json_parse_dim(p, &p->out->header.arg[i], names[i]);
    return status;
}

/* Flat operands tell no dimensions, so a member has to. */
static enum wire_status check_dims_known(struct json_parse *p, const char *const *names,
                                         unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (p->out->header.arg[i] == 0)
            return json_parse_refuse(p, WIRE_BAD_FIELD, names[i]);
    }
    return WIRE_OK;
}

static enum wire_status take_matrices(struct json_parse *p, bool has_c)
{
    uint32_t *m = &p->out->header.arg[0], *n = &p->out->header.arg[1], *k = &p->out->header.arg[2];
    bool trans_a = (p->out->header.flags & WIRE_F_TRANS_A) != 0;
    bool trans_b = (p->out->header.flags & WIRE_F_TRANS_B) != 0;
    enum kern_type type = p->info->in;

    enum wire_status status = take_matrix(p, 0, "a", type, trans_a ? k : m, trans_a ? m : k);
    if (status == WIRE_OK)
        status = take_matrix(p, 1, "b", type, trans_b ? n : k, trans_b ? k : n);
    if (status == WIRE_OK && has_c)
        status = take_matrix(p, 2, "c", type, m, n);
    if (status == WIRE_OK && !has_c && json_object_get(p->root, "c") != NULL)
        status = json_parse_refuse(p, WIRE_BAD_FIELD, "c"); /* without beta nobody would read it */
    return status;
}

static enum wire_status describe_matmul(struct json_parse *p)
{
    static const char *const dims[] = {"m", "n", "k"};
    const uint32_t *arg = p->out->header.arg;
    bool has_c = false;

    enum wire_status status = take_dims(p, dims, 3);
    if (status == WIRE_OK)
        status = json_parse_flag(p, WIRE_F_TRANS_A, "trans_a");
    if (status == WIRE_OK)
        status = json_parse_flag(p, WIRE_F_TRANS_B, "trans_b");
    if (status == WIRE_OK)
        status = take_scalars(p, &has_c);
    if (status == WIRE_OK)
        status = take_matrices(p, has_c);
    if (status == WIRE_OK)
        status = check_dims_known(p, dims, 3);
    if (status == WIRE_OK)
        status = check_flat(p, 0, arg[0], arg[2], 1);
    if (status == WIRE_OK)
        status = check_flat(p, 1, arg[2], arg[1], 1);
    if (status == WIRE_OK && has_c)
        status = check_flat(p, 2, arg[0], arg[1], 1);
    return status;
}

static enum wire_status take_image(struct json_parse *p)
{
    uint32_t *arg = p->out->header.arg;
    const struct json_dims *d = &p->operand[0].dims;
    enum wire_status status = take_operand(p, 0, "image", p->info->in);

    if (status == WIRE_OK && d->rank > 3)
        status = json_parse_refuse(p, WIRE_SHAPE_MISMATCH, "image");
    if (status == WIRE_OK && d->rank > 1) {
        status = agree(p, &arg[0], d->size[0], "image");
        if (status == WIRE_OK)
            status = agree(p, &arg[1], d->size[1], "image");
        if (status == WIRE_OK)
            status = agree(p, &arg[2], d->rank == 3 ? d->size[2] : 1, "image");
    }
    if (arg[2] == 0)
        arg[2] = 1;
    return status;
}

static enum wire_status describe_conv2d(struct json_parse *p)
{
    static const char *const dims[] = {"h", "w", "channels", "r", "s"};
    static const char *const borders[] = {"keep", "zero", "replicate", "reflect101", NULL};
    static const char *const roundings[] = {"nearest", "truncate", NULL};
    enum kern_type kernel_type = p->info->in == KERN_u8 ? KERN_f32 : p->info->in;
    uint32_t *arg = p->out->header.arg;

    enum wire_status status = take_dims(p, dims, 5);
    if (status == WIRE_OK)
        status = json_parse_word(p, &arg[5], borders, "border", WIRE_BAD_PARAMETER);
    if (status == WIRE_OK)
        status = json_parse_word(p, &arg[6], roundings, "rounding", WIRE_BAD_PARAMETER);
    if (status == WIRE_OK)
        status = take_image(p);
    if (status == WIRE_OK)
        status = take_matrix(p, 1, "kernel", kernel_type, &arg[3], &arg[4]);
    if (status == WIRE_OK)
        status = check_dims_known(p, dims, 5);
    if (status == WIRE_OK)
        status = check_flat(p, 0, arg[0], arg[1], arg[2]);
    if (status == WIRE_OK)
        status = check_flat(p, 1, arg[3], arg[4], 1);
    return status;
}

/* Bytes of one of the three forms; *name tells which, exactly one of them must be there. */
static enum wire_status measure_hash(struct json_parse *p, const char **name, size_t *bytes,
                                     size_t *count)
{
    static const char *const forms[] = {"text", "base64", "messages"};
    const json_t *v = NULL;

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        const json_t *found = json_object_get(p->root, forms[i]);
        if (found != NULL && v != NULL)
            return json_parse_refuse(p, WIRE_BAD_FIELD, forms[i]);
        if (found != NULL) {
            v = found;
            *name = forms[i];
        }
    }
    if (v == NULL)
        return json_parse_refuse(p, WIRE_BAD_FIELD, forms[0]);
    *bytes = *count = 0;
    if (*name != forms[2]) {
        if (!json_is_string(v))
            return json_parse_refuse(p, WIRE_BAD_FIELD, *name);
        *bytes = json_string_length(v);
        if (*name == forms[1] && base64_bytes(bytes, json_string_value(v), *bytes) < 0)
            return json_parse_refuse(p, WIRE_BAD_VALUE, *name);
        return WIRE_OK;
    }
    if (!json_is_array(v))
        return json_parse_refuse(p, WIRE_BAD_FIELD, *name);
    *count = json_array_size(v);
    for (size_t i = 0; i < *count; i++) {
        const json_t *message = json_array_get(v, i);
        if (!json_is_string(message))
            return json_parse_refuse(p, WIRE_BAD_FIELD, *name);
        *bytes += json_string_length(message); /* bounded by the line */
    }
    return *count == 0 ? json_parse_refuse(p, WIRE_BAD_SHAPE, *name) : WIRE_OK;
}

static enum wire_status describe_hash(struct json_parse *p)
{
    const char *name = NULL;
    size_t bytes = 0, count = 0;
    enum wire_status status = measure_hash(p, &name, &bytes, &count);

    if (status != WIRE_OK)
        return status;
    if (count > UINT32_MAX)
        return json_parse_refuse(p, WIRE_BAD_SHAPE, name);
    p->out->header.arg[0] = (uint32_t)count;
    p->out->header.arg[1] = (uint32_t)bytes;
    p->out->header.arg[2] = (uint32_t)((uint64_t)bytes >> 32);
    p->operand[0].name = name;
    p->operand[0].value = json_object_get(p->root, name);
    return WIRE_OK;
}

static enum wire_status fill_hash(struct json_parse *p, uint8_t *dst)
{
    const json_t *v = p->operand[0].value;
    size_t end = 0, offset = 0;

    if (strcmp(p->operand[0].name, "base64") == 0) {
        if (base64_decode(dst, json_string_value(v), json_string_length(v)) < 0)
            return json_parse_refuse(p, WIRE_BAD_VALUE, "base64");
        return WIRE_OK;
    }
    if (json_is_string(v)) {
        memcpy(dst, json_string_value(v), json_string_length(v));
        return WIRE_OK;
    }
    uint8_t *offsets = dst + wire_pad(p->out->shape.in_bytes[0]);
    for (size_t i = 0;; i++) {
        uint64_t offset_u64 = offset;
        memcpy(offsets + i * sizeof(offset_u64), &offset_u64, sizeof(offset_u64));
        if (i == json_array_size(v))
            return WIRE_OK;
        const json_t *message = json_array_get(v, i);
        end = offset + json_string_length(message);
        memcpy(dst + offset, json_string_value(message), end - offset);
        offset = end;
    }
}

enum wire_status json_parse_fill_operand(struct json_parse *p, unsigned i, uint8_t **dst,
                                         size_t bytes)
{
    memset(*dst + bytes, 0, wire_pad(bytes) - bytes);
    enum wire_status status =
        json_array_fill(*dst, p->operand[i].type, p->operand[i].value, &p->operand[i].dims);
    *dst += wire_pad(bytes);
    return status == WIRE_OK ? WIRE_OK : json_parse_refuse(p, status, p->operand[i].name);
}

enum wire_status json_parse_fill(struct json_parse *p, uint8_t *dst)
{
    const struct shape *shape = &p->out->shape;
    uint8_t *start = dst;
    enum wire_status status = WIRE_OK;

    for (unsigned i = 0; i < shape->in_count && status == WIRE_OK; i++) {
        size_t bytes = shape->in_bytes[i];
        if (p->info->family != KERN_hash) {
            status = json_parse_fill_operand(p, i, &dst, bytes);
            continue;
        }
        memset(dst + bytes, 0, wire_pad(bytes) - bytes);
        dst += wire_pad(bytes);
    }
    return status == WIRE_OK && p->info->family == KERN_hash ? fill_hash(p, start) : status;
}

enum wire_status json_parse_describe(struct json_parse *p)
{
    switch (p->info->family) {
    case KERN_zip:
        return describe_vectors(p, 2);
    case KERN_map:
        return describe_vectors(p, 1);
    case KERN_matmul:
        return describe_matmul(p);
    case KERN_conv2d:
        return describe_conv2d(p);
    case KERN_hash:
        return describe_hash(p);
    }
    return json_parse_refuse(p, WIRE_BAD_OP, "op");
}

