/* simdctl add, mul, mix, matmul: arrays from files. */
#include "config.h"

#include "cmd.h"

#include <stdio.h>
#include <string.h>

static const char *dims_of(char buffer[static 64], const struct tensor *t)
{
    return tensor_print_dims(buffer, 64, &t->shape);
}

static int too_many(const char *name, size_t count)
{
    return ctl_fail(EX_DATAERR, "%s: its %zu elements are more than the %u of one job", name, count,
                    UINT32_MAX);
}

/* What is wrong with x and y as operands of one another: an exit code, complained. */
static int check_pair(const char *x_name, const struct tensor *x, const char *y_name,
                      const struct tensor *y)
{
    char x_dims[64], y_dims[64];
    if (x->shape.type != y->shape.type)
        return ctl_fail(EX_DATAERR, "%s is %s but %s is %s", x_name,
                        tensor_type_name(x->shape.type), y_name, tensor_type_name(y->shape.type));
    if (!tensor_same_dims(&x->shape, &y->shape))
        return ctl_fail(EX_DATAERR, "%s is %s but %s is %s: the shapes must be the same", x_name,
                        dims_of(x_dims, x), y_name, dims_of(y_dims, y));
    /* Element by element the order in memory does not matter, if it is the same. */
    if (x->shape.fortran != y->shape.fortran && x->shape.dim_count > 1)
        return ctl_fail(EX_DATAERR, "%s: it is in Fortran order and %s is not; save both alike",
                        x->shape.fortran ? x_name : y_name, x->shape.fortran ? y_name : x_name);
    return x->count > UINT32_MAX ? too_many(x_name, x->count) : EX_OK;
}

static int zip_files(struct ctl *c, struct cmd_io *io, char **names, const uint32_t ops[static 3],
                     struct tensor *x, struct tensor *y, struct tensor *z)
{
    enum load_format format;
    int code = ctl_connect(c);
    if (code == EX_OK)
        code = load_file(c, x, names[0], &io->raw, &format);
    if (code == EX_OK)
        code = load_file(c, y, names[1], &io->raw, NULL);
    if (code == EX_OK)
        code = check_pair(names[0], x, names[1], y);
    if (code != EX_OK)
        return code;
    if (x->shape.type > TENSOR_U8)
        return ctl_fail(EX_DATAERR, "%s: no such operation on %s; there are f32, i32 and u8",
                        names[0], tensor_type_name(x->shape.type));
    struct simdd_job job;
    simdd_job_zip(&job, ops[x->shape.type], (uint32_t)x->count, x->data, y->data, NULL);
    z->shape = x->shape;
    return cmd_run(c, names[0], io, format, &job, z, NULL, NULL);
}

static int run_zip(struct ctl *c, const struct ctl_command *command, int argc, char **argv,
                   const uint32_t ops[static 3])
{
    static const struct option own[] = {CMD_IO_OPTIONS, {NULL, 0, NULL, 0}};
    struct cmd_io io = {.output = NULL};
    for (int val; (val = ctl_getopt(c, command, argc, argv, CMD_IO_LETTERS, own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?' || cmd_io_option(&io, val, optarg) != 0)
            return EX_USAGE;
    }
    if (argc - optind != 2)
        return ctl_usage("%s takes two files", command->name);
    struct tensor x = {.data = NULL}, y = {.data = NULL}, z = {.data = NULL};
    int code = zip_files(c, &io, argv + optind, ops, &x, &y, &z);
    load_free(c, &x);
    load_free(c, &y);
    load_free(c, &z);
    return code;
}

static int run_add(struct ctl *c, int argc, char **argv)
{
    static const uint32_t ops[3] = {SIMDD_ADD_F32, SIMDD_ADD_I32, SIMDD_ADD_U8};
    return run_zip(c, &cmd_add, argc, argv, ops);
}

static int run_mul(struct ctl *c, int argc, char **argv)
{
    static const uint32_t ops[3] = {SIMDD_MUL_F32, SIMDD_MUL_I32, SIMDD_MUL_U8};
    return run_zip(c, &cmd_mul, argc, argv, ops);
}

static int mix_file(struct ctl *c, struct cmd_io *io, const char *name, struct tensor *x,
                    struct tensor *y)
{
    /* A file of any other name is taken as it is: four bytes to a word. */
    bool npy = strcmp(name, "-") == 0 || load_format_of(name) == LOAD_NPY;
    if (!npy && !io->raw.given)
        (void)load_raw_dtype(&io->raw, "u32");
    enum load_format format;
    int code = ctl_connect(c);
    if (code == EX_OK)
        code = load_file(c, x, name, &io->raw, &format);
    if (code != EX_OK)
        return code;
    if (x->shape.type != TENSOR_U32 && x->shape.type != TENSOR_I32)
        return ctl_fail(EX_DATAERR, "%s: it is %s; mix works on words of 32 bits, u32 or i32", name,
                        tensor_type_name(x->shape.type));
    if (x->count > UINT32_MAX)
        return too_many(name, x->count);
    struct simdd_job job;
    simdd_job_map(&job, SIMDD_MIX_U32, (uint32_t)x->count, x->data, NULL);
    y->shape = x->shape;
    return cmd_run(c, name, io, format, &job, y, NULL, NULL);
}

static int run_mix(struct ctl *c, int argc, char **argv)
{
    static const struct option own[] = {CMD_IO_OPTIONS, {NULL, 0, NULL, 0}};
    struct cmd_io io = {.output = NULL};
    for (int val; (val = ctl_getopt(c, &cmd_mix, argc, argv, CMD_IO_LETTERS, own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?' || cmd_io_option(&io, val, optarg) != 0)
            return EX_USAGE;
    }
    if (argc - optind != 1)
        return ctl_usage("mix takes one file");
    struct tensor x = {.data = NULL}, y = {.data = NULL};
    int code = mix_file(c, &io, argv[optind], &x, &y);
    load_free(c, &x);
    load_free(c, &y);
    return code;
}

static const char zip_details[] =
    "X and Y are .npy files of float32, int32 or uint8, of the same type and shape; int32 wraps,\n"
    "uint8 stops at 255. '-' is standard input.\n\n" CMD_IO_HELP;

const struct ctl_command cmd_add = {
    .name = "add",
    .usage = "add X.npy Y.npy -o Z.npy",
    .summary = "Add two arrays, element by element",
    .details = zip_details,
    .run = run_add,
};

const struct ctl_command cmd_mul = {
    .name = "mul",
    .usage = "mul X.npy Y.npy -o Z.npy",
    .summary = "Multiply two arrays, element by element",
    .details = zip_details,
    .run = run_mul,
};

const struct ctl_command cmd_mix = {
    .name = "mix",
    .usage = "mix IN -o OUT",
    .summary = "Scramble 32-bit words, each by itself",
    .details = "IN is a .npy file of uint32 or int32; a file of any other name is raw words. Each\n"
               "word goes through x *= 0x9e3779b9, x ^= x >> 13, twice.\n\n" CMD_IO_HELP,
    .run = run_mix,
};
