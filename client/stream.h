/* Files as simdctl reads and writes them. "-" stands for the standard streams.
 *
 * A file that is written appears whole or not at all: the bytes go to a temporary name beside it,
 * which is renamed at the end.
 */
#ifndef CLIENT_STREAM_H
#define CLIENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INPUT_PEEK_MAX = 128 * 1024 };

struct input {
    const char *name; /* borrowed; for messages */
    int fd;
    uint8_t *buffer; /* what was peeked at and not read */
    size_t begin, end;
    uint64_t size; /* of a regular file, else 0 */
};

/* 0 or -errno. */
int input_open(struct input *in, const char *name);
void input_close(struct input *in);

/* Shows the next bytes, at least `want` (at most INPUT_PEEK_MAX) unless the file ends first; *have
 * says how many. 0 or -errno. */
int input_peek(struct input *in, size_t want, const uint8_t **p, size_t *have);

/* Passes over bytes that were peeked at. */
void input_skip(struct input *in, size_t bytes);

/* Reads; *got is less than `bytes` at the end of the file only. 0 or -errno. */
int input_read(struct input *in, void *into, size_t bytes, size_t *got);

/* Reads all that is left. 0, and *p is owned (free); or -errno. */
int input_read_all(struct input *in, uint8_t **p, size_t *bytes);

struct output {
    const char *name; /* borrowed */
    int fd;
    char *temporary; /* owned; NULL: written in place (standard output, a device) */
};

/* 0 or -errno. */
int output_open(struct output *out, const char *name);

/* All or nothing: 0 or -errno. */
int output_write(struct output *out, const void *p, size_t bytes);

/* Ends it: with the file in place if `keep`, else without a trace. 0 or -errno. */
int output_close(struct output *out, bool keep);

#endif
