/* Messages between daemon and process, with descriptors beside them. */
#ifndef WASM_HOST_MESSAGE_H
#define WASM_HOST_MESSAGE_H

#include "wasm/host/task.h"

enum { MESSAGE_FDS_MAX = 4 };

struct message {
    struct host_msg msg;
    int fd[MESSAGE_FDS_MAX]; /* owned; -1 where there is none */
    unsigned fds;
};

/* What goes back. */
struct answer {
    struct host_reply reply;
    int fd[MESSAGE_FDS_MAX]; /* owned */
    unsigned fds;
};

/* Waits for one. -EPIPE if the other end is closed, -EBADMSG if it is none of task.h, -EIO. */
int message_receive(int socket, struct message *m);

/* Closes what was not taken (set to -1). */
void message_close(struct message *m);

/* Sends it and closes its descriptors. -EIO. */
int message_answer(int socket, struct answer *a);

#endif
