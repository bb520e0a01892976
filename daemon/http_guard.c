/* Request smuggling lives on two readers who disagree where a request ends or for whom it is. So
 * whatever two readers could read in two ways is refused: lengths given twice or in two manners,
 * codings that we do not undo, a Host that is missing, repeated or no host, control characters.
 */
#include "config.h"

#include "http_guard.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

enum { LENGTH_DIGITS_MAX = 18, PORT_DIGITS_MAX = 5, V6_TEXT_MAX = 46 };

static bool is_alnum(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static bool is_one_of(unsigned char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

static bool is_name(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (!is_alnum(c) && !is_one_of(c, "!#$%&'*+-.^_`|~"))
            return false;
    }
    return bytes > 0;
}

static bool is_clean(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if ((c < ' ' && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

static bool is_port(const char *text, size_t bytes)
{
    unsigned port = 0;
    if (bytes > PORT_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        port = port * 10 + (unsigned)(text[i] - '0');
    }
    return port <= 65535; /* an empty one is allowed */
}

static bool is_v6(const char *text, size_t bytes)
{
    char terminated[V6_TEXT_MAX];
    struct in6_addr address;
    if (bytes >= sizeof terminated)
        return false;
    memcpy(terminated, text, bytes);
    terminated[bytes] = '\0';
    return strlen(terminated) == bytes && inet_pton(AF_INET6, terminated, &address) == 1;
}

bool http_host_is_valid(const char *host, size_t host_bytes)
{
    size_t end = 0; /* of the name, where the port may begin */
    if (host_bytes > 0 && host[0] == '[') {
        const char *close = memchr(host, ']', host_bytes);
        if (close == NULL || !is_v6(host + 1, (size_t)(close - host - 1)))
            return false;
        end = (size_t)(close - host) + 1;
    } else {
        /* The comma is legal in a name, but it is also how a proxy joins two Hosts. */
        while (end < host_bytes && (is_alnum((unsigned char)host[end]) ||
                                    is_one_of((unsigned char)host[end], "-._~%!$&'()*+;=")))
            end++;
    }
    if (end == 0)
        return false;
    if (end == host_bytes)
        return true;
    return host[end] == ':' && is_port(host + end + 1, host_bytes - end - 1);
}

/* Keeps the first reason: it is the nearest to the cause. */
static void refuse(struct http_guard *g, const char *reason)
{
    if (g->refusal == NULL)
        g->refusal = reason;
}

static bool is_called(const char *name, size_t name_bytes, const char *want)
{
    return name_bytes == strlen(want) && strncasecmp(name, want, name_bytes) == 0;
}

static void take_length(struct http_guard *g, const char *value, size_t bytes)
{
    if (g->length_count++ > 0)
        refuse(g, "more than one Content-Length");
    bool digits = bytes > 0 && bytes <= LENGTH_DIGITS_MAX;
    g->content_length = 0;
    for (size_t i = 0; digits && i < bytes; i++) {
        digits = value[i] >= '0' && value[i] <= '9';
        g->content_length = g->content_length * 10 + (uint64_t)(value[i] - '0');
    }
    if (!digits)
        refuse(g, "Content-Length is not a number");
}

void http_guard_init(struct http_guard *g, const char *version)
{
    *g = (struct http_guard){.is_http_10 = strcmp(version, "HTTP/1.0") == 0};
    /* A later 1.x is a 1.1 to us; anything else is another language. */
    if (strncmp(version, "HTTP/1.", 7) != 0 || version[7] < '0' || version[7] > '9' ||
        version[8] != '\0')
        refuse(g, "not HTTP/1.1 and not HTTP/1.0");
}

void http_guard_header(struct http_guard *g, const char *name, size_t name_bytes,
                       const char *value, size_t value_bytes)
{
    while (value_bytes > 0 && is_blank(value[value_bytes - 1]))
        value_bytes--;
    for (; value_bytes > 0 && is_blank(*value); value_bytes--)
        value++;
    if (!is_name(name, name_bytes))
        refuse(g, "bad character in the name of a header field");
    if (!is_clean(value, value_bytes))
        refuse(g, "control character in a header field");

    if (is_called(name, name_bytes, "Host")) {
        if (g->host_count++ > 0)
            refuse(g, "more than one Host");
        if (!http_host_is_valid(value, value_bytes))
            refuse(g, "Host is no host");
    } else if (is_called(name, name_bytes, "Content-Length")) {
        take_length(g, value, value_bytes);
    } else if (is_called(name, name_bytes, "Transfer-Encoding")) {
        if (g->encoding_count++ > 0)
            refuse(g, "more than one Transfer-Encoding");
        if (!is_called(value, value_bytes, "chunked"))
            refuse(g, "a Transfer-Encoding other than chunked");
    }
}

const char *http_guard_verdict(const struct http_guard *g)
{
    if (g->refusal != NULL)
        return g->refusal;
    if (g->host_count == 0 && !g->is_http_10)
        return "no Host";
    if (g->encoding_count > 0 && g->length_count > 0)
        return "both Content-Length and Transfer-Encoding";
    if (g->encoding_count > 0 && g->is_http_10)
        return "Transfer-Encoding in HTTP/1.0";
    return NULL;
}
