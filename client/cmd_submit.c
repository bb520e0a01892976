/* simdctl submit: JSON lines to the daemon and back, as they are.
 *
 * Both directions move at once, since a daemon that cannot write stops reading. One answer comes
 * per line; answers may overtake one another, so they are counted, and their ids are the
 * caller's business.
 */
#include "config.h"

#include "cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <jansson.h>

#include "dial.h"

/* Bytes that grow at the end and are used up at the start. */
struct run {
    char *p;
    size_t begin, end, cap;
};

enum { CHUNK = 64 * 1024, OUT_HIGH = 1 << 20 };

struct submit {
    int fd;
    bool input_ended;
    struct run out, in;
    size_t out_line; /* how far `out` was looked through for lines */
    size_t scanned;  /* likewise `in`, from its begin */
    size_t sent, answered, refused;
    int code; /* of the first refusal */
};

static bool grow(struct run *r, size_t bytes)
{
    if (r->begin > 0) {
        memmove(r->p, r->p + r->begin, r->end - r->begin);
        r->end -= r->begin;
        r->begin = 0;
    }
    if (r->cap - r->end >= bytes)
        return true;
    size_t cap = 2 * (r->end + bytes);
    char *grown = realloc(r->p, cap);
    if (grown == NULL)
        return false;
    r->p = grown;
    r->cap = cap;
    return true;
}

/* Adds text to what is sent. Blank lines are no requests, and blanks before a line would hide the
 * '{' by which the daemon tells JSON from frames; both are left out. An exit code. */
static int add_text(struct submit *s, const char *text, size_t bytes)
{
    if (!grow(&s->out, bytes + 1))
        return ctl_fail(EX_OSERR, "no memory");
    for (size_t i = 0; i < bytes; i++) {
        struct run *o = &s->out;
        bool at_start = s->out_line == 0;
        if (text[i] == '\n') {
            if (at_start)
                continue;
            s->sent++;
            s->out_line = 0;
        } else if (at_start && (text[i] == ' ' || text[i] == '\t' || text[i] == '\r')) {
            continue;
        } else if (at_start && text[i] != '{' && s->sent == 0) {
            return ctl_fail(EX_DATAERR, "the first line is no JSON object: it lacks the '{'");
        } else {
            s->out_line++;
        }
        o->p[o->end++] = text[i];
    }
    return EX_OK;
}

/* One answer, printed as it is. */
static void take_answer(struct submit *s, const char *line, size_t bytes)
{
    (void)fwrite(line, 1, bytes, stdout);
    (void)putchar('\n');
    s->answered++;
    json_t *answer = json_loadb(line, bytes, 0, NULL);
    const char *status = json_string_value(json_object_get(answer, "status"));
    if (status == NULL || strcmp(status, "ok") != 0) {
        s->refused++;
        bool later = status != NULL && (strcmp(status, "overloaded") == 0 ||
                                        strcmp(status, "shutting_down") == 0);
        if (s->code == EX_OK)
            s->code = later ? EX_TEMPFAIL : EX_DATAERR;
    }
    json_decref(answer);
}

static void take_answers(struct submit *s)
{
    struct run *in = &s->in;
    for (;;) {
        char *start = in->p + in->begin;
        char *newline = memchr(start + s->scanned, '\n', in->end - in->begin - s->scanned);
        if (newline == NULL) {
            s->scanned = in->end - in->begin;
            return;
        }
        take_answer(s, start, (size_t)(newline - start));
        in->begin += (size_t)(newline - start) + 1;
        s->scanned = 0;
    }
}

/* The next piece of standard input. */
static int pull(struct submit *s)
{
    char chunk[CHUNK];
    ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? EX_OK : ctl_fail(EX_IOERR, "standard input: %s",
                                                                    strerror(errno));
    if (n == 0) {
        s->input_ended = true;
        if (s->out_line == 0)
            return EX_OK;
        chunk[0] = '\n'; /* the last line need not end */
        n = 1;
    }
    return add_text(s, chunk, (size_t)n);
}

static int push(const struct ctl *c, struct submit *s)
{
    ssize_t n = send(s->fd, s->out.p + s->out.begin, s->out.end - s->out.begin, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EINTR && errno != EPIPE)
        return ctl_status(c, "", -errno);
    if (n < 0 && errno == EPIPE)
        s->out.begin = s->out.end; /* it closed; its last word may still be read */
    s->out.begin += n > 0 ? (size_t)n : 0;
    return EX_OK;
}

static int receive(const struct ctl *c, struct submit *s, bool *ended)
{
    if (!grow(&s->in, CHUNK))
        return ctl_fail(EX_OSERR, "no memory");
    ssize_t n = read(s->fd, s->in.p + s->in.end, s->in.cap - s->in.end);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? EX_OK : ctl_status(c, "", -errno);
    *ended = n == 0;
    s->in.end += (size_t)n;
    take_answers(s);
    return EX_OK;
}

static int move(const struct ctl *c, struct submit *s)
{
    bool ended = false;
    int code = EX_OK;
    while (code == EX_OK && !ended) {
        size_t waiting = s->out.end - s->out.begin;
        if (s->input_ended && waiting == 0 && s->answered == s->sent)
            return EX_OK;
        struct pollfd fds[2] = {
            {.fd = s->fd, .events = (short)(POLLIN | (waiting > 0 ? POLLOUT : 0))},
            {.fd = !s->input_ended && waiting < OUT_HIGH ? STDIN_FILENO : -1, .events = POLLIN}};
        (void)fflush(stdout); /* whoever reads us may wait for this answer */
        if (poll(fds, 2, -1) < 0 && errno != EINTR)
            return ctl_fail(EX_OSERR, "poll: %s", strerror(errno));
        if (fds[1].revents != 0)
            code = pull(s);
        if (code == EX_OK && (fds[0].revents & POLLOUT) != 0)
            code = push(c, s);
        if (code == EX_OK && (fds[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0)
            code = receive(c, s, &ended);
    }
    if (code == EX_OK && s->code == EX_OK)
        code = ctl_fail(EX_UNAVAILABLE,
                        "%s: the daemon closed the connection; %zu of %zu lines were answered",
                        ctl_path(c), s->answered, s->sent);
    return code;
}

static int run_submit(struct ctl *c, int argc, char **argv)
{
    int val = ctl_getopt(c, &cmd_submit, argc, argv, "", NULL);
    if (val != -1)
        return val == CTL_HELP ? EX_OK : EX_USAGE;
    struct submit s = {.fd = dial(ctl_path(c), false), .input_ended = optind < argc};
    if (s.fd < 0)
        return ctl_status(c, "", s.fd);
    int code = EX_OK;
    for (int i = optind; i < argc && code == EX_OK; i++) {
        code = add_text(&s, argv[i], strlen(argv[i]));
        if (code == EX_OK)
            code = add_text(&s, "\n", 1);
    }
    if (code == EX_OK)
        code = move(c, &s);
    (void)close(s.fd);
    free(s.out.p);
    free(s.in.p);
    return code != EX_OK ? code : s.code;
}

const struct ctl_command cmd_submit = {
    .name = "submit",
    .usage = "submit [JSON...]",
    .summary = "Send JSON lines, print the answers",
    .details = "Each argument, or each line of standard input, is one request, such as\n\n"
               "  {\"op\":\"add_f32\",\"x\":[1,2],\"y\":[3,4]}\n\n"
               "Answers come in any order; an \"id\" tells them apart. --socket is the only\n"
               "option that applies: a line says what it wants.\n",
    .run = run_submit,
};
