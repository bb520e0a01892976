/* The job socket: claims its path, accepts. Thread: the loop. */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include <sys/types.h>

#include <uv.h>

struct listener;

typedef void listener_accept_fn(void *user, int fd);

/**
 * Binds and listens at `path`, mode 0660, group `group` if not NULL. A socket file that nobody
 * answers on is removed first.
 * Errors: -EADDRINUSE another live daemon answers there; -ENAMETOOLONG; -EEXIST the path is there
 * and is no socket; otherwise what bind or listen said.
 */
int listener_bind(int *fd, const char *path, const char *group);

/* Accepts on a listening socket (bound here, or passed in by systemd). Takes fd on success.
 * path: unlinked at stop; NULL for a passed socket. */
int listener_start(struct listener **out, uv_loop_t *loop, int fd, const char *path,
                   listener_accept_fn *accept, void *user);

/* Accepts no more, closes the socket, unlinks the path. Run the loop once after. NULL is fine. */
void listener_stop(struct listener *l);

#endif
