/* A bare libuv server that answers every request of so many bytes by one and the same answer: what
 * a socket, a loop and a copy cost, with no job behind them.
 *
 *     echo_server SOCKET REQUEST_BYTES ANSWER_FILE
 *
 * Only the request's id (8 bytes at 8) is taken over into the answer. All requests of one read are
 * answered by one write.
 */
#include "config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

enum { READ_BYTES = 65536, ID_AT = 8, ID_BYTES = 8 };

struct echo {
    size_t request_bytes, answer_bytes;
    char *answer; /* owned */
};

struct peer {
    uv_pipe_t pipe;          /* data: the struct echo */
    char in[READ_BYTES];
    size_t have;             /* bytes of `in` */
};

/* An answer that the socket did not take at once. */
struct rest {
    uv_write_t request;
    char bytes[];
};

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    struct peer *p = (struct peer *)handle;
    (void)suggested;
    *buf = uv_buf_init(p->in + p->have, (unsigned)(READ_BYTES - p->have));
}

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

static void send_all(struct peer *p, char *bytes, size_t n)
{
    uv_buf_t buf = uv_buf_init(bytes, (unsigned)n);
    int sent = uv_try_write((uv_stream_t *)&p->pipe, &buf, 1);
    size_t done = sent > 0 ? (size_t)sent : 0;
    if (done == n)
        return;
    struct rest *rest = malloc(sizeof *rest + n - done);
    if (rest == NULL)
        abort();
    memcpy(rest->bytes, bytes + done, n - done);
    buf = uv_buf_init(rest->bytes, (unsigned)(n - done));
    uv_write(&rest->request, (uv_stream_t *)&p->pipe, &buf, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct peer *p = (struct peer *)stream;
    const struct echo *e = stream->data;
    static char out[READ_BYTES]; /* one loop, one thread */
    size_t at = 0, out_bytes = 0;
    (void)buf;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, on_close);
        return;
    }
    p->have += (size_t)n;
    for (; p->have - at >= e->request_bytes; at += e->request_bytes) {
        if (out_bytes + e->answer_bytes > sizeof out) {
            send_all(p, out, out_bytes);
            out_bytes = 0;
        }
        memcpy(out + out_bytes, e->answer, e->answer_bytes);
        memcpy(out + out_bytes + ID_AT, p->in + at + ID_AT, ID_BYTES);
        out_bytes += e->answer_bytes;
    }
    if (out_bytes > 0)
        send_all(p, out, out_bytes);
    memmove(p->in, p->in + at, p->have - at);
    p->have -= at;
}

static void on_connection(uv_stream_t *server, int status)
{
    struct peer *p = calloc(1, sizeof *p);
    if (status < 0 || p == NULL || uv_pipe_init(server->loop, &p->pipe, 0) < 0)
        abort();
    p->pipe.data = server->data;
    if (uv_accept(server, (uv_stream_t *)&p->pipe) < 0 ||
        uv_read_start((uv_stream_t *)&p->pipe, on_alloc, on_read) < 0)
        uv_close((uv_handle_t *)&p->pipe, on_close);
}

int main(int argc, char **argv)
{
    struct echo e = {0};
    uv_pipe_t server;
    FILE *f = argc == 4 ? fopen(argv[3], "r") : NULL;
    e.answer = malloc(READ_BYTES);
    if (f != NULL && e.answer != NULL) {
        e.request_bytes = strtoul(argv[2], NULL, 10);
        e.answer_bytes = fread(e.answer, 1, READ_BYTES, f);
        fclose(f);
    }
    if (e.request_bytes < ID_AT + ID_BYTES || e.request_bytes > READ_BYTES ||
        e.answer_bytes < ID_AT + ID_BYTES) {
        fprintf(stderr, "usage: echo_server SOCKET REQUEST_BYTES ANSWER_FILE\n");
        return 64;
    }
    uv_pipe_init(uv_default_loop(), &server, 0);
    server.data = &e;
    if (uv_pipe_bind(&server, argv[1]) < 0 ||
        uv_listen((uv_stream_t *)&server, 128, on_connection) < 0) {
        perror(argv[1]);
        return 1;
    }
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
