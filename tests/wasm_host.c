/* Drives a simdd-wasm process as the daemon does. */
#include "config.h"

#include "wasm_host.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <check.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const char *wasm_host_path(const char *built)
{
    static char path[4096];
    const char *top = getenv("abs_top_builddir");
    snprintf(path, sizeof path, "%s/%s", top != NULL ? top : ".", built);
    return path;
}

int wasm_host_memfd(const void *bytes, size_t count)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)count), 0);
    for (size_t at = 0; bytes != NULL && at < count;) {
        ssize_t n = pwrite(fd, (const char *)bytes + at, count - at, (off_t)at);
        ck_assert_int_gt(n, 0);
        at += (size_t)n;
    }
    ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
    return fd;
}

static void *map_fd(int fd, size_t count)
{
    void *p = mmap(NULL, count, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ck_assert_ptr_ne(p, MAP_FAILED);
    return p;
}

/* ---- the process ---- */

void wasm_host_spawn(struct wasm_host *h, unsigned workers)
{
    int pair[2];
    char *path = strdup(wasm_host_path("wasm/host/simdd-wasm"));

    memset(h, 0, sizeof *h);
    h->workers = workers;
    h->lanes_fd = wasm_host_memfd(NULL, workers * sizeof(struct host_lane));
    h->lanes = map_fd(h->lanes_fd, workers * sizeof(struct host_lane));
    h->segment_fd = wasm_host_memfd(NULL, WASM_HOST_SEGMENT);
    h->segment = map_fd(h->segment_fd, WASM_HOST_SEGMENT);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    h->pid = fork();
    ck_assert_int_ge(h->pid, 0);
    if (h->pid == 0) {
        /* over the descriptor of that number, or without its CLOEXEC if it is that already */
        if (pair[1] != HOST_FD ? dup2(pair[1], HOST_FD) < 0 : fcntl(HOST_FD, F_SETFD, 0) < 0)
            _exit(126);
        execl(path, "simdd-wasm", (char *)NULL);
        _exit(127);
    }
    close(pair[1]);
    free(path);
    h->socket = pair[0];
}

int wasm_host_close(struct wasm_host *h)
{
    int status = 0;

    close(h->socket);
    ck_assert_int_eq(waitpid(h->pid, &status, 0), h->pid);
    munmap(h->lanes, h->workers * sizeof(struct host_lane));
    munmap(h->segment, WASM_HOST_SEGMENT);
    close(h->lanes_fd);
    close(h->segment_fd);
    return status;
}

/* ---- messages ---- */

union control {
    char bytes[CMSG_SPACE(WASM_HOST_FDS * sizeof(int))];
    struct cmsghdr align;
};

static bool send_message(int socket, const struct host_msg *msg, const int *fds, unsigned count)
{
    union control control = {.bytes = {0}};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)msg, .iov_len = sizeof *msg};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (count != 0) {
        m.msg_control = control.bytes;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    return sendmsg(socket, &m, MSG_NOSIGNAL) == (ssize_t)sizeof *msg;
}

bool wasm_host_ask(struct wasm_host *h, const struct host_msg *msg, const int *fds, unsigned count,
                   struct wasm_answer *a)
{
    union control control;
    struct iovec iov = {.iov_base = &a->reply, .iov_len = sizeof a->reply};
    struct msghdr m = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};

    a->fds = 0;
    if (!send_message(h->socket, msg, fds, count))
        return false;
    if (recvmsg(h->socket, &m, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof a->reply)
        return false;
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    if (c != NULL) {
        a->fds = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        memcpy(a->fd, CMSG_DATA(c), a->fds * sizeof(int));
    }
    ck_assert_ptr_nonnull(memchr(a->reply.reason, 0, HOST_REASON_BYTES));
    return true;
}

void wasm_answer_close(struct wasm_answer *a)
{
    for (unsigned i = 0; i < a->fds; i++)
        close(a->fd[i]);
    a->fds = 0;
}

