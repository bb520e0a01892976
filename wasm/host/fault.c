/* Faults outside modules' own code.
 *
 * Two kinds are a guest's doing. One of the daemon's ops runs on memory that is taken away
 * meanwhile: the op holds nothing, so it is left where it stands. Or a module whose memory is the
 * whole window copies or fills across a gap: then the engine is in the middle of its own code and
 * cannot be left, so the task is answered and the process ends; the daemon starts another. All else
 * is a bug.
 *
 * Everything here is safe in a signal handler.
 */
#include "config.h"

#include "fault.h"

#include <setjmp.h>
#include <signal.h>
#include <string.h>

#include <unistd.h>

#include "instance.h"
#include "partner.h"
#include "window.h"

/* Whether the running module may reach that address. A module's start function runs before its
 * window is known; then any window's is believed to be its. */
static bool is_guests(const struct partner *p, const void *address)
{
    const struct instance *i = p->running;
    return i != NULL && (i->window == NULL || window_spans(i->window, address));
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    static const char bug[] = "<3>simdd-wasm: fault in the host itself\n";
    static const char bulk[] = "a copy or fill reached memory that is not mapped";
    struct partner *p = partner_self();

    (void)number, (void)context;
    if (p != NULL && p->task != NULL && is_guests(p, info->si_addr)) {
        if (p->recovers)
            siglongjmp(p->recover, 1);
        struct host_task *task = p->task;
        task->status = HOST_TRAP_MEMORY;
        memcpy(task->reason, bulk, sizeof bulk);
        partner_finish(p);
        _exit(HOST_EXIT_FAULT);
    }
    ssize_t n = write(STDERR_FILENO, bug, sizeof bug - 1);
    (void)n;
    _exit(HOST_EXIT_INTERNAL);
}

void fault_handle(void)
{
    struct sigaction action = {.sa_sigaction = on_fault,
                               /* NODEFER: the next fault after a jump out of here is seen too */
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER};

    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
}
