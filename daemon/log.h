/* One event, one line, on stderr: "<N>event key=value ..." under the journal, a timestamp and the
 * level's name before it elsewhere. The level is the one global besides the kernel table; it is
 * set before the first thread starts and on reload by the loop. Thread: any.
 *
 * err: a person must act. warn: we degraded. info: lifecycle. debug: the rest.
 *
 *     log_warn("socket refused", "path=%s error=%s", log_text(path).text, uv_err_name(err));
 *     log_info("stopped", "");
 */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Looks at $JOURNAL_STREAM to choose the form. Call once, before threads start. */
void log_init(enum log_level level);
void log_set_level(enum log_level level);

/* "err", "warn", "info", "debug". -EINVAL: none of them. */
int log_level_parse(enum log_level *out, const char *name);

/* event: constant words without '='. fmt: "key=value key=value", "" for none. A line is one
 * write(2) of at most 2 KiB; control characters in it come out as \xNN, so it stays one line. */
void log_event(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The blank lets fmt be "", which compilers warn of; log_event() drops it again. */
#define log_err(event, ...)   log_event(LOG_LEVEL_ERR, event, " " __VA_ARGS__)
#define log_warn(event, ...)  log_event(LOG_LEVEL_WARN, event, " " __VA_ARGS__)
#define log_info(event, ...)  log_event(LOG_LEVEL_INFO, event, " " __VA_ARGS__)
#define log_debug(event, ...) log_event(LOG_LEVEL_DEBUG, event, " " __VA_ARGS__)

enum { LOG_TEXT_MAX = 300 };

struct log_text {
    char text[LOG_TEXT_MAX];
};

/* A value that we did not write ourselves: in double quotes, with \" \\ \n and \xNN, if it holds
 * anything but plain characters; cut with "..." if it is long. NULL is "". */
struct log_text log_text(const char *value);

#endif
