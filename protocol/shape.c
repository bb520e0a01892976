/* The sizes of a job, from its header alone.
 *
 * Sizes saturate at SIZE_MAX instead of wrapping: a sum or product that does not fit stays at
 * SIZE_MAX through all that follows, and one look at the end finds it. So every formula below
 * reads as it stands in the protocol's description.
 *
 * Not here: whether the payload is as long as the shape says, and what lies in it.
 */
#include "config.h"

#include "shape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "kernels/kern.h"
#include "wire.h"

enum { ARG_COUNT = sizeof(((struct wire_request *)0)->arg) / sizeof(uint32_t) };

/* What a client may have got wrong, by family: the names that error answers use. */
static const struct family {
    const char *arg[ARG_COUNT];      /* NULL: unused, must be 0 */
    unsigned dim_count;              /* the first so many are dimensions, at least 1 */
    const char *operand[KERN_IN_MAX];
    const char *result;
} families[] = {
    [KERN_zip] = {{"n"}, 1, {"x", "y"}, "result"},
    [KERN_map] = {{"n"}, 1, {"x"}, "result"},
    [KERN_matmul] = {{"m", "n", "k", "lda", "ldb", "ldc", "alpha", "beta"},
                     3,
                     {"a", "b", "c"},
                     "c"},
    [KERN_conv2d] = {{"h", "w", "channels", "r", "s", "border", "rounding"},
                     5,
                     {"image", "kernel"},
                     "image"},
    [KERN_hash] = {{"count", "bytes", "bytes"}, 0, {"bytes", "offsets"}, "count"},
};

static size_t add_sat(size_t a, size_t b)
{
    return b > SIZE_MAX - a ? SIZE_MAX : a + b;
}

static size_t mul_sat(size_t a, size_t b)
{
    return a != 0 && b > SIZE_MAX / a ? SIZE_MAX : a * b;
}

static size_t pad_sat(size_t n)
{
    return n > SIZE_MAX - (WIRE_ALIGN - 1) ? SIZE_MAX : wire_pad(n);
}

/* Bytes of rows that lie `ld` elements apart: the last row ends with its last element, so the
 * matrix may be the tail of a larger one. */
static size_t matrix_bytes(uint32_t rows, uint32_t cols, uint32_t ld, enum kern_type type)
{
    size_t elements = add_sat(mul_sat((size_t)rows - 1, ld), cols);
    return mul_sat(elements, kern_type_bytes(type));
}

static enum wire_status refuse(enum wire_status status, const char **field, const char *name)
{
    *field = name;
    return status;
}

static enum wire_status check_common(const struct family *f, const struct wire_request *h,
                                     const char **field)
{
    static const char *const unused[ARG_COUNT] = {"arg0", "arg1", "arg2", "arg3",
                                                  "arg4", "arg5", "arg6", "arg7"};

    for (unsigned i = 0; i < f->dim_count; i++) {
        if (h->arg[i] == 0)
            return refuse(WIRE_BAD_SHAPE, field, f->arg[i]);
    }
    for (unsigned i = 0; i < ARG_COUNT; i++) {
        if (f->arg[i] == NULL && h->arg[i] != 0)
            return refuse(WIRE_BAD_RESERVED, field, unused[i]);
    }
    if (f != &families[KERN_matmul] && (h->flags & (WIRE_F_TRANS_A | WIRE_F_TRANS_B)) != 0)
        return refuse(WIRE_BAD_FLAGS, field, "flags");
    return WIRE_OK;
}

static enum wire_status shape_zip(struct shape *s, const struct wire_request *h)
{
    s->args.u.zip.n = h->arg[0];
    s->in_count = 2;
    s->in_bytes[0] = s->in_bytes[1] = mul_sat(h->arg[0], kern_type_bytes(s->info->in));
    s->out_bytes = mul_sat(h->arg[0], kern_type_bytes(s->info->out));
    return WIRE_OK;
}

static enum wire_status shape_map(struct shape *s, const struct wire_request *h)
{
    s->args.u.map.n = h->arg[0];
    s->in_count = 1;
    s->in_bytes[0] = mul_sat(h->arg[0], kern_type_bytes(s->info->in));
    s->out_bytes = mul_sat(h->arg[0], kern_type_bytes(s->info->out));
    return WIRE_OK;
}

