#include "config.h"

#include "bench/server.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/tsv.h"
#include "client/bench_work.h"
#include "clock.h"

#define AWAIT_NS 10000000000u

enum { PATH_BYTES = sizeof((struct site *)NULL)->build + 64 };

static const struct {
    const char *name;
    const char *program; /* in the build folder if it has a slash, else on PATH */
} kinds[SERVER_KINDS] = {
    [SERVER_SIMDD] = {"simdd", "daemon/simdd"},
    [SERVER_MEMCACHED] = {"memcached", "memcached"},
    [SERVER_REDIS] = {"redis", "redis-server"},
    [SERVER_BARE] = {"bare libraries", "bench/http_server"},
    [SERVER_ECHO] = {"libuv echo", "bench/echo_server"},
    [SERVER_ECHO_LARGE] = {"epoll echo", "bench/echo_large"},
};

/* --- starting --- */

const char *server_name(enum server_kind kind)
{
    return kinds[kind].name;
}

static void program_path(const struct site *site, enum server_kind kind,
                         char path[static PATH_BYTES])
{
    snprintf(path, PATH_BYTES, "%s/%s", site->build, kinds[kind].program);
}

bool server_installed(const struct site *site, enum server_kind kind)
{
    char path[PATH_BYTES];
    const char *program = kinds[kind].program;
    program_path(site, kind, path);
    bool is_there = strchr(program, '/') != NULL && access(path, X_OK) == 0;
    const char *folders = strchr(program, '/') != NULL ? NULL : getenv("PATH");
    while (folders != NULL && !is_there) {
        size_t n = strcspn(folders, ":");
        snprintf(path, sizeof path, "%.*s/%s", (int)n, folders, program);
        is_there = access(path, X_OK) == 0;
        folders = folders[n] != '\0' ? folders + n + 1 : NULL;
    }
    if (!is_there)
        tsv_skip(kinds[kind].name, "not installed");
    return is_there;
}

/* A port that nobody listens on now. */
static void choose_port(char port[static 8])
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    tsv_check(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                  getsockname(fd, (struct sockaddr *)&address, &bytes) == 0,
              "no TCP port: %s", strerror(errno));
    close(fd);
    snprintf(port, 8, "%u", (unsigned)ntohs(address.sin_port));
}

/* The usual arguments; returns how many. */
static size_t usual_args(const struct server *s, const char *args[static SERVER_ARGS_MAX],
                         char http[static 32])
{
    size_t n = 0;
    switch (s->kind) {
    case SERVER_SIMDD:
        snprintf(http, 32, "127.0.0.1:%s", s->port);
        args[n++] = "--config=/dev/null";
        args[n++] = "--socket";
        args[n++] = s->socket;
        args[n++] = "--http";
        args[n++] = http;
        break;
    case SERVER_MEMCACHED:
        args[n++] = "-s";
        args[n++] = s->socket;
        if (geteuid() == 0) { /* it refuses root otherwise */
            args[n++] = "-u";
            args[n++] = "root";
        }
        break;
    case SERVER_REDIS:
        args[n++] = "--port";
        args[n++] = "0";
        args[n++] = "--unixsocket";
        args[n++] = s->socket;
        args[n++] = "--save";
        args[n++] = "";
        break;
    case SERVER_BARE:
        args[n++] = s->port;
        break;
    case SERVER_ECHO:
    case SERVER_ECHO_LARGE:
        args[n++] = s->socket;
        break;
    case SERVER_KINDS:
        break;
    }
    return n;
}

/* In the child. */
static void become(const struct server *s, const char *const *argv)
{
    char log[128];
    char path[PATH_BYTES];
    program_path(s->site, s->kind, path);
    snprintf(log, sizeof log, "%s/log", s->site->folder);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        _exit(126);
    /* exec takes pointers to char, but writes to none of them */
    char *const *args = (char *const *)(uintptr_t)argv;
    if (strchr(kinds[s->kind].program, '/') != NULL)
        execv(path, args);
    else
        execvp(kinds[s->kind].program, args);
    _exit(127);
}

void server_start(struct server *s, const struct site *site, enum server_kind kind,
                  const char *const *more)
{
    char http[32];
    const char *argv[1 + SERVER_ARGS_MAX + SERVER_ARGS_MAX + 1] = {kinds[kind].program};
    *s = (struct server){.site = site, .kind = kind};
    snprintf(s->socket, sizeof s->socket, "%s/%d.sock", site->folder, (int)kind);
    /* Several of ours at a time do not share a socket. */
    for (int i = 0; access(s->socket, F_OK) == 0; i++)
        snprintf(s->socket, sizeof s->socket, "%s/%d-%d.sock", site->folder, (int)kind, i);
    if (kind == SERVER_SIMDD || kind == SERVER_BARE)
        choose_port(s->port);
    size_t n = 1 + usual_args(s, argv + 1, http);
    for (size_t i = 0; more != NULL && more[i] != NULL && i < SERVER_ARGS_MAX; i++)
        argv[n++] = more[i];
    fflush(NULL);
    s->pid = fork();
    tsv_check(s->pid >= 0, "fork: %s", strerror(errno));
    if (s->pid == 0)
        become(s, argv);
}

