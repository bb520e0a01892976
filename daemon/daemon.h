/* One daemon: all rooms of it, and the loop they share. Two can live in one process. */
#ifndef DAEMON_DAEMON_H
#define DAEMON_DAEMON_H

#include "conf.h"

struct daemon;

/* Works the configuration out anew, for SIGHUP: 0, or what is wrong in `error`. */
typedef int daemon_load_fn(void *user, struct conf *conf, char error[static CONF_ERROR_MAX]);

/* sysexits(3), as far as a daemon has use for them. */
enum daemon_exit {
    DAEMON_EXIT_OK = 0,
    DAEMON_EXIT_USAGE = 64,
    DAEMON_EXIT_RUNNING = 69, /* another live daemon owns the socket */
    DAEMON_EXIT_INTERNAL = 70,
    DAEMON_EXIT_OS = 71,
    DAEMON_EXIT_CREATE = 73,
    DAEMON_EXIT_TEMPORARY = 75,
    DAEMON_EXIT_PERMISSION = 77,
    DAEMON_EXIT_CONFIG = 78
};

/* Builds a daemon that would serve its first job at once. Logs what goes wrong and returns the
 * exit code for it; then *out is not written. */
enum daemon_exit daemon_new(struct daemon **out, const struct conf *conf, daemon_load_fn *load,
                            void *load_user);

/* Serves until SIGTERM or SIGINT, then drains: stops accepting, answers what was accepted.
 * A second signal ends the process at once. Returns the exit code. */
enum daemon_exit daemon_run(struct daemon *d);

/* NULL is fine. */
void daemon_free(struct daemon *d);

#endif
