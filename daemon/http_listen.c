/* From "127.0.0.1:9464" to a listening socket. Numbers only: a name would ask a resolver, which
 * may take seconds, and may answer with a public address. */
#include "config.h"

#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 64, PORT_DIGITS_MAX = 5 };

static int port_parse(const char *text, in_port_t *port)
{
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > PORT_DIGITS_MAX || text[digits] != '\0')
        return -EINVAL;
    long value = strtol(text, NULL, 10);
    if (value > 65535)
        return -EINVAL;
    *port = htons((in_port_t)value);
    return 0;
}

int http_address_parse(struct sockaddr_storage *out, socklen_t *out_bytes, const char *addr_port)
{
    char host[INET6_ADDRSTRLEN];
    in_port_t port;
    const char *colon = strrchr(addr_port, ':');
    if (colon == NULL || port_parse(colon + 1, &port) < 0)
        return -EINVAL;

    bool is_v6 = addr_port[0] == '[' && colon[-1] == ']';
    const char *begin = addr_port + is_v6;
    size_t length = (size_t)(colon - addr_port) - (is_v6 ? 2 : 0);
    if (length >= sizeof host)
        return -EINVAL;
    memcpy(host, begin, length);
    host[length] = '\0';

    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = port};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = port};
    memset(out, 0, sizeof *out);
    if (is_v6 && inet_pton(AF_INET6, host, &v6.sin6_addr) == 1) {
        memcpy(out, &v6, sizeof v6);
        *out_bytes = sizeof v6;
        return 0;
    }
    if (!is_v6 && inet_pton(AF_INET, host, &v4.sin_addr) == 1) {
        memcpy(out, &v4, sizeof v4);
        *out_bytes = sizeof v4;
        return 0;
    }
    return -EINVAL;
}

int http_bind(int *fd, const char *addr_port)
{
    struct sockaddr_storage address;
    socklen_t address_bytes;
    const int on = 1;
    int err = http_address_parse(&address, &address_bytes, addr_port);
    if (err < 0)
        return err;
    int s = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return -errno;

    /* A restart must not wait for connections of the last run to time out. */
    (void)setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (address.ss_family == AF_INET6)
        (void)setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
    if (bind(s, (const struct sockaddr *)&address, address_bytes) != 0 || listen(s, BACKLOG) != 0) {
        err = -errno;
        close(s);
        return err;
    }
    *fd = s;
    return 0;
}
