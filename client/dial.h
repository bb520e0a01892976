/* A bare socket to the daemon, for what does not go through libsimdd. */
#ifndef CLIENT_DIAL_H
#define CLIENT_DIAL_H

#include <stdbool.h>

/* Connects, non-blocking: a descriptor or -errno.
 * large  raise the socket's buffers, for payloads of megabytes */
int dial(const char *path, bool large);

#endif
