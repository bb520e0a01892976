/* simdctl conv2d: filters for images and arrays. */
#include "config.h"

#include "cmd.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPT_BLUR = CTL_OPTION + 1,
    OPT_SIGMA,
    OPT_BOX,
    OPT_SHARPEN,
    OPT_EDGE,
    OPT_EMBOSS,
    OPT_BORDER,
    OPT_ROUNDING,
    OPT_ALPHA
};
enum { NAMED_MAX = 255 }; /* columns of a named kernel */

struct conv2d_options {
    struct cmd_io io;
    int named; /* OPT_BLUR, ...; 0: a file */
    unsigned size;
    double sigma; /* 0: from the size */
    int border, rounding;
    int alpha; /* 0: filter it too; 1: keep the image's; -1: not said */
};

static const float sharpen[9] = {0, -1, 0, -1, 5, -1, 0, -1, 0};
static const float edge[9] = {-1, -1, -1, -1, 8, -1, -1, -1, -1};
static const float emboss[9] = {-2, -1, 0, -1, 1, 1, 0, 1, 2};

/* The product of two normalised bells (or bars, for sigma infinite), so that it sums to 1. */
static void fill_smooth(float *kernel, unsigned n, double sigma)
{
    double weight[NAMED_MAX], sum = 0;
    for (unsigned i = 0; i < n; i++) {
        double x = (double)i - (double)(n / 2);
        weight[i] = isinf(sigma) ? 1 : exp(-x * x / (2 * sigma * sigma));
        sum += weight[i];
    }
    for (unsigned i = 0; i < n; i++)
        for (unsigned j = 0; j < n; j++)
            kernel[i * n + j] = (float)(weight[i] * weight[j] / (sum * sum));
}

/* A kernel by name, as [n,n] of the type that the image needs. */
static int named_kernel(struct ctl *c, const struct conv2d_options *o, enum tensor_type image,
                        struct tensor *k)
{
    unsigned n = o->size;
    k->shape = (struct tensor_shape){
        .type = image == TENSOR_I32 ? TENSOR_I32 : TENSOR_F32, .dim_count = 2, .dim = {n, n}};
    (void)tensor_measure(k);
    int code = load_alloc(c, k);
    if (code != EX_OK)
        return code;
    float *f = k->data;
    if (o->named == OPT_BLUR || o->named == OPT_BOX) {
        if (image == TENSOR_I32)
            return ctl_fail(EX_DATAERR, "an i32 image needs a kernel of whole numbers: --sharpen, "
                                        "--edge, --emboss or a .npy file of int32");
        /* The usual bell for a size: as wide as leaves little outside. */
        double sigma = o->sigma > 0 ? o->sigma : 0.3 * (((double)n - 1) * 0.5 - 1) + 0.8;
        fill_smooth(f, n, o->named == OPT_BLUR ? sigma : (double)INFINITY);
        return EX_OK;
    }
    const float *from = o->named == OPT_SHARPEN ? sharpen : o->named == OPT_EDGE ? edge : emboss;
    memcpy(f, from, sizeof(sharpen));
    int32_t *whole = k->data;
    for (unsigned i = 0; i < 9 && image == TENSOR_I32; i++)
        whole[i] = (int32_t)from[i];
    return EX_OK;
}

/* The image's dimensions into the job; complains of what is no image. */
static int image_dims(const char *name, const struct tensor *t, struct simdd_conv2d *p)
{
    const struct tensor_shape *s = &t->shape;
    size_t channels = s->dim_count == 3 ? s->dim[2] : 1;
    char dims[64];
    if (s->type > TENSOR_U8)
        return ctl_fail(EX_DATAERR, "%s: it is %s; images are u8, f32 or i32", name,
                        tensor_type_name(s->type));
    if (s->fortran)
        return ctl_fail(EX_DATAERR, "%s: it is in Fortran order; save it in C order", name);
    if ((s->dim_count != 2 && s->dim_count != 3) ||
        (channels != 1 && channels != 3 && channels != 4) || s->dim[0] > UINT32_MAX ||
        s->dim[1] > UINT32_MAX)
        return ctl_fail(EX_DATAERR,
                        "%s: its shape %s is none of height x width and height x width x 1, 3 or 4 "
                        "channels",
                        name, tensor_print_dims(dims, sizeof(dims), s));
    p->h = (uint32_t)s->dim[0];
    p->w = (uint32_t)s->dim[1];
    p->channels = (uint32_t)channels;
    return EX_OK;
}

