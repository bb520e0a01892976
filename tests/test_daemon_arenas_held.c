/* Lent memory that changes or goes at the wrong time harms only its client; and nothing is held
 * longer than a job needs it: neither arenas nor descriptors. */
#include "config.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon_arenas.h"
#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "suite.h"

/* One worker: what is queued behind an endless job stays queued until that job's client goes. */
static struct bed bed;

/* Keeps the one worker busy; closing the connection frees it. Returns the connection. */
static int occupy_worker(void)
{
    struct job_case k;
    int fd = client_open(&bed);
    job_case_endless(&k);
    job_case_send(&k, fd, 1);
    job_case_free(&k);
    bed_await(&bed, "jobs.in_flight", 1);
    return fd;
}

/* ---- at the wrong time ---- */

START_TEST(an_arena_dropped_while_its_job_waits_serves_that_job)
{
    int blocker = occupy_worker();
    int fd = client_open(&bed);
    uint8_t *base = arena_add(fd, 5, ARENA_BYTES);
    uint64_t state = 11;
    struct job_case k;
    struct lent l;
    job_case_product(&k, &state, 64);
    lent_make(&l, &k, 5, base, 0);
    lent_send(&l, fd, 77);
    arena_send_drop(fd, 2, 5);
    client_expect_ok(fd, 2);
    uint8_t *fresh = arena_add(fd, 5, ARENA_BYTES); /* the number is free at once */
    ck_assert_double_eq(bed_metric(&bed, "jobs.in_flight"), 2);
    ck_assert_double_eq(bed_metric(&bed, "arenas.open"), 2); /* the job still has its own */
    close(blocker);
    lent_check(&l, fd, 77, base);
    bed_await(&bed, "arenas.open", 1);
    munmap(base, ARENA_BYTES);
    munmap(fresh, ARENA_BYTES);
    close(fd);
    bed_await(&bed, "arenas.open", 0);
    job_case_free(&k);
}
END_TEST

START_TEST(offsets_that_change_while_the_job_waits_do_not_matter)
{
    int blocker = occupy_worker();
    int fd = client_open(&bed);
    uint8_t *base = arena_add(fd, 5, ARENA_BYTES);
    uint64_t state = 13;
    struct wire_request h = client_request(WIRE_JOB, 0);
    struct job_case k;
    struct lent l;
    h.op = KERN_OP_hash_fnv1a_64;
    h.flags = WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT;
    h.arg[0] = 1000;
    h.arg[1] = 500000; /* enough for a worker */
    job_case_of(&k, &h, &state);
    lent_make(&l, &k, 5, base, 0);
    lent_send(&l, fd, 78);
    client_expect_alive(fd); /* so the job is taken */
    memset(base + l.refs[1].offset, 0xff, k.shape.in_bytes[1]);
    ck_assert_double_eq(bed_metric(&bed, "jobs.in_flight"), 2);
    close(blocker);
    lent_check(&l, fd, 78, base);
    munmap(base, ARENA_BYTES);
    close(fd);
    job_case_free(&k);
}
END_TEST

/* In a child: lends memory, keeps the worker busy and more jobs waiting, and is killed. */
static void lend_until_killed(int told)
{
    struct job_case k;
    struct lent l;
    int fd = client_open(&bed);
    job_case_endless(&k);
    size_t bytes = k.shape.total_bytes + 4096;
    uint8_t *base = arena_add(fd, 5, bytes);
    lent_make(&l, &k, 5, base, 0);
    for (uint64_t id = 0; id < 5; id++)
        lent_send(&l, fd, id);
    client_expect_alive(fd);
    (void)!write(told, "", 1);
    for (;;)
        pause();
}

START_TEST(a_client_killed_while_its_jobs_run_leaves_nothing_behind)
{
    client_expect_service(&bed);
    bed_await_idle(&bed);
    double fds = bed_fd_count(&bed), used = bed_metric(&bed, "pool.used_bytes");
    double cancelled = bed_metric(&bed, "jobs.cancelled");
    int told[2];
    char byte;
    ck_assert_int_eq(pipe(told), 0);
    pid_t child = fork();
    if (child == 0)
        lend_until_killed(told[1]);
    close(told[1]);
    ck_assert_int_eq(read(told[0], &byte, 1), 1);
    ck_assert_double_eq(bed_metric(&bed, "jobs.in_flight"), 5);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close(told[0]);

    bed_await_idle(&bed);
    bed_await(&bed, "arenas.open", 0);
    ck_assert_double_eq(bed_metric(&bed, "jobs.cancelled"), cancelled + 5);
    ck_assert_double_eq(bed_metric(&bed, "pool.used_bytes"), used);
    ck_assert_double_eq(bed_fd_count(&bed), fds);
}
END_TEST

/* ---- descriptors ---- */

