/* What the suites of the whole daemon share: the real program in a folder of its own, and a client
 * that speaks raw frames and lines.
 *
 * Nothing here waits for ever: whatever does not come within BED_PATIENCE_S fails the test. No
 * test depends on how fast something is.
 *
 * Environment: SIMDD names the program (else it is $abs_top_builddir/daemon/simdd); SIMDD_WRAPPER
 * is put before the command ("valgrind -q"); SIMDD_TEST_SCALE, a factor, makes loops shorter.
 */
#ifndef TESTS_DAEMON_BED_H
#define TESTS_DAEMON_BED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "protocol/wire.h"

/* The daemon is built as this suite is; under a sanitizer its memory is mostly the sanitizer's. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define BED_SANITIZED 1
#elif defined(__has_feature)
#define BED_SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#else
#define BED_SANITIZED 0
#endif

enum { BED_PATIENCE_S = 120, BED_FLAGS_MAX = 16 };

struct bed {
    char dir[32];
    char socket[64], config[64], log[64];
    pid_t pid;     /* 0: not running */
    int http_port; /* 0: HTTP is off */
};

/* ---- the program ---- */

/* A folder of its own. The rest of the struct is for these functions. */
void bed_make(struct bed *b);

/* Ends a daemon that is left, and removes the folder. */
void bed_remove(struct bed *b);

/* Writes the configuration file that bed_start() names: `text`, or nothing for NULL. */
void bed_configure(struct bed *b, const char *text);

/* Starts the daemon with the folder's socket and configuration and these flags (NULL ends them),
 * and returns when it serves. HTTP is off unless `flags` say --http. Prints the log and returns
 * false if it does not come to serve. */
bool bed_start(struct bed *b, const char *const flags[]);

/* bed_make(), bed_configure(), bed_start(), for a daemon that must come up. */
void bed_open(struct bed *b, const char *config, const char *const flags[]);

/* Sends SIGTERM and returns the exit code; 128 + N for a signal. */
int bed_stop(struct bed *b);

/* The exit code of a daemon that ends by itself. */
int bed_wait(struct bed *b);

/* bed_stop() must give 0; bed_remove(). */
void bed_close(struct bed *b);

/* Runs the program to its end with these arguments (NULL ends them) and returns the exit code.
 * Its standard output and error go to b->log. */
int bed_run(struct bed *b, const char *const arguments[]);

/* Returns owned (free): the log so far. */
char *bed_log(const struct bed *b);

/* `part` is in the log. */
void bed_expect_log(const struct bed *b, const char *part);

/* Something is at the socket's path. */
bool bed_has_socket(const struct bed *b);

/* For main(): the suite's one daemon. Returns an exit code that tells of both. */
int bed_suite(struct bed *b, const char *config, const char *const flags[], int (*run)(void));

/* ---- what the daemon says of itself ---- */

/* The number at `path` ("jobs.accepted") of its JSON metrics. */
double bed_metric(const struct bed *b, const char *path);

/* Returns when the number is `want`. */
void bed_await(const struct bed *b, const char *path, double want);

/* Returns when no job is in flight and no connection open but the one that asks. */
void bed_await_idle(const struct bed *b);

/* Every job accepted has ended one way, every lookup too, and nothing is held any more. */
void bed_check_books(const struct bed *b);

/* Descriptors that the daemon has open when no connection is but the one that asks. */
double bed_fd_count(const struct bed *b);

/* `n` scaled by SIMDD_TEST_SCALE, at least 1. */
unsigned bed_scaled(unsigned n);

/* A number that grows with time, for waits: seconds. */
double bed_now(void);

/* ---- a client ---- */

/* A connected socket, blocking, on which no call waits longer than BED_PATIENCE_S. */
int client_open(const struct bed *b);

void client_send(int fd, const void *bytes, size_t n);

/* The same, with descriptors that travel with the first byte. */
void client_send_fds(int fd, const void *bytes, size_t n, const int *fds, unsigned count);

/* A header of this type and id; the rest is 0. */
struct wire_request client_request(enum wire_type type, uint64_t id);

/* A header and its payload. Sets payload_bytes. */
void client_send_frame(int fd, struct wire_request *h, const void *payload, size_t payload_bytes);

struct answer {
    struct wire_answer h;
    uint8_t *payload; /* owned (free): payload_bytes, and a zero behind result_bytes */
};

/* The next answer; checks what every answer promises of itself. */
void client_receive(int fd, struct answer *a);

/* Receives an answer to `id` that is an error: this status, and a reason that names `field` (NULL:
 * none). */
void client_expect_error(int fd, uint64_t id, enum wire_status status, const char *field);

/* Receives an answer to `id` that is OK. */
void client_expect_ok(int fd, uint64_t id);

/* The daemon has closed: nothing but the end is left to read. */
void client_expect_end(int fd);

/* A ping goes through: the connection is in step. */
void client_expect_alive(int fd);

/* add_f32 on two floats goes through on a new connection: others are served. */
void client_expect_service(const struct bed *b);

/* Returns owned (free): the next line, without its newline. */
char *client_read_line(int fd);

#endif
