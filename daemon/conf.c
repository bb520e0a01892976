/* Configuration values: defaults, single settings, what must hold between them, reload.
 *
 * The table lives in params.c, the file's parser in conf_file.c, what is printed in conf_print.c.
 */
#include "config.h"

#include "conf.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "conf_units.h"
#include "params.h"

void conf_init(struct conf *c)
{
    char error[CONF_ERROR_MAX];
    memset(c, 0, sizeof(*c));
    const struct param *p;
    for (size_t i = 0; (p = param_at(i)) != NULL; i++) {
        int err = param_set(p, c, error, p->def);
        assert(err == 0); /* params.def is ours; test_conf tries every row */
        (void)err;
    }
}

int conf_set(struct conf *c, char error[static CONF_ERROR_MAX], const char *name, const char *value)
{
    const struct param *p = param_find(name);
    if (p == NULL) {
        snprintf(error, CONF_ERROR_MAX, "unknown parameter '%.64s'", name);
        return -EINVAL;
    }
    return param_set(p, c, error, value);
}

const char *conf_flag_param(const char *flag)
{
    const struct param *p = param_find_flag(flag);
    return p != NULL ? p->name : NULL;
}

int conf_set_flag(struct conf *c, char error[static CONF_ERROR_MAX], const char *arg,
                  const char *next)
{
    const struct param *p = param_find_flag(arg);
    if (p == NULL)
        return 0;
    const char *equals = strchr(arg, '=');
    if (equals == NULL && next == NULL) {
        snprintf(error, CONF_ERROR_MAX, "%.64s needs a value", arg);
        return -EINVAL;
    }
    int err = param_set(p, c, error, equals != NULL ? equals + 1 : next);
    if (err < 0)
        return err;
    return equals != NULL ? 1 : 2;
}

unsigned conf_apply_live(struct conf *c, const struct conf *fresh)
{
    unsigned waiting = 0;
    const struct param *p;
    for (size_t i = 0; (p = param_at(i)) != NULL; i++) {
        char *mine = (char *)c + p->offset;
        const char *theirs = (const char *)fresh + p->offset;
        if (memcmp(mine, theirs, p->bytes) == 0)
            continue;
        if (p->live)
            memcpy(mine, theirs, p->bytes);
        else
            waiting++;
    }
    return waiting;
}

/* "off", or an address in numbers and a port. Names are not looked up: the service has no network
 * to ask. */
static bool http_is_valid(const char *text)
{
    if (strcmp(text, "off") == 0)
        return true;
    const char *colon = strrchr(text, ':');
    uint64_t port;
    if (colon == NULL || conf_parse_count(&port, colon + 1) < 0 || port > 65535)
        return false;
    bool v6 = text[0] == '[' && colon[-1] == ']';
    const char *first = v6 ? text + 1 : text;
    size_t bytes = (size_t)((v6 ? colon - 1 : colon) - first);
    char host[INET6_ADDRSTRLEN];
    unsigned char address[sizeof(struct in6_addr)];
    if (bytes >= sizeof(host))
        return false;
    memcpy(host, first, bytes);
    host[bytes] = '\0';
    return inet_pton(v6 ? AF_INET6 : AF_INET, host, address) == 1;
}

static int size_over(char error[static CONF_ERROR_MAX], const char *name, uint64_t bytes,
                     const char *bound_name, uint64_t bound)
{
    if (bytes <= bound)
        return 0;
    char a[CONF_UNITS_MAX], b[CONF_UNITS_MAX];
    conf_format_size(a, bytes);
    conf_format_size(b, bound);
    snprintf(error, CONF_ERROR_MAX, "%s (%s) is over %s (%s)", name, a, bound_name, b);
    return -EINVAL;
}

static int check_sizes(const struct conf *c, char error[static CONF_ERROR_MAX])
{
    int err = size_over(error, "job_max_bytes", c->job_max_bytes, "memory_max", c->memory_max);
    if (err == 0)
        err = size_over(error, "cache_max", c->cache_max, "memory_max", c->memory_max);
    /* Else a full cache would leave no room for the largest job, for ever. */
    if (err == 0)
        err = size_over(error, "cache_max and job_max_bytes together",
                        c->cache_max + c->job_max_bytes, "memory_max", c->memory_max);
    if (err == 0)
        err = size_over(error, "job_max_bytes", c->job_max_bytes, "client_bytes_max",
                        c->client_bytes_max);
    return err;
}

int conf_check(const struct conf *c, char error[static CONF_ERROR_MAX])
{
    const size_t path_max = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
    if (c->socket[0] == '\0') {
        snprintf(error, CONF_ERROR_MAX, "socket: the path is empty");
        return -EINVAL;
    }
    if (strlen(c->socket) > path_max) {
        snprintf(error, CONF_ERROR_MAX, "socket: the path is longer than %zu bytes", path_max);
        return -EINVAL;
    }
    if (!http_is_valid(c->http)) {
        snprintf(error, CONF_ERROR_MAX,
                 "http: '%.64s' is neither ADDRESS:PORT nor [ADDRESS]:PORT nor off", c->http);
        return -EINVAL;
    }
    if (c->inline_max > c->split_min) {
        char a[CONF_UNITS_MAX], b[CONF_UNITS_MAX];
        conf_format_time(a, c->inline_max);
        conf_format_time(b, c->split_min);
        snprintf(error, CONF_ERROR_MAX, "inline_max (%s) is over split_min (%s)", a, b);
        return -EINVAL;
    }
    return check_sizes(c, error);
}
