/* Bare libmicrohttpd beside a bare libuv loop: what the libraries alone cost.
 *
 *     http_server PORT [BODY_BYTES]
 *
 * Answers every GET with one and the same body, from a thread of libmicrohttpd's own on epoll, the
 * fastest it has for few connections.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <microhttpd.h>
#include <uv.h>

static enum MHD_Result answer(void *user, struct MHD_Connection *connection, const char *url,
                              const char *method, const char *version, const char *upload,
                              size_t *upload_bytes, void **request)
{
    static const char seen = 0;
    (void)url;
    (void)method;
    (void)version;
    (void)upload;
    (void)upload_bytes;
    if (*request == NULL) { /* answered at the second call, or the connection is closed */
        *request = (void *)(uintptr_t)&seen;
        return MHD_YES;
    }
    return MHD_queue_response(connection, MHD_HTTP_OK, user);
}

static void on_signal(uv_signal_t *handle, int number)
{
    (void)number;
    uv_stop(handle->loop);
}

int main(int argc, char **argv)
{
    size_t body_bytes = argc == 3 ? strtoul(argv[2], NULL, 10) : 2;
    char *body = malloc(body_bytes + 1);
    uv_signal_t signal;
    if (argc < 2 || argc > 3 || body == NULL) {
        fprintf(stderr, "usage: http_server PORT [BODY_BYTES]\n");
        return 64;
    }
    memset(body, ' ', body_bytes);
    body[0] = '{';
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body_bytes, body, MHD_RESPMEM_PERSISTENT);
    MHD_add_response_header(response, "Content-Type", "application/json");
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    address.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
    uv_signal_init(uv_default_loop(), &signal);
    uv_signal_start(&signal, on_signal, SIGTERM);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer, response,
                         MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&address, MHD_OPTION_END);
    if (daemon == NULL)
        return 1;
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    free(body);
    return 0;
}
