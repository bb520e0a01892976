/* The log: formats one line on the stack and hands it to the kernel in one write.
 *
 * One write keeps lines of several threads and processes whole, without a lock. Nothing is
 * buffered and nothing is retried: a line that a full pipe refuses is lost, rather than the
 * daemon being held up by whoever reads its log.
 */
#include "config.h"

#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* 2 KiB is under PIPE_BUF, so a pipe does not tear the line either. */
enum { LINE_MAX_BYTES = 2048 };

/* relaxed everywhere: the level guards no data; a thread may see a change one line late. */
static _Atomic int max_level = LOG_LEVEL_INFO;
static bool to_journal; /* written by log_init() alone */

static const struct {
    enum log_level level;
    const char *name;
} levels[] = {
    {LOG_LEVEL_ERR, "err"},
    {LOG_LEVEL_WARN, "warn"},
    {LOG_LEVEL_INFO, "info"},
    {LOG_LEVEL_DEBUG, "debug"},
};

enum { LEVELS = sizeof(levels) / sizeof(levels[0]) };

/* $JOURNAL_STREAM is "device:inode" of the socket; stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    if (stream == NULL || fstat(STDERR_FILENO, &st) < 0)
        return false;
    char mine[48];
    snprintf(mine, sizeof(mine), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(stream, mine) == 0;
}

void log_init(enum log_level level)
{
    to_journal = stderr_is_journal();
    log_set_level(level);
}

void log_set_level(enum log_level level)
{
    atomic_store_explicit(&max_level, (int)level, memory_order_relaxed);
}

int log_level_parse(enum log_level *out, const char *name)
{
    for (size_t i = 0; i < LEVELS; i++) {
        if (strcmp(levels[i].name, name) == 0) {
            *out = levels[i].level;
            return 0;
        }
    }
    return -EINVAL;
}

static const char *level_name(enum log_level level)
{
    for (size_t i = 0; i < LEVELS; i++)
        if (levels[i].level == level)
            return levels[i].name;
    return "?";
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Writes c as \n or \xNN; returns 2 or 4. */
static size_t escape(char out[static 5], char c)
{
    if (c == '\n')
        return (size_t)snprintf(out, 5, "\\n");
    return (size_t)snprintf(out, 5, "\\x%02x", (unsigned)(unsigned char)c);
}

/* Appends a control-free copy of `text`, up to `cap`; returns the new length. */
static size_t append(char *line, size_t n, size_t cap, const char *text)
{
    for (; *text != '\0' && n + 5 < cap; text++) {
        if (is_control(*text))
            n += escape(line + n, *text);
        else
            line[n++] = *text;
    }
    return n;
}

static size_t append_prefix(char *line, enum log_level level)
{
    if (to_journal)
        return (size_t)snprintf(line, LINE_MAX_BYTES, "<%d>", (int)level);
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    size_t n = strftime(line, LINE_MAX_BYTES, "%Y-%m-%dT%H:%M:%S", &tm);
    return n + (size_t)snprintf(line + n, LINE_MAX_BYTES - n, ".%03ldZ %s: ",
                                now.tv_nsec / 1000000, level_name(level));
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    if ((int)level > atomic_load_explicit(&max_level, memory_order_relaxed))
        return;
    int saved_errno = errno;

    char values[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    vsnprintf(values, sizeof(values), fmt, args);
    va_end(args);
    const char *rest = values + strspn(values, " ");

    char line[LINE_MAX_BYTES];
    size_t n = append_prefix(line, level);
    n = append(line, n, sizeof(line), event);
    if (*rest != '\0') {
        n = append(line, n, sizeof(line), " ");
        n = append(line, n, sizeof(line), rest);
    }
    line[n++] = '\n';

    ssize_t wrote;
    do
        wrote = write(STDERR_FILENO, line, n);
    while (wrote < 0 && errno == EINTR);
    errno = saved_errno;
}

static bool is_plain(const char *value)
{
    if (*value == '\0')
        return false;
    for (; *value != '\0'; value++)
        if (is_control(*value) || strchr(" \"\\=", *value) != NULL)
            return false;
    return true;
}

struct log_text log_text(const char *value)
{
    struct log_text t = {{0}};
    if (value == NULL)
        value = "";
    bool plain = is_plain(value);
    size_t n = 0;
    if (!plain)
        t.text[n++] = '"';
    /* What must still fit behind any character: itself escaped, "...", the quote, the zero. */
    for (; *value != '\0' && n + 4 + 3 + 1 + 1 < sizeof(t.text); value++) {
        if (is_control(*value)) {
            n += escape(t.text + n, *value);
        } else {
            if (*value == '"' || *value == '\\')
                t.text[n++] = '\\';
            t.text[n++] = *value;
        }
    }
    if (*value != '\0') {
        memcpy(t.text + n, "...", 3);
        n += 3;
    }
    if (!plain)
        t.text[n++] = '"';
    t.text[n] = '\0';
    return t;
}
