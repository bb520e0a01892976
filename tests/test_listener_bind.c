/* listener_bind(): whose path it is, and who may connect. */
#include "config.h"

#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/socket_dir.h"
#include "tests/suite.h"

static ino_t inode_of(const char *name)
{
    struct stat st;
    ck_assert_int_eq(lstat(name, &st), 0);
    return st.st_ino;
}

/* A socket file bound by hand, like one that a killed daemon leaves when it is closed. */
static int bind_plain(int type)
{
    struct sockaddr_un a = address_of(path);
    int fd = socket(AF_UNIX, type, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

START_TEST(bind_gives_a_listening_socket_of_mode_0660_whatever_the_umask)
{
    static const mode_t masks[] = {0, 022, 077, 0777};
    int fd = -1, client;
    struct stat st;
    mode_t mask = masks[_i];
    umask(mask);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), 0);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert(S_ISSOCK(st.st_mode));
    ck_assert_int_eq(st.st_mode & 07777, 0660);
    ck_assert_int_eq(umask(0), mask); /* left as it was */
    ck_assert_int_eq(try_connect(&client), 0);
    ck_assert_int_ne(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
    ck_assert_int_ne(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
}
END_TEST

START_TEST(bind_gives_the_socket_to_the_group)
{
    int fd = -1;
    struct stat st;
    /* Root may give it to any group, others to their own. */
    const struct group *g = getgrgid(geteuid() == 0 ? 1 : getegid());
    if (g == NULL)
        return;
    gid_t want = g->gr_gid;
    ck_assert_int_eq(listener_bind(&fd, path, g->gr_name), 0);
    ck_assert_int_eq(lstat(path, &st), 0);
    ck_assert_int_eq(st.st_gid, want);
    ck_assert_int_eq(st.st_mode & 07777, 0660);
}
END_TEST

START_TEST(bind_refuses_an_unknown_group_and_leaves_nothing)
{
    int fd = -7;
    ck_assert_int_eq(listener_bind(&fd, path, "no-such-group"), -ESRCH);
    ck_assert_int_eq(fd, -7);
    ck_assert(!exists(path));
    ck_assert_int_eq(listener_bind(&fd, path, ""), 0); /* empty: no group asked for */
}
END_TEST

START_TEST(bind_removes_a_socket_that_nobody_answers_on)
{
    int fd = -1, client;
    close(bind_plain(SOCK_STREAM));
    ck_assert_int_eq(try_connect(&client), -ECONNREFUSED);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), 0);
    ck_assert_int_eq(try_connect(&client), 0);
}
END_TEST

START_TEST(bind_leaves_a_live_daemon_its_socket)
{
    int first = -1, fd = -7, client;
    ck_assert_int_eq(listener_bind(&first, path, NULL), 0);
    ino_t inode = inode_of(path);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), -EADDRINUSE);
    ck_assert_int_eq(fd, -7);
    ck_assert_uint_eq(inode_of(path), inode);
    ck_assert_int_eq(try_connect(&client), 0);
}
END_TEST

START_TEST(bind_takes_a_full_backlog_for_a_live_daemon)
{
    int fd = -1, err = 0;
    int owner = bind_plain(SOCK_STREAM);
    ck_assert_int_eq(listen(owner, 1), 0);
    for (int i = 0; i < 64 && err == 0; i++) {
        int client;
        err = try_connect(&client);
    }
    ck_assert_int_eq(err, -EAGAIN);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), -EADDRINUSE);
    ck_assert(exists(path));
}
END_TEST

START_TEST(bind_leaves_a_live_socket_of_another_type)
{
    int fd = -1;
    bind_plain(SOCK_DGRAM);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), -EADDRINUSE);
    ck_assert(exists(path));
}
END_TEST

START_TEST(bind_does_not_touch_what_is_no_socket)
{
    int fd = -1, file = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), -EEXIST);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkdir(path, 0700), 0);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), -EEXIST);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(symlink("elsewhere", path), 0);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), -EEXIST);
    ck_assert(exists(path));
}
END_TEST

START_TEST(bind_takes_107_bytes_of_path_and_refuses_108)
{
    char name[200];
    int fd = -1;
    memset(name, 'p', sizeof(name));
    memcpy(name, dir, strlen(dir));
    name[strlen(dir)] = '/';
    name[107] = '\0';
    ck_assert_int_eq(listener_bind(&fd, name, NULL), 0);
    unlink(name);
    name[107] = 'p';
    name[108] = '\0';
    ck_assert_int_eq(listener_bind(&fd, name, NULL), -ENAMETOOLONG);
    ck_assert_int_eq(listener_bind(&fd, "", NULL), -EINVAL);
}
END_TEST