static int kernel_dims(const char *name, const struct tensor *k, enum tensor_type image,
                       struct simdd_conv2d *p)
{
    enum tensor_type want = image == TENSOR_I32 ? TENSOR_I32 : TENSOR_F32;
    char dims[64];
    if (k->shape.type != want)
        return ctl_fail(EX_DATAERR, "%s: it is %s; an image of %s needs a kernel of %s", name,
                        tensor_type_name(k->shape.type), tensor_type_name(image),
                        tensor_type_name(want));
    if (k->shape.dim_count != 2 || k->shape.dim[0] % 2 == 0 || k->shape.dim[1] % 2 == 0 ||
        k->shape.dim[0] > 1023 || k->shape.dim[1] > 1023 || k->shape.fortran)
        return ctl_fail(EX_DATAERR,
                        "%s: a kernel is rows x columns in C order, both odd and at most 1023; "
                        "this one is %s%s",
                        name, tensor_print_dims(dims, sizeof(dims), &k->shape),
                        k->shape.fortran ? " in Fortran order" : "");
    p->r = (uint32_t)k->shape.dim[0];
    p->s = (uint32_t)k->shape.dim[1];
    return EX_OK;
}

/* Puts the image's own alpha back over the filtered one. */
static void restore_alpha(void *user, struct tensor *out)
{
    const struct tensor *image = user;
    const uint8_t *from = image->data;
    uint8_t *to = out->data;
    for (size_t i = 3; i < out->count; i += 4)
        to[i] = from[i];
}

struct conv2d_files {
    struct tensor image, kernel, out;
};

static int filter(struct ctl *c, struct conv2d_options *o, char **names, struct conv2d_files *f)
{
    static const uint32_t ops[3] = {SIMDD_CONV2D_F32, SIMDD_CONV2D_I32, SIMDD_CONV2D_U8};
    enum load_format format;
    struct simdd_conv2d p = {.border = (enum simdd_border)o->border};
    int code = ctl_connect(c);
    if (code == EX_OK)
        code = load_file(c, &f->image, names[0], &o->io.raw, &format);
    if (code == EX_OK)
        code = image_dims(names[0], &f->image, &p);
    if (code != EX_OK)
        return code;
    enum tensor_type type = f->image.shape.type;
    code = o->named != 0 ? named_kernel(c, o, type, &f->kernel)
                         : load_file(c, &f->kernel, names[1], NULL, NULL);
    if (code == EX_OK)
        code = kernel_dims(o->named != 0 ? "the kernel" : names[1], &f->kernel, type, &p);
    if (code != EX_OK)
        return code;
    if (o->rounding != 0 && type != TENSOR_U8)
        return ctl_usage("--rounding goes with images of u8 only");
    p.rounding = (enum simdd_rounding)o->rounding;

    struct simdd_job job;
    simdd_job_conv2d(&job, ops[type], p.h, p.w, p.channels, f->image.data, p.r, p.s,
                     f->kernel.data, NULL);
    job.u.conv2d = p;
    f->out.shape = f->image.shape;
    bool keep = type == TENSOR_U8 && p.channels == 4 &&
                (o->alpha == 1 || (o->alpha == -1 && format == LOAD_PNG));
    return cmd_run(c, names[0], &o->io, format, &job, &f->out, keep ? restore_alpha : NULL,
                   &f->image);
}

static int take_kernel(struct conv2d_options *o, int val, const char *value)
{
    if (o->named != 0)
        return ctl_usage("more than one kernel is given");
    o->named = val;
    o->size = 3;
    uint64_t size = 3;
    if (value != NULL && (!ctl_parse_u64(value, NAMED_MAX, &size) || size % 2 == 0))
        return ctl_usage("--%s: '%s' is not an odd number up to %d",
                         val == OPT_BLUR ? "blur" : "box", value, NAMED_MAX);
    o->size = (unsigned)size;
    return 0;
}

