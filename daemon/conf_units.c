/* Numbers with units, by hand: strtoull() would take signs, blanks and octal. */
#include "config.h"

#include "conf_units.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first, so that formatting takes the first that divides. The last is 1. */
static const struct unit size_units[] = {
    {"TiB", UINT64_C(1) << 40}, {"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10}, {"B", 1},
};
static const struct unit time_units[] = {
    {"s", 1000000000}, {"ms", 1000000}, {"us", 1000}, {"ns", 1},
};

enum {
    SIZE_UNITS = sizeof(size_units) / sizeof(size_units[0]),
    TIME_UNITS = sizeof(time_units) / sizeof(time_units[0])
};

/* Reads the digits; *rest points behind them. */
static int parse_digits(uint64_t *out, const char *text, const char **rest)
{
    uint64_t v = 0;
    const char *p = text;
    for (; *p >= '0' && *p <= '9'; p++) {
        uint64_t digit = (uint64_t)(*p - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return -ERANGE;
        v = v * 10 + digit;
    }
    if (p == text)
        return -EINVAL;
    *out = v;
    *rest = p;
    return 0;
}

static int parse_with_unit(uint64_t *out, const char *text, const struct unit *units, size_t n)
{
    uint64_t v;
    const char *rest;
    int err = parse_digits(&v, text, &rest);
    if (err < 0)
        return err;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(rest, units[i].name) != 0)
            continue;
        if (v > UINT64_MAX / units[i].factor)
            return -ERANGE;
        *out = v * units[i].factor;
        return 0;
    }
    return -EINVAL;
}

int conf_parse_count(uint64_t *count, const char *text)
{
    uint64_t v;
    const char *rest;
    int err = parse_digits(&v, text, &rest);
    if (err < 0)
        return err;
    if (*rest != '\0')
        return -EINVAL;
    *count = v;
    return 0;
}

int conf_parse_size(uint64_t *bytes, const char *text)
{
    int err = conf_parse_count(bytes, text);
    return err == -EINVAL ? parse_with_unit(bytes, text, size_units, SIZE_UNITS) : err;
}

int conf_parse_time(uint64_t *ns, const char *text)
{
    /* "50" alone could be anything; nothing is the same in every unit. */
    if (strcmp(text, "0") == 0) {
        *ns = 0;
        return 0;
    }
    return parse_with_unit(ns, text, time_units, TIME_UNITS);
}

void conf_format_size(char out[static CONF_UNITS_MAX], uint64_t bytes)
{
    for (size_t i = 0; bytes != 0 && i < SIZE_UNITS - 1; i++) {
        if (bytes % size_units[i].factor == 0) {
            snprintf(out, CONF_UNITS_MAX, "%" PRIu64 "%s", bytes / size_units[i].factor,
                     size_units[i].name);
            return;
        }
    }
    snprintf(out, CONF_UNITS_MAX, "%" PRIu64, bytes);
}

void conf_format_time(char out[static CONF_UNITS_MAX], uint64_t ns)
{
    size_t i = 0;
    while (ns % time_units[i].factor != 0)
        i++;
    if (ns == 0)
        snprintf(out, CONF_UNITS_MAX, "0");
    else
        snprintf(out, CONF_UNITS_MAX, "%" PRIu64 "%s", ns / time_units[i].factor,
                 time_units[i].name);
}
