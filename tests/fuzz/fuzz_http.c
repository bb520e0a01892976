/* A request's head, any bytes: cut into lines as libmicrohttpd would, then through everything that
 * we read of it ourselves: target, guard, Accept, Host, listening address. */
#include "config.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "http.h"
#include "http_accept.h"
#include "http_guard.h"
#include "http_target.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

struct slice {
    const char *text;
    size_t bytes;
};

/* Unlike assert(), never compiled out. */
static void require(bool truth)
{
    if (!truth)
        abort();
}

static struct slice cut(struct slice *s, char end)
{
    const char *at = s->bytes > 0 ? memchr(s->text, end, s->bytes) : NULL;
    struct slice head = {s->text, at != NULL ? (size_t)(at - s->text) : s->bytes};
    size_t gone = head.bytes + (at != NULL);
    s->text += gone;
    s->bytes -= gone;
    return head;
}

/* Returns owned: the bytes alone and terminated, so that a sanitizer sees a read beyond. */
static char *copy(struct slice s)
{
    char *text = malloc(s.bytes + 1);
    require(text != NULL);
    if (s.bytes > 0)
        memcpy(text, s.text, s.bytes);
    text[s.bytes] = '\0';
    return text;
}

static bool has_control(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (((unsigned char)text[i] < ' ' && text[i] != '\t') || text[i] == 0x7f)
            return true;
    return false;
}

static void check_target(struct slice target)
{
    char *text = copy(target);
    struct http_target t;
    http_target_parse(&t, text, target.bytes);
    require(!(t.has_form && t.has_bad_form));
    if (t.route != HTTP_ROUTE_BAD)
        require(!has_control(text, target.bytes) && memchr(text, ' ', target.bytes) == NULL);

    struct sockaddr_storage address;
    socklen_t address_bytes = 0;
    if (http_address_parse(&address, &address_bytes, text) == 0)
        require(address_bytes > 0 && strchr(text, ':') != NULL);
    free(text);
}

/* What is read must not depend on how often it is read. */
static void check_accept(struct http_accept *all, const char *value, size_t value_bytes)
{
    struct http_accept once, twice;
    http_accept_init(&once);
    http_accept_add(&once, value, value_bytes);
    twice = once;
    http_accept_add(&twice, value, value_bytes);
    require(memcmp(&once, &twice, sizeof once) == 0);
    require((unsigned)http_accept_best(&once) < HTTP_FORM_COUNT);
    for (size_t i = 0; i < HTTP_FORM_COUNT; i++)
        require(once.form[i].q >= 0 && once.form[i].q <= 1000);
    http_accept_add(all, value, value_bytes);
}

static void check_header(struct http_guard *g, struct http_accept *accept, struct slice line)
{
    struct slice value = line, name = cut(&value, ':');
    char *name_text = copy(name), *value_text = copy(value);
    http_guard_header(g, name_text, name.bytes, value_text, value.bytes);
    if (has_control(name_text, name.bytes) || has_control(value_text, value.bytes))
        require(http_guard_verdict(g) != NULL);
    if (strcasecmp(name_text, "Accept") == 0)
        check_accept(accept, value_text, value.bytes);
    if (http_host_is_valid(value_text, value.bytes))
        require(value.bytes > 0 && !has_control(value_text, value.bytes));
    free(name_text);
    free(value_text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    struct slice rest = {(const char *)data, data_bytes};
    struct slice line = cut(&rest, '\n');
    (void)cut(&line, ' '); /* the method */
    check_target(cut(&line, ' '));
    if (line.bytes > 0 && line.text[line.bytes - 1] == '\r')
        line.bytes--;

    char *version = copy(line);
    struct http_guard guard;
    struct http_accept accept;
    unsigned hosts = 0;
    http_guard_init(&guard, version);
    http_accept_init(&accept);
    while (rest.bytes > 0) {
        line = cut(&rest, '\n');
        if (line.bytes > 0 && line.text[line.bytes - 1] == '\r')
            line.bytes--;
        hosts += line.bytes > 4 && strncasecmp(line.text, "Host:", 5) == 0;
        check_header(&guard, &accept, line);
    }
    if (http_guard_verdict(&guard) == NULL)
        require(hosts == 1 || (hosts == 0 && strcmp(version, "HTTP/1.0") == 0));
    require((unsigned)http_accept_best(&accept) < HTTP_FORM_COUNT);
    free(version);
    return 0;
}
