/* A small reader of Accept: media ranges with parameters, of which `q` and `version` count. */
#include "config.h"

#include "http_accept.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *text;
    size_t bytes;
};

struct cursor {
    const char *at, *end;
};

struct range {
    struct slice type, subtype, version; /* version.text NULL: not given */
    int q;
};

static const struct {
    char type[16], subtype[20], version[8]; /* version "": any */
} forms[HTTP_FORM_COUNT] = {
    [WIRE_METRICS_JSON] = {"application", "json", ""},
    [WIRE_METRICS_PROMETHEUS] = {"text", "plain", "0.0.4"},
    [WIRE_METRICS_OPENMETRICS] = {"application", "openmetrics-text", "1.0.0"},
};

static bool slice_is(struct slice s, const char *want)
{
    return s.bytes == strlen(want) && strncasecmp(s.text, want, s.bytes) == 0;
}

static bool at_end(const struct cursor *c)
{
    return c->at == c->end || *c->at == ',';
}

static bool take_char(struct cursor *c, char want)
{
    if (c->at == c->end || *c->at != want)
        return false;
    c->at++;
    return true;
}

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\t'))
        c->at++;
}

/* Up to the next blank or separator; false if that is nothing. */
static bool take_token(struct cursor *c, struct slice *out)
{
    const char *begin = c->at;
    while (c->at < c->end && *c->at > ' ' && *c->at < 0x7f &&
           strchr("\"(),/:;<=>?@[\\]{}", *c->at) == NULL)
        c->at++;
    *out = (struct slice){begin, (size_t)(c->at - begin)};
    return out->bytes > 0;
}

/* Between double quotes; what a backslash escapes stays as it is. */
static bool take_quoted(struct cursor *c, struct slice *out)
{
    if (!take_char(c, '"'))
        return false;
    const char *begin = c->at;
    for (; c->at < c->end && *c->at != '"'; c->at++)
        if (*c->at == '\\' && c->at + 1 < c->end)
            c->at++;
    *out = (struct slice){begin, (size_t)(c->at - begin)};
    return take_char(c, '"');
}

/* 0, 0.5, 1, 1.000: at most three decimals, at most 1. In thousandths. */
static bool parse_q(struct slice s, int *q)
{
    if (s.bytes == 0 || s.bytes > 5 || (s.text[0] != '0' && s.text[0] != '1'))
        return false;
    if (s.bytes > 1 && s.text[1] != '.')
        return false;
    int value = (s.text[0] - '0') * 1000, unit = 100;
    for (size_t i = 2; i < s.bytes; i++, unit /= 10) {
        if (s.text[i] < '0' || s.text[i] > '9')
            return false;
        value += (s.text[i] - '0') * unit;
    }
    *q = value;
    return value <= 1000;
}

static bool take_parameter(struct cursor *c, struct range *r)
{
    struct slice name, value;
    skip_blanks(c);
    if (at_end(c) || *c->at == ';')
        return true; /* an empty one is allowed */
    if (!take_token(c, &name) || !take_char(c, '='))
        return false;
    if (!take_quoted(c, &value) && !take_token(c, &value))
        return false;
    if (slice_is(name, "q"))
        return parse_q(value, &r->q);
    if (slice_is(name, "version"))
        r->version = value;
    return true;
}

static bool take_range(struct cursor *c, struct range *r)
{
    *r = (struct range){.q = 1000};
    if (!take_token(c, &r->type) || !take_char(c, '/') || !take_token(c, &r->subtype))
        return false;
    for (skip_blanks(c); !at_end(c); skip_blanks(c))
        if (!take_char(c, ';') || !take_parameter(c, r))
            return false;
    return true;
}

/* How closely the range names the form; 0: not at all. */
static int specificity(const struct range *r, size_t form)
{
    if (slice_is(r->type, "*"))
        return slice_is(r->subtype, "*") ? 1 : 0;
    if (!slice_is(r->type, forms[form].type))
        return 0;
    if (slice_is(r->subtype, "*"))
        return 2;
    if (!slice_is(r->subtype, forms[form].subtype))
        return 0;
    if (r->version.text == NULL || forms[form].version[0] == '\0')
        return 3;
    return slice_is(r->version, forms[form].version) ? 4 : 0;
}

static void count_range(struct http_accept *a, const struct range *r)
{
    for (size_t i = 0; i < HTTP_FORM_COUNT; i++) {
        int closeness = specificity(r, i);
        bool closer = closeness > a->form[i].specificity;
        bool better = closeness == a->form[i].specificity && r->q > a->form[i].q;
        if (closeness > 0 && (closer || better)) {
            a->form[i].specificity = closeness;
            a->form[i].q = r->q;
        }
    }
}

void http_accept_init(struct http_accept *a)
{
    *a = (struct http_accept){0};
}

void http_accept_add(struct http_accept *a, const char *value, size_t value_bytes)
{
    struct cursor c = {value, value + value_bytes};
    while (c.at < c.end) {
        struct range r;
        skip_blanks(&c);
        if (take_range(&c, &r))
            count_range(a, &r);
        /* To the next range; a malformed one may have stopped anywhere. */
        for (struct slice quoted; !at_end(&c);)
            if (*c.at != '"')
                c.at++;
            else
                take_quoted(&c, &quoted);
        take_char(&c, ',');
    }
}

enum wire_metrics http_accept_best(const struct http_accept *a)
{
    static const enum wire_metrics preference[HTTP_FORM_COUNT] = {
        WIRE_METRICS_JSON, WIRE_METRICS_OPENMETRICS, WIRE_METRICS_PROMETHEUS};
    enum wire_metrics best = WIRE_METRICS_JSON;
    int best_score = -2;
    for (size_t i = 0; i < HTTP_FORM_COUNT; i++) {
        enum wire_metrics form = preference[i];
        int q = a->form[form].q, closeness = a->form[form].specificity;
        /* Asked for, not spoken of, refused. */
        int score = q > 0 ? q * 8 + closeness : closeness == 0 ? 0 : -1;
        if (score > best_score) {
            best = form;
            best_score = score;
        }
    }
    return best;
}