/* alpha and beta, or zero points. Sets *has_c: beta asks for the third operand. */
static enum wire_status matmul_scalars(struct kern_matmul *p, const struct kern_op_info *info,
                                       const struct wire_request *h, bool *has_c,
                                       const char **field)
{
    uint32_t alpha = h->arg[6], beta = h->arg[7];

    if (info->in == KERN_u8) {
        if (alpha > UINT8_MAX)
            return refuse(WIRE_BAD_PARAMETER, field, "zero_a");
        if (beta > UINT8_MAX)
            return refuse(WIRE_BAD_PARAMETER, field, "zero_b");
    }
    if (info->in == KERN_f32) {
        memcpy(&p->alpha.f32, &alpha, sizeof(alpha));
        memcpy(&p->beta.f32, &beta, sizeof(beta));
        *has_c = (beta & 0x7fffffffu) != 0; /* -0 is a zero too; a NaN is not */
    } else {
        memcpy(&p->alpha.i32, &alpha, sizeof(alpha));
        memcpy(&p->beta.i32, &beta, sizeof(beta));
        *has_c = info->in == KERN_i32 && beta != 0;
    }
    return WIRE_OK;
}

/* A leading dimension of 0 means rows without gaps. */
static bool leading(uint32_t *ld, uint32_t given, uint32_t cols)
{
    *ld = given == 0 ? cols : given;
    return *ld >= cols;
}

static enum wire_status shape_matmul(struct shape *s, const struct wire_request *h,
                                     const char **field)
{
    struct kern_matmul *p = &s->args.u.matmul;

    p->m = h->arg[0];
    p->n = h->arg[1];
    p->k = h->arg[2];
    p->trans_a = (h->flags & WIRE_F_TRANS_A) != 0;
    p->trans_b = (h->flags & WIRE_F_TRANS_B) != 0;
    if (s->info->in == KERN_u8 && p->k > SHAPE_MATMUL_U8_K_MAX)
        return refuse(WIRE_BAD_SHAPE, field, "k");

    uint32_t a_rows = p->trans_a ? p->k : p->m, a_cols = p->trans_a ? p->m : p->k;
    uint32_t b_rows = p->trans_b ? p->n : p->k, b_cols = p->trans_b ? p->k : p->n;
    if (!leading(&p->lda, h->arg[3], a_cols))
        return refuse(WIRE_BAD_PARAMETER, field, "lda");
    if (!leading(&p->ldb, h->arg[4], b_cols))
        return refuse(WIRE_BAD_PARAMETER, field, "ldb");
    if (!leading(&p->ldc, h->arg[5], p->n))
        return refuse(WIRE_BAD_PARAMETER, field, "ldc");

    bool has_c = false;
    enum wire_status status = matmul_scalars(p, s->info, h, &has_c, field);
    if (status != WIRE_OK)
        return status;

    s->in_bytes[0] = matrix_bytes(a_rows, a_cols, p->lda, s->info->in);
    s->in_bytes[1] = matrix_bytes(b_rows, b_cols, p->ldb, s->info->in);
    s->out_bytes = matrix_bytes(p->m, p->n, p->ldc, s->info->out);
    s->in_count = 2;
    if (has_c)
        s->in_bytes[s->in_count++] = s->out_bytes;
    return WIRE_OK;
}

static enum wire_status shape_conv2d(struct shape *s, const struct wire_request *h,
                                     const char **field)
{
    struct kern_conv2d *p = &s->args.u.conv2d;
    uint32_t border = h->arg[5], rounding = h->arg[6];

    p->h = h->arg[0];
    p->w = h->arg[1];
    p->channels = h->arg[2];
    p->r = h->arg[3];
    p->s = h->arg[4];
    if (p->channels != 1 && p->channels != 3 && p->channels != 4)
        return refuse(WIRE_BAD_SHAPE, field, "channels");
    if (p->r % 2 == 0 || p->r > SHAPE_CONV2D_KERNEL_MAX)
        return refuse(WIRE_BAD_SHAPE, field, "r");
    if (p->s % 2 == 0 || p->s > SHAPE_CONV2D_KERNEL_MAX)
        return refuse(WIRE_BAD_SHAPE, field, "s");
    if (border >= KERN_BORDER_COUNT)
        return refuse(WIRE_BAD_PARAMETER, field, "border");
    if (s->info->in != KERN_u8 && rounding != 0)
        return refuse(WIRE_BAD_RESERVED, field, "rounding");
    if (rounding >= KERN_ROUND_COUNT)
        return refuse(WIRE_BAD_PARAMETER, field, "rounding");
    p->border = (enum kern_border)border;
    p->rounding = (enum kern_rounding)rounding;

    /* the kernel of an image of bytes is f32, which is as wide as i32 */
    enum kern_type kernel_type = s->info->in == KERN_u8 ? KERN_f32 : s->info->in;
    size_t elements = mul_sat(mul_sat(p->h, p->w), p->channels);
    s->in_count = 2;
    s->in_bytes[0] = mul_sat(elements, kern_type_bytes(s->info->in));
    s->in_bytes[1] = mul_sat(mul_sat(p->r, p->s), kern_type_bytes(kernel_type));
    s->out_bytes = mul_sat(elements, kern_type_bytes(s->info->out));
    return WIRE_OK;
}

