/* The .npy format of numpy.
 *
 * The header is a Python dictionary with three keys in any order, written by whatever program.
 * We read that much of Python: strings in either quote, True and False, tuples of numbers, blanks
 * anywhere. A record's descr is a list; it is recognised, and refused by name.
 */
#include "config.h"

#include "npy.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

static const char *const descrs[] = {
#define X(upper, name, descr, bytes) descr,
    TENSOR_TYPES(X)
#undef X
};

/* The text that is left, and where to complain. */
struct cursor {
    const char *p, *end;
    char *why;
};

enum { SEEN_DESCR = 1, SEEN_ORDER = 2, SEEN_SHAPE = 4, SEEN_ALL = 7 };

bool npy_is(const uint8_t *p, size_t p_bytes)
{
    return p_bytes >= sizeof(magic) && memcmp(p, magic, sizeof(magic)) == 0;
}

__attribute__((format(printf, 2, 3))) static int refuse(char *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(why, NPY_WHY_BYTES, format, args);
    va_end(args);
    return -EINVAL;
}

static char peek(struct cursor *c)
{
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
    return c->p < c->end ? *c->p : '\0';
}

static bool accept(struct cursor *c, char wanted)
{
    if (peek(c) != wanted)
        return false;
    c->p++;
    return true;
}

static int expect(struct cursor *c, char wanted, const char *where)
{
    if (accept(c, wanted))
        return 0;
    return refuse(c->why, "the npy header lacks a '%c' %s", wanted, where);
}

/* A quoted string without escapes. Points into the header. */
static int read_string(struct cursor *c, const char **s, size_t *s_bytes, const char *what)
{
    char quote = peek(c);
    if (quote != '\'' && quote != '"')
        return refuse(c->why, "the npy header's %s is not a string", what);
    const char *start = ++c->p;
    while (c->p < c->end && *c->p != quote && *c->p != '\\')
        c->p++;
    if (c->p == c->end || *c->p != quote)
        return refuse(c->why, "the npy header's %s does not end", what);
    *s = start;
    *s_bytes = (size_t)(c->p++ - start);
    return 0;
}

static bool accept_word(struct cursor *c, const char *word)
{
    size_t bytes = strlen(word);
    (void)peek(c);
    if ((size_t)(c->end - c->p) < bytes || memcmp(c->p, word, bytes) != 0)
        return false;
    c->p += bytes;
    return true;
}

static int read_descr(struct cursor *c, enum tensor_type *type)
{
    if (peek(c) == '[')
        return refuse(c->why, "it holds records (a structured dtype), not plain numbers");
    const char *s;
    size_t bytes;
    int err = read_string(c, &s, &bytes, "descr");
    if (err < 0)
        return err;
    for (unsigned i = 0; i < TENSOR_TYPE_COUNT; i++) {
        /* One byte has no order, so any mark of it is fine; '=' is the writer's, and ours. */
        const char *d = descrs[i];
        if (bytes != 3 || s[1] != d[1] || s[2] != d[2])
            continue;
        if (s[0] == d[0] || s[0] == '=' || (d[0] == '|' && (s[0] == '<' || s[0] == '>'))) {
            *type = (enum tensor_type)i;
            return 0;
        }
    }
    bool swapped = bytes == 3 && s[0] == '>';
    return refuse(c->why, "its dtype '%.*s' %s; convert it to float32, int32, uint32 or uint8",
                  (int)(bytes < 32 ? bytes : 32), s,
                  swapped ? "is big-endian" : "is not supported");
}

static int read_dim(struct cursor *c, size_t *out)
{
    char digit = peek(c);
    if (digit < '0' || digit > '9')
        return refuse(c->why, "the npy header's shape has something that is not a number");
    size_t value = 0;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9') {
        size_t d = (size_t)(*c->p++ - '0');
        if (value > (SIZE_MAX - d) / 10)
            return refuse(c->why, "a dimension of its shape does not fit into 64 bits");
        value = value * 10 + d;
    }
    if (c->p < c->end && *c->p == 'L') /* Python 2 */
        c->p++;
    *out = value;
    return 0;
}

static int read_shape(struct cursor *c, struct tensor_shape *shape)
{
    int err = expect(c, '(', "before the shape");
    shape->dim_count = 0;
    bool comma = true;
    while (err == 0 && !accept(c, ')')) {
        if (!comma)
            return refuse(c->why, "the npy header's shape does not end");
        if (shape->dim_count == TENSOR_DIMS_MAX)
            return refuse(c->why, "it has more than %d dimensions", TENSOR_DIMS_MAX);
        err = read_dim(c, &shape->dim[shape->dim_count++]);
        comma = accept(c, ',');
    }
    if (err == 0 && shape->dim_count == 1 && !comma)
        return refuse(c->why, "the npy header's shape is not a tuple"); /* (3) is a number */
    return err;
}

