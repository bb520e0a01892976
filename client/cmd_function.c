/* simdctl run: a function of a user's module on files. */
#include "config.h"

#include "cmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_PARAM = CTL_OPTION + 1, OPT_RESULT };
enum { IN_MAX = 3, PARAMS_MAX = 8 };

struct function_options {
    struct cmd_io io;
    struct tensor_shape result; /* dim_count 0: not told */
    struct simdd_function call; /* its params */
};

struct function_files {
    struct tensor in[IN_MAX], out;
    enum load_format format; /* of the first operand */
};

static const enum simdd_type types[TENSOR_TYPE_COUNT] = {
    [TENSOR_F32] = SIMDD_F32, [TENSOR_I32] = SIMDD_I32, [TENSOR_U8] = SIMDD_U8,
    [TENSOR_U32] = SIMDD_U32, [TENSOR_U64] = SIMDD_U64,
};

static enum tensor_type tensor_type_of(enum simdd_type type)
{
    for (unsigned i = 0; i < TENSOR_TYPE_COUNT; i++)
        if (types[i] == type)
            return (enum tensor_type)i;
    return TENSOR_U8;
}

/* A single number becomes an array of one. An exit code; complains. */
static int to_array(struct simdd_array *a, const char *name, const struct tensor *t)
{
    const struct tensor_shape *s = &t->shape;
    *a = (struct simdd_array){.data = t->data, .type = types[s->type], .rank = 1, .dim = {1}};
    if (s->dim_count > 4)
        return ctl_fail(EX_DATAERR, "%s: it has %u dimensions; a function takes up to 4", name,
                        s->dim_count);
    if (s->fortran && s->dim_count > 1)
        return ctl_fail(EX_DATAERR, "%s: it is in Fortran order; save it in C order", name);
    if (s->dim_count > 0)
        a->rank = s->dim_count;
    for (unsigned i = 0; i < s->dim_count; i++) {
        if (s->dim[i] == 0 || s->dim[i] > UINT32_MAX)
            return ctl_fail(EX_DATAERR, "%s: it has a side of %zu", name, s->dim[i]);
        a->dim[i] = (uint32_t)s->dim[i];
    }
    return EX_OK;
}

static void to_shape(struct tensor_shape *s, const struct simdd_array *a)
{
    *s = (struct tensor_shape){.type = tensor_type_of(a->type), .dim_count = a->rank};
    for (uint32_t i = 0; i < a->rank; i++)
        s->dim[i] = a->dim[i];
}

/* Memory for a result that is told, and whether the file can hold it. */
static int prepare_result(struct ctl *c, const struct function_options *o,
                          struct function_files *f, struct simdd_array *out)
{
    *out = (struct simdd_array){.data = NULL};
    if (o->result.dim_count == 0)
        return EX_OK;
    f->out.shape = o->result;
    if (!tensor_measure(&f->out))
        return ctl_fail(EX_DATAERR, "the result is larger than any memory");
    int code = load_check_store(o->io.output, o->io.to, &f->out.shape);
    if (code == EX_OK)
        code = load_alloc(c, &f->out);
    return code == EX_OK ? to_array(out, "--result", &f->out) : code;
}

/* The result, wherever it lies, to its file. */
static int store(struct function_options *o, const struct simdd_array *out, struct tensor *t)
{
    if (t->data != NULL)
        return load_store(o->io.output, o->io.to, t);
    struct tensor got = {.data = out->data};
    to_shape(&got.shape, out);
    (void)tensor_measure(&got);
    t->shape = got.shape;
    int code = load_check_store(o->io.output, o->io.to, &got.shape);
    return code == EX_OK ? load_store(o->io.output, o->io.to, &got) : code;
}

static int call_files(struct ctl *c, struct function_options *o, int in_count, char **names,
                      struct function_files *f)
{
    struct simdd_array in[IN_MAX], out;
    struct simdd_result result;
    int code = ctl_connect(c);
    for (int i = 0; i < in_count && code == EX_OK; i++) {
        code = load_file(c, &f->in[i], names[i + 1], &o->io.raw, i == 0 ? &f->format : NULL);
        if (code == EX_OK)
            code = to_array(&in[i], names[i + 1], &f->in[i]);
    }
    if (code != EX_OK)
        return code;
    if (o->io.output == NULL)
        o->io.output = "-";
    if (o->io.to == LOAD_UNKNOWN)
        o->io.to =
            strcmp(o->io.output, "-") == 0 ? f->format : load_format_of(o->io.output);
    code = prepare_result(c, o, f, &out);
    if (code != EX_OK)
        return code;