void server_stop(struct server *s, int signal)
{
    if (s->pid <= 0)
        return;
    kill(s->pid, signal);
    while (waitpid(s->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    s->pid = 0;
    (void)unlink(s->socket);
}

/* --- asking --- */

/* A descriptor, or -errno. */
static int try_dial(const struct server *s)
{
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    bool is_tcp = s->kind == SERVER_BARE;
    in.sin_port = htons((uint16_t)strtoul(s->port, NULL, 10));
    memcpy(un.sun_path, s->socket, strlen(s->socket) + 1);
    int fd = socket(is_tcp ? AF_INET : AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    const struct sockaddr *address = is_tcp ? (struct sockaddr *)&in : (struct sockaddr *)&un;
    if (connect(fd, address, is_tcp ? sizeof in : sizeof un) == 0)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

int server_dial(const struct server *s)
{
    int fd = try_dial(s);
    tsv_check(fd >= 0, "%s: %s", server_name(s->kind), strerror(-fd));
    return fd;
}

/* A request, and the bytes that must stand at `at` of the answer. */
struct ask {
    uint8_t request[256], answer[64];
    size_t request_bytes, answer_bytes, at;
};

static void ask_text(struct ask *a, const char *request, const char *answer)
{
    a->request_bytes = strlen(request);
    a->answer_bytes = strlen(answer);
    a->at = 0;
    memcpy(a->request, request, a->request_bytes);
    memcpy(a->answer, answer, a->answer_bytes);
}

/* A job of 64 bytes. */
static void ask_job(struct ask *a)
{
    struct bench_work w;
    tsv_check(bench_work_init(&w, KERN_OP_add_f32, 64) == 0, "no job");
    w.header.payload_bytes = w.shape.inline_bytes;
    a->request_bytes = WIRE_HEADER_BYTES + w.shape.inline_bytes;
    a->answer_bytes = w.shape.out_bytes;
    a->at = WIRE_HEADER_BYTES;
    memcpy(a->request, &w.header, WIRE_HEADER_BYTES);
    memcpy(a->request + WIRE_HEADER_BYTES, w.operands, w.shape.inline_bytes);
    memcpy(a->answer, w.expected, w.shape.out_bytes);
    bench_work_fini(&w);
}

static void ask_for(struct ask *a, enum server_kind kind)
{
    switch (kind) {
    case SERVER_MEMCACHED:
        ask_text(a, "version\r\n", "VERSION ");
        break;
    case SERVER_REDIS:
        ask_text(a, "PING\r\n", "+PONG\r\n");
        break;
    case SERVER_BARE:
        ask_text(a, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 200 OK\r\n");
        break;
    case SERVER_SIMDD:
        ask_job(a);
        break;
    case SERVER_ECHO: /* its answer is no job's in general: see its second argument */
    case SERVER_ECHO_LARGE:
    case SERVER_KINDS:
        a->request_bytes = a->answer_bytes = a->at = 0;
        break;
    }
}

static void exchange(const struct server *s, int fd, const struct ask *a)
{
    uint8_t buffer[512];
    size_t have = 0;
    ssize_t n = send(fd, a->request, a->request_bytes, MSG_NOSIGNAL);
    tsv_check(n == (ssize_t)a->request_bytes, "%s: takes no request", server_name(s->kind));
    while (have < a->at + a->answer_bytes) {
        n = recv(fd, buffer + have, sizeof buffer - have, 0);
        tsv_check(n > 0, "%s: no answer", server_name(s->kind));
        have += (size_t)n;
    }
    tsv_check(memcmp(buffer + a->at, a->answer, a->answer_bytes) == 0, "%s: a wrong answer",
              server_name(s->kind));
}

void server_await(const struct server *s)
{
    struct ask a;
    ask_for(&a, s->kind);
    uint64_t start_ns = clock_ns();
    int fd = try_dial(s);
    while (fd < 0) {
        /* A pause would be measured with what is waited for; yielding leaves it the CPU. */
        sched_yield();
        int err = fd;
        tsv_check(waitpid(s->pid, NULL, WNOHANG) == 0, "%s has ended: see %s/log",
                  server_name(s->kind), s->site->folder);
        tsv_check(clock_ns() - start_ns < AWAIT_NS, "%s: %s", server_name(s->kind),
                  strerror(-err));
        fd = try_dial(s);
    }
    if (a.request_bytes > 0)
        exchange(s, fd, &a);
    close(fd);
}

size_t server_memory_bytes(const struct server *s, const char *name)
{
    char line[256];
    size_t name_length = strlen(name);
    size_t kib = 0;
    snprintf(line, sizeof line, "/proc/%d/smaps_rollup", (int)s->pid);
    FILE *f = fopen(line, "r");
    tsv_check(f != NULL, "%s: %s", line, strerror(errno));
    while (fgets(line, sizeof line, f) != NULL) {
        if (strncmp(line, name, name_length) == 0 && line[name_length] == ':')
            kib = strtoul(line + name_length + 1, NULL, 10);
    }
    fclose(f);
    return kib * 1024;
}