static int read_order(struct cursor *c, bool *fortran)
{
    *fortran = accept_word(c, "True");
    if (!*fortran && !accept_word(c, "False"))
        return refuse(c->why, "the npy header's fortran_order is neither True nor False");
    return 0;
}

static bool is(const char *s, size_t bytes, const char *word)
{
    return bytes == strlen(word) && memcmp(s, word, bytes) == 0;
}

static int read_entry(struct cursor *c, struct tensor_shape *shape, unsigned *seen)
{
    const char *key;
    size_t bytes;
    int err = read_string(c, &key, &bytes, "key");
    if (err == 0)
        err = expect(c, ':', "after a key");
    if (err < 0)
        return err;
    unsigned which = is(key, bytes, "descr")           ? SEEN_DESCR
                     : is(key, bytes, "fortran_order") ? SEEN_ORDER
                     : is(key, bytes, "shape")         ? SEEN_SHAPE
                                                       : 0;
    if (which == 0)
        return refuse(c->why, "the npy header has an unknown key '%.*s'",
                      (int)(bytes < 32 ? bytes : 32), key);
    if ((*seen & which) != 0)
        return refuse(c->why, "the npy header has '%.*s' twice", (int)bytes, key);
    *seen |= which;
    if (which == SEEN_DESCR)
        return read_descr(c, &shape->type);
    return which == SEEN_ORDER ? read_order(c, &shape->fortran) : read_shape(c, shape);
}

static int read_dict(struct cursor *c, struct tensor_shape *shape)
{
    unsigned seen = 0;
    int err = expect(c, '{', "at its start");
    bool comma = true;
    while (err == 0 && !accept(c, '}')) {
        if (!comma)
            return refuse(c->why, "the npy header lacks a ',' between entries");
        err = read_entry(c, shape, &seen);
        comma = accept(c, ',');
    }
    if (err < 0)
        return err;
    if (seen != SEEN_ALL)
        return refuse(c->why, "the npy header lacks '%s'",
                      !(seen & SEEN_DESCR)   ? "descr"
                      : !(seen & SEEN_ORDER) ? "fortran_order"
                                             : "shape");
    if (peek(c) != '\0' || c->p < c->end)
        return refuse(c->why, "the npy header has something behind its dictionary");
    return 0;
}

int npy_parse(struct tensor_shape *shape, size_t *header_bytes, char why[static NPY_WHY_BYTES],
              const uint8_t *p, size_t p_bytes)
{
    if (p_bytes >= 1 && memcmp(p, magic, p_bytes < sizeof(magic) ? p_bytes : sizeof(magic)) != 0)
        return refuse(why, "it is not a .npy file");
    if (p_bytes < 12)
        return -EAGAIN;
    unsigned major = p[6], minor = p[7];
    if (major < 1 || major > 3 || minor != 0)
        return refuse(why, "its npy version %u.%u is not supported", major, minor);
    size_t start = major == 1 ? 10 : 12;
    size_t length = (size_t)p[8] | (size_t)p[9] << 8;
    if (major > 1)
        length |= (size_t)p[10] << 16 | (size_t)p[11] << 24;
    if (length > NPY_HEADER_MAX - start)
        return refuse(why, "its npy header of %zu bytes is too long", length);
    if (p_bytes < start + length)
        return -EAGAIN;

    const char *text = (const char *)p + start;
    struct cursor c = {text, text + length, why};
    struct tensor t = {.shape = {.dim_count = 0}};
    int err = read_dict(&c, &t.shape);
    if (err < 0)
        return err;
    if (!tensor_measure(&t))
        return refuse(why, "its shape is larger than any memory");
    *shape = t.shape;
    *header_bytes = start + length;
    return 0;
}

size_t npy_print(uint8_t out[static NPY_PRINT_MAX], const struct tensor_shape *shape)
{
    char text[NPY_PRINT_MAX];
    size_t at = (size_t)snprintf(text, sizeof(text),
                                 "{'descr': '%s', 'fortran_order': %s, 'shape': (",
                                 descrs[shape->type], shape->fortran ? "True" : "False");
    for (unsigned i = 0; i < shape->dim_count; i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%zu%s", i > 0 ? " " : "",
                               shape->dim[i], i + 1 < shape->dim_count || i == 0 ? "," : "");
    at += (size_t)snprintf(text + at, sizeof(text) - at, "), }");

    size_t total = (10 + at + 1 + 63) / 64 * 64, length = total - 10;
    memcpy(out, magic, sizeof(magic));
    out[6] = 1;
    out[7] = 0;
    out[8] = (uint8_t)length;
    out[9] = (uint8_t)(length >> 8);
    memcpy(out + 10, text, at);
    memset(out + 10 + at, ' ', length - at - 1);
    out[total - 1] = '\n';
    return total;
}
