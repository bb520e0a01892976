/* Lent memory at the whole daemon: what is wrong with an arena is told by name, nothing leaks, and
 * a client that changes or takes away its memory at the wrong time harms only itself. */
#include "config.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "suite.h"

enum { ARENA_BYTES = 1 << 20, SEALS = F_SEAL_SHRINK | F_SEAL_GROW };

/* One worker: what is queued behind an endless job stays queued until that job's client goes. */
static struct bed bed;

/* ---- arenas ---- */

static int make_memfd(size_t bytes, int seals)
{
    int fd = memfd_create("arena", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    if (seals != 0)
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

static void send_add(int fd, uint64_t id, uint32_t number, uint64_t bytes, int memfd)
{
    struct wire_request h = client_request(WIRE_ARENA_ADD, id);
    h.arg[0] = number;
    h.arg[1] = (uint32_t)bytes;
    h.arg[2] = (uint32_t)(bytes >> 32);
    if (memfd >= 0)
        client_send_fds(fd, &h, sizeof(h), &memfd, 1);
    else
        client_send_frame(fd, &h, NULL, 0);
}

static void send_drop(int fd, uint64_t id, uint32_t number)
{
    struct wire_request h = client_request(WIRE_ARENA_DROP, id);
    h.arg[0] = number;
    client_send_frame(fd, &h, NULL, 0);
}

/* Adds a fresh arena and maps it. */
static uint8_t *add_arena(int fd, uint32_t number, size_t bytes)
{
    int memfd = make_memfd(bytes, SEALS);
    uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    ck_assert(p != MAP_FAILED);
    send_add(fd, number, number, bytes, memfd);
    client_expect_ok(fd, number);
    close(memfd);
    return p;
}

/* ---- jobs in arenas ---- */

/* A job whose references are still to be sent; operands one after the other, then the result. */
struct lent {
    struct job_case *k;
    struct wire_ref refs[KERN_IN_MAX + 1];
};

static void lend(struct lent *l, struct job_case *k, uint32_t arena, uint8_t *base, size_t at)
{
    *l = (struct lent){.k = k};
    for (unsigned i = 0; i < k->shape.in_count; i++) {
        l->refs[i] = (struct wire_ref){arena, 0, at};
        memcpy(base + at, job_case_operand(k, i), k->shape.in_bytes[i]);
        at += wire_pad(k->shape.in_bytes[i]);
    }
    l->refs[k->shape.in_count] = (struct wire_ref){arena, 0, at};
}

static void send_lent(struct lent *l, int fd, uint64_t id)
{
    struct wire_request h = l->k->h;
    h.id = id;
    h.flags |= WIRE_F_ARENA;
    client_send_frame(fd, &h, l->refs, (l->k->shape.in_count + 1) * sizeof(l->refs[0]));
}

/* The answer to it is OK and its bits are right, wherever the result lies. */
static void check_lent(const struct lent *l, int fd, uint64_t id, const uint8_t *base)
{
    struct answer a;
    struct job_case *k = l->k;
    const struct wire_ref *result = &l->refs[k->shape.in_count];
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.id, id);
    if (result->arena == WIRE_INLINE) {
        ck_assert_uint_eq(a.h.flags & WIRE_A_IN_ARENA, 0);
        job_case_check(k, &a);
        return;
    }
    ck_assert_msg(a.h.status == WIRE_OK, "%s", wire_status_name(a.h.status));
    ck_assert_uint_ne(a.h.flags & WIRE_A_IN_ARENA, 0);
    ck_assert_uint_eq(a.h.result_bytes, 0);
    ck_assert_int_eq(memcmp(base + result->offset, job_case_expected(k, a.h.isa),
                            k->shape.out_bytes),
                     0);
    free(a.payload);
}

/* add_f32 of 64 floats: operands at 0 and 256, the result at 512. */
static void small_sum(struct lent *l, struct job_case *k, uint32_t arena, uint8_t *base)
{
    uint64_t state = 3;
    struct wire_request h = client_request(WIRE_JOB, 0);
    h.op = KERN_OP_add_f32;
    h.arg[0] = 64;
    job_case_of(k, &h, &state);
    lend(l, k, arena, base, 0);
}

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

/* ---- refused by name ---- */

START_TEST(an_arena_that_could_change_its_size_is_refused)
{
    static const int seals[] = {0, F_SEAL_SHRINK, F_SEAL_GROW};
    int memfd = make_memfd(ARENA_BYTES, seals[_i]);
    int fd = client_open(&bed);
    send_add(fd, 9, 1, ARENA_BYTES, memfd);
    client_expect_error(fd, 9, WIRE_ARENA_UNSEALED, NULL);
    client_expect_alive(fd);
    close(memfd);
    close(fd);
}
END_TEST

START_TEST(a_descriptor_that_is_no_memfd_is_refused)
{
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    char name[] = "/tmp/simdd-test-file-XXXXXX";
    int file = mkstemp(name);
    ck_assert_int_eq(ftruncate(file, ARENA_BYTES), 0);
    unlink(name);
    int memfd = make_memfd(ARENA_BYTES, SEALS);
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
    int wrong[] = {pipes[0], file, open("/dev/zero", O_RDWR), open("/tmp", O_RDONLY),
                   open(path, O_RDONLY), client_open(&bed)};
    int fd = client_open(&bed);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_int_ge(wrong[i], 0);
        send_add(fd, i, 1, ARENA_BYTES, wrong[i]);
        struct answer a;
        client_receive(fd, &a);
        /* a file on tmpfs has seals that it cannot get */
        ck_assert_msg(a.h.status == WIRE_ARENA_NOT_MEMFD || a.h.status == WIRE_ARENA_UNSEALED,
                      "%zu: %s", i, wire_status_name(a.h.status));
        free(a.payload);
        close(wrong[i]);
    }
    client_expect_alive(fd);
    close(pipes[1]);
    close(memfd);
    close(fd);
}
END_TEST

