/* simdctl hash: one hash per file, many files in flight. */
#include "config.h"

#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stream.h"

enum { OPT_FNV1A_64 = CTL_OPTION + 1 };
enum { WINDOW = 64, WINDOW_BYTES = 256 << 20 };

/* One file on its way. They are printed in the order of the arguments. */
struct item {
    const char *name;
    void *data; /* owned */
    size_t bytes;
    bool shared, done;
    uint64_t hash;
    int status;
};

struct hashing {
    struct ctl *c;
    uint32_t op;
    struct item items[WINDOW]; /* a ring */
    size_t first, count;
    size_t bytes; /* in all items */
    int code;     /* of the first failure */
};

static void note(struct hashing *h, int code)
{
    if (h->code == EX_OK)
        h->code = code;
}

static void on_done(struct simdd *s, const struct simdd_result *result)
{
    struct item *item = result->arg;
    item->done = true;
    item->status = result->status;
    if (result->status != 0)
        (void)ctl_fail(0, "%s: %s (%s)", item->name,
                       result->status > 0 ? simdd_last_error(s) : result->reason,
                       simdd_status_name(result->status));
}

static void print_json_string(const char *s)
{
    (void)putchar('"');
    for (; *s != '\0'; s++) {
        unsigned char ch = (unsigned char)*s;
        if (ch == '"' || ch == '\\')
            (void)printf("\\%c", ch);
        else if (ch < 0x20)
            (void)printf("\\u%04x", ch);
        else
            (void)putchar(ch);
    }
    (void)putchar('"');
}

static void give(struct hashing *h, struct item *item)
{
    if (item->shared)
        simdd_free(h->c->s, item->data);
    else
        free(item->data);
    h->bytes -= item->bytes;
}

/* Waits for the oldest, prints and forgets it. */
static int print_oldest(struct hashing *h)
{
    struct item *item = &h->items[h->first];
    while (!item->done) {
        int err = simdd_process(h->c->s, -1);
        if (err < 0)
            return ctl_status(h->c, item->name, err);
    }
    if (item->status != 0) {
        note(h, item->status > 0 && item->status < SIMDD_OVERLOADED ? EX_DATAERR : EX_UNAVAILABLE);
    } else if (h->c->json) {
        (void)printf("{\"op\":\"%s\",\"name\":", simdd_op_name(h->op));
        print_json_string(item->name);
        (void)printf(",\"hash\":\"%016llx\"}\n", (unsigned long long)item->hash);
    } else {
        (void)printf("%016llx  %s\n", (unsigned long long)item->hash, item->name);
    }
    give(h, item);
    h->first = (h->first + 1) % WINDOW;
    h->count--;
    return EX_OK;
}

/* Reads a file: straight into lent memory where its size is known and large. */
static int read_item(struct hashing *h, struct item *item, struct input *in)
{
    if (in->size < LOAD_SHARE_BYTES || in->size > SIZE_MAX / 2) {
        uint8_t *p = NULL;
        int err = input_read_all(in, &p, &item->bytes);
        item->data = p;
        return err;
    }
    int err = 0;
    size_t size = (size_t)in->size;
    item->data = simdd_alloc(h->c->s, size, &err);
    if (item->data == NULL)
        return err;
    item->shared = true;
    return input_read(in, item->data, size, &item->bytes);
}

static int start_file(struct hashing *h, const char *name)
{
    struct item *item = &h->items[(h->first + h->count) % WINDOW];
    *item = (struct item){.name = name};
    struct input in;
    int err = input_open(&in, name);
    if (err == 0) {
        err = read_item(h, item, &in);
        input_close(&in);
    }
    if (err < 0) {
        if (item->shared)
            simdd_free(h->c->s, item->data);
        return ctl_fail(err == -EACCES ? EX_NOPERM : item->shared ? EX_IOERR : EX_NOINPUT,
                        "%s: %s", name, simdd_strerror(err));
    }
    h->bytes += item->bytes;
    struct simdd_job job;
    simdd_job_hash(&job, h->op, item->data, item->bytes, &item->hash);
    job.backend = h->c->backend;
    job.cache = h->c->cache;
    job.priority = h->c->priority;
    job.deadline_us = h->c->deadline_us;
    int status = simdd_submit(h->c->s, &job, on_done, item);
    if (status != 0) {
        int code = ctl_status(h->c, name, status);
        give(h, item);
        return code;
    }
    h->count++;
    (void)simdd_flush(h->c->s); /* the next wait sees to a break */
    return EX_OK;
}

static int hash_files(struct hashing *h, char **names, int count)
{
    for (int i = 0; i < count; i++) {
        while (h->count == WINDOW || (h->count > 0 && h->bytes > WINDOW_BYTES)) {
            int code = print_oldest(h);
            if (code != EX_OK)
                return code;
        }
        note(h, start_file(h, names[i]));
    }
    while (h->count > 0) {
        int code = print_oldest(h);
        if (code != EX_OK)
            return code;
    }
    return h->code;
}

static int run_hash(struct ctl *c, int argc, char **argv)
{
    static const struct option own[] = {{"fnv1a-64", no_argument, NULL, OPT_FNV1A_64},
                                        {NULL, 0, NULL, 0}};
    struct hashing h = {.c = c, .op = SIMDD_HASH_FAST};
    for (int val; (val = ctl_getopt(c, &cmd_hash, argc, argv, "", own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?')
            return EX_USAGE;
        h.op = SIMDD_HASH_FNV1A_64;
    }
    char *standard[] = {(char[]){"-"}};
    char **names = optind < argc ? argv + optind : standard;
    int code = ctl_connect(c);
    return code != EX_OK ? code : hash_files(&h, names, optind < argc ? argc - optind : 1);
}

const struct ctl_command cmd_hash = {
    .name = "hash",
    .usage = "hash [FILE...]",
    .summary = "Print a hash of each file",
    .details = "Each line is 16 hexadecimal digits, two blanks and the name. '-', or no file, is\n"
               "standard input.\n\n"
               "      --fnv1a-64      FNV-1a of 64 bits, instead of hash_fast, whose last 8\n"
               "                      digits are FNV-1a of 32 bits\n",
    .run = run_hash,
};
