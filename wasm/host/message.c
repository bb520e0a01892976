/* Messages between daemon and process, with descriptors beside them. */
#include "config.h"

#include "message.h"

#include <errno.h>
#include <string.h>

#include <sys/socket.h>
#include <unistd.h>

union control {
    char bytes[CMSG_SPACE(MESSAGE_FDS_MAX * sizeof(int))];
    struct cmsghdr align;
};

static void take_fds(struct message *m, struct msghdr *h)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c != NULL; c = CMSG_NXTHDR(h, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < count && m->fds < MESSAGE_FDS_MAX; i++)
            memcpy(&m->fd[m->fds++], CMSG_DATA(c) + i * sizeof(int), sizeof(int));
    }
}

int message_receive(int socket, struct message *m)
{
    union control control;
    struct iovec iov = {.iov_base = &m->msg, .iov_len = sizeof m->msg};
    struct msghdr h = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.bytes,
                       .msg_controllen = sizeof control.bytes};
    ssize_t n;

    m->fds = 0;
    memset(m->fd, 0xff, sizeof m->fd);
    do {
        n = recvmsg(socket, &h, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == ECONNRESET ? -EPIPE : -EIO;
    take_fds(m, &h);
    if (n == 0)
        return -EPIPE;
    if ((size_t)n != sizeof m->msg || (h.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        message_close(m);
        return -EBADMSG;
    }
    return 0;
}

void message_close(struct message *m)
{
    for (unsigned i = 0; i < m->fds; i++) {
        if (m->fd[i] >= 0)
            close(m->fd[i]);
    }
    m->fds = 0;
}

int message_answer(int socket, struct answer *a)
{
    union control control;
    struct iovec iov = {.iov_base = &a->reply, .iov_len = sizeof a->reply};
    struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};
    size_t bytes = a->fds * sizeof(int);
    ssize_t n;

    if (a->fds != 0) {
        memset(&control, 0, sizeof control);
        h.msg_control = control.bytes;
        h.msg_controllen = CMSG_SPACE(bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&h);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(bytes);
        memcpy(CMSG_DATA(c), a->fd, bytes);
    }
    do {
        n = sendmsg(socket, &h, MSG_NOSIGNAL);
    } while (n < 0 && errno == EINTR);
    for (unsigned i = 0; i < a->fds; i++)
        close(a->fd[i]);
    a->fds = 0;
    return n == (ssize_t)sizeof a->reply ? 0 : -EIO;
}
