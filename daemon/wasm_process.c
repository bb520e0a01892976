/* A process of its own for one user's modules: exec, messages, lanes, death. */
#include "config.h"

#include "wasm_process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "clock.h"

/* Death wakes nobody by itself, so whoever sleeps on a lane looks up this often. */
enum { LOOK_NS = 10000000 };

enum { SPINS_PER_LOOK = 32 };

struct wasm_process {
    _Atomic uint32_t refs; /* any thread */
    _Atomic bool dead;     /* any thread; never false again */
    pid_t pid;             /* ours to reap: nobody else's until process_free() */
    int sock;              /* hangs up when the process ends, or wants to be rid of us */
    unsigned workers;
    uint32_t spin_ns;
    struct host_lane *lanes; /* shared with the process */
    size_t lanes_bytes;
};

/* ---- life ---- */

static int spawn(pid_t *pid, const char *path, int sock)
{
    char name[] = "simdd-wasm";
    char *const argv[] = {name, NULL};
    char *const envp[] = {NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    int err = posix_spawn_file_actions_init(&actions);
    if (err != 0)
        return -err;
    err = posix_spawnattr_init(&attr);
    if (err == 0) {
        (void)posix_spawnattr_setsigmask(&attr, &none);
        (void)posix_spawnattr_setsigdefault(&attr, &all);
        (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        err = posix_spawn_file_actions_adddup2(&actions, sock, HOST_FD);
        if (err == 0)
            err = posix_spawn(pid, path, &actions, &attr, argv, envp);
        (void)posix_spawnattr_destroy(&attr);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return -err;
}

static int lanes_new(struct wasm_process *p, int *fd)
{
    p->lanes_bytes = p->workers * sizeof(struct host_lane);
    *fd = memfd_create("simdd-lanes", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0 || ftruncate(*fd, (off_t)p->lanes_bytes) < 0 ||
        fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return -errno;
    void *map = mmap(NULL, p->lanes_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    p->lanes = map;
    return 0;
}

static void process_free(struct wasm_process *p)
{
    if (p->pid > 0) {
        wasm_process_kill(p);
        while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (p->sock >= 0)
        close(p->sock);
    if (p->lanes)
        (void)munmap(p->lanes, p->lanes_bytes);
    free(p);
}

static int process_exec(struct wasm_process *p, const char *path)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    p->sock = pair[0];
    int err = spawn(&p->pid, path, pair[1]);
    close(pair[1]);
    if (err < 0)
        p->pid = 0;
    return err;
}

int wasm_process_start(struct wasm_process **out, struct wasm_reply *reply,
                       const struct wasm_process_config *cfg, int kernels_fd, int compiled_fd,
                       int segment_fd, uint64_t segment_bytes)
{
    struct wasm_process *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    atomic_init(&p->refs, 1);
    p->sock = -1;
    p->workers = cfg->workers;
    p->spin_ns = cfg->spin_ns;
    int lanes_fd = -1;
    int err = lanes_new(p, &lanes_fd);
    if (err == 0)
        err = process_exec(p, cfg->path);
    if (err == 0) {
        const int fds[] = {lanes_fd, segment_fd, kernels_fd, compiled_fd};
        const struct host_msg msg = {.type = HOST_MSG_START,
                                     .version = HOST_VERSION,
                                     .workers = cfg->workers,
                                     .bytes = segment_bytes,
                                     .spin_ns = cfg->spin_ns,
                                     .memory_max = cfg->memory_max,
                                     .compiled_has = compiled_fd >= 0};
        err = wasm_process_ask(p, reply, &msg, fds, compiled_fd >= 0 ? 4 : 3, cfg->timeout_ns);
    }
    if (err == 0 && reply->head.status != HOST_REPLY_OK) {
        wasm_reply_close(reply);
        err = -ECANCELED;
    }
    if (lanes_fd >= 0)
        close(lanes_fd);
    if (err < 0) {
        process_free(p);
        return err;
    }
    *out = p;
    return 0;
}

struct wasm_process *wasm_process_get(struct wasm_process *p)
{
    /* relaxed: whoever hands us `p` holds a reference */
    atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
    return p;
}

void wasm_process_put(struct wasm_process *p)
{
    /* acq_rel: the last holder sees what the others did before they let go */
    if (p && atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) == 1)
        process_free(p);
}

static void futex_wake(_Atomic uint32_t *word)
{
    (void)syscall(SYS_futex, word, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
}

static void mark_dead(struct wasm_process *p)
{
    /* release: pairs with the acquire in wasm_process_alive() */
    atomic_store_explicit(&p->dead, true, memory_order_release);
    for (unsigned i = 0; p->lanes && i < p->workers; i++)
        futex_wake(&p->lanes[i].done);
}

bool wasm_process_alive(struct wasm_process *p)
{
    if (atomic_load_explicit(&p->dead, memory_order_acquire))
        return false;
    struct pollfd ended = {.fd = p->sock, .events = 0};
    if (poll(&ended, 1, 0) <= 0)
        return true;
    mark_dead(p);
    return false;
}

void wasm_process_kill(struct wasm_process *p)
{
    (void)kill(p->pid, SIGKILL);
    mark_dead(p);
}

struct wasm_process_end wasm_process_end(struct wasm_process *p)
{
    struct wasm_process_end end = {"unknown"};
    siginfo_t info = {0};
    /* It hung up: at its end, or else it has to. A signal does not change how it ends already. */
    wasm_process_kill(p);
    int err;
    while ((err = waitid(P_PID, (id_t)p->pid, &info, WEXITED | WNOWAIT)) < 0 && errno == EINTR)
        ;
    if (err == 0)
        (void)snprintf(end.text, sizeof(end.text), "%s %d",
                       info.si_code == CLD_EXITED ? "exit" : "signal", info.si_status);
    return end;
}

int wasm_process_pid(const struct wasm_process *p)
{
    return (int)p->pid;
}

/* ---- messages ---- */

static int message_send(struct wasm_process *p, const struct host_msg *msg, const int *fds,
                        size_t count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control = {{0}};
    struct iovec iov = {(void *)(uintptr_t)msg, sizeof(*msg)};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
    if (count > 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    ssize_t sent;
    while ((sent = sendmsg(p->sock, &m, MSG_NOSIGNAL)) < 0 && errno == EINTR)
        ;
    return sent == (ssize_t)sizeof(*msg) ? 0 : -EPROTO;
}

static void take_descriptors(struct msghdr *m, struct wasm_reply *reply, bool *bad)
{
    size_t have = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
            if (have < 2) {
                reply->fds[have++] = fd;
            } else {
                close(fd);
                *bad = true;
            }
        }
    }
}

static int message_receive(struct wasm_process *p, struct wasm_reply *reply)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(4 * sizeof(int))];
    } control;
    struct iovec iov = {&reply->head, sizeof(reply->head)};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof(control.bytes)};
    ssize_t got;
    while ((got = recvmsg(p->sock, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT)) < 0 && errno == EINTR)
        ;
    if (got < 0)
        return -EPROTO;
    bool bad = got != (ssize_t)sizeof(reply->head) || (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0;
    take_descriptors(&m, reply, &bad);
    if (bad || reply->head.status > HOST_REPLY_FAILED)
        return -EPROTO;
    reply->head.reason[HOST_REASON_BYTES - 1] = '\0';
    return 0;
}

/* A reply, or the end of the process, or of patience. */
static int reply_await(struct wasm_process *p, uint64_t timeout_ns)
{
    const uint64_t until = clock_ns() + timeout_ns;
    struct pollfd look = {.fd = p->sock, .events = POLLIN};
    for (;;) {
        uint64_t now = clock_ns();
        int wait_ms = now >= until ? 0 : (int)((until - now) / 1000000 + 1);
        int ready = poll(&look, 1, wait_ms);
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready > 0)
            return (look.revents & POLLIN) != 0 ? 0 : -EPROTO;
        if (ready == 0 && clock_ns() >= until)
            return -ETIMEDOUT;
    }
}

