/* One event, one line, on stderr: "<N>event key=value ..." under the journal, a timestamp and the
 * level's name before it elsewhere. The level is the one global besides the kernel table; it is
 * set before the first thread starts and on reload by the loop.
 *
 * err: a person must act. warn: we degraded. info: lifecycle. debug: the rest. */
#ifndef DAEMON_LOG_H
#define DAEMON_LOG_H

enum log_level { LOG_LEVEL_ERR = 3, LOG_LEVEL_WARN = 4, LOG_LEVEL_INFO = 6, LOG_LEVEL_DEBUG = 7 };

/* Looks at $JOURNAL_STREAM to choose the form. Call once, before threads start. */
void log_init(enum log_level level);
void log_set_level(enum log_level level);

/* event: constant words without '='. fmt: "key=value key=value", "" for none. */
void log_event(enum log_level level, const char *event, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define log_err(...)   log_event(LOG_LEVEL_ERR, __VA_ARGS__)
#define log_warn(...)  log_event(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_event(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_event(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
