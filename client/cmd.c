/* What the computing subcommands share: options for files, running, writing, reporting. */
#include "config.h"

#include "cmd.h"

#include <stdio.h>
#include <string.h>

#include <jansson.h>

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

void cmd_report(const struct ctl *c, const char *op, const struct cmd_io *io,
                const struct tensor_shape *shape, const struct simdd_result *r, uint64_t took_ns)
{
    char dims[256];
    (void)tensor_print_dims(dims, sizeof(dims), shape);
    FILE *to = strcmp(io->output, "-") == 0 ? stderr : stdout;
    if (c->json) {
        json_t *name = json_string(op); /* whoever wrote the module chose it */
        (void)fputs("{\"op\":", to);
        (void)json_dumpf(name, to, JSON_ENCODE_ANY);
        json_decref(name);
        (void)fprintf(to, ",\"status\":\"ok\",\"dtype\":\"%s\",\"shape\":[",
                      tensor_type_name(shape->type));
        for (unsigned i = 0; i < shape->dim_count; i++)
            (void)fprintf(to, "%s%zu", i > 0 ? "," : "", shape->dim[i]);
        (void)fprintf(to,
                      "],\"seconds\":%.9f,\"queued_ns\":%u,\"ran_ns\":%u,\"isa\":\"%s\","
                      "\"cached\":%s,\"in_arena\":%s}\n",
                      (double)took_ns / 1e9, r->queued_ns, r->ran_ns, r->isa,
                      r->cached ? "true" : "false", r->in_arena ? "true" : "false");
    } else if (c->verbose) {
        (void)fprintf(stderr, "%s: %s %s in %.3f ms", op, dims, tensor_type_name(shape->type),
                      (double)took_ns / 1e6);
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
        cmd_report(c, simdd_op_name(job->op), io, &out->shape, &result, took_ns);
    return code;
}
