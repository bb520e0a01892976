/* listener_start() and listener_stop(): accepting, also when it fails. accept4() is replaced by one
 * that fails on demand: a real shortage of descriptors would hit Check and the sanitizers too. */
#include "config.h"

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "log.h"
#include "tests/socket_dir.h"
#include "tests/suite.h"

/* The next accept4() calls fail so; 0 ends the list. */
static int accept_errors[16];
static int accept_calls;

int accept4(int fd, struct sockaddr *address, socklen_t *bytes, int flags)
{
    int error = accept_errors[0];
    accept_calls++;
    if (error != 0) {
        memmove(accept_errors, accept_errors + 1, sizeof(accept_errors) - sizeof(int));
        errno = error;
        return -1;
    }
    return (int)syscall(SYS_accept4, fd, address, bytes, flags);
}

/* A listener on a loop of its own. */
struct scene {
    uv_loop_t loop;
    struct listener *listener;
    int fd;
    int accepted_count, last_fd;
    int stop_after; /* stops the listener inside the callback; 0: never */
};

static void on_accept(void *user, int fd)
{
    struct scene *s = user;
    s->accepted_count++;
    s->last_fd = fd;
    if (s->accepted_count == s->stop_after) {
        listener_stop(s->listener);
        s->listener = NULL;
    }
}

static void scene_start(struct scene *s)
{
    memset(s, 0, sizeof(*s));
    ck_assert_int_eq(uv_loop_init(&s->loop), 0);
    ck_assert_int_eq(listener_bind(&s->fd, path, NULL), 0);
    ck_assert_int_eq(listener_start(&s->listener, &s->loop, s->fd, path, on_accept, s), 0);
}

static void scene_stop(struct scene *s)
{
    listener_stop(s->listener);
    uv_run(&s->loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(uv_loop_close(&s->loop), 0); /* no handle is left */
}

START_TEST(accepted_sockets_do_not_block_and_close_on_exec)
{
    struct scene s;
    int client;
    char byte = 'x';
    scene_start(&s);
    ck_assert_int_eq(try_connect(&client), 0);
    uv_run(&s.loop, UV_RUN_ONCE);
    ck_assert_int_eq(s.accepted_count, 1);
    ck_assert_int_ne(fcntl(s.last_fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(s.last_fd, F_GETFD) & FD_CLOEXEC, 0);
    ck_assert_int_eq(write(client, &byte, 1), 1);
    ck_assert_int_eq(read(s.last_fd, &byte, 1), 1);
    scene_stop(&s);
}
END_TEST

START_TEST(every_client_of_a_storm_is_accepted)
{
    enum { CLIENTS = 400 }; /* more than one pass takes */
    struct scene s;
    int client;
    scene_start(&s);
    for (int i = 0; i < CLIENTS; i++)
        ck_assert_int_eq(try_connect(&client), 0);
    for (int i = 0; i < 100 && s.accepted_count < CLIENTS; i++)
        uv_run(&s.loop, UV_RUN_NOWAIT);
    ck_assert_int_eq(s.accepted_count, CLIENTS);
    scene_stop(&s);
}
END_TEST

START_TEST(stop_unlinks_the_path_and_refuses_new_clients)
{
    struct scene s;
    int client;
    scene_start(&s);
    scene_stop(&s);
    ck_assert(!exists(path));
    ck_assert_int_eq(try_connect(&client), -ENOENT);
    ck_assert_int_eq(fcntl(s.fd, F_GETFD), -1);
    listener_stop(NULL);
}
END_TEST

START_TEST(stop_leaves_a_successors_socket)
{
    struct scene s;
    int fd = -1, client;
    scene_start(&s);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), 0);
    scene_stop(&s);
    ck_assert_int_eq(try_connect(&client), 0);
}
END_TEST

START_TEST(stop_leaves_the_path_of_a_passed_socket)
{
    struct scene s;
    memset(&s, 0, sizeof(s));
    ck_assert_int_eq(uv_loop_init(&s.loop), 0);
    ck_assert_int_eq(listener_bind(&s.fd, path, NULL), 0);
    ck_assert_int_eq(listener_start(&s.listener, &s.loop, s.fd, NULL, on_accept, &s), 0);
    scene_stop(&s);
    ck_assert(exists(path));
}
END_TEST

START_TEST(stop_inside_the_accept_callback_accepts_no_more)
{
    struct scene s;
    int client;
    scene_start(&s);
    s.stop_after = 2;
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(try_connect(&client), 0);
    uv_run(&s.loop, UV_RUN_DEFAULT);
    ck_assert_int_eq(s.accepted_count, 2);
    scene_stop(&s);
}
END_TEST

