/* What the computing subcommands share: options for files, running, writing, reporting. */
#include "config.h"

#include "cmd.h"

#include <stdio.h>
#include <string.h>

int cmd_io_option(struct cmd_io *io, int val, const char *value)
{
    switch (val) {
    case 'o':
        io->output = value;
        return 0;
    case CMD_TO:
        io->to = load_format_find(value);
        if (io->to != LOAD_UNKNOWN)
            return 0;
        (void)ctl_usage("--to: '%s' is none of npy, raw, pnm, png", value);
        return '?';
    case CMD_DTYPE:
        return load_raw_dtype(&io->raw, value) ? 0 : '?';
    case CMD_SHAPE:
        return load_raw_shape(&io->raw, value) ? 0 : '?';
    default:
        return 1;
    }
}

/* What was done, for --verbose and --json; never among the bytes of a result. */
static void report(const struct ctl *c, const struct cmd_io *io, uint32_t op,
                   const struct tensor *out, const struct simdd_result *r, uint64_t took_ns)
{
    char dims[256];
    (void)tensor_print_dims(dims, sizeof(dims), &out->shape);
    FILE *to = strcmp(io->output, "-") == 0 ? stderr : stdout;
    if (c->json) {
        (void)fprintf(to, "{\"op\":\"%s\",\"status\":\"ok\",\"dtype\":\"%s\",\"shape\":[",
                      simdd_op_name(op), tensor_type_name(out->shape.type));
        for (unsigned i = 0; i < out->shape.dim_count; i++)
            (void)fprintf(to, "%s%zu", i > 0 ? "," : "", out->shape.dim[i]);
        (void)fprintf(to,
                      "],\"seconds\":%.9f,\"queued_ns\":%u,\"ran_ns\":%u,\"isa\":\"%s\","
                      "\"cached\":%s,\"in_arena\":%s}\n",
                      (double)took_ns / 1e9, r->queued_ns, r->ran_ns, r->isa,
                      r->cached ? "true" : "false", r->in_arena ? "true" : "false");
    } else if (c->verbose) {
        (void)fprintf(stderr, "%s: %s %s in %.3f ms", simdd_op_name(op), dims,
                      tensor_type_name(out->shape.type), (double)took_ns / 1e6);
        if (r->cached)
            (void)fputs(", from the cache", stderr);
        else
            (void)fprintf(stderr, ", of which %.3f ms computing on %s", (double)r->ran_ns / 1e6,
                          r->isa[0] != '\0' ? r->isa : "an unnamed ISA");
        (void)fprintf(stderr, "%s\n", r->in_arena ? ", in shared memory" : "");
    }
}

int cmd_run(struct ctl *c, const char *what, struct cmd_io *io, enum load_format input,
            struct simdd_job *job, struct tensor *out,
            void (*touch)(void *user, struct tensor *out), void *user)
{
    if (io->output == NULL)
        io->output = "-";
    if (io->to == LOAD_UNKNOWN)
        io->to = strcmp(io->output, "-") == 0 ? input : load_format_of(io->output);
    if (!tensor_measure(out))
        return ctl_fail(EX_DATAERR, "%s: the result is larger than any memory", what);
    int code = load_check_store(io->output, io->to, &out->shape);
    if (code == EX_OK)
        code = load_alloc(c, out);
    if (code != EX_OK)
        return code;
    job->out = out->data;
    struct simdd_result result;
    uint64_t start_ns = ctl_now_ns();
    code = ctl_call(c, what, job, &result);
    uint64_t took_ns = ctl_now_ns() - start_ns;
    if (code != EX_OK)
        return code;
    if (touch != NULL)
        touch(user, out);
    code = load_store(io->output, io->to, out);
    if (code == EX_OK)
        report(c, io, job->op, out, &result, took_ns);
    return code;
}
