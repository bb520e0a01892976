/* The configuration file: INI text -> struct conf.
 *
 * inih splits lines into section, key and value. It is built for leniency: it cuts long lines and
 * names, joins indented lines, takes ':' for '=' and overlooks junk behind a section. An
 * operator's typing error must not become a silent default, so the reader below hands inih
 * single trimmed lines and refuses everything that inih would guess at; it also counts lines,
 * which inih keeps from its handler.
 */
#include "config.h"

#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "params.h"

/* A hundred times the sample; a device or somebody's log must not fill the memory. */
enum { FILE_MAX_BYTES = 1 << 20 };

struct source {
    struct conf draft; /* copied to the caller at the end, if all is well */
    const char *name;
    const char *at, *end;
    char *error; /* CONF_ERROR_MAX bytes */
    int err;     /* the first error; nothing is read after it */
    unsigned line;
    unsigned seen_line[PARAM_ROWS]; /* by param_index(); 0: not yet */
};

static int fail(struct source *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static int fail(struct source *s, const char *fmt, ...)
{
    int n = snprintf(s->error, CONF_ERROR_MAX, "%.255s:%u: ", s->name, s->line);
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->error + n, CONF_ERROR_MAX - (size_t)n, fmt, args);
    va_end(args);
    s->err = -EINVAL;
    return s->err;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static const char *skip_blanks(const char *p, const char *end)
{
    while (p < end && is_blank(*p))
        p++;
    return p;
}

static const char *trim_end(const char *p, const char *end)
{
    while (end > p && is_blank(end[-1]))
        end--;
    return end;
}

/* "[name]", with nothing but a comment behind it. */
static int check_section(struct source *s, const char *p, const char *end)
{
    const char *close = memchr(p, ']', (size_t)(end - p));
    if (close == NULL)
        return fail(s, "a section lacks its ']'");
    const char *rest = skip_blanks(close + 1, end);
    if (rest != end && !(*rest == ';' && rest > close + 1))
        return fail(s, "something follows the section's ']'");
    if (!param_section_known(p + 1, (size_t)(close - p - 1)))
        return fail(s, "unknown section [%.*s]", (int)(close - p - 1), p + 1);
    return 0;
}

/* Also finds a NUL, at which inih would end the line, and so a file in UTF-16. */
static int check_characters(struct source *s, const char *p, const char *end)
{
    for (; p < end; p++)
        if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
            return fail(s, "control character 0x%02x", (unsigned)(unsigned char)*p);
    return 0;
}

static int check_line(struct source *s, const char *p, const char *end, size_t line_max)
{
    if ((size_t)(end - p) > line_max)
        return fail(s, "the line is longer than %zu bytes", line_max);
    if (*p == '[')
        return check_section(s, p, end);
    const char *sign = p;
    while (sign < end && *sign != '=' && *sign != ':')
        sign++;
    if (sign == end || *sign == ':')
        return fail(s, "no '=' after '%.*s'", (int)(trim_end(p, sign) - p), p);
    if (sign == p)
        return fail(s, "no key before '='");
    return 0;
}

/* inih's fgets(): copies the next line, trimmed and checked; NULL ends the parse. */
static char *read_line(char *out, int out_bytes, void *user)
{
    struct source *s = user;
    if (s->err < 0 || s->at == s->end)
        return NULL;
    s->line++;
    const char *p = s->at;
    const char *newline = memchr(p, '\n', (size_t)(s->end - p));
    const char *end = newline != NULL ? newline : s->end;
    s->at = newline != NULL ? newline + 1 : s->end;
    if (end > p && end[-1] == '\r')
        end--;
    if (check_characters(s, p, end) < 0)
        return NULL;
    p = skip_blanks(p, end);
    end = trim_end(p, end);
    if (p < end && (*p == ';' || *p == '#'))
        end = p; /* comments may be of any length */

    /* Room for the newline and the final zero. */
    if (p < end && check_line(s, p, end, (size_t)out_bytes - 2) < 0)
        return NULL;
    memcpy(out, p, (size_t)(end - p));
    memcpy(out + (end - p), "\n", 2);
    return out;
}

/* inih's handler: 0 is an error. */
static int take_pair(void *user, const char *section, const char *key, const char *value)
{
    struct source *s = user;
    const struct param *p = param_find(key);
    if (section[0] == '\0')
        fail(s, "'%.64s' stands before the first section", key);
    else if (p == NULL)
        fail(s, "unknown key '%.64s'", key);
    else if (strcmp(p->section, section) != 0)
        fail(s, "%s belongs in [%s], not in [%s]", key, p->section, section);
    else if (s->seen_line[param_index(p)] != 0)
        fail(s, "%s is given twice, first on line %u", key, s->seen_line[param_index(p)]);
    if (s->err < 0)
        return 0;

    char what[CONF_ERROR_MAX];
    s->seen_line[param_index(p)] = s->line;
    if (param_set(p, &s->draft, what, value) < 0)
        fail(s, "%s", what);
    return s->err == 0;
}

int conf_parse(struct conf *c, char error[static CONF_ERROR_MAX], const char *name,
               const char *text, size_t text_bytes)
{
    struct source s = {.draft = *c,
                       .name = name,
                       .at = text,
                       .end = text + text_bytes,
                       .error = error};
    if (text_bytes >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        s.at += 3; /* editors leave a byte order mark */

    int bad_line = ini_parse_stream(read_line, &s, take_pair, &s);
    if (s.err == 0 && bad_line != 0) {
        if (bad_line > 0)
            s.line = (unsigned)bad_line;
        fail(&s, "not understood");
    }
    if (s.err == 0)
        *c = s.draft;
    return s.err;
}

static int read_all(int fd, char *text, size_t text_max, size_t *text_bytes)
{
    size_t n = 0;
    while (n < text_max) {
        ssize_t got = read(fd, text + n, text_max - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    *text_bytes = n;
    return 0;
}

int conf_load(struct conf *c, char error[static CONF_ERROR_MAX], const char *path)
{
    int err = 0;
    size_t text_bytes = 0;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        err = -errno;
        goto out;
    }
    text = malloc(FILE_MAX_BYTES + 1);
    err = text != NULL ? read_all(fd, text, FILE_MAX_BYTES + 1, &text_bytes) : -ENOMEM;
    if (err == 0 && text_bytes > FILE_MAX_BYTES)
        err = -EFBIG;
out:
    if (err < 0)
        snprintf(error, CONF_ERROR_MAX, "%.255s: %s", path, strerror(-err));
    else
        err = conf_parse(c, error, path, text, text_bytes);
    free(text);
    if (fd >= 0)
        close(fd);
    return err;
}