START_TEST(an_arena_sealed_against_writing_is_refused)
{
    int memfd = make_memfd(ARENA_BYTES, SEALS | F_SEAL_WRITE);
    int fd = client_open(&bed);
    send_add(fd, 9, 1, ARENA_BYTES, memfd);
    client_expect_error(fd, 9, WIRE_ARENA_NOT_MEMFD, NULL);
    close(memfd);
    close(fd);
}
END_TEST

START_TEST(an_arena_of_another_size_is_refused)
{
    static const uint64_t said[] = {0, 1, ARENA_BYTES - 1, ARENA_BYTES + 1,
                                    ARENA_BYTES + ((uint64_t)1 << 32), UINT64_MAX};
    int memfd = make_memfd(ARENA_BYTES, SEALS);
    int empty = make_memfd(0, SEALS);
    int fd = client_open(&bed);
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        send_add(fd, i, 1, said[i], memfd);
        client_expect_error(fd, i, WIRE_ARENA_BAD_SIZE, NULL);
    }
    send_add(fd, 9, 1, 0, empty);
    client_expect_error(fd, 9, WIRE_ARENA_BAD_SIZE, NULL);
    client_expect_alive(fd);
    close(memfd);
    close(empty);
    close(fd);
}
END_TEST

START_TEST(an_arena_without_a_descriptor_is_refused)
{
    int fd = client_open(&bed);
    send_add(fd, 9, 1, ARENA_BYTES, -1);
    client_expect_error(fd, 9, WIRE_ARENA_NO_FD, NULL);
    client_expect_alive(fd);
    close(fd);
}
END_TEST

START_TEST(a_number_can_be_used_once_until_it_is_dropped)
{
    int fd = client_open(&bed);
    int memfd = make_memfd(ARENA_BYTES, SEALS);
    send_add(fd, 1, 5, ARENA_BYTES, memfd);
    client_expect_ok(fd, 1);
    send_add(fd, 2, 5, ARENA_BYTES, memfd);
    client_expect_error(fd, 2, WIRE_ARENA_EXISTS, NULL);
    send_drop(fd, 3, 5);
    client_expect_ok(fd, 3);
    send_drop(fd, 4, 5);
    client_expect_error(fd, 4, WIRE_ARENA_UNKNOWN, NULL);
    send_add(fd, 5, 5, ARENA_BYTES, memfd);
    client_expect_ok(fd, 5);
    close(memfd);
    close(fd);
}
END_TEST

