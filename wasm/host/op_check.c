/* What a module hands to one of the daemon's ops, looked at before it is believed.
 *
 * Sizes are counted in 64 bits. One that cannot lie in a window becomes WINDOW_BYTES + 1 and stays
 * above WINDOW_BYTES through all that follows.
 */
#include "config.h"

#include "op_check.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "reason.h"

enum {
    U8_K_MAX = 33000,   /* beyond it a sum of products may not fit i32 */
    CONV2D_SIDE_MAX = 1023
};

static const uint64_t TOO_MUCH = WINDOW_BYTES + 1;

static uint64_t times(uint64_t a, uint64_t b)
{
    return a != 0 && b > WINDOW_BYTES / a ? TOO_MUCH : a * b;
}

static int bad(char *reason, const char *what)
{
    reason_format(reason, "%s", what);
    return -EINVAL;
}

/* ---- shapes, family by family ---- */

static uint64_t matrix_bytes(uint32_t rows, uint32_t cols, uint32_t ld, enum kern_type type)
{
    /* below 2^64: (2^32 - 1)^2 + 2^32 */
    uint64_t elements = (uint64_t)(rows - 1) * ld + cols;
    return times(elements, kern_type_bytes(type));
}

/* A leading dimension of 0 means rows without gaps. */
static bool leading(uint32_t *ld, uint32_t given, uint32_t cols)
{
    *ld = given == 0 ? cols : given;
    return *ld >= cols;
}

static int scalars(struct kern_matmul *p, const struct kern_op_info *info,
                   const struct guest_matmul *g, bool *has_c, char *reason)
{
    memcpy(&p->alpha, &g->alpha, sizeof g->alpha);
    memcpy(&p->beta, &g->beta, sizeof g->beta);
    if (info->in == KERN_u8 && (g->alpha > UINT8_MAX || g->beta > UINT8_MAX))
        return bad(reason, "a zero point is over 255");
    if (info->in == KERN_f32)
        *has_c = (g->beta & 0x7fffffffu) != 0; /* -0 is a zero too; a NaN is not */
    else
        *has_c = info->in == KERN_i32 && g->beta != 0;
    return 0;
}

static int shape_matmul(struct op_operands *o, const struct kern_op_info *info,
                        const struct guest_matmul *g, char *reason)
{
    struct kern_matmul *p = &o->args.u.matmul;
    bool has_c = false;

    p->m = g->m;
    p->n = g->n;
    p->k = g->k;
    p->trans_a = g->trans_a != 0;
    p->trans_b = g->trans_b != 0;
    if (p->m == 0 || p->n == 0 || p->k == 0)
        return bad(reason, "m, n or k is 0");
    if (info->in == KERN_u8 && p->k > U8_K_MAX)
        return bad(reason, "k is over 33000");
    if (!leading(&p->lda, g->lda, p->trans_a ? p->m : p->k))
        return bad(reason, "lda is less than a row");
    if (!leading(&p->ldb, g->ldb, p->trans_b ? p->k : p->n))
        return bad(reason, "ldb is less than a row");
    if (!leading(&p->ldc, g->ldc, p->n))
        return bad(reason, "ldc is less than a row");
    int err = scalars(p, info, g, &has_c, reason);
    if (err < 0)
        return err;
    o->in_bytes[0] =
        matrix_bytes(p->trans_a ? p->k : p->m, p->trans_a ? p->m : p->k, p->lda, info->in);
    o->in_bytes[1] =
        matrix_bytes(p->trans_b ? p->n : p->k, p->trans_b ? p->k : p->n, p->ldb, info->in);
    o->out_bytes = matrix_bytes(p->m, p->n, p->ldc, info->out);
    o->in_count = 2;
    if (has_c)
        o->in_bytes[o->in_count++] = o->out_bytes;
    return 0;
}

static int shape_conv2d(struct op_operands *o, const struct kern_op_info *info,
                        const struct guest_conv2d *g, char *reason)
{
    struct kern_conv2d *p = &o->args.u.conv2d;

    if (g->h == 0 || g->w == 0)
        return bad(reason, "h or w is 0");
    if (g->channels != 1 && g->channels != 3 && g->channels != 4)
        return bad(reason, "channels is not 1, 3 or 4");
    if (g->r % 2 == 0 || g->r > CONV2D_SIDE_MAX || g->s % 2 == 0 || g->s > CONV2D_SIDE_MAX)
        return bad(reason, "r or s is even or over 1023");
    if (g->border >= KERN_BORDER_COUNT)
        return bad(reason, "no such border");
    if (g->rounding >= KERN_ROUND_COUNT || (info->in != KERN_u8 && g->rounding != 0))
        return bad(reason, "no such rounding");
    p->h = g->h;
    p->w = g->w;
    p->channels = g->channels;
    p->r = g->r;
    p->s = g->s;
    p->border = (enum kern_border)g->border;
    p->rounding = (enum kern_rounding)g->rounding;

    enum kern_type kernel = info->in == KERN_u8 ? KERN_f32 : info->in;
    uint64_t elements = times(times(p->h, p->w), p->channels);
    o->in_count = 2;
    o->in_bytes[0] = times(elements, kern_type_bytes(info->in));
    o->in_bytes[1] = times((uint64_t)p->r * p->s, kern_type_bytes(kernel));
    o->out_bytes = times(elements, kern_type_bytes(info->out));
    return 0;
}