void wasm_host_start(struct wasm_host *h, int compiled, struct wasm_answer *a)
{
    struct host_msg msg = {.type = HOST_MSG_START,
                           .workers = h->workers,
                           .bytes = WASM_HOST_SEGMENT,
                           .version = HOST_VERSION,
                           .spin_ns = 20000,
                           .memory_max = WASM_HOST_MEMORY_MAX,
                           .compiled_has = compiled >= 0};
    int fds[WASM_HOST_FDS] = {h->lanes_fd, h->segment_fd, -1, compiled};

    fds[2] = open(wasm_host_path("wasm/kernels.wasm"), O_RDONLY | O_CLOEXEC);
    ck_assert_int_ge(fds[2], 0);
    ck_assert(wasm_host_ask(h, &msg, fds, compiled >= 0 ? 4 : 3, a));
    close(fds[2]);
}

static int kept = -1; /* the kernels' compiled form */

int wasm_host_compiled(void)
{
    return kept;
}

void wasm_host_open(struct wasm_host *h, unsigned workers)
{
    struct wasm_answer a;

    wasm_host_spawn(h, workers);
    wasm_host_start(h, kept, &a);
    ck_assert_msg(a.reply.status == HOST_REPLY_OK, "%s", a.reply.reason);
    wasm_answer_close(&a);
}

void wasm_host_warm(void)
{
    struct wasm_host h;
    struct wasm_answer a;

    if (kept >= 0)
        return;
    wasm_host_spawn(&h, 1);
    wasm_host_start(&h, -1, &a);
    ck_assert_msg(a.reply.status == HOST_REPLY_OK, "%s", a.reply.reason);
    ck_assert_int_eq(a.fds, 1);
    kept = a.fd[0];
    wasm_host_close(&h);
}

/* ---- modules, arenas ---- */

uint8_t *wasm_host_read(const char *built, size_t *count)
{
    int fd = open(wasm_host_path(built), O_RDONLY | O_CLOEXEC);
    struct stat st;
    ck_assert_msg(fd >= 0, "%s", built);
    ck_assert_int_eq(fstat(fd, &st), 0);
    *count = (size_t)st.st_size;
    uint8_t *bytes = malloc(*count);
    ck_assert_int_eq(read(fd, bytes, *count), st.st_size);
    close(fd);
    return bytes;
}

void wasm_host_add(struct wasm_host *h, uint32_t number, const void *bytes, size_t count,
                   struct wasm_answer *a)
{
    struct host_msg msg = {.type = HOST_MSG_MODULE, .number = number, .bytes = count};
    int fd = wasm_host_memfd(bytes, count);

    ck_assert(wasm_host_ask(h, &msg, &fd, 1, a));
    close(fd);
}

void wasm_host_add_file(struct wasm_host *h, uint32_t number, const char *built)
{
    struct wasm_answer a;
    size_t count;
    uint8_t *bytes = wasm_host_read(built, &count);

    wasm_host_add(h, number, bytes, count, &a);
    ck_assert_msg(a.reply.status == HOST_REPLY_OK, "%s", a.reply.reason);
    wasm_answer_close(&a);
    free(bytes);
}

uint32_t wasm_host_function(const struct wasm_answer *a, const char *name)
{
    struct host_function f;
    int fd = a->fd[a->fds - 1];

    for (uint32_t i = 0; i < a->reply.value; i++) {
        ck_assert_int_eq(pread(fd, &f, sizeof f, (off_t)(i * sizeof f)), sizeof f);
        if (strcmp(f.name, name) == 0)
            return i;
    }
    ck_abort_msg("no function %s", name);
}

uint8_t *wasm_host_map(struct wasm_host *h, uint32_t at, size_t bytes)
{
    struct host_msg msg = {.type = HOST_MSG_MAP, .at = at, .bytes = bytes};
    struct wasm_answer a;
    int fd = wasm_host_memfd(NULL, bytes);

    ck_assert(wasm_host_ask(h, &msg, &fd, 1, &a));
    ck_assert_msg(a.reply.status == HOST_REPLY_OK, "%s", a.reply.reason);
    void *p = map_fd(fd, bytes);
    close(fd);
    return p;
}

