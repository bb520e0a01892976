/* Servers as children of this program: ours, and others beside it. Each speaks on a socket of its
 * own in a private folder and ends, at the latest, with this program. */
#ifndef BENCH_SERVER_H
#define BENCH_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "bench/site.h"

enum server_kind {
    SERVER_SIMDD,
    SERVER_MEMCACHED,
    SERVER_REDIS,
    SERVER_BARE,       /* bench/http_server: libuv and libmicrohttpd, and nothing else */
    SERVER_ECHO,       /* bench/echo_server */
    SERVER_ECHO_LARGE, /* bench/echo_large */
    SERVER_KINDS
};

enum { SERVER_ARGS_MAX = 8 }; /* of one kind, and as many that a case adds */

struct server {
    const struct site *site; /* borrowed */
    enum server_kind kind;
    pid_t pid;
    char socket[100]; /* Unix; not for SERVER_BARE */
    char port[8];     /* HTTP: ours and SERVER_BARE */
};

const char *server_name(enum server_kind kind);

/* Whether its program is there; says so on stderr if not. */
bool server_installed(const struct site *site, enum server_kind kind);

/* Starts it, with more arguments (NULL: none; else NULL at the end), and does not wait. Ends this
 * program if that fails. */
void server_start(struct server *s, const struct site *site, enum server_kind kind,
                  const char *const *more);

/* Connects as soon as it listens, sends its simplest request and checks the answer: then it
 * serves. Ends this program if it does not in ten seconds. */
void server_await(const struct server *s);

/* A connection to a server that listens, blocking. Ends this program if there is none. */
int server_dial(const struct server *s);

/* Ends it with `signal` and waits for it. */
void server_stop(struct server *s, int signal);

/* A line of /proc/PID/smaps_rollup, such as "Private_Dirty", in bytes. */
size_t server_memory_bytes(const struct server *s, const char *name);

#endif
