/* libmicrohttpd, loaded when it is first needed.
 *
 * It brings a TLS library that we never call: linked in, the two cost more than a millisecond at
 * start and some 400 KiB of private memory, used or not.
 */
#ifndef DAEMON_HTTP_MHD_H
#define DAEMON_HTTP_MHD_H

#include <microhttpd.h>

/* MHD_CALL(result, name, (arguments)): what we call of it. http_mhd.c checks each against the
 * library's own header. */
#define MHD_CALLS(X)                                                                               \
    X(struct MHD_Daemon *, start_daemon,                                                           \
      (unsigned int, uint16_t, MHD_AcceptPolicyCallback, void *, MHD_AccessHandlerCallback,        \
       void *, ...))                                                                               \
    X(void, stop_daemon, (struct MHD_Daemon *))                                                    \
    X(enum MHD_Result, run, (struct MHD_Daemon *))                                                 \
    X(enum MHD_Result, get_timeout, (struct MHD_Daemon *, MHD_UNSIGNED_LONG_LONG *))               \
    X(const union MHD_DaemonInfo *, get_daemon_info,                                               \
      (struct MHD_Daemon *, enum MHD_DaemonInfoType, ...))                                         \
    X(enum MHD_Result, add_connection,                                                             \
      (struct MHD_Daemon *, MHD_socket, const struct sockaddr *, socklen_t))                       \
    X(const union MHD_ConnectionInfo *, get_connection_info,                                       \
      (struct MHD_Connection *, enum MHD_ConnectionInfoType, ...))                                 \
    X(int, get_connection_values_n,                                                                \
      (struct MHD_Connection *, enum MHD_ValueKind, MHD_KeyValueIteratorN, void *))                \
    X(struct MHD_Response *, create_response_from_buffer,                                          \
      (size_t, void *, enum MHD_ResponseMemoryMode))                                               \
    X(enum MHD_Result, add_response_header, (struct MHD_Response *, const char *, const char *))   \
    X(enum MHD_Result, queue_response,                                                             \
      (struct MHD_Connection *, unsigned int, struct MHD_Response *))                              \
    X(void, destroy_response, (struct MHD_Response *))

struct mhd {
#define X(result, name, arguments) result(*name) arguments;
    MHD_CALLS(X)
#undef X
};

/* 0, or -ELIBACC: the library or one of its functions is not there. It stays loaded. */
int mhd_load(struct mhd *out);

#endif