void wasm_host_unmap(struct wasm_host *h, uint32_t at, size_t bytes)
{
    struct host_msg msg = {.type = HOST_MSG_UNMAP, .at = at, .bytes = bytes};
    struct wasm_answer a;

    ck_assert(wasm_host_ask(h, &msg, NULL, 0, &a));
    ck_assert_msg(a.reply.status == HOST_REPLY_OK, "%s", a.reply.reason);
}

/* ---- tasks ---- */

void wasm_host_push(struct wasm_host *h, unsigned lane, const struct host_task *task)
{
    struct host_lane *l = &h->lanes[lane];
    /* relaxed: we alone write it. */
    uint32_t at = atomic_load_explicit(&l->pushed, memory_order_relaxed);

    l->task[at % HOST_LANE_TASKS] = *task;
    /* seq_cst, then seq_cst: as task.h has it; pairs with the partner's wait. */
    atomic_store_explicit(&l->pushed, at + 1, memory_order_seq_cst);
    if (atomic_exchange_explicit(&l->partner_sleeps, 0, memory_order_seq_cst) != 0)
        syscall(SYS_futex, &l->pushed, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static bool lives(struct wasm_host *h)
{
    siginfo_t info = {.si_pid = 0};
    return waitid(P_PID, (id_t)h->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == 0;
}

bool wasm_host_await(struct wasm_host *h, unsigned lane, struct host_task *task)
{
    static const struct timespec short_while = {.tv_nsec = 10000000};
    struct host_lane *l = &h->lanes[lane];
    uint32_t pushed = atomic_load_explicit(&l->pushed, memory_order_relaxed);

    for (int rounds = 0; rounds < 1000; rounds++) {
        atomic_store_explicit(&l->worker_sleeps, 1, memory_order_seq_cst);
        /* seq_cst, acquires: pairs with the partner's store of done. */
        uint32_t done = atomic_load_explicit(&l->done, memory_order_seq_cst);
        if (done == pushed) {
            *task = l->task[(pushed - 1) % HOST_LANE_TASKS];
            ck_assert_ptr_nonnull(memchr(task->reason, 0, HOST_REASON_BYTES));
            return lives(h);
        }
        if (!lives(h))
            return false;
        syscall(SYS_futex, &l->done, FUTEX_WAIT, done, &short_while, NULL, 0);
    }
    return false;
}

void wasm_host_run(struct wasm_host *h, struct host_task *task)
{
    wasm_host_push(h, 0, task);
    ck_assert(wasm_host_await(h, 0, task));
}

void wasm_host_expect_exit(struct wasm_host *h, int code)
{
    int status = wasm_host_close(h);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code, "%#x", (unsigned)status);
}

void wasm_host_expect_works(struct wasm_host *h, unsigned lane)
{
    enum { COUNT = 100 };
    int32_t *x = (int32_t *)(void *)h->segment;
    struct host_task t = {.kind = HOST_TASK_KERNEL};

    t.u.kernel = (struct host_kernel){.op = KERN_OP_add_i32,
                                      .isa = KERN_ISA_WASM128,
                                      .in = {WINDOW_SEGMENT, WINDOW_SEGMENT + 4 * COUNT},
                                      .out = WINDOW_SEGMENT + 8 * COUNT,
                                      .end = COUNT,
                                      .n = COUNT};
    for (int i = 0; i < COUNT; i++) {
        x[i] = i;
        x[COUNT + i] = 1000 * i;
        x[2 * COUNT + i] = -1;
    }
    wasm_host_push(h, lane, &t);
    ck_assert(wasm_host_await(h, lane, &t));
    ck_assert_msg(t.status == HOST_OK, "%u %s", t.status, t.reason);
    ck_assert_uint_eq(t.copied, 0);
    for (int i = 0; i < COUNT; i++)
        ck_assert_int_eq(x[2 * COUNT + i], 1001 * i);
}
