/* Numbers with units: "64MiB", "200us", "4096". Whole numbers only. */
#ifndef DAEMON_CONF_UNITS_H
#define DAEMON_CONF_UNITS_H

#include <stdint.h>

enum { CONF_UNITS_MAX = 32 };

/**
 * Reads all of `text` and writes bytes, nanoseconds or the plain number.
 *   size   B, KiB, MiB, GiB, TiB; without a unit bytes
 *   time   ns, us, ms, s; only 0 goes without a unit
 * Errors  -EINVAL it is no such number; -ERANGE it does not fit 64 bits.
 */
int conf_parse_size(uint64_t *bytes, const char *text);
int conf_parse_time(uint64_t *ns, const char *text);
int conf_parse_count(uint64_t *count, const char *text);

/* The shortest exact form: 1048576 is "1MiB", 1048577 stays as it is. */
void conf_format_size(char out[static CONF_UNITS_MAX], uint64_t bytes);
void conf_format_time(char out[static CONF_UNITS_MAX], uint64_t ns);

#endif