START_TEST(a_reference_that_is_wrong_is_refused_by_its_place)
{
    static const struct {
        unsigned at;
        struct wire_ref ref;
        enum wire_status status;
        const char *field;
    } wrong[] = {
        {0, {6, 0, 0}, WIRE_ARENA_UNKNOWN, "ref0"},
        {1, {UINT32_MAX - 1, 0, 0}, WIRE_ARENA_UNKNOWN, "ref1"},
        {2, {0, 0, 512}, WIRE_ARENA_UNKNOWN, "ref2"},
        {0, {WIRE_INLINE, 0, 0}, WIRE_ARENA_UNKNOWN, "ref0.arena"},
        {0, {5, 1, 0}, WIRE_BAD_RESERVED, "ref0.zero"},
        {2, {WIRE_INLINE, 0, 8}, WIRE_BAD_RESERVED, "ref2.offset"},
        {0, {5, 0, 4}, WIRE_ARENA_MISALIGNED, "ref0.offset"},
        {2, {5, 0, 513}, WIRE_ARENA_MISALIGNED, "ref2.offset"},
        {0, {5, 0, ARENA_BYTES}, WIRE_ARENA_RANGE, "ref0"},
        {1, {5, 0, ARENA_BYTES - 248}, WIRE_ARENA_RANGE, "ref1"},
        {2, {5, 0, ARENA_BYTES - 248}, WIRE_ARENA_RANGE, "ref2"},
        {0, {5, 0, UINT64_MAX - 7}, WIRE_ARENA_RANGE, "ref0"},
        {2, {5, 0, UINT64_MAX - 255}, WIRE_ARENA_RANGE, "ref2"},
        {2, {5, 0, 8}, WIRE_ARENA_OVERLAP, "ref0"},
        {2, {5, 0, 248}, WIRE_ARENA_OVERLAP, "ref0"},
        {2, {5, 0, 504}, WIRE_ARENA_OVERLAP, "ref1"},
    };
    int fd = client_open(&bed);
    uint8_t *base = add_arena(fd, 5, ARENA_BYTES);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct job_case k;
        struct lent l;
        small_sum(&l, &k, 5, base);
        l.refs[wrong[i].at] = wrong[i].ref;
        send_lent(&l, fd, i);
        client_expect_error(fd, i, wrong[i].status, wrong[i].field);
        job_case_free(&k);
        small_sum(&l, &k, 5, base);
        send_lent(&l, fd, 100);
        check_lent(&l, fd, 100, base);
        job_case_free(&k);
    }
    munmap(base, ARENA_BYTES);
    close(fd);
}
END_TEST

START_TEST(a_product_may_not_lie_on_its_operand)
{
    int fd = client_open(&bed);
    uint8_t *base = add_arena(fd, 5, ARENA_BYTES);
    uint64_t state = 9;
    struct job_case k;
    struct lent l;
    job_case_product(&k, &state, 256);
    lend(&l, &k, 5, base, 0);
    l.refs[2].offset = l.refs[1].offset; /* exactly */
    send_lent(&l, fd, 1);
    client_expect_error(fd, 1, WIRE_ARENA_OVERLAP, "ref1");
    munmap(base, ARENA_BYTES);
    close(fd);
    job_case_free(&k);
}
END_TEST

START_TEST(another_connections_arena_is_unknown)
{
    int owner = client_open(&bed), other = client_open(&bed);
    uint8_t *base = add_arena(owner, 5, ARENA_BYTES);
    struct job_case k;
    struct lent l;
    small_sum(&l, &k, 5, base);
    send_lent(&l, other, 1);
    client_expect_error(other, 1, WIRE_ARENA_UNKNOWN, "ref0");
    send_drop(other, 2, 5);
    client_expect_error(other, 2, WIRE_ARENA_UNKNOWN, NULL);
    send_lent(&l, owner, 3);
    check_lent(&l, owner, 3, base);
    munmap(base, ARENA_BYTES);
    close(owner);
    close(other);
    job_case_free(&k);
}
END_TEST

/* ---- right results ---- */

