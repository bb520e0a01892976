/* The parameter table: rows, look-up, and how one value is checked and stored.
 *
 * Look-ups walk the table: there are some thirty rows, read at start and on reload.
 */
#include "config.h"

#include "params.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "conf_units.h"

#define WHEN_LIVE  true
#define WHEN_START false
static const struct param table[PARAM_ROWS] = {
#define PARAM(section, name, kind, def, min, max, when, help)                                      \
    {#section,                                                                                     \
     #name,                                                                                        \
     def,                                                                                          \
     min,                                                                                          \
     max,                                                                                          \
     help,                                                                                         \
     PARAM_##kind,                                                                                 \
     WHEN_##when,                                                                                  \
     offsetof(struct conf, name),                                                                  \
     sizeof(((struct conf *)0)->name)},
#include "params.def"
#undef PARAM
};
#undef WHEN_LIVE
#undef WHEN_START

const struct param *param_at(size_t i)
{
    return i < PARAM_ROWS ? &table[i] : NULL;
}

size_t param_index(const struct param *p)
{
    return (size_t)(p - table);
}

const struct param *param_find(const char *name)
{
    for (size_t i = 0; i < PARAM_ROWS; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

const struct param *param_find_flag(const char *flag)
{
    if (strncmp(flag, "--", 2) != 0)
        return NULL;
    size_t bytes = strcspn(flag + 2, "=");
    char name[64];
    if (bytes >= sizeof(name) || memchr(flag + 2, '_', bytes) != NULL)
        return NULL;
    for (size_t i = 0; i < bytes; i++)
        name[i] = (char)(flag[2 + i] == '-' ? '_' : flag[2 + i]);
    name[bytes] = '\0';
    return param_find(name);
}

bool param_section_known(const char *section, size_t section_bytes)
{
    for (size_t i = 0; i < PARAM_ROWS; i++)
        if (strlen(table[i].section) == section_bytes &&
            memcmp(table[i].section, section, section_bytes) == 0)
            return true;
    return false;
}

static int parse_number(const struct param *p, uint64_t *out, const char *text)
{
    switch (p->kind) {
    case PARAM_SIZE:
        return conf_parse_size(out, text);
    case PARAM_TIME:
        return conf_parse_time(out, text);
    default:
        return conf_parse_count(out, text);
    }
}

/* What a value of this kind looks like, for the sentence of an error. */
static const char *kind_wanted(enum param_kind kind)
{
    switch (kind) {
    case PARAM_SIZE:
        return "a size: a whole number of bytes, or with KiB, MiB, GiB or TiB";
    case PARAM_TIME:
        return "a time: a whole number with ns, us, ms or s";
    default:
        return "a whole number";
    }
}

static int set_number(const struct param *p, struct conf *c, char error[static CONF_ERROR_MAX],
                      const char *value)
{
    uint64_t v = 0, min = 0, max = 0;
    int err = parse_number(p, &v, value);
    int min_err = parse_number(p, &min, p->min);
    int max_err = parse_number(p, &max, p->max);
    assert(min_err == 0 && max_err == 0); /* params.def is ours */
    (void)min_err;
    (void)max_err;
    if (err == -EINVAL) {
        snprintf(error, CONF_ERROR_MAX, "%s: '%.64s' is not %s", p->name, value,
                 kind_wanted(p->kind));
        return -EINVAL;
    }
    if (err < 0 || v < min || v > max) {
        snprintf(error, CONF_ERROR_MAX, "%s: %.64s is out of range, %s to %s", p->name, value,
                 p->min, p->max);
        return -EINVAL;
    }
    memcpy((char *)c + p->offset, &v, sizeof(v));
    return 0;
}

static bool is_choice(const char *words, const char *value)
{
    size_t value_bytes = strlen(value);
    while (*words != '\0') {
        size_t bytes = strcspn(words, " ");
        if (bytes == value_bytes && memcmp(words, value, bytes) == 0)
            return true;
        words += bytes + strspn(words + bytes, " ");
    }
    return false;
}

static int set_text(const struct param *p, struct conf *c, char error[static CONF_ERROR_MAX],
                    const char *value)
{
    size_t bytes = strlen(value);
    if (p->kind == PARAM_CHOICE && !is_choice(p->max, value)) {
        snprintf(error, CONF_ERROR_MAX, "%s: '%.64s' is none of: %s", p->name, value, p->max);
        return -EINVAL;
    }
    if (bytes >= p->bytes) {
        snprintf(error, CONF_ERROR_MAX, "%s: the value is longer than %zu bytes", p->name,
                 p->bytes - 1);
        return -EINVAL;
    }
    for (size_t i = 0; i < bytes; i++) {
        if ((unsigned char)value[i] < 0x20 || value[i] == 0x7f) {
            snprintf(error, CONF_ERROR_MAX, "%s: the value holds a control character", p->name);
            return -EINVAL;
        }
    }
    /* Zeros behind the text: two configurations are compared field by field with memcmp. */
    memset((char *)c + p->offset, 0, p->bytes);
    memcpy((char *)c + p->offset, value, bytes);
    return 0;
}

int param_set(const struct param *p, struct conf *c, char error[static CONF_ERROR_MAX],
              const char *value)
{
    if (p->kind == PARAM_STRING || p->kind == PARAM_CHOICE)
        return set_text(p, c, error, value);
    return set_number(p, c, error, value);
}
