/* The job socket: claims its path, accepts. Thread: the loop. */
#ifndef DAEMON_LISTENER_H
#define DAEMON_LISTENER_H

#include <sys/types.h>

#include <uv.h>

struct listener;

/* Takes fd, which is non-blocking and closes on exec. May stop the listener. */
typedef void listener_accept_fn(void *user, int fd);

/**
 * Binds and listens at `path`, mode 0660, group `group` if not NULL or "". A socket file that
 * nobody answers on is removed first. Two daemons that start at once do not take each other's
 * socket for a stale one: both lock the directory meanwhile.
 * Errors: -EADDRINUSE another live daemon answers there; -ENAMETOOLONG; -EEXIST the path is there
 * and is no socket; -ESRCH no such group; -EBUSY somebody else holds the directory's lock;
 * otherwise what the system said (-EACCES, -ENOENT, -EROFS, ...).
 */
int listener_bind(int *fd, const char *path, const char *group);

/* Accepts on a listening socket (bound here, or passed in by systemd). Takes fd on success.
 * path: unlinked at stop if it is still this socket; NULL for a passed socket. */
int listener_start(struct listener **out, uv_loop_t *loop, int fd, const char *path,
                   listener_accept_fn *accept, void *user);

/* Accepts no more, closes the socket, unlinks the path. Run the loop once after. NULL is fine. */
void listener_stop(struct listener *l);

#endif
