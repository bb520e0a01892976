/* The program: started, watched and ended. The client is daemon_client.c's. */
#include "config.h"

#include "daemon_bed.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <check.h>
#include <jansson.h>

double bed_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void pause_briefly(void)
{
    const struct timespec t = {.tv_nsec = 2000000};
    nanosleep(&t, NULL);
}

unsigned bed_scaled(unsigned n)
{
    const char *text = getenv("SIMDD_TEST_SCALE");
    double scaled = text != NULL ? n * strtod(text, NULL) : n;
    return scaled < 1 ? 1 : (unsigned)scaled;
}

/* ---- the folder ---- */

void bed_make(struct bed *b)
{
    *b = (struct bed){.dir = "/tmp/simdd-bed-XXXXXX"};
    if (mkdtemp(b->dir) == NULL) {
        perror(b->dir);
        exit(EXIT_FAILURE);
    }
    (void)snprintf(b->socket, sizeof(b->socket), "%s/simdd.sock", b->dir);
    (void)snprintf(b->config, sizeof(b->config), "%s/simdd.conf", b->dir);
    (void)snprintf(b->log, sizeof(b->log), "%s/log", b->dir);
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

void bed_remove(struct bed *b)
{
    if (b->pid > 0) {
        kill(b->pid, SIGKILL);
        (void)bed_wait(b);
    }
    (void)nftw(b->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

void bed_configure(struct bed *b, const char *text)
{
    FILE *f = fopen(b->config, "w");
    if (f == NULL || (text != NULL && fputs(text, f) == EOF) || fclose(f) != 0) {
        perror(b->config);
        exit(EXIT_FAILURE);
    }
}

static char *read_text(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = NULL;
    size_t cap = 0;
    if (f == NULL || getdelim(&text, &cap, '\0', f) < 0) {
        free(text);
        text = calloc(1, 1);
    }
    if (f != NULL)
        fclose(f);
    return text;
}

char *bed_log(const struct bed *b)
{
    return read_text(b->log);
}

void bed_expect_log(const struct bed *b, const char *part)
{
    char *log = bed_log(b);
    ck_assert_msg(strstr(log, part) != NULL, "no \"%s\" in:\n%s", part, log);
    free(log);
}

bool bed_has_socket(const struct bed *b)
{
    struct stat st;
    return lstat(b->socket, &st) == 0;
}

/* ---- the process ---- */

static const char *program(void)
{
    static char path[4096];
    const char *named = getenv("SIMDD"), *built = getenv("abs_top_builddir");
    if (named != NULL)
        return named;
    (void)snprintf(path, sizeof(path), "%s/daemon/simdd", built != NULL ? built : ".");
    return path;
}

/* In the child: wrapper, program, arguments. Does not return. */
static void execute(const struct bed *b, const char *const arguments[])
{
    char *argv[64];
    char wrapper[1024] = "";
    size_t argc = 0;
    const char *wanted = getenv("SIMDD_WRAPPER");
    if (wanted != NULL)
        (void)snprintf(wrapper, sizeof(wrapper), "%s", wanted);
    for (char *word = strtok(wrapper, " "); word != NULL && argc < 16; word = strtok(NULL, " "))
        argv[argc++] = word;
    argv[argc++] = strdup(program());
    for (size_t i = 0; arguments[i] != NULL; i++)
        argv[argc++] = strdup(arguments[i]);
    argv[argc] = NULL;

    int log = open(b->log, O_WRONLY | O_CREAT | O_APPEND, 0600);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    for (int fd = 3; fd < 64; fd++) /* the daemon's own descriptors are counted */
        close(fd);
    (void)unsetenv("NOTIFY_SOCKET");
    (void)unsetenv("LISTEN_FDS");
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* if the suite is killed */
    execvp(argv[0], argv);
    _exit(127);
}

static pid_t spawn(const struct bed *b, const char *const arguments[])
{
    pid_t pid = fork();
    if (pid == 0)
        execute(b, arguments);
    return pid;
}

static bool has_ended(struct bed *b, int *code)
{
    int status;
    pid_t ended = waitpid(b->pid, &status, WNOHANG);
    if (ended == 0 || (ended < 0 && errno == EINTR))
        return false;
    *code = ended < 0 ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    b->pid = 0;
    return true;
}

int bed_wait(struct bed *b)
{
    int code;
    for (double end = bed_now() + (double)BED_PATIENCE_S; !has_ended(b, &code); pause_briefly()) {
        if (bed_now() > end) {
            fprintf(stderr, "the daemon does not end\n");
            kill(b->pid, SIGKILL);
            end += (double)BED_PATIENCE_S;
        }
    }
    return code;
}

int bed_stop(struct bed *b)
{
    kill(b->pid, SIGTERM);
    return bed_wait(b);
}

int bed_run(struct bed *b, const char *const arguments[])
{
    (void)unlink(b->log);
    b->pid = spawn(b, arguments);
    return bed_wait(b);
}

bool bed_start(struct bed *b, const char *const flags[])
{
    const char *arguments[BED_FLAGS_MAX + 8] = {"--socket", b->socket, "--config", b->config};
    size_t argc = 4;
    bool http = false;
    for (size_t i = 0; flags != NULL && flags[i] != NULL && i < BED_FLAGS_MAX; i++) {
        http = http || strcmp(flags[i], "--http") == 0;
        arguments[argc++] = flags[i];
    }
    if (!http) {
        arguments[argc++] = "--http";
        arguments[argc++] = "off";
    }
    (void)unlink(b->log);
    b->pid = spawn(b, arguments);

    for (double end = bed_now() + (double)BED_PATIENCE_S; bed_now() < end; pause_briefly()) {
        char *log = bed_log(b);
        const char *serving = strstr(log, "serving socket=");
        const char *port = serving == NULL ? NULL : strstr(serving, "http_port=");
        if (port != NULL)
            b->http_port = atoi(port + strlen("http_port="));
        int code = 0;
        bool ended = port == NULL && has_ended(b, &code);
        if (ended)
            fprintf(stderr, "the daemon ended with %d:\n%s\n", code, log);
        free(log);
        if (port != NULL || ended)
            return port != NULL;
    }
    fprintf(stderr, "the daemon does not serve\n");
    return false;
}

void bed_open(struct bed *b, const char *config, const char *const flags[])
{
    bed_make(b);
    bed_configure(b, config);
    ck_assert_msg(bed_start(b, flags), "no daemon");
}

void bed_close(struct bed *b)
{
    int code = bed_stop(b);
    char *log = bed_log(b);
    bed_remove(b);
    ck_assert_msg(code == 0, "exit code %d:\n%s", code, log);
    free(log);
}

int bed_suite(struct bed *b, const char *config, const char *const flags[], int (*run)(void))
{
    bed_make(b);
    bed_configure(b, config);
    int code = bed_start(b, flags) ? run() : EXIT_FAILURE;
    int ended = b->pid > 0 ? bed_stop(b) : -1;
    if (ended != 0) {
        char *log = bed_log(b);
        fprintf(stderr, "the suite's daemon ended with %d:\n%s\n", ended, log);
        free(log);
        code = EXIT_FAILURE;
    }
    bed_remove(b);
    return code;
}

/* ---- what the daemon says of itself ---- */

/* Returns owned: its JSON metrics, asked for on a connection of their own. */
static json_t *metrics(const struct bed *b)
{
    struct wire_request h = client_request(WIRE_METRICS, 1);
    struct answer a;
    int fd = client_open(b);
    client_send_frame(fd, &h, NULL, 0);
    client_receive(fd, &a);
    close(fd);
    ck_assert_uint_eq(a.h.status, WIRE_OK);
    json_t *root = json_loads((const char *)a.payload, 0, NULL);
    ck_assert_ptr_nonnull(root);
    free(a.payload);
    return root;
}

static double number_at(json_t *at, const char *path)
{
    char name[128];
    (void)snprintf(name, sizeof(name), "%s", path);
    for (char *member = strtok(name, "."); member != NULL; member = strtok(NULL, "."))
        at = json_object_get(at, member);
    ck_assert_msg(json_is_number(at), "no metric %s", path);
    return json_number_value(at);
}

double bed_metric(const struct bed *b, const char *path)
{
    json_t *root = metrics(b);
    double value = number_at(root, path);
    json_decref(root);
    return value;
}

void bed_await(const struct bed *b, const char *path, double want)
{
    double got = -1;
    for (double end = bed_now() + (double)BED_PATIENCE_S; bed_now() < end; pause_briefly()) {
        got = bed_metric(b, path);
        if (got == want)
            return;
    }
    ck_abort_msg("%s is %g and does not come to be %g", path, got, want);
}

void bed_await_idle(const struct bed *b)
{
    bed_await(b, "jobs.in_flight", 0);
    bed_await(b, "connections.open", 1); /* the one that asks */
}

void bed_check_books(const struct bed *b)
{
    bed_await_idle(b);
    json_t *m = metrics(b);
    ck_assert_double_eq(number_at(m, "jobs.accepted"),
                        number_at(m, "jobs.done") + number_at(m, "jobs.failed") +
                            number_at(m, "jobs.cancelled"));
    ck_assert_double_eq(number_at(m, "cache.lookups"), number_at(m, "cache.hits") +
                                                           number_at(m, "cache.misses") +
                                                           number_at(m, "cache.bypasses"));
    ck_assert_double_eq(number_at(m, "arenas.open"), 0);
    ck_assert_double_eq(number_at(m, "batch.open_jobs"), 0);
    json_decref(m);
}

double bed_fd_count(const struct bed *b)
{
    for (double end = bed_now() + (double)BED_PATIENCE_S; bed_now() < end; pause_briefly()) {
        json_t *m = metrics(b);
        double open = number_at(m, "connections.open"), count = number_at(m, "process.open_fds");
        json_decref(m);
        if (open == 1)
            return count;
    }
    ck_abort_msg("connections stay open");
}
