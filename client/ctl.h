/* What simdctl's subcommands share: the global options, the connection, and how they end. */
#ifndef CLIENT_CTL_H
#define CLIENT_CTL_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sysexits.h>

#include "simdd.h"

struct ctl {
    const char *socket; /* NULL: as simdd_connect() finds it */
    bool json, verbose, has_cache; /* has_cache: --cache was given */
    uint32_t deadline_us;
    enum simdd_backend backend;
    enum simdd_cache cache;
    enum simdd_priority priority;
    struct simdd *s;    /* NULL until ctl_connect() */
    bool shares_memory; /* large operands are in lent memory */
};

/* One subcommand. run() gets its own name as argv[0] and returns an exit code. */
struct ctl_command {
    const char *name, *usage, *summary, *details;
    int (*run)(struct ctl *c, int argc, char **argv);
};

/* Prints "simdctl: ..." on stderr and returns `code`, so that one can return it. */
__attribute__((format(printf, 2, 3))) int ctl_fail(int code, const char *format, ...);

/* Likewise for wrong usage; points to --help. Returns EX_USAGE. */
__attribute__((format(printf, 1, 2))) int ctl_usage(const char *format, ...);

/**
 * The next option of a subcommand, like getopt_long(). Global ones are taken care of; a wrong one
 * has been complained of.
 * own  the subcommand's, ended by a zero entry, at most 32; their `val` is above CTL_OPTION
 * Returns the option's val, a letter, '?' (return EX_USAGE), CTL_HELP (return EX_OK) or -1: no
 * more, operands start at argv[optind].
 */
enum { CTL_OPTION = 1000, CTL_HELP = 999 };
int ctl_getopt(struct ctl *c, const struct ctl_command *command, int argc, char **argv,
               const char *letters, const struct option *own);

/* Options before the subcommand: likewise, but stops there. */
int ctl_getopt_global(struct ctl *c, int argc, char **argv);

/* Connects if that was not done. An exit code; complains itself. */
int ctl_connect(struct ctl *c);

/* The socket's path, for messages. */
const char *ctl_path(const struct ctl *c);

/* Complains of a status that concerns `what` and returns its exit code. */
int ctl_status(const struct ctl *c, const char *what, int status);

/* Sets the job's global options, runs it, waits with a sign of life on a terminal. An exit code;
 * complains itself. `what` names the job in messages. */
int ctl_call(struct ctl *c, const char *what, struct simdd_job *job, struct simdd_result *result);

/* Likewise for a user's function. */
int ctl_call_function(struct ctl *c, const char *what, struct simdd_function *f,
                      struct simdd_result *result);

/* Numbers with units, whole or nothing: false, and the caller complains. */
bool ctl_parse_u64(const char *text, uint64_t max, uint64_t *out);
bool ctl_parse_bytes(const char *text, uint64_t *out);
bool ctl_parse_us(const char *text, uint64_t *out);
bool ctl_parse_double(const char *text, double *out);

/* The index of `text` in a list of names that ends with NULL, or -1. */
int ctl_choice(const char *text, const char *const *names);

uint64_t ctl_now_ns(void);

#endif
