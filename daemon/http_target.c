/* Splits a target and looks its path up. Read from the raw bytes, before libmicrohttpd decodes
 * percent signs in place, so that nothing hides in them. */
#include "config.h"

#include "http_target.h"

#include <string.h>
#include <strings.h>

#include "http_guard.h"

struct slice {
    const char *text;
    size_t bytes;
};

static bool slice_is(struct slice s, const char *want)
{
    return s.bytes == strlen(want) && memcmp(s.text, want, s.bytes) == 0;
}

/* Cuts everything up to `end` off the front of *s and returns it; without `end`, all of it. */
static struct slice slice_cut(struct slice *s, char end)
{
    const char *at = s->bytes > 0 ? memchr(s->text, end, s->bytes) : NULL;
    struct slice head = {s->text, at != NULL ? (size_t)(at - s->text) : s->bytes};
    size_t gone = head.bytes + (at != NULL);
    s->text += gone;
    s->bytes -= gone;
    return head;
}

/* Takes "http://host" off the front, if it is there. */
static bool drop_authority(struct slice *s)
{
    static const char scheme[] = "http://";
    const size_t scheme_bytes = sizeof scheme - 1;
    if (s->bytes < scheme_bytes || strncasecmp(s->text, scheme, scheme_bytes) != 0)
        return true;
    s->text += scheme_bytes;
    s->bytes -= scheme_bytes;
    size_t end = 0;
    while (end < s->bytes && s->text[end] != '/' && s->text[end] != '?')
        end++;
    bool valid = http_host_is_valid(s->text, end);
    s->text += end;
    s->bytes -= end;
    return valid;
}

static enum http_route route_of(struct slice path)
{
    static const struct {
        char path[12];
        enum http_route route;
    } routes[] = {
        {"", HTTP_ROUTE_ROOT}, /* absolute form may leave the slash out */
        {"/", HTTP_ROUTE_ROOT},
        {"/metrics", HTTP_ROUTE_METRICS},
        {"/livez", HTTP_ROUTE_LIVEZ},
        {"/readyz", HTTP_ROUTE_READYZ},
    };
    for (size_t i = 0; i < sizeof routes / sizeof routes[0]; i++)
        if (slice_is(path, routes[i].path))
            return routes[i].route;
    return HTTP_ROUTE_UNKNOWN;
}

static void take_form(struct http_target *out, struct slice value)
{
    out->has_form = true;
    out->has_bad_form = false;
    if (slice_is(value, "json"))
        out->form = WIRE_METRICS_JSON;
    else if (slice_is(value, "prometheus"))
        out->form = WIRE_METRICS_PROMETHEUS;
    else if (slice_is(value, "openmetrics"))
        out->form = WIRE_METRICS_OPENMETRICS;
    else {
        out->has_form = false;
        out->has_bad_form = true;
    }
}

void http_target_parse(struct http_target *out, const char *target, size_t target_bytes)
{
    struct slice rest = {target, target_bytes};
    *out = (struct http_target){.route = HTTP_ROUTE_BAD};
    if (target_bytes == 0)
        return;
    for (size_t i = 0; i < target_bytes; i++)
        if (target[i] <= ' ' || target[i] > '~' || target[i] == '#')
            return;
    if (!drop_authority(&rest))
        return;
    if (rest.text == target && target[0] != '/')
        return; /* neither form; "*" goes with OPTIONS only */

    out->route = route_of(slice_cut(&rest, '?'));
    while (rest.bytes > 0) {
        struct slice value = slice_cut(&rest, '&');
        struct slice name = slice_cut(&value, '=');
        if (slice_is(name, "format"))
            take_form(out, value); /* the last one wins */
    }
}
