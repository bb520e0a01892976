/* simdctl matmul: the product of two matrices, and all that sgemm can. */
#include "config.h"

#include "cmd.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPT_ALPHA = CTL_OPTION + 1,
    OPT_BETA,
    OPT_TRANS_A,
    OPT_TRANS_B,
    OPT_ZERO_A,
    OPT_ZERO_B,
    OPT_SHAPE_B
};

struct matmul_options {
    struct cmd_io io;
    struct load_raw raw_b;
    const char *c_name;
    bool has_alpha, has_beta, has_zero;
    double alpha, beta;
    uint64_t zero_a, zero_b;
    bool trans_a, trans_b;
};

struct matmul_files {
    struct tensor a, b, c, out;
    enum load_format format;
};

/* Rows and columns as the product sees them. A matrix in Fortran order is the transpose of the
 * bytes it is stored in, which costs nothing to say. */
static int sides(const char *name, const struct tensor *t, bool trans, uint32_t *rows,
                 uint32_t *cols, int *stored_trans)
{
    if (t->shape.dim_count != 2)
        return ctl_fail(EX_DATAERR, "%s: it has %u dimensions; a matrix has 2", name,
                        t->shape.dim_count);
    if (t->shape.dim[0] > UINT32_MAX || t->shape.dim[1] > UINT32_MAX)
        return ctl_fail(EX_DATAERR, "%s: it has a side of more than %u", name, UINT32_MAX);
    *rows = (uint32_t)t->shape.dim[trans ? 1 : 0];
    *cols = (uint32_t)t->shape.dim[trans ? 0 : 1];
    *stored_trans = trans != t->shape.fortran;
    return EX_OK;
}

static int set_scalars(struct simdd_job *job, const struct matmul_options *o, enum tensor_type type)
{
    struct simdd_matmul *p = &job->u.matmul;
    double alpha = o->has_alpha ? o->alpha : 1;
    double beta = o->has_beta ? o->beta : o->c_name != NULL ? 1 : 0;
    if (type == TENSOR_U8) {
        if (o->has_alpha || o->has_beta || o->c_name != NULL)
            return ctl_usage("matmul of u8 takes --zero-a and --zero-b, not --alpha, --beta, -C");
        p->alpha.i32 = (int32_t)o->zero_a;
        p->beta.i32 = (int32_t)o->zero_b;
        return EX_OK;
    }
    if (o->has_zero)
        return ctl_usage("--zero-a and --zero-b go with u8 matrices only");
    if (type == TENSOR_F32) {
        if (fabs(alpha) > (double)FLT_MAX || fabs(beta) > (double)FLT_MAX)
            return ctl_usage("--alpha and --beta must fit into f32");
        p->alpha.f32 = (float)alpha;
        p->beta.f32 = (float)beta;
        return EX_OK;
    }
    if (alpha != trunc(alpha) || beta != trunc(beta) || fabs(alpha) > INT32_MAX ||
        fabs(beta) > INT32_MAX)
        return ctl_usage("--alpha and --beta must be whole numbers of 32 bits for i32 matrices");
    p->alpha.i32 = (int32_t)alpha;
    p->beta.i32 = (int32_t)beta;
    return EX_OK;
}

static int load_c(struct ctl *c, const struct matmul_options *o, struct matmul_files *f,
                  struct simdd_job *job)
{
    int code = load_file(c, &f->c, o->c_name, NULL, NULL);
    if (code != EX_OK)
        return code;
    char have[64], want[64];
    if (f->c.shape.type != f->out.shape.type || f->c.shape.fortran ||
        !tensor_same_dims(&f->c.shape, &f->out.shape))
        return ctl_fail(EX_DATAERR, "%s: it is %s %s%s; the product is %s %s", o->c_name,
                        tensor_print_dims(have, sizeof(have), &f->c.shape),
                        tensor_type_name(f->c.shape.type),
                        f->c.shape.fortran ? " in Fortran order" : "",
                        tensor_print_dims(want, sizeof(want), &f->out.shape),
                        tensor_type_name(f->out.shape.type));
    job->in[2] = f->c.data;
    return EX_OK;
}

