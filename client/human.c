/* Numbers for people: three digits that matter and a unit. */
#include "config.h"

#include "human.h"

#include <stddef.h>
#include <stdio.h>

static char *scaled(char *out, double value, double step, const char *const *units, unsigned count)
{
    unsigned unit = 0;
    while (unit + 1 < count && value >= step) {
        value /= step;
        unit++;
    }
    int digits = value >= 100 || value == (double)(long)value ? 0 : value >= 10 ? 1 : 2;
    (void)snprintf(out, HUMAN_BYTES, "%.*f%s%s", digits, value, units[unit][0] != '\0' ? " " : "",
                   units[unit]);
    return out;
}

char *human_ns(char out[static HUMAN_BYTES], double ns)
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    return scaled(out, ns, 1000, units, 4);
}

char *human_bytes(char out[static HUMAN_BYTES], double bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    return scaled(out, bytes, 1024, units, 5);
}

char *human_count(char out[static HUMAN_BYTES], double count)
{
    static const char *const units[] = {"", "k", "M", "G", "T"};
    if (count >= 10000)
        return scaled(out, count, 1000, units, 5);
    (void)snprintf(out, HUMAN_BYTES, count == (double)(long)count ? "%.0f" : "%.1f", count);
    return out;
}

char *human_seconds(char out[static HUMAN_BYTES], double seconds)
{
    unsigned long s = seconds > 0 ? (unsigned long)seconds : 0;
    if (s >= 86400)
        (void)snprintf(out, HUMAN_BYTES, "%lu d %lu h", s / 86400, s / 3600 % 24);
    else if (s >= 3600)
        (void)snprintf(out, HUMAN_BYTES, "%lu h %lu min", s / 3600, s / 60 % 60);
    else if (s >= 60)
        (void)snprintf(out, HUMAN_BYTES, "%lu min %lu s", s / 60, s % 60);
    else
        (void)snprintf(out, HUMAN_BYTES, "%.1f s", seconds);
    return out;
}
