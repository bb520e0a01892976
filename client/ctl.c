/* What simdctl's subcommands share.
 *
 * Leaves return codes; messages are made here and in the subcommands, on stderr, with the thing
 * at fault first: "simdctl: x.npy: its shape is larger than any memory".
 */
#include "config.h"

#include "ctl.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { OPTIONS_MAX = 48, SIGN_OF_LIFE_MS = 500 };
enum {
    GLOBAL_SOCKET = 2000,
    GLOBAL_JSON,
    GLOBAL_BACKEND,
    GLOBAL_CACHE,
    GLOBAL_DEADLINE,
    GLOBAL_PRIORITY
};

static const struct option globals[] = {
    {"socket", required_argument, NULL, GLOBAL_SOCKET},
    {"json", no_argument, NULL, GLOBAL_JSON},
    {"verbose", no_argument, NULL, 'v'},
    {"backend", required_argument, NULL, GLOBAL_BACKEND},
    {"cache", required_argument, NULL, GLOBAL_CACHE},
    {"deadline", required_argument, NULL, GLOBAL_DEADLINE},
    {"priority", required_argument, NULL, GLOBAL_PRIORITY},
    {"help", no_argument, NULL, 'h'},
    {"version", no_argument, NULL, 'V'},
    {NULL, 0, NULL, 0},
};

int ctl_fail(int code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("simdctl: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    return code;
}

int ctl_usage(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fputs("simdctl: ", stderr);
    (void)vfprintf(stderr, format, args);
    (void)fputs("\nTry 'simdctl --help' or 'simdctl COMMAND --help'.\n", stderr);
    va_end(args);
    return EX_USAGE;
}

int ctl_choice(const char *text, const char *const *names)
{
    for (int i = 0; names[i] != NULL; i++)
        if (strcmp(text, names[i]) == 0)
            return i;
    return -1;
}

static int choose(const char *option, const char *text, const char *const *names, int *out)
{
    *out = ctl_choice(text, names);
    if (*out >= 0)
        return 0;
    (void)fprintf(stderr, "simdctl: --%s: '%s' is none of", option, text);
    for (int i = 0; names[i] != NULL; i++)
        (void)fprintf(stderr, "%s %s", i > 0 ? "," : "", names[i]);
    (void)fputc('\n', stderr);
    return '?';
}

/* Takes a global option: 0, '?' or CTL_HELP. */
static int global(struct ctl *c, int val, const char *value)
{
    static const char *const backends[] = {"auto", "native", "wasm", NULL};
    static const char *const caches[] = {"auto", "always", "never", NULL};
    static const char *const priorities[] = {"normal", "high", "low", NULL};
    int err = 0, chosen = 0;
    uint64_t us;
    switch (val) {
    case GLOBAL_SOCKET:
        c->socket = value;
        break;
    case GLOBAL_JSON:
        c->json = true;
        break;
    case 'v':
        c->verbose = true;
        break;
    case GLOBAL_BACKEND:
        if ((err = choose("backend", value, backends, &chosen)) == 0)
            c->backend = (enum simdd_backend)chosen;
        break;
    case GLOBAL_CACHE:
        if ((err = choose("cache", value, caches, &chosen)) == 0)
            c->cache = (enum simdd_cache)chosen;
        c->has_cache = true;
        break;
    case GLOBAL_PRIORITY:
        if ((err = choose("priority", value, priorities, &chosen)) == 0)
            c->priority = (enum simdd_priority)chosen;
        break;
    case GLOBAL_DEADLINE:
        if (!ctl_parse_us(value, &us) || us == 0 || us > UINT32_MAX) {
            (void)ctl_usage("--deadline: '%s' is not a time such as 50ms, at most 71 minutes",
                            value);
            return '?';
        }
        c->deadline_us = (uint32_t)us;
        break;
    case 'V':
        (void)printf("simdctl %s\n", simdd_version());
        return CTL_HELP;
    default:
        return '?';
    }
    return err;
}

static bool is_global(int val)
{
    return val >= GLOBAL_SOCKET || val == 'v' || val == 'V';
}

int ctl_getopt_global(struct ctl *c, int argc, char **argv)
{
    for (;;) {
        int val = getopt_long(argc, argv, "+hVv", globals, NULL);
        if (val == -1 || val == 'h')
            return val;
        int err = val == '?' ? '?' : global(c, val, optarg);
        if (err != 0)
            return err;
    }
}

int ctl_getopt(struct ctl *c, const struct ctl_command *command, int argc, char **argv,
               const char *letters, const struct option *own)
{
    struct option all[OPTIONS_MAX];
    size_t count = 0;
    for (; own != NULL && own->name != NULL && count < 32; own++)
        all[count++] = *own;
    memcpy(all + count, globals, sizeof(globals)); /* with the end */
    char short_options[32];
    (void)snprintf(short_options, sizeof(short_options), "hVv%s", letters);
    for (;;) {
        int val = getopt_long(argc, argv, short_options, all, NULL);
        if (val == 'h') {
            (void)printf("Usage: simdctl %s\n%s.\n\n%s", command->usage, command->summary,
                         command->details);
            return CTL_HELP;
        }
        if (val == '?') {
            (void)fprintf(stderr, "Try 'simdctl %s --help'.\n", command->name);
            return val;
        }
        if (!is_global(val))
            return val;
        int err = global(c, val, optarg);
        if (err != 0)
            return err;
    }
}

const char *ctl_path(const struct ctl *c)
{
    if (c->socket != NULL)
        return c->socket;
    const char *path = getenv("SIMDD_SOCKET");
    return path != NULL && path[0] != '\0' ? path : SIMDD_DEFAULT_SOCKET;
}

static int exit_code(int status)
{
    switch (status) {
    case 0:
        return EX_OK;
    case -ENOENT:
    case -ECONNREFUSED:
    case -ECONNRESET:
    case -EPIPE:
    case -ENOTSOCK:
    case -EPROTOTYPE:
    case SIMDD_NO_BACKEND:
        return EX_UNAVAILABLE;
    case -EACCES:
    case -EPERM:
    case SIMDD_MODULE_NOT_ALLOWED:
        return EX_NOPERM;
    case SIMDD_MODULE_LIMIT:
    case SIMDD_MODULE_UNKEPT:
        return EX_CANTCREAT;
    case -EAGAIN:
    case -ENOMEM:
    case SIMDD_OUT_OF_MEMORY:
        return EX_TEMPFAIL;
    case -EINVAL:
        return EX_DATAERR;
    default:
        if (status < 0)
            return EX_OSERR;
        if (status < SIMDD_ARENA_NO_FD || (status >= SIMDD_BAD_NAME && status < SIMDD_OVERLOADED))
            return EX_DATAERR;
        return status >= SIMDD_OVERLOADED && status < SIMDD_NO_BACKEND ? EX_TEMPFAIL : EX_SOFTWARE;
    }
}

int ctl_status(const struct ctl *c, const char *what, int status)
{
    int code = exit_code(status);
    if (status < 0) {
        bool away = status == -ENOENT || status == -ECONNREFUSED;
        return ctl_fail(code, "%s: %s%s", ctl_path(c), simdd_strerror(status),
                        away ? " (is simdd running?)" : "");
    }
    const char *words = c->s != NULL ? simdd_last_error(c->s) : simdd_strerror(status);
    return ctl_fail(code, "%s: %s (%s)", what, words, simdd_status_name(status));
}

int ctl_connect(struct ctl *c)
{
    if (c->s != NULL)
        return EX_OK;
    int err = simdd_connect(&c->s, c->socket);
    return err == 0 ? EX_OK : ctl_status(c, "", err);
}

struct waited {
    bool done;
    struct simdd_result result;
};

static void call_done(struct simdd *s, const struct simdd_result *result)
{
    (void)s;
    struct waited *w = result->arg;
    w->done = true;
    w->result = *result;
}

/* err: why the call was not submitted, or 0. Waits for it, as `name` on a terminal. */
static int wait_for(struct ctl *c, const char *what, const char *name, int err,
                    const struct waited *w, struct simdd_result *result)
{
    if (err != 0)
        return err < 0 ? ctl_fail(exit_code(err), "%s: %s", what, simdd_last_error(c->s))
                       : ctl_status(c, what, err);
    bool lively = isatty(STDERR_FILENO) != 0;
    uint64_t start_ns = ctl_now_ns();
    while (!w->done) {
        err = simdd_process(c->s, SIGN_OF_LIFE_MS);
        if (err < 0)
            return ctl_status(c, what, err);
        if (!w->done && lively)
            (void)fprintf(stderr, "\r%s: %.0f s ", name,
                          (double)(ctl_now_ns() - start_ns) / 1e9);
    }
    if (lively && ctl_now_ns() - start_ns > SIGN_OF_LIFE_MS * 1000000ull)
        (void)fputs("\r\033[K", stderr);
    if (w->result.status != 0)
        return ctl_status(c, what, w->result.status);
    *result = w->result;
    return EX_OK;
}

int ctl_call(struct ctl *c, const char *what, struct simdd_job *job, struct simdd_result *result)
{
    job->backend = c->backend;
    job->cache = c->cache;
    job->priority = c->priority;
    job->deadline_us = c->deadline_us;
    struct waited w = {.done = false};
    int err = simdd_submit(c->s, job, call_done, &w);
    return wait_for(c, what, simdd_op_name(job->op), err, &w, result);
}

int ctl_call_function(struct ctl *c, const char *what, struct simdd_function *f,
                      struct simdd_result *result)
{
    f->cache = c->cache;
    f->priority = c->priority;
    f->deadline_us = c->deadline_us;
    struct waited w = {.done = false};
    int err = simdd_function_submit(c->s, f, call_done, &w);
    return wait_for(c, what, f->name, err, &w, result);
}

bool ctl_parse_u64(const char *text, uint64_t max, uint64_t *out)
{
    if (text[0] < '0' || text[0] > '9')
        return false; /* strtoull takes a sign, and makes it large */
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno != 0 || *end != '\0' || value > max)
        return false;
    *out = value;
    return true;
}

