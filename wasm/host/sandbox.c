/* What the process gives up, before it touches a module.
 *
 * A guest is held by the engine. All of this is for the day when that has a hole: who gets out of
 * the engine finds a process that can compute, answer its daemon, and do nothing else. It cannot
 * open, connect, start, look at or signal anything.
 */
#include "config.h"

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>

#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- the beginning ---- */

static int close_others(int socket)
{
    if (syscall(SYS_close_range, 3u, (unsigned)socket - 1, 0u) != 0 && socket > 3)
        return -errno;
    if (syscall(SYS_close_range, (unsigned)socket + 1, ~0u, 0u) != 0)
        return -errno;
    return 0;
}

/* The kernel's choice when memory runs out: rather this process than the daemon, which starts it
 * again. Harmless if it cannot be said. */
static void offer_to_oom(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t n = write(fd, "900", 3);
    (void)n;
    close(fd);
}

int sandbox_begin(int socket)
{
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE};

    int err = close_others(socket);
    if (err < 0)
        return err;
    /* A terminal and a service manager signal the whole group. The daemon drains then, which needs
     * this process until it closes the socket. */
    for (size_t i = 0; i < sizeof ignored / sizeof ignored[0]; i++)
        signal(ignored[i], SIG_IGN);
    offer_to_oom();
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0) != 0)
        return -errno;
    return 0;
}

static int limit(__rlimit_resource_t resource, rlim_t most)
{
    struct rlimit now;

    if (getrlimit(resource, &now) != 0)
        return -errno;
    if (now.rlim_max > most)
        now.rlim_max = most;
    now.rlim_cur = now.rlim_max;
    return setrlimit(resource, &now) == 0 ? 0 : -errno;
}

int sandbox_limit(uint64_t data_bytes)
{
    int err = limit(RLIMIT_CORE, 0);
    if (err == 0)
        err = limit(RLIMIT_NOFILE, 4096); /* those of arenas stay open while they are mapped */
    if (err == 0)
        err = limit(RLIMIT_MEMLOCK, 0);
    if (err == 0)
        err = limit(RLIMIT_MSGQUEUE, 0);
    if (err == 0)
        err = limit(RLIMIT_DATA, data_bytes);
    return err;
}

/* ---- files ---- */

int sandbox_files(void)
{
    /* everything that version 1 knows; later versions' additions need files that can be opened */
    struct landlock_ruleset_attr attr = {.handled_access_fs =
                                             (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};

    int rules = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);
    if (rules < 0)
        /* EPERM: a container's filter that does not know it. Ours opens no files either. */
        return errno == ENOSYS || errno == EOPNOTSUPP || errno == EPERM ? 0 : -errno;
    int err = syscall(SYS_landlock_restrict_self, rules, 0) == 0 ? 0 : -errno;
    close(rules);
    return err;
}

/* ---- system calls ---- */

static const int allowed[] = {
    /* memory: the engine's, malloc's, windows */
    SCMP_SYS(brk),
    SCMP_SYS(madvise),
    SCMP_SYS(mremap),
    SCMP_SYS(munmap),
    /* messages and what they bring */
    SCMP_SYS(close),
    SCMP_SYS(lseek), /* a file's size; newer libraries' fstat() could look at any path */
    SCMP_SYS(memfd_create),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(write),
    /* tasks */
    SCMP_SYS(futex),
    SCMP_SYS(clock_gettime), /* where it is no part of the vDSO */
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    /* traps */
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    /* the engine's maps draw their seeds; malloc counts CPUs */
    SCMP_SYS(getrandom),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sysinfo), /* how much memory there is: qsort() asks */
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
#ifdef __aarch64__
    SCMP_SYS(membarrier), /* after code has been written */
#endif
};

static int allow_some(scmp_filter_ctx filter)
{
    /* Memory is never writable and executable at once, and executable only by mprotect(), as the
     * engine does it: no file can be mapped as code. */
    int err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (err == 0)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
    if (err == 0)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_WRITE, 0));
    if (err == 0)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                               SCMP_A1(SCMP_CMP_EQ, F_ADD_SEALS, 0));
    if (err == 0)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
                               SCMP_A1(SCMP_CMP_EQ, F_GET_SEALS, 0));
    return err;
}

int sandbox_calls(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (filter == NULL)
        return -ENOMEM;
    int err = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0] && err == 0; i++)
        err = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
    if (err == 0)
        err = allow_some(filter);
    if (err == 0)
        err = seccomp_load(filter);
    seccomp_release(filter);
    return err;
}
