/* Arguments in, exit code out. */
#include "config.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/prctl.h>

#include "conf.h"
#include "daemon.h"
#include "log.h"

#define DEFAULT_CONFIG "/etc/simdd/simdd.conf"

struct arguments {
    int argc;
    char **argv;
    const char *config; /* NULL: DEFAULT_CONFIG, if it is there */
    bool check_config, help, version, print_sample;
};

static void print_usage(FILE *out)
{
    fputs("Usage: simdd [OPTION ...]\n"
          "One tuned compute service for every process of a host.\n"
          "\n"
          "  --config FILE        read FILE instead of " DEFAULT_CONFIG "\n"
          "  --check-config [FILE]  check the configuration and exit\n"
          "  --print-sample       print a commented configuration file and exit\n"
          "  --help, --version    print this, or the version, and exit\n"
          "\n",
          out);
    conf_print_help(out);
}

/* Puts every flag that is a parameter on top of *conf. */
static int apply_flags(const struct arguments *a, struct conf *conf,
                       char error[static CONF_ERROR_MAX])
{
    for (int i = 1; i < a->argc; i++) {
        int used = conf_set_flag(conf, error, a->argv[i], i + 1 < a->argc ? a->argv[i + 1] : NULL);
        if (used < 0)
            return used;
        if (used == 2)
            i++;
    }
    return 0;
}

/* Defaults, then the file, then the flags. */
static int load(void *user, struct conf *conf, char error[static CONF_ERROR_MAX])
{
    const struct arguments *a = user;
    conf_init(conf);
    const char *path = a->config != NULL ? a->config : DEFAULT_CONFIG;
    int err = conf_load(conf, error, path);
    if (err == -ENOENT && a->config == NULL)
        err = 0;
    if (err == 0)
        err = apply_flags(a, conf, error);
    if (err == 0)
        err = conf_check(conf, error);
    return err;
}

/* Looks at the flags that are no parameters. Returns false after saying what is wrong. */
static bool parse_arguments(struct arguments *a)
{
    struct conf scratch;
    char error[CONF_ERROR_MAX];
    conf_init(&scratch);
    for (int i = 1; i < a->argc; i++) {
        const char *arg = a->argv[i];
        const char *next = i + 1 < a->argc ? a->argv[i + 1] : NULL;
        int used = conf_set_flag(&scratch, error, arg, next);
        if (used < 0) {
            fprintf(stderr, "simdd: %s\n", error);
            return false;
        }
        if (used > 0) {
            i += used - 1;
        } else if (strcmp(arg, "--help") == 0) {
            a->help = true;
        } else if (strcmp(arg, "--version") == 0) {
            a->version = true;
        } else if (strcmp(arg, "--print-sample") == 0) {
            a->print_sample = true;
        } else if (strcmp(arg, "--check-config") == 0) {
            a->check_config = true;
            if (next != NULL && next[0] != '-') {
                a->config = next;
                i++;
            }
        } else if (strcmp(arg, "--config") == 0 && next != NULL) {
            a->config = next;
            i++;
        } else if (strncmp(arg, "--config=", 9) == 0) {
            a->config = arg + 9;
        } else {
            fprintf(stderr, "simdd: %s: %s; see --help\n", arg,
                    strcmp(arg, "--config") == 0 ? "needs a file" : "no such option");
            return false;
        }
    }
    return true;
}

#ifndef PR_SET_MDWE
#define PR_SET_MDWE               65
#define PR_MDWE_REFUSE_EXEC_GAIN  1UL
#endif
#ifndef PR_MDWE_NO_INHERIT
#define PR_MDWE_NO_INHERIT        2UL
#endif

/* No page of ours becomes executable from here on: no code is ever generated here. simdd-wasm,
 * which does so, must not inherit that, and kernels before 6.6 know no other way; there it is left.
 * Only as systemd's service: valgrind makes code in our place. */
static void refuse_new_code(void)
{
    if (getenv("INVOCATION_ID") != NULL)
        (void)prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN | PR_MDWE_NO_INHERIT, 0L, 0L, 0L);
}

static enum daemon_exit serve(struct arguments *a, const struct conf *conf)
{
    struct daemon *d;
    enum daemon_exit code = daemon_new(&d, conf, load, a);
    if (code != DAEMON_EXIT_OK)
        return code;
    code = daemon_run(d);
    daemon_free(d);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments a = {.argc = argc, .argv = argv};
    struct conf conf;
    char error[CONF_ERROR_MAX];

    log_init(LOG_LEVEL_INFO);
    if (!parse_arguments(&a))
        return DAEMON_EXIT_USAGE;
    if (a.help) {
        print_usage(stdout);
        return DAEMON_EXIT_OK;
    }
    if (a.version) {
        puts("simdd " PACKAGE_VERSION);
        return DAEMON_EXIT_OK;
    }
    if (a.print_sample) {
        conf_print_sample(stdout);
        return DAEMON_EXIT_OK;
    }
    if (load(&a, &conf, error) < 0) {
        log_err("bad configuration", "reason=%s", log_text(error).text);
        return DAEMON_EXIT_CONFIG;
    }
    if (a.check_config)
        return DAEMON_EXIT_OK;
    refuse_new_code();
    return (int)serve(&a, &conf);
}
