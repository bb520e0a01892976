/* The subcommands of simdctl, and what those that compute share. */
#ifndef CLIENT_CMD_H
#define CLIENT_CMD_H

#include "ctl.h"
#include "load.h"
#include "tensor.h"

extern const struct ctl_command cmd_add, cmd_mul, cmd_matmul, cmd_mix, cmd_conv2d, cmd_hash,
    cmd_function, cmd_module, cmd_submit, cmd_status, cmd_top, cmd_metrics, cmd_ping, cmd_bench;

/* Where a result goes, and how raw operands are read. */
struct cmd_io {
    const char *output;
    enum load_format to; /* LOAD_UNKNOWN: by the suffix of `output`, or like the input */
    struct load_raw raw;
};

/* The options for that, to be listed among a subcommand's own, and the letters. */
enum { CMD_TO = CTL_OPTION + 900, CMD_DTYPE, CMD_SHAPE };
#define CMD_IO_LETTERS "o:"
/* clang-format off */
#define CMD_IO_OPTIONS                                                                             \
    {"output", required_argument, NULL, 'o'},                                                      \
    {"to", required_argument, NULL, CMD_TO},                                                       \
    {"dtype", required_argument, NULL, CMD_DTYPE},                                                 \
    {"shape", required_argument, NULL, CMD_SHAPE}
/* clang-format on */
#define CMD_IO_HELP                                                                                \
    "  -o, --output FILE   where the result goes; '-', the default, is standard output\n"         \
    "      --to FORMAT     npy, raw, pnm or png; by default the suffix of FILE decides\n"         \
    "      --dtype TYPE    inputs are raw numbers: f32, i32, u8 or u32\n"                         \
    "      --shape N,N,... their shape; by default one dimension\n"

/* Takes such an option: 0, '?' (complained) or 1: it is none of these. */
int cmd_io_option(struct cmd_io *io, int val, const char *value);

/* What was done, for --verbose and --json; never among the bytes of a result. */
void cmd_report(const struct ctl *c, const char *op, const struct cmd_io *io,
                const struct tensor_shape *shape, const struct simdd_result *r, uint64_t took_ns);

/**
 * Runs a job whose result is `out` and writes it.
 * out    shape set; its memory is made here
 * input  format of the input, which standard output takes over
 * touch  NULL, or called with the result before it is written
 * Returns an exit code; has complained.
 */
int cmd_run(struct ctl *c, const char *what, struct cmd_io *io, enum load_format input,
            struct simdd_job *job, struct tensor *out,
            void (*touch)(void *user, struct tensor *out), void *user);

#endif