static int shape_hash(struct op_operands *o, const struct guest_op *g, char *reason)
{
    o->args.u.hash.n_bytes = g->n;
    o->args.u.hash.count = g->count;
    o->in_count = 1;
    o->in_bytes[0] = g->n;
    if (g->in[1] != 0)
        o->in_bytes[o->in_count++] = ((uint64_t)g->count + 1) * sizeof(uint64_t);
    else if (g->count != 1)
        return bad(reason, "several messages need offsets");
    o->out_bytes = (uint64_t)g->count * sizeof(uint64_t);
    return 0;
}

static int shape(struct op_operands *o, const struct kern_op_info *info, const struct guest_op *g,
                 char *reason)
{
    switch (info->family) {
    case KERN_matmul:
        return shape_matmul(o, info, &g->u.matmul, reason);
    case KERN_conv2d:
        return shape_conv2d(o, info, &g->u.conv2d, reason);
    case KERN_hash:
        return shape_hash(o, g, reason);
    case KERN_zip:
    case KERN_map:
        break;
    }
    o->in_count = info->family == KERN_zip ? 2 : 1;
    if (info->family == KERN_zip)
        o->args.u.zip.n = g->n;
    else
        o->args.u.map.n = g->n;
    o->in_bytes[0] = o->in_bytes[1] = times(g->n, kern_type_bytes(info->in));
    o->out_bytes = times(g->n, kern_type_bytes(info->out));
    return 0;
}

/* ---- places ---- */

/* Every operand's elements, but for those that are not the op's own type. */
static size_t in_align(const struct kern_op_info *info, size_t i)
{
    if (i == 1 && info->family == KERN_conv2d)
        return sizeof(float);
    if (i == 1 && info->family == KERN_hash)
        return sizeof(uint64_t);
    return kern_type_bytes(i == 2 ? info->out : info->in);
}

static bool meet(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
    return a_bytes != 0 && b_bytes != 0 && a < b + b_bytes && b < a + a_bytes;
}

static int place_one(char *reason, const char *what, uint32_t at, uint64_t bytes, size_t align,
                     const struct window *w)
{
    if (at % align != 0) {
        reason_format(reason, "%s is not aligned to its elements", what);
        return -EINVAL;
    }
    if (!window_holds(w, at, bytes)) {
        reason_format(reason, "%s lies outside the window", what);
        return -EINVAL;
    }
    return 0;
}

static int place(struct op_operands *o, const struct kern_op_info *info, const struct guest_op *g,
                 const struct window *w, char *reason)
{
    static const char *const names[KERN_IN_MAX] = {"operand 0", "operand 1", "operand 2"};
    bool in_place = info->family == KERN_zip || info->family == KERN_map;
    int err = 0;

    for (size_t i = 0; i < o->in_count && err == 0; i++) {
        err = place_one(reason, names[i], g->in[i], o->in_bytes[i], in_align(info, i), w);
        o->args.in[i] = window_base(w) + g->in[i];
    }
    if (err == 0)
        err = place_one(reason, "the result", g->out, o->out_bytes, kern_type_bytes(info->out), w);
    o->args.out = window_base(w) + g->out;
    for (size_t i = 0; i < o->in_count && err == 0; i++) {
        if (!(in_place && g->in[i] == g->out) &&
            meet(g->in[i], o->in_bytes[i], g->out, o->out_bytes)) {
            reason_format(reason, "the result overlaps %s", names[i]);
            err = -EINVAL;
        }
    }
    return err;
}

int op_check(struct op_operands *out, enum kern_op op, const struct guest_op *g,
             const struct window *w, char reason[static HOST_REASON_BYTES])
{
    const struct kern_op_info *info = kern_op_info(op);

    *out = (struct op_operands){.in_count = 0};
    int err = shape(out, info, g, reason);
    return err < 0 ? err : place(out, info, g, w, reason);
}

bool op_offsets_rise(const uint64_t *offsets, size_t count, size_t n_bytes)
{
    for (size_t i = 0; i < count; i++) {
        if (offsets[i] > offsets[i + 1])
            return false;
    }
    return offsets[count] <= n_bytes;
}
