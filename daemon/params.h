/* The parameter table as data: what the files of the configuration room share. */
#ifndef DAEMON_PARAMS_H
#define DAEMON_PARAMS_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"

enum {
    PARAM_ROWS = 0
#define PARAM(section, name, kind, def, min, max, when, help) +1
#include "params.def"
#undef PARAM
};

enum param_kind { PARAM_SIZE, PARAM_TIME, PARAM_COUNT, PARAM_STRING, PARAM_CHOICE };

struct param {
    const char *section, *name;
    const char *def, *min, *max; /* as text; max lists a CHOICE's words */
    const char *help;
    enum param_kind kind;
    bool live;            /* SIGHUP applies it */
    size_t offset, bytes; /* of its field in struct conf */
};

/* The i-th row in the order of params.def, NULL after the last. */
const struct param *param_at(size_t i);
size_t param_index(const struct param *p);

/* By name, as in the file; NULL if there is none. */
const struct param *param_find(const char *name);

/* By flag: "--socket-group", with or without "=value"; NULL if there is none. */
const struct param *param_find_flag(const char *flag);

bool param_section_known(const char *section, size_t section_bytes);

/* Checks `value` and writes the field. -EINVAL and "name: what" leave *c as it was. */
int param_set(const struct param *p, struct conf *c, char error[static CONF_ERROR_MAX],
              const char *value);

#endif
