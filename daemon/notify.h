/* systemd: sockets passed in, readiness, reload, watchdog. Without systemd every call does
 * nothing. libsystemd is loaded only when $NOTIFY_SOCKET or $LISTEN_PID is set, so that a start
 * without systemd does not pay for it. Thread: the loop. */
#ifndef DAEMON_NOTIFY_H
#define DAEMON_NOTIFY_H

#include <stdint.h>

struct notify;

/* Also reads the passed sockets, which become non-blocking and close on exec. -ENOSYS: systemd asks
 * for it, but libsystemd is not there or this build is without it. Call once per process, before
 * threads start: it removes $LISTEN_PID and its companions from the environment. */
int notify_new(struct notify **out);

/* Closes passed sockets that nobody took. NULL is fine. */
void notify_free(struct notify *n);

/* Hands over the passed listening socket named "job" (AF_UNIX, SOCK_STREAM) or "metrics" (TCP);
 * the caller owns it. Where nothing has that name, the kind of the sockets with other names
 * decides. -ENOENT: none was passed. -EINVAL: of the wrong kind. */
int notify_take_socket(struct notify *n, const char *name, int *fd);

/* status: one line for `systemctl status`; borrowed. */
void notify_ready(struct notify *n, const char *status);
void notify_reloading(struct notify *n);
void notify_stopping(struct notify *n);
void notify_status(struct notify *n, const char *status);

/* Half of the watchdog's interval in ms: call notify_alive() so often. 0: none is asked for. */
uint64_t notify_watchdog_ms(const struct notify *n);
void notify_alive(struct notify *n);

#endif
