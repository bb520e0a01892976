/* Configuration: one table, params.def, makes the struct, the file's parser, the flags, --help
 * and etc/simdd.conf. (The design's room `config`; config.h is Autoconf's.)
 */
#ifndef DAEMON_CONF_H
#define DAEMON_CONF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { CONF_STRING_MAX = 256, CONF_ERROR_MAX = 512 };

/* One field per parameter, of the type that its kind names: uint64_t for SIZE (bytes), TIME (ns)
 * and COUNT, char[CONF_STRING_MAX] for STRING and CHOICE. */
struct conf {
#define CONF_FIELD_SIZE(name)   uint64_t name;
#define CONF_FIELD_TIME(name)   uint64_t name;
#define CONF_FIELD_COUNT(name)  uint64_t name;
#define CONF_FIELD_STRING(name) char name[CONF_STRING_MAX];
#define CONF_FIELD_CHOICE(name) char name[CONF_STRING_MAX];
#define PARAM(section, name, kind, def, min, max, when, help) CONF_FIELD_##kind(name)
#include "params.def"
#undef PARAM
#undef CONF_FIELD_SIZE
#undef CONF_FIELD_TIME
#undef CONF_FIELD_COUNT
#undef CONF_FIELD_STRING
#undef CONF_FIELD_CHOICE
};

void conf_init(struct conf *c); /* the defaults */

/* Reads INI text on top of *c. 0, or -EINVAL / -errno and "file:line: what" in error. *c is
 * changed only on success. */
int conf_parse(struct conf *c, char error[static CONF_ERROR_MAX], const char *name,
               const char *text, size_t text_bytes);
int conf_load(struct conf *c, char error[static CONF_ERROR_MAX], const char *path);

/* One value, as the flag --name=value gives it. 0 or -EINVAL and what. */
int conf_set(struct conf *c, char error[static CONF_ERROR_MAX], const char *name,
             const char *value);

/* Checks that hold between parameters. */
int conf_check(const struct conf *c, char error[static CONF_ERROR_MAX]);

/* Takes the LIVE parameters of `fresh` into `c`; returns how many others differ and need a
 * restart. */
unsigned conf_apply_live(struct conf *c, const struct conf *fresh);

/* The parameter of "--socket-group" or "--socket-group=x"; NULL if there is none. */
const char *conf_flag_param(const char *flag);

/* Sets the parameter of the flag `arg`; the value follows an '=' or is `next` (NULL: no more
 * arguments). Returns how many arguments it took, 0 if no parameter is called so, or -EINVAL. */
int conf_set_flag(struct conf *c, char error[static CONF_ERROR_MAX], const char *arg,
                  const char *next);

void conf_print_help(FILE *out);   /* the options part of --help */
void conf_print_sample(FILE *out); /* etc/simdd.conf */

#endif