START_TEST(bind_takes_a_path_without_a_directory)
{
    int fd = -1, client;
    ck_assert_int_eq(chdir(dir), 0);
    ck_assert_int_eq(listener_bind(&fd, "simdd.sock", NULL), 0);
    ck_assert_int_eq(try_connect(&client), 0);
}
END_TEST

START_TEST(bind_says_why_a_directory_is_no_use)
{
    char name[128];
    int fd = -1;
    snprintf(name, sizeof(name), "%s/missing/simdd.sock", dir);
    ck_assert_int_eq(listener_bind(&fd, name, NULL), -ENOENT);
    ck_assert_int_eq(listener_bind(&fd, "/dev/null/simdd.sock", NULL), -ENOTDIR);
    ck_assert_int_eq(chmod(dir, 0555), 0);
    if (geteuid() == 0) /* whom no mode stops */
        ck_assert_int_eq(setresuid(65534, 65534, 0), 0);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), -EACCES);
    if (getuid() == 65534)
        ck_assert_int_eq(setresuid(0, 0, 0), 0); /* so that the directory can be removed */
    ck_assert(!exists(path));
}
END_TEST

START_TEST(bind_gives_up_when_the_directory_stays_locked)
{
    int fd = -1, holder = open(dir, O_RDONLY | O_DIRECTORY);
    ck_assert_int_eq(flock(holder, LOCK_EX), 0);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), -EBUSY);
    close(holder);
    ck_assert_int_eq(listener_bind(&fd, path, NULL), 0);
}
END_TEST

/* Waits for the start, binds, says how it went, and lives until the test ends it. */
static void run_starter(int start, int report, int finish)
{
    char go;
    int fd = -1;
    if (read(start, &go, 1) != 0)
        _exit(1);
    int err = listener_bind(&fd, path, NULL);
    if (write(report, &err, sizeof(err)) != (ssize_t)sizeof(err) || read(finish, &go, 1) != 0)
        _exit(1);
    _exit(0);
}

START_TEST(of_several_starts_at_once_exactly_one_wins)
{
    enum { ROUNDS = 10, STARTERS = 8 };
    for (int round = 0; round < ROUNDS; round++) {
        int start[2], report[2], finish[2], winners = 0, client;
        ck_assert_int_eq(pipe(start) + pipe(report) + pipe(finish), 0);
        unlink(path);
        close(bind_plain(SOCK_STREAM)); /* stale: each is tempted to remove it */
        for (int i = 0; i < STARTERS; i++) {
            pid_t pid = fork();
            ck_assert_int_ge(pid, 0);
            if (pid == 0) {
                close(start[1]);
                close(finish[1]);
                run_starter(start[0], report[1], finish[0]);
            }
        }
        close(start[1]); /* go */
        for (int i = 0; i < STARTERS; i++) {
            int err = 1;
            ck_assert_int_eq(read(report[0], &err, sizeof(err)), (int)sizeof(err));
            ck_assert_msg(err == 0 || err == -EADDRINUSE, "%s", strerror(-err));
            winners += err == 0;
        }
        ck_assert_int_eq(winners, 1);
        ck_assert_int_eq(try_connect(&client), 0); /* and nobody removed the winner's file */
        close(client);
        close(finish[1]);
        for (int i = 0, status; i < STARTERS; i++)
            ck_assert_int_gt(wait(&status), 0);
        close(start[0]);
        close(report[0]);
        close(report[1]);
        close(finish[0]);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("listener_bind");
    TCase *t = tcase_create("bind");
    tcase_add_checked_fixture(t, socket_dir_make, socket_dir_remove);
    tcase_add_loop_test(t, bind_gives_a_listening_socket_of_mode_0660_whatever_the_umask, 0, 4);
    tcase_add_test(t, bind_gives_the_socket_to_the_group);
    tcase_add_test(t, bind_refuses_an_unknown_group_and_leaves_nothing);
    tcase_add_test(t, bind_removes_a_socket_that_nobody_answers_on);
    tcase_add_test(t, bind_leaves_a_live_daemon_its_socket);
    tcase_add_test(t, bind_takes_a_full_backlog_for_a_live_daemon);
    tcase_add_test(t, bind_leaves_a_live_socket_of_another_type);
    tcase_add_test(t, bind_does_not_touch_what_is_no_socket);
    tcase_add_test(t, bind_takes_107_bytes_of_path_and_refuses_108);
    tcase_add_test(t, bind_takes_a_path_without_a_directory);
    tcase_add_test(t, bind_says_why_a_directory_is_no_use);
    tcase_add_test(t, bind_gives_up_when_the_directory_stays_locked);
    tcase_add_test(t, of_several_starts_at_once_exactly_one_wins);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
