/* What the suites of the whole HTTP path share: a server on a loop that is turned by hand, and a
 * client that sends raw bytes into a real socket. Whatever does not come fails the test; none
 * asserts a time. */
#ifndef TESTS_HTTP_BED_H
#define TESTS_HTTP_BED_H

#include <stdbool.h>
#include <stddef.h>

#include <uv.h>

#include "http.h"

enum { REPLY_MAX = 65536, TURNS_MAX = 20000 };

struct http_bed {
    uv_loop_t loop;
    struct monitor *monitor;
    struct http *http; /* NULL: stopped by the test */
};

void bed_open(struct http_bed *b);
void bed_close(struct http_bed *b);

/* Turns the loop once. */
void bed_turn(struct http_bed *b);

/* ---- a client ---- */

int client_open(const struct http_bed *b);

void client_send(int fd, const char *text, size_t bytes);

/* Receives at most `max` bytes, or fewer if the stream ends. */
size_t client_receive(struct http_bed *b, int fd, char *to, size_t max, bool *closed);

/* True if the server ends the stream instead of waiting for more. */
bool client_sees_end(struct http_bed *b, int fd);

/* ---- replies ---- */

/* Large: not for the stack. */
struct reply {
    int status;  /* 0: none came */
    bool closed; /* the server closed afterwards */
    size_t body_bytes;
    char head[4096];
    char body[REPLY_MAX];
};

/* One reply off the connection. has_body: false after HEAD. */
void reply_read(struct http_bed *b, struct reply *r, int fd, bool has_body);

/* Returns borrowed, until the next call: the value of a header field, or NULL. */
const char *reply_field(const struct reply *r, const char *name);

/* One request on a connection of its own. */
void exchange_bytes(struct http_bed *b, struct reply *r, const char *request, size_t bytes,
                    bool has_body);
void exchange(struct http_bed *b, struct reply *r, const char *request);

#endif
