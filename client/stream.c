/* Files as simdctl reads and writes them. */
#include "config.h"

#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* One read, as often as signals interrupt it. */
static ssize_t read_some(int fd, void *into, size_t bytes)
{
    ssize_t n;
    do
        n = read(fd, into, bytes);
    while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

int input_open(struct input *in, const char *name)
{
    bool standard = strcmp(name, "-") == 0;
    *in = (struct input){.name = standard ? "standard input" : name, .fd = STDIN_FILENO};
    if (!standard) {
        in->fd = open(name, O_RDONLY | O_CLOEXEC);
        if (in->fd < 0)
            return -errno;
    }
    struct stat st;
    int err = 0;
    if (fstat(in->fd, &st) == 0) {
        if (S_ISDIR(st.st_mode))
            err = -EISDIR;
        else if (S_ISREG(st.st_mode))
            in->size = (uint64_t)st.st_size;
    }
    in->buffer = malloc(INPUT_PEEK_MAX);
    if (in->buffer == NULL)
        err = -ENOMEM;
    if (err < 0)
        input_close(in);
    return err;
}

void input_close(struct input *in)
{
    if (in->fd > STDIN_FILENO)
        (void)close(in->fd);
    free(in->buffer);
    *in = (struct input){.name = in->name, .fd = -1};
}

int input_peek(struct input *in, size_t want, const uint8_t **p, size_t *have)
{
    memmove(in->buffer, in->buffer + in->begin, in->end - in->begin);
    in->end -= in->begin;
    in->begin = 0;
    while (in->end < want) {
        ssize_t n = read_some(in->fd, in->buffer + in->end, INPUT_PEEK_MAX - in->end);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        in->end += (size_t)n;
    }
    *p = in->buffer;
    *have = in->end;
    return 0;
}

void input_skip(struct input *in, size_t bytes)
{
    in->begin += bytes;
}

int input_read(struct input *in, void *into, size_t bytes, size_t *got)
{
    size_t at = in->end - in->begin < bytes ? in->end - in->begin : bytes;
    memcpy(into, in->buffer + in->begin, at);
    in->begin += at;
    while (at < bytes) {
        ssize_t n = read_some(in->fd, (uint8_t *)into + at, bytes - at);
        if (n < 0)
            return (int)n;
        if (n == 0)
            break;
        at += (size_t)n;
    }
    *got = at;
    return 0;
}

int input_read_all(struct input *in, uint8_t **p, size_t *bytes)
{
    size_t cap = in->size > 0 && in->size < SIZE_MAX / 2 ? (size_t)in->size + 1 : 64 * 1024;
    size_t length = 0;
    uint8_t *all = malloc(cap);
    while (all != NULL) {
        size_t got;
        int err = input_read(in, all + length, cap - length, &got);
        if (err < 0) {
            free(all);
            return err;
        }
        length += got;
        if (length < cap) {
            *p = all;
            *bytes = length;
            return 0;
        }
        uint8_t *grown = cap < SIZE_MAX / 2 ? realloc(all, cap *= 2) : NULL;
        if (grown == NULL)
            free(all);
        all = grown;
    }
    return -ENOMEM;
}

/* A new file beside `name`, with the mode that the user's umask gives. */
static int open_temporary(struct output *out)
{
    size_t bytes = strlen(out->name) + sizeof(".XXXXXX");
    out->temporary = malloc(bytes);
    if (out->temporary == NULL)
        return -ENOMEM;
    (void)snprintf(out->temporary, bytes, "%s.XXXXXX", out->name);
    out->fd = mkostemp(out->temporary, O_CLOEXEC);
    if (out->fd < 0) {
        int err = -errno;
        free(out->temporary);
        out->temporary = NULL;
        return err;
    }
    mode_t mask = umask(0);
    (void)umask(mask);
    (void)fchmod(out->fd, 0666 & ~mask);
    return 0;
}

int output_open(struct output *out, const char *name)
{
    *out = (struct output){.name = name, .fd = STDOUT_FILENO};
    if (strcmp(name, "-") == 0) {
        out->name = "standard output";
        return 0;
    }
    struct stat st;
    if (stat(name, &st) < 0 || S_ISREG(st.st_mode))
        return open_temporary(out);
    out->fd = open(name, O_WRONLY | O_CLOEXEC); /* a pipe or a device is no file to replace */
    return out->fd < 0 ? -errno : 0;
}

int output_write(struct output *out, const void *p, size_t bytes)
{
    for (size_t at = 0; at < bytes;) {
        ssize_t n = write(out->fd, (const uint8_t *)p + at, bytes - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += (size_t)n;
    }
    return 0;
}

int output_close(struct output *out, bool keep)
{
    int err = 0;
    if (out->fd > STDOUT_FILENO && close(out->fd) < 0)
        err = -errno;
    if (out->temporary != NULL) {
        if (err == 0 && keep && rename(out->temporary, out->name) < 0)
            err = -errno;
        if (err < 0 || !keep)
            (void)unlink(out->temporary);
        free(out->temporary);
    }
    *out = (struct output){.fd = -1};
    return err;
}