static int multiply(struct ctl *c, struct matmul_options *o, char **names, struct matmul_files *f)
{
    static const uint32_t ops[3] = {SIMDD_MATMUL_F32, SIMDD_MATMUL_I32, SIMDD_MATMUL_U8};
    int code = ctl_connect(c);
    if (code == EX_OK)
        code = load_file(c, &f->a, names[0], &o->io.raw, &f->format);
    if (code == EX_OK)
        code = load_file(c, &f->b, names[1], &o->raw_b, NULL);
    uint32_t m, k, b_rows, n;
    int trans_a, trans_b;
    if (code == EX_OK)
        code = sides(names[0], &f->a, o->trans_a, &m, &k, &trans_a);
    if (code == EX_OK)
        code = sides(names[1], &f->b, o->trans_b, &b_rows, &n, &trans_b);
    if (code != EX_OK)
        return code;

    enum tensor_type type = f->a.shape.type;
    if (type != f->b.shape.type || type > TENSOR_U8)
        return ctl_fail(EX_DATAERR, "%s is %s and %s is %s; both must be f32, i32 or u8", names[0],
                        tensor_type_name(type), names[1], tensor_type_name(f->b.shape.type));
    if (k != b_rows)
        return ctl_fail(EX_DATAERR, "%s has %u columns but %s has %u rows: they must be as many",
                        names[0], k, names[1], b_rows);
    struct simdd_job job;
    simdd_job_matmul(&job, ops[type], m, n, k, f->a.data, f->b.data, NULL);
    job.u.matmul.trans_a = trans_a;
    job.u.matmul.trans_b = trans_b;
    f->out.shape = (struct tensor_shape){
        .type = type == TENSOR_U8 ? TENSOR_I32 : type, .dim_count = 2, .dim = {m, n}};
    code = set_scalars(&job, o, type);
    if (code == EX_OK && o->c_name != NULL)
        code = load_c(c, o, f, &job);
    return code != EX_OK ? code
                         : cmd_run(c, names[0], &o->io, f->format, &job, &f->out, NULL, NULL);
}

/* One option: 0 or an exit code. */
static int take_option(struct matmul_options *o, int val, const char *value)
{
    switch (val) {
    case 'C':
        o->c_name = value;
        return 0;
    case OPT_ALPHA:
        o->has_alpha = true;
        return ctl_parse_double(value, &o->alpha) ? 0
                                                  : ctl_usage("--alpha: '%s' is no number", value);
    case OPT_BETA:
        o->has_beta = true;
        return ctl_parse_double(value, &o->beta) ? 0
                                                 : ctl_usage("--beta: '%s' is no number", value);
    case OPT_TRANS_A:
        o->trans_a = true;
        return 0;
    case OPT_TRANS_B:
        o->trans_b = true;
        return 0;
    case OPT_ZERO_A:
    case OPT_ZERO_B:
        o->has_zero = true;
        return ctl_parse_u64(value, 255, val == OPT_ZERO_A ? &o->zero_a : &o->zero_b)
                   ? 0
                   : ctl_usage("--zero-%c: '%s' is not in 0 to 255",
                               val == OPT_ZERO_A ? 'a' : 'b', value);
    case OPT_SHAPE_B:
        return load_raw_shape(&o->raw_b, value) ? 0 : EX_USAGE;
    default:
        return cmd_io_option(&o->io, val, value) == 0 ? 0 : EX_USAGE;
    }
}

static int run_matmul(struct ctl *c, int argc, char **argv)
{
    static const struct option own[] = {CMD_IO_OPTIONS,
                                        {"alpha", required_argument, NULL, OPT_ALPHA},
                                        {"beta", required_argument, NULL, OPT_BETA},
                                        {"trans-a", no_argument, NULL, OPT_TRANS_A},
                                        {"trans-b", no_argument, NULL, OPT_TRANS_B},
                                        {"zero-a", required_argument, NULL, OPT_ZERO_A},
                                        {"zero-b", required_argument, NULL, OPT_ZERO_B},
                                        {"shape-b", required_argument, NULL, OPT_SHAPE_B},
                                        {NULL, 0, NULL, 0}};
    struct matmul_options o = {.c_name = NULL};
    for (int val; (val = ctl_getopt(c, &cmd_matmul, argc, argv, CMD_IO_LETTERS "C:", own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?' || take_option(&o, val, optarg) != 0)
            return EX_USAGE;
    }
    if (argc - optind != 2)
        return ctl_usage("matmul takes two files");
    if (o.has_beta && o.beta != 0 && o.c_name == NULL)
        return ctl_usage("--beta needs a matrix to add: -C FILE");
    o.raw_b.given = o.io.raw.given;
    o.raw_b.shape.type = o.io.raw.shape.type;
    struct matmul_files f = {.format = LOAD_UNKNOWN};
    int code = multiply(c, &o, argv + optind, &f);
    load_free(c, &f.a);
    load_free(c, &f.b);
    load_free(c, &f.c);
    load_free(c, &f.out);
    return code;
}

const struct ctl_command cmd_matmul = {
    .name = "matmul",
    .usage = "matmul A.npy B.npy [-C C.npy] -o OUT.npy",
    .summary = "Multiply two matrices",
    .details =
        "OUT = alpha A B + beta C. A and B are float32, int32 (which wraps) or uint8; the product\n"
        "of uint8 matrices is int32 and exact. '-' is standard input.\n\n"
        "  -C FILE             matrix to add; --beta is then 1 unless given\n"
        "      --alpha NUMBER  factor of the product; by default 1\n"
        "      --beta NUMBER   factor of C\n"
        "      --trans-a       use A transposed\n"
        "      --trans-b       use B transposed\n"
        "      --zero-a N      uint8: what stands for 0 in A, 0 to 255\n"
        "      --zero-b N      likewise in B\n" CMD_IO_HELP
        "      --shape-b N,N   shape of a raw B; --shape is A's\n",
    .run = run_matmul,
};
