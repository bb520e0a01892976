/* Drives a simdd-wasm process as the daemon does: by its socket and its lanes. A step that cannot
 * fail for a reason that a test looks for ends the test. */
#ifndef TESTS_WASM_HOST_H
#define TESTS_WASM_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "wasm/host/task.h"

enum { WASM_HOST_SEGMENT = 1 << 20, WASM_HOST_MEMORY_MAX = 16 << 20, WASM_HOST_FDS = 4 };

struct wasm_host {
    pid_t pid;
    int socket;
    unsigned workers;
    struct host_lane *lanes;
    int lanes_fd, segment_fd;
    uint8_t *segment; /* WASM_HOST_SEGMENT bytes, at WINDOW_SEGMENT in the guests' windows */
};

struct wasm_answer {
    struct host_reply reply;
    int fd[WASM_HOST_FDS];
    unsigned fds;
};

/* Where the build put a file: "wasm/kernels.wasm". Returned text is the next call's too. */
const char *wasm_host_path(const char *built);

/* Starts the process, and sends nothing. */
void wasm_host_spawn(struct wasm_host *h, unsigned workers);

/* Sends START with the kernels' module; compiled: -1, or its compiled form. The answer's
 * descriptors are the caller's. */
void wasm_host_start(struct wasm_host *h, int compiled, struct wasm_answer *a);

/* Compiles the kernels' module once for all that follows: for an unchecked fixture, before the
 * tests have processes of their own. */
void wasm_host_warm(void);

/* Returns borrowed: the compiled form that it made. */
int wasm_host_compiled(void);

/* Both, from the compiled form if there is one, and the answer is OK. */
void wasm_host_open(struct wasm_host *h, unsigned workers);

/* Closes the socket and waits. Returns the exit status as waitpid() has it. */
int wasm_host_close(struct wasm_host *h);

/* Closes, and the process exits with that code. */
void wasm_host_expect_exit(struct wasm_host *h, int code);

/* An addition in the segment by that lane comes out right. */
void wasm_host_expect_works(struct wasm_host *h, unsigned lane);

/* Sends any message. Returns false if the process is gone. */
bool wasm_host_ask(struct wasm_host *h, const struct host_msg *msg, const int *fds, unsigned count,
                   struct wasm_answer *a);
void wasm_answer_close(struct wasm_answer *a);

/* Adds a module from memory as `number`. */
void wasm_host_add(struct wasm_host *h, uint32_t number, const void *bytes, size_t count,
                   struct wasm_answer *a);

/* Reads a built module; freed by the caller. */
uint8_t *wasm_host_read(const char *built, size_t *count);

/* Adds a built module, which is not refused. */
void wasm_host_add_file(struct wasm_host *h, uint32_t number, const char *built);

/* A memfd with the bytes, or zeros where bytes is NULL; sealed against changes of its size. */
int wasm_host_memfd(const void *bytes, size_t count);

/* Maps a new arena at `at` in the windows. Returns it as it is mapped here. */
uint8_t *wasm_host_map(struct wasm_host *h, uint32_t at, size_t bytes);
void wasm_host_unmap(struct wasm_host *h, uint32_t at, size_t bytes);

/* Puts a task into a lane. */
void wasm_host_push(struct wasm_host *h, unsigned lane, const struct host_task *task);

/* Waits for the oldest task of a lane that was pushed; *task is what it became. Returns whether the
 * process still lives (a task may be done all the same) and did it within ten seconds. */
bool wasm_host_await(struct wasm_host *h, unsigned lane, struct host_task *task);

/* Push and await on lane 0; the process lives. */
void wasm_host_run(struct wasm_host *h, struct host_task *task);

/* The index of a function by name in a module of the kit's list, for struct host_call. */
uint32_t wasm_host_function(const struct wasm_answer *a, const char *name);

#endif
