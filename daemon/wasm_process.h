/* One simdd-wasm process, from the daemon's side: started, asked, fed with tasks, killed.
 *
 * Nothing that it writes is trusted: replies and tasks are copied once and then checked. It may die
 * at any time; whoever waits for it then sees it dead. Thread: any worker, as told below.
 */
#ifndef DAEMON_WASM_PROCESS_H
#define DAEMON_WASM_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasm/host/task.h"

struct wasm_process;

struct wasm_process_config {
    const char *path;    /* of simdd-wasm */
    unsigned workers;    /* lanes */
    uint32_t spin_ns;
    uint64_t memory_max; /* of one instance's own memory */
    uint64_t timeout_ns; /* for the start */
};

/* Descriptors that come with a reply, owned by whoever asked; -1 for none. */
struct wasm_reply {
    struct host_reply head; /* status, counts and reason are checked */
    int fds[2];
};

/**
 * Starts one and waits until it is ready. One reference.
 * kernels_fd, compiled_fd  the kernels' module and its compiled form, or -1; borrowed
 * segment_fd, bytes        the user's payload segment; borrowed
 * Returns 0 and the reply to its start, or -errno: what the system says, -ETIMEDOUT, -EPROTO for a
 * process that ends or answers nonsense, -ECANCELED if it cannot start for reply->head.reason.
 */
int wasm_process_start(struct wasm_process **out, struct wasm_reply *reply,
                       const struct wasm_process_config *cfg, int kernels_fd, int compiled_fd,
                       int segment_fd, uint64_t segment_bytes);

struct wasm_process *wasm_process_get(struct wasm_process *p);

/* The last reference kills it. NULL is fine. */
void wasm_process_put(struct wasm_process *p);

/**
 * Sends a message with `count` descriptors (borrowed) and waits for its reply. One thread at a
 * time. Returns 0, whatever the reply's status is; -ETIMEDOUT, or -EPROTO if it died or answers
 * nonsense: then it has been killed.
 */
int wasm_process_ask(struct wasm_process *p, struct wasm_reply *reply, const struct host_msg *msg,
                     const int *fds, size_t count, uint64_t timeout_ns);

void wasm_reply_close(struct wasm_reply *reply);

/* False once it has ended. Thread: any. */
bool wasm_process_alive(struct wasm_process *p);

/* SIGKILL; whoever waits on a lane wakes up. Thread: any. */
void wasm_process_kill(struct wasm_process *p);

/* How one that is not alive has ended, "signal 9" or "exit 70". Waits for its last moment. */
struct wasm_process_end {
    char text[24];
};
struct wasm_process_end wasm_process_end(struct wasm_process *p);

int wasm_process_pid(const struct wasm_process *p);

/* A worker's own lane; what lies in it is the process's to write, too. */
struct host_lane *wasm_process_lane(struct wasm_process *p, unsigned worker);

/* Tasks up to `pushed` are filled in: hands them over. */
void wasm_lane_push(struct host_lane *lane, uint32_t pushed);

/* Waits until `done` is no longer `seen`, the process has died, or wait_ns have passed: spins
 * first, then sleeps. Returns `done` as it is then. */
uint32_t wasm_lane_wait(struct wasm_process *p, struct host_lane *lane, uint32_t seen,
                        uint64_t wait_ns);

#endif