START_TEST(jobs_in_arenas_compute_what_inline_jobs_do)
{
    uint64_t state = chance_seed();
    enum { BYTES = 8 << 20 };
    int fd = client_open(&bed);
    uint8_t *base = add_arena(fd, 5, BYTES);
    for (unsigned i = 0; i < bed_scaled(200); i++) {
        struct job_case k;
        struct lent l;
        job_case_random(&k, &state, 40000);
        memset(base, 0, k.shape.total_bytes + 4096);
        lend(&l, &k, 5, base, chance_below(&state, 512) * 8);
        if (chance_below(&state, 3) == 0)
            l.refs[k.shape.in_count] = (struct wire_ref){WIRE_INLINE, 0, 0};
        send_lent(&l, fd, i);
        check_lent(&l, fd, i, base);
        if (i % 4 == 0)
            job_case_round(&k, fd, i);
        job_case_free(&k);
    }
    munmap(base, BYTES);
    close(fd);
}
END_TEST

START_TEST(a_sum_may_lie_exactly_on_its_operand)
{
    int fd = client_open(&bed);
    uint8_t *base = add_arena(fd, 5, ARENA_BYTES);
    for (unsigned operand = 0; operand < 2; operand++) {
        struct job_case k;
        struct lent l;
        small_sum(&l, &k, 5, base);
        l.refs[2].offset = l.refs[operand].offset;
        send_lent(&l, fd, operand);
        check_lent(&l, fd, operand, base);
        job_case_free(&k);
    }
    munmap(base, ARENA_BYTES);
    close(fd);
}
END_TEST

START_TEST(two_arenas_over_the_same_memory_harm_nobody)
{
    int fd = client_open(&bed);
    int memfd = make_memfd(ARENA_BYTES, SEALS);
    uint8_t *base = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    ck_assert(base != MAP_FAILED);
    for (uint32_t n = 1; n <= 2; n++) {
        send_add(fd, n, n, ARENA_BYTES, memfd);
        client_expect_ok(fd, n);
    }
    uint64_t state = 5;
    struct job_case k;
    struct lent l;
    job_case_product(&k, &state, 256);
    lend(&l, &k, 1, base, 0);
    l.refs[2] = (struct wire_ref){2, 0, 64}; /* the result runs over both operands */
    send_lent(&l, fd, 3);
    client_expect_ok(fd, 3); /* its bits are the client's own trouble */
    client_expect_service(&bed);
    munmap(base, ARENA_BYTES);
    close(memfd);
    close(fd);
    job_case_free(&k);
}
END_TEST

/* ---- at the wrong time ---- */

START_TEST(an_arena_dropped_while_its_job_waits_serves_that_job)
{
    int blocker = occupy_worker();
    int fd = client_open(&bed);
    uint8_t *base = add_arena(fd, 5, ARENA_BYTES);
    uint64_t state = 11;
    struct job_case k;
    struct lent l;
    job_case_product(&k, &state, 64);
    lend(&l, &k, 5, base, 0);
    send_lent(&l, fd, 77);
    send_drop(fd, 2, 5);
    client_expect_ok(fd, 2);
    uint8_t *fresh = add_arena(fd, 5, ARENA_BYTES); /* the number is free at once */
    ck_assert_double_eq(bed_metric(&bed, "jobs.in_flight"), 2);
    ck_assert_double_eq(bed_metric(&bed, "arenas.open"), 2); /* the job still has its own */
    close(blocker);
    check_lent(&l, fd, 77, base);
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
    uint8_t *base = add_arena(fd, 5, ARENA_BYTES);
    uint64_t state = 13;
    struct wire_request h = client_request(WIRE_JOB, 0);
    struct job_case k;
    struct lent l;
    h.op = KERN_OP_hash_fnv1a_64;
    h.flags = WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT;
    h.arg[0] = 1000;
    h.arg[1] = 500000; /* enough for a worker */
    job_case_of(&k, &h, &state);
    lend(&l, &k, 5, base, 0);
    send_lent(&l, fd, 78);
    client_expect_alive(fd); /* so the job is taken */
    memset(base + l.refs[1].offset, 0xff, k.shape.in_bytes[1]);
    ck_assert_double_eq(bed_metric(&bed, "jobs.in_flight"), 2);
    close(blocker);
    check_lent(&l, fd, 78, base);
    munmap(base, ARENA_BYTES);
    close(fd);
    job_case_free(&k);
}
END_TEST

