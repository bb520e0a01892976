/* One connection: frames out of a queue, answers into their memory. It knows no retries.
 *
 * Sending gathers many requests into one sendmsg, from where their bytes lie, and remembers how
 * far the first of the queue got. Receiving parses small answers out of a buffer and reads the
 * bulk of large ones straight to where they belong.
 */
#ifndef CLIENT_LINK_H
#define CLIENT_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/wire.h"
#include "request.h"

enum { LINK_BUFFER_BYTES = 64 * 1024 };

struct link {
    int fd; /* -1: closed */

    size_t head_sent; /* bytes of the queue's first request that went out */

    uint8_t *buffer; /* LINK_BUFFER_BYTES */
    size_t begin, end;
    struct wire_answer answer; /* whose payload is being read */
    bool in_payload;
    uint64_t payload_left; /* of it, `into_left` go to `into`, the rest is skipped */
    uint8_t *into;
    size_t into_left;
};

/* What becomes of what arrives. */
struct link_sink {
    /* A header. Says where the payload's first *into_bytes go (0: nowhere; at most
     * payload_bytes). A negative errno ends the connection. */
    int (*begin)(void *user, const struct wire_answer *answer, void **into, size_t *into_bytes);
    /* Its payload is complete. May queue requests. */
    int (*end)(void *user, const struct wire_answer *answer);
    /* A request is wholly sent; it is out of the queue and the sink's. */
    void (*sent)(void *user, struct request *r);
    void *user;
};

/* Makes a closed link: 0 or -ENOMEM. */
int link_init(struct link *l);
void link_fini(struct link *l);

/* Connects: 0 or -errno (-EAGAIN: the daemon's queue of new connections is full). */
int link_open(struct link *l, const char *path);

/* Closes, and forgets what was half sent or received. */
void link_close(struct link *l);

/* Sends from the queue until it is empty (0) or the socket is full (-EAGAIN); or -errno. */
int link_send(struct link *l, struct request_queue *q, const struct link_sink *sink);

/* Reads what is there: 0; -ECONNRESET: the other end closed; -EPROTO: it speaks nonsense; or
 * -errno. */
int link_receive(struct link *l, const struct link_sink *sink);

#endif