int wasm_process_ask(struct wasm_process *p, struct wasm_reply *reply, const struct host_msg *msg,
                     const int *fds, size_t count, uint64_t timeout_ns)
{
    memset(reply, 0, sizeof(*reply));
    reply->fds[0] = reply->fds[1] = -1;
    int err = message_send(p, msg, fds, count);
    if (err == 0)
        err = reply_await(p, timeout_ns);
    if (err == 0)
        err = message_receive(p, reply);
    if (err < 0) {
        wasm_reply_close(reply);
        wasm_process_kill(p);
    }
    return err;
}

void wasm_reply_close(struct wasm_reply *reply)
{
    for (size_t i = 0; i < 2; i++) {
        if (reply->fds[i] >= 0)
            close(reply->fds[i]);
        reply->fds[i] = -1;
    }
}

/* ---- lanes ---- */

struct host_lane *wasm_process_lane(struct wasm_process *p, unsigned worker)
{
    return &p->lanes[worker];
}

void wasm_lane_push(struct host_lane *lane, uint32_t pushed)
{
    /* seq_cst, as the exchange: the partner sets partner_sleeps and then looks at `pushed`, in that
     * order too, so either it sees the tasks or we see it asleep. */
    atomic_store_explicit(&lane->pushed, pushed, memory_order_seq_cst);
    if (atomic_exchange_explicit(&lane->partner_sleeps, 0, memory_order_seq_cst) != 0)
        futex_wake(&lane->pushed);
}

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

uint32_t wasm_lane_wait(struct wasm_process *p, struct host_lane *lane, uint32_t seen,
                        uint64_t wait_ns)
{
    const uint64_t start = clock_ns();
    uint32_t done;
    for (;;) {
        for (unsigned i = 0; i < SPINS_PER_LOOK; i++) {
            /* acquire: pairs with the partner's release; what it wrote of the task is there */
            done = atomic_load_explicit(&lane->done, memory_order_acquire);
            if (done != seen)
                return done;
            relax();
        }
        if (clock_ns() - start >= p->spin_ns)
            break;
    }
    for (;;) {
        uint64_t waited = clock_ns() - start;
        if (waited >= wait_ns || !wasm_process_alive(p))
            return atomic_load_explicit(&lane->done, memory_order_acquire);
        uint64_t left = wait_ns - waited;
        struct timespec ts = {0, (long)(left < LOOK_NS ? left : LOOK_NS)};
        /* seq_cst: the mirror of wasm_lane_push() */
        atomic_store_explicit(&lane->worker_sleeps, 1, memory_order_seq_cst);
        done = atomic_load_explicit(&lane->done, memory_order_seq_cst);
        if (done != seen)
            return done;
        (void)syscall(SYS_futex, &lane->done, FUTEX_WAIT, seen, &ts, NULL, 0);
        done = atomic_load_explicit(&lane->done, memory_order_acquire);
        if (done != seen)
            return done;
    }
}