START_TEST(offsets_in_an_arena_are_checked)
{
    int fd = client_open(&bed);
    uint8_t *base = add_arena(fd, 5, ARENA_BYTES);
    uint64_t state = 13;
    struct wire_request h = client_request(WIRE_JOB, 0);
    struct job_case k;
    struct lent l;
    h.op = KERN_OP_hash_fast;
    h.arg[0] = 3;
    h.arg[1] = 1000;
    job_case_of(&k, &h, &state);
    const uint64_t wrong[][4] = {{0, 1, 2, 1001}, {5, 4, 6, 7}, {0, UINT64_MAX, 1, 2}};
    for (size_t i = 0; i < 3; i++) {
        lend(&l, &k, 5, base, 0);
        memcpy(base + l.refs[1].offset, wrong[i], sizeof(wrong[i]));
        send_lent(&l, fd, i);
        client_expect_error(fd, i, WIRE_BAD_OFFSETS, NULL);
    }
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
    uint8_t *base = add_arena(fd, 5, bytes);
    lend(&l, &k, 5, base, 0);
    for (uint64_t id = 0; id < 5; id++)
        send_lent(&l, fd, id);
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
    int memfd = make_memfd(4096, SEALS);
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
    for (uint32_t i = 0; i < ARENAS; i++) /* all on their way before the first is answered */
        send_add(fd, i, i, 4096 * (i + 1), memfds[i] = make_memfd(4096 * (size_t)(i + 1), SEALS));
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
    int memfd = make_memfd(ARENA_BYTES, SEALS);
    struct answer a;
    for (;; count++) { /* client_arenas_max is 40 */
        ck_assert_uint_le(count, 40);
        int to = count % 2 == 0 ? fd : other;
        send_add(to, count, count, ARENA_BYTES, memfd);
        client_receive(to, &a);
        free(a.payload);
        if (a.h.status != WIRE_OK)
            break;
    }
    ck_assert_uint_eq(a.h.status, WIRE_ARENA_LIMIT);
    ck_assert_uint_eq(count, 40);
    send_drop(fd, 1, 0);
    client_expect_ok(fd, 1);
    send_add(other, 2, 1000, ARENA_BYTES, memfd);
    client_expect_ok(other, 2);
    int large = make_memfd((size_t)1 << 30, SEALS); /* client_arena_bytes_max is 512 MiB */
    send_drop(fd, 3, 2);
    client_expect_ok(fd, 3);
    send_add(fd, 4, 2, (uint64_t)1 << 30, large);
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
        base[i] = add_arena(fd, 1, ARENA_BYTES);
        lend(&l, &k, 1, base[i], 0);
        send_lent(&l, fd, 1000 + i);
        send_drop(fd, 2, 1);
        client_expect_ok(fd, 2);
    }
    int memfd = make_memfd(ARENA_BYTES, SEALS);
    send_add(fd, 3, 1, ARENA_BYTES, memfd);
    client_expect_error(fd, 3, WIRE_ARENA_LIMIT, NULL);
    close(memfd);
    close(blocker);
    for (uint32_t i = 0; i < 40; i++)
        client_expect_ok(fd, 1000 + i);
    base[40] = add_arena(fd, 1, ARENA_BYTES);
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
    Suite *s = suite_create("daemon, arenas");
    TCase *t = tcase_create("arenas");
    tcase_set_timeout(t, 2 * BED_PATIENCE_S);
    tcase_add_loop_test(t, an_arena_that_could_change_its_size_is_refused, 0, 3);
    tcase_add_test(t, a_descriptor_that_is_no_memfd_is_refused);
    tcase_add_test(t, an_arena_sealed_against_writing_is_refused);
    tcase_add_test(t, an_arena_of_another_size_is_refused);
    tcase_add_test(t, an_arena_without_a_descriptor_is_refused);
    tcase_add_test(t, a_number_can_be_used_once_until_it_is_dropped);
    tcase_add_test(t, a_reference_that_is_wrong_is_refused_by_its_place);
    tcase_add_test(t, a_product_may_not_lie_on_its_operand);
    tcase_add_test(t, another_connections_arena_is_unknown);
    tcase_add_test(t, jobs_in_arenas_compute_what_inline_jobs_do);
    tcase_add_test(t, a_sum_may_lie_exactly_on_its_operand);
    tcase_add_test(t, two_arenas_over_the_same_memory_harm_nobody);
    tcase_add_test(t, an_arena_dropped_while_its_job_waits_serves_that_job);
    tcase_add_test(t, offsets_that_change_while_the_job_waits_do_not_matter);
    tcase_add_test(t, offsets_in_an_arena_are_checked);
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