START_TEST(descriptors_that_no_frame_asks_for_are_not_kept)
{
    double before = bed_fd_count(&bed);
    int memfd = arena_memfd(4096, ARENA_SEALS);
    int many[200];
    struct wire_request ping = client_request(WIRE_PING, 4);
    for (size_t i = 0; i < 200; i++)
        many[i] = memfd;
    int fd = client_open(&bed);
    client_send_fds(fd, &ping, sizeof(ping), many, 200); /* with a frame that has no use for them */
    client_expect_ok(fd, 4);
    for (unsigned i = 0; i < 50; i++) {
        client_send_fds(fd, &ping, sizeof(ping), &memfd, 1);
        client_expect_ok(fd, 4);
    }
    client_send_fds(fd, &ping, 10, many, 100); /* in the middle of a frame */
    client_send_fds(fd, (uint8_t *)&ping + 10, sizeof(ping) - 10, many, 100);
    client_expect_ok(fd, 4);
    ck_assert_double_le(bed_metric(&bed, "process.open_fds"), before + 2); /* that connection */
    close(fd);
    ck_assert_double_eq(bed_fd_count(&bed), before);

    fd = client_open(&bed);
    client_send_fds(fd, "S", 1, many, 200); /* and never a frame */
    client_expect_service(&bed);
    close(fd);
    fd = client_open(&bed);
    client_send_fds(fd, "{", 1, many, 200); /* nor with lines */
    client_send_fds(fd, "}\n", 2, many, 200);
    free(client_read_line(fd));
    close(fd);
    ck_assert_double_eq(bed_fd_count(&bed), before);
    close(memfd);
}
END_TEST

START_TEST(each_arena_gets_its_own_descriptor)
{
    int fd = client_open(&bed);
    enum { ARENAS = 8 };
    int memfds[ARENAS];
    for (uint32_t i = 0; i < ARENAS; i++) { /* all on their way before the first is answered */
        memfds[i] = arena_memfd(4096 * (size_t)(i + 1), ARENA_SEALS);
        arena_send_add(fd, i, i, 4096 * (i + 1), memfds[i]);
    }
    for (uint32_t i = 0; i < ARENAS; i++) {
        client_expect_ok(fd, i); /* sizes differ, so the pairs are right */
        close(memfds[i]);
    }
    close(fd);
}
END_TEST

START_TEST(over_the_quota_an_arena_is_refused)
{
    int fd = client_open(&bed), other = client_open(&bed);
    uint32_t count = 0;
    int memfd = arena_memfd(ARENA_BYTES, ARENA_SEALS);
    struct answer a;
    for (;; count++) { /* client_arenas_max is 40 */
        ck_assert_uint_le(count, 40);
        int to = count % 2 == 0 ? fd : other;
        arena_send_add(to, count, count, ARENA_BYTES, memfd);
        client_receive(to, &a);
        free(a.payload);
        if (a.h.status != WIRE_OK)
            break;
    }
    ck_assert_uint_eq(a.h.status, WIRE_ARENA_LIMIT);
    ck_assert_uint_eq(count, 40);
    arena_send_drop(fd, 1, 0);
    client_expect_ok(fd, 1);
    arena_send_add(other, 2, 1000, ARENA_BYTES, memfd);
    client_expect_ok(other, 2);
    int large = arena_memfd((size_t)1 << 30, ARENA_SEALS); /* client_arena_bytes_max is 512 MiB */
    arena_send_drop(fd, 3, 2);
    client_expect_ok(fd, 3);
    arena_send_add(fd, 4, 2, (uint64_t)1 << 30, large);
    client_expect_error(fd, 4, WIRE_ARENA_LIMIT, NULL);
    close(large);
    close(memfd);
    close(fd);
    close(other);
    bed_await(&bed, "arenas.open", 0);
}
END_TEST

START_TEST(arenas_that_only_jobs_still_hold_count_too)
{
    int blocker = occupy_worker();
    int fd = client_open(&bed);
    uint8_t *base[41] = {NULL};
    struct job_case k;
    struct lent l;
    uint64_t state = 17;
    job_case_product(&k, &state, 64);
    for (uint32_t i = 0; i < 40; i++) {
        base[i] = arena_add(fd, 1, ARENA_BYTES);
        lent_make(&l, &k, 1, base[i], 0);
        lent_send(&l, fd, 1000 + i);
        arena_send_drop(fd, 2, 1);
        client_expect_ok(fd, 2);
    }
    int memfd = arena_memfd(ARENA_BYTES, ARENA_SEALS);
    arena_send_add(fd, 3, 1, ARENA_BYTES, memfd);
    client_expect_error(fd, 3, WIRE_ARENA_LIMIT, NULL);
    close(memfd);
    close(blocker);
    for (uint32_t i = 0; i < 40; i++)
        client_expect_ok(fd, 1000 + i);
    base[40] = arena_add(fd, 1, ARENA_BYTES);
    for (int i = 0; i <= 40; i++)
        munmap(base[i], ARENA_BYTES);
    close(fd);
    job_case_free(&k);
}
END_TEST

START_TEST(the_books_balance)
{
    bed_check_books(&bed);
}
END_TEST

static int run(void)
{
    Suite *s = suite_create("daemon, arenas held");
    TCase *t = tcase_create("held");
    tcase_set_timeout(t, 2 * BED_PATIENCE_S);
    tcase_add_test(t, an_arena_dropped_while_its_job_waits_serves_that_job);
    tcase_add_test(t, offsets_that_change_while_the_job_waits_do_not_matter);
    tcase_add_test(t, a_client_killed_while_its_jobs_run_leaves_nothing_behind);
    tcase_add_test(t, descriptors_that_no_frame_asks_for_are_not_kept);
    tcase_add_test(t, each_arena_gets_its_own_descriptor);
    tcase_add_test(t, over_the_quota_an_arena_is_refused);
    tcase_add_test(t, arenas_that_only_jobs_still_hold_count_too);
    tcase_add_test(t, the_books_balance);
    suite_add_tcase(s, t);
    return suite_run(s);
}

int main(void)
{
    static const char *const flags[] = {"--workers", "1", NULL};
    return bed_suite(&bed,
                     "[jobs]\n"
                     "client_arenas_max = 40\n"
                     "client_arena_bytes_max = 512MiB\n",
                     flags, run);
}