/* A number and one of the units, each `scale` of the base. */
static bool parse_unit(const char *text, const char *const *units, const double *scales,
                       uint64_t *out)
{
    if ((text[0] < '0' || text[0] > '9') && text[0] != '.')
        return false;
    char *end;
    double value = strtod(text, &end);
    int unit = ctl_choice(end, units);
    if (unit < 0)
        return false;
    value *= scales[unit];
    if (!(value >= 0 && value < 1e18))
        return false;
    *out = (uint64_t)llround(value);
    return true;
}

bool ctl_parse_bytes(const char *text, uint64_t *out)
{
    static const char *const units[] = {"", "B", "KiB", "K", "MiB", "M", "GiB", "G", NULL};
    static const double scales[] = {1, 1, 0x1p10, 0x1p10, 0x1p20, 0x1p20, 0x1p30, 0x1p30};
    return parse_unit(text, units, scales, out);
}

bool ctl_parse_us(const char *text, uint64_t *out)
{
    static const char *const units[] = {"us", "ms", "s", "m", "", NULL};
    static const double scales[] = {1, 1e3, 1e6, 60e6, 1e6};
    return parse_unit(text, units, scales, out);
}

bool ctl_parse_double(const char *text, double *out)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(value))
        return false;
    *out = value;
    return true;
}

uint64_t ctl_now_ns(void)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