static enum wire_status shape_hash(struct shape *s, const struct wire_request *h,
                                   const char **field)
{
    size_t offset_bytes = sizeof(uint64_t);
    uint64_t bytes = (uint64_t)h->arg[2] << 32 | h->arg[1];

    if (bytes > SIZE_MAX)
        return refuse(WIRE_SIZE_OVERFLOW, field, "bytes");
    if (h->arg[0] > WIRE_MESSAGES_MAX)
        return refuse(WIRE_BAD_SHAPE, field, "count");
    s->args.u.hash.n_bytes = (size_t)bytes;
    s->args.u.hash.count = h->arg[0] == 0 ? 1 : h->arg[0];
    s->in_count = 1;
    s->in_bytes[0] = (size_t)bytes;
    if (h->arg[0] != 0)
        s->in_bytes[s->in_count++] = mul_sat(add_sat(h->arg[0], 1), offset_bytes);
    s->out_bytes = mul_sat(s->args.u.hash.count, kern_type_bytes(s->info->out));
    return WIRE_OK;
}

static enum wire_status shape_family(struct shape *s, const struct wire_request *h,
                                     const char **field)
{
    switch (s->info->family) {
    case KERN_zip:
        return shape_zip(s, h);
    case KERN_map:
        return shape_map(s, h);
    case KERN_matmul:
        return shape_matmul(s, h, field);
    case KERN_conv2d:
        return shape_conv2d(s, h, field);
    case KERN_hash:
        return shape_hash(s, h, field);
    }
    return refuse(WIRE_BAD_OP, field, "op");
}

/* Adds up; finds what saturated on the way. */
static enum wire_status sum_sizes(struct shape *s, const struct family *f, size_t max_bytes,
                                  const char **field)
{
    s->inline_bytes = 0;
    for (unsigned i = 0; i < s->in_count; i++) {
        size_t padded = pad_sat(s->in_bytes[i]);
        if (padded == SIZE_MAX)
            return refuse(WIRE_SIZE_OVERFLOW, field, f->operand[i]);
        s->inline_bytes = add_sat(s->inline_bytes, padded);
    }
    size_t padded = pad_sat(s->out_bytes);
    if (padded == SIZE_MAX)
        return refuse(WIRE_SIZE_OVERFLOW, field, f->result);
    s->total_bytes = add_sat(s->inline_bytes, padded);
    if (s->total_bytes == SIZE_MAX)
        return refuse(WIRE_SIZE_OVERFLOW, field, NULL);
    if (s->total_bytes > max_bytes)
        return refuse(WIRE_TOO_BIG, field, NULL);
    return WIRE_OK;
}

enum wire_status shape_check(struct shape *out, const struct wire_request *h, size_t max_bytes,
                             const char **field)
{
    memset(out, 0, sizeof(*out));
    out->info = kern_op_info(h->op);
    if (out->info == NULL)
        return refuse(WIRE_BAD_OP, field, "op");

    const struct family *f = &families[out->info->family];
    enum wire_status status = check_common(f, h, field);
    if (status == WIRE_OK)
        status = shape_family(out, h, field);
    if (status == WIRE_OK)
        status = sum_sizes(out, f, max_bytes, field);
    return status;
}

enum wire_status shape_array(const struct wire_array *a, size_t *bytes, unsigned *dim)
{
    *dim = WIRE_RANK_MAX;
    if (a->type > KERN_u64)
        return WIRE_BAD_PARAMETER;
    if (a->rank < 1 || a->rank > WIRE_RANK_MAX)
        return WIRE_BAD_SHAPE;
    size_t product = kern_type_bytes((enum kern_type)a->type);
    for (unsigned i = 0; i < WIRE_RANK_MAX; i++) {
        bool used = i < a->rank;
        if (used != (a->dim[i] != 0)) {
            *dim = i;
            return used ? WIRE_BAD_SHAPE : WIRE_BAD_RESERVED;
        }
        if (used)
            product = mul_sat(product, a->dim[i]);
    }
    if (pad_sat(product) == SIZE_MAX)
        return WIRE_SIZE_OVERFLOW;
    *bytes = product;
    return WIRE_OK;
}