    struct simdd_function call;
    simdd_function_init(&call, names[0], (uint32_t)in_count, in, &out);
    call.param_count = o->call.param_count;
    memcpy(call.param, o->call.param, sizeof(call.param));
    bool told = out.rank != 0;
    uint64_t start_ns = ctl_now_ns();
    code = ctl_call_function(c, names[0], &call, &result);
    uint64_t took_ns = ctl_now_ns() - start_ns;
    if (code == EX_OK)
        code = store(o, &out, &f->out);
    if (code == EX_OK)
        cmd_report(c, names[0], &o->io, &f->out.shape, &result, took_ns);
    if (!told)
        free(out.data);
    return code;
}

/* "f32:480,640", or "480,640". */
static bool parse_result(struct tensor_shape *s, const char *text)
{
    const char *colon = strchr(text, ':');
    char type[8] = "f32";
    struct load_raw raw = {.given = false};
    if (colon != NULL) {
        if ((size_t)(colon - text) >= sizeof(type))
            return false;
        memcpy(type, text, (size_t)(colon - text));
        type[colon - text] = '\0';
        text = colon + 1;
    }
    if (!load_raw_shape(&raw, text) || raw.shape.dim_count > 4)
        return false;
    *s = raw.shape;
    return tensor_type_find(&s->type, type);
}

/* One option: 0 or an exit code. */
static int take_option(struct function_options *o, int val, const char *value)
{
    switch (val) {
    case 'p':
    case OPT_PARAM:
        if (o->call.param_count == PARAMS_MAX)
            return ctl_usage("--param: a function takes up to %d", PARAMS_MAX);
        return ctl_parse_double(value, &o->call.param[o->call.param_count++])
                   ? 0
                   : ctl_usage("--param: '%s' is no number", value);
    case OPT_RESULT:
        return parse_result(&o->result, value)
                   ? 0
                   : ctl_usage("--result: '%s' is not like f32:480,640", value);
    default:
        return cmd_io_option(&o->io, val, value) == 0 ? 0 : EX_USAGE;
    }
}

static int run_function(struct ctl *c, int argc, char **argv)
{
    static const struct option own[] = {CMD_IO_OPTIONS,
                                        {"param", required_argument, NULL, OPT_PARAM},
                                        {"result", required_argument, NULL, OPT_RESULT},
                                        {NULL, 0, NULL, 0}};
    struct function_options o = {.io = {.output = NULL}};
    static const char letters[] = CMD_IO_LETTERS "p:";
    for (int val; (val = ctl_getopt(c, &cmd_function, argc, argv, letters, own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?' || take_option(&o, val, optarg) != 0)
            return EX_USAGE;
    }
    int in_count = argc - optind - 1;
    if (in_count < 1 || in_count > IN_MAX || strchr(argv[optind], '/') == NULL)
        return ctl_usage("run takes MODULE/FUNCTION and one to %d files", IN_MAX);
    if (c->backend == SIMDD_BACKEND_NATIVE)
        return ctl_usage("--backend native: modules run on wasm only");
    struct function_files f = {.format = LOAD_UNKNOWN};
    int code = call_files(c, &o, in_count, argv + optind, &f);
    for (int i = 0; i < in_count; i++)
        load_free(c, &f.in[i]);
    load_free(c, &f.out);
    return code;
}

const struct ctl_command cmd_function = {
    .name = "run",
    .usage = "run MODULE/FUNCTION IN... -o OUT",
    .summary = "Call a function of a module",
    .details =
        "One to three inputs: .npy, PNG, PGM or PPM; an image is height x width, or height x\n"
        "width x channels, of u8. '-' is standard input. 'simdctl module' keeps the modules.\n\n"
        "  -p, --param NUMBER  the function's next parameter, up to 8; --param=-1 for one below 0\n"
        "      --result SHAPE  what the result is, such as f32:480,640; by default what the\n"
        "                      module says, or else like the first input\n" CMD_IO_HELP,
    .run = run_function,
};