/* One option: 0 or an exit code. */
static int take_option(struct conv2d_options *o, int val, const char *value)
{
    static const char *const borders[] = {"keep", "zero", "replicate", "reflect101", NULL};
    static const char *const roundings[] = {"nearest", "truncate", NULL};
    static const char *const alphas[] = {"filter", "keep", NULL};
    switch (val) {
    case OPT_BLUR:
    case OPT_BOX:
    case OPT_SHARPEN:
    case OPT_EDGE:
    case OPT_EMBOSS:
        return take_kernel(o, val, value);
    case OPT_SIGMA:
        return ctl_parse_double(value, &o->sigma) && o->sigma > 0
                   ? 0
                   : ctl_usage("--sigma: '%s' is not a number above 0", value);
    case OPT_BORDER:
        o->border = ctl_choice(value, borders);
        return o->border >= 0 ? 0
                              : ctl_usage("--border: '%s' is none of keep, zero, replicate, "
                                          "reflect101",
                                          value);
    case OPT_ROUNDING:
        o->rounding = ctl_choice(value, roundings);
        return o->rounding >= 0 ? 0
                                : ctl_usage("--rounding: '%s' is none of nearest, truncate", value);
    case OPT_ALPHA:
        o->alpha = ctl_choice(value, alphas);
        return o->alpha >= 0 ? 0 : ctl_usage("--alpha: '%s' is none of filter, keep", value);
    default:
        return cmd_io_option(&o->io, val, value) == 0 ? 0 : EX_USAGE;
    }
}

static int run_conv2d(struct ctl *c, int argc, char **argv)
{
    static const struct option own[] = {CMD_IO_OPTIONS,
                                        {"blur", required_argument, NULL, OPT_BLUR},
                                        {"sigma", required_argument, NULL, OPT_SIGMA},
                                        {"box", required_argument, NULL, OPT_BOX},
                                        {"sharpen", no_argument, NULL, OPT_SHARPEN},
                                        {"edge", no_argument, NULL, OPT_EDGE},
                                        {"emboss", no_argument, NULL, OPT_EMBOSS},
                                        {"border", required_argument, NULL, OPT_BORDER},
                                        {"rounding", required_argument, NULL, OPT_ROUNDING},
                                        {"alpha", required_argument, NULL, OPT_ALPHA},
                                        {NULL, 0, NULL, 0}};
    struct conv2d_options o = {.alpha = -1};
    for (int val; (val = ctl_getopt(c, &cmd_conv2d, argc, argv, CMD_IO_LETTERS, own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?' || take_option(&o, val, optarg) != 0)
            return EX_USAGE;
    }
    if (o.sigma > 0 && o.named != OPT_BLUR)
        return ctl_usage("--sigma goes with --blur");
    if (argc - optind != (o.named != 0 ? 1 : 2))
        return o.named != 0
                   ? ctl_usage("conv2d takes one image beside a named kernel")
                   : ctl_usage("conv2d takes an image and a kernel: a .npy file, --blur N, "
                               "--box N, --sharpen, --edge or --emboss");
    struct conv2d_files f = {.image = {.data = NULL}};
    int code = filter(c, &o, argv + optind, &f);
    load_free(c, &f.image);
    load_free(c, &f.kernel);
    load_free(c, &f.out);
    return code;
}

const struct ctl_command cmd_conv2d = {
    .name = "conv2d",
    .usage = "conv2d IMAGE [KERNEL.npy] -o OUT",
    .summary = "Filter an image",
    .details =
        "IMAGE is PNG, PGM, PPM, or a .npy array of uint8, float32 or int32 with the shape\n"
        "height x width or height x width x channels (1, 3 or 4). The kernel is correlated with\n"
        "it, not flipped: a .npy matrix with odd sides (float32; int32 for an int32 image), or\n\n"
        "      --blur N        a Gaussian bell of N x N, N odd\n"
        "      --sigma S       its standard deviation, instead of 0.3 ((N - 1) / 2 - 1) + 0.8\n"
        "      --box N         the mean of N x N\n"
        "      --sharpen       each pixel five times, less its four neighbours\n"
        "      --edge          each pixel eight times, less its eight neighbours\n"
        "      --emboss        light from the upper left\n\n"
        "      --border HOW    keep (the image's own, the default), zero, replicate or reflect101\n"
        "      --rounding HOW  of u8 results: nearest (to even, the default) or truncate\n"
        "      --alpha HOW     of RGBA: keep (the default for PNG) or filter\n" CMD_IO_HELP,
    .run = run_conv2d,
};