START_TEST(a_start_that_fails_leaves_the_socket_to_the_caller)
{
    struct scene s;
    memset(&s, 0, sizeof(s));
    ck_assert_int_eq(uv_loop_init(&s.loop), 0);
    ck_assert_int_eq(listener_bind(&s.fd, path, NULL), 0);
    ck_assert_int_eq(listener_start(&s.listener, &s.loop, s.fd, "/nowhere/x", on_accept, &s),
                     -ENOENT);
    ck_assert_ptr_null(s.listener);
    ck_assert_int_ge(fcntl(s.fd, F_GETFD), 0);
    ck_assert_int_eq(uv_loop_close(&s.loop), 0);
}
END_TEST

/* Runs out of what _i says three times in a row, and then has it again. */
static const int shortages[] = {EMFILE, ENFILE, ENOBUFS, ENOMEM};

START_TEST(in_a_shortage_clients_wait_and_are_accepted_later)
{
    struct scene s;
    int client, log_pipe[2];
    char text[4096];
    scene_start(&s);
    ck_assert_int_eq(pipe2(log_pipe, O_NONBLOCK), 0);
    ck_assert_int_eq(dup2(log_pipe[1], STDERR_FILENO), STDERR_FILENO);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(try_connect(&client), 0);
        accept_errors[i] = shortages[_i];
    }
    for (int i = 0; i < 100 && s.accepted_count < 3; i++)
        uv_run(&s.loop, UV_RUN_ONCE); /* sleeps until the pause ends */
    ck_assert_int_eq(s.accepted_count, 3);
    ssize_t n = read(log_pipe[0], text, sizeof(text) - 1);
    ck_assert_int_gt(n, 0);
    text[n] = '\0';
    ck_assert_ptr_nonnull(strstr(text, " warn: accepting pauses error=E"));
    scene_stop(&s);
}
END_TEST

static bool loop_has_events(uv_loop_t *loop)
{
    struct pollfd p = {.fd = uv_backend_fd(loop), .events = POLLIN};
    return poll(&p, 1, 0) > 0;
}

START_TEST(in_a_shortage_the_loop_does_not_spin)
{
    struct scene s;
    int client;
    log_init(LOG_LEVEL_ERR); /* no complaint among the test's own lines */
    scene_start(&s);
    ck_assert_int_eq(try_connect(&client), 0);
    uv_run(&s.loop, UV_RUN_ONCE);
    ck_assert_int_eq(s.accepted_count, 1);
    ck_assert_int_eq(try_connect(&client), 0);
    ck_assert(loop_has_events(&s.loop));
    accept_errors[0] = EMFILE;
    accept_calls = 0;
    uv_run(&s.loop, UV_RUN_ONCE);
    ck_assert_int_eq(accept_calls, 1);
    ck_assert(!loop_has_events(&s.loop)); /* though the client still waits */
    scene_stop(&s);                       /* ends the pause too */
    ck_assert_int_eq(s.accepted_count, 1);
}
END_TEST

START_TEST(a_client_that_gave_up_does_not_hold_up_the_next)
{
    static const int errors[] = {ECONNABORTED, EINTR, EPROTO, EPERM};
    struct scene s;
    int client;
    scene_start(&s);
    memcpy(accept_errors, errors, sizeof(errors));
    ck_assert_int_eq(try_connect(&client), 0);
    uv_run(&s.loop, UV_RUN_ONCE);
    ck_assert_int_eq(s.accepted_count, 1);
    scene_stop(&s);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("listener");
    TCase *t = tcase_create("accept");
    tcase_add_checked_fixture(t, socket_dir_make, socket_dir_remove);
    tcase_add_test(t, accepted_sockets_do_not_block_and_close_on_exec);
    tcase_add_test(t, every_client_of_a_storm_is_accepted);
    tcase_add_test(t, stop_unlinks_the_path_and_refuses_new_clients);
    tcase_add_test(t, stop_leaves_a_successors_socket);
    tcase_add_test(t, stop_leaves_the_path_of_a_passed_socket);
    tcase_add_test(t, stop_inside_the_accept_callback_accepts_no_more);
    tcase_add_test(t, a_start_that_fails_leaves_the_socket_to_the_caller);
    tcase_add_loop_test(t, in_a_shortage_clients_wait_and_are_accepted_later, 0, 4);
    tcase_add_test(t, in_a_shortage_the_loop_does_not_spin);
    tcase_add_test(t, a_client_that_gave_up_does_not_hold_up_the_next);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
