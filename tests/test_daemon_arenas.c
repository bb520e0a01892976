/* Lent memory at the whole daemon: what is wrong with an arena or a reference is told by name, and
 * jobs in arenas compute what others do. */
#include "config.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon_arenas.h"
#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "suite.h"

static struct bed bed;

/* add_f32 of 64 floats: operands at 0 and 256, the result at 512. */
static void small_sum(struct lent *l, struct job_case *k, uint32_t arena, uint8_t *base)
{
    uint64_t state = 3;
    struct wire_request h = client_request(WIRE_JOB, 0);
    h.op = KERN_OP_add_f32;
    h.arg[0] = 64;
    job_case_of(k, &h, &state);
    lent_make(l, k, arena, base, 0);
}

/* ---- refused by name ---- */

START_TEST(an_arena_that_could_change_its_size_is_refused)
{
    static const int seals[] = {0, F_SEAL_SHRINK, F_SEAL_GROW};
    int memfd = arena_memfd(ARENA_BYTES, seals[_i]);
    int fd = client_open(&bed);
    arena_send_add(fd, 9, 1, ARENA_BYTES, memfd);
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
    int memfd = arena_memfd(ARENA_BYTES, ARENA_SEALS);
    char path[64];
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", memfd);
    int wrong[] = {pipes[0], file, open("/dev/zero", O_RDWR), open("/tmp", O_RDONLY),
                   open(path, O_RDONLY), client_open(&bed)};
    int fd = client_open(&bed);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        ck_assert_int_ge(wrong[i], 0);
        arena_send_add(fd, i, 1, ARENA_BYTES, wrong[i]);
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
    int memfd = arena_memfd(ARENA_BYTES, ARENA_SEALS | F_SEAL_WRITE);
    int fd = client_open(&bed);
    arena_send_add(fd, 9, 1, ARENA_BYTES, memfd);
    client_expect_error(fd, 9, WIRE_ARENA_NOT_MEMFD, NULL);
    close(memfd);
    close(fd);
}
END_TEST

START_TEST(an_arena_of_another_size_is_refused)
{
    static const uint64_t said[] = {0, 1, ARENA_BYTES - 1, ARENA_BYTES + 1,
                                    ARENA_BYTES + ((uint64_t)1 << 32), UINT64_MAX};
    int memfd = arena_memfd(ARENA_BYTES, ARENA_SEALS);
    int empty = arena_memfd(0, ARENA_SEALS);
    int fd = client_open(&bed);
    for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++) {
        arena_send_add(fd, i, 1, said[i], memfd);
        client_expect_error(fd, i, WIRE_ARENA_BAD_SIZE, NULL);
    }
    arena_send_add(fd, 9, 1, 0, empty);
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
    arena_send_add(fd, 9, 1, ARENA_BYTES, -1);
    client_expect_error(fd, 9, WIRE_ARENA_NO_FD, NULL);
    client_expect_alive(fd);
    close(fd);
}
END_TEST

START_TEST(a_number_can_be_used_once_until_it_is_dropped)
{
    int fd = client_open(&bed);
    int memfd = arena_memfd(ARENA_BYTES, ARENA_SEALS);
    arena_send_add(fd, 1, 5, ARENA_BYTES, memfd);
    client_expect_ok(fd, 1);
    arena_send_add(fd, 2, 5, ARENA_BYTES, memfd);
    client_expect_error(fd, 2, WIRE_ARENA_EXISTS, NULL);
    arena_send_drop(fd, 3, 5);
    client_expect_ok(fd, 3);
    arena_send_drop(fd, 4, 5);
    client_expect_error(fd, 4, WIRE_ARENA_UNKNOWN, NULL);
    arena_send_add(fd, 5, 5, ARENA_BYTES, memfd);
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
    uint8_t *base = arena_add(fd, 5, ARENA_BYTES);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct job_case k;
        struct lent l;
        small_sum(&l, &k, 5, base);
        l.refs[wrong[i].at] = wrong[i].ref;
        lent_send(&l, fd, i);
        client_expect_error(fd, i, wrong[i].status, wrong[i].field);
        job_case_free(&k);
        small_sum(&l, &k, 5, base);
        lent_send(&l, fd, 100);
        lent_check(&l, fd, 100, base);
        job_case_free(&k);
    }
    munmap(base, ARENA_BYTES);
    close(fd);
}
END_TEST

START_TEST(a_product_may_not_lie_on_its_operand)
{
    int fd = client_open(&bed);
    uint8_t *base = arena_add(fd, 5, ARENA_BYTES);
    uint64_t state = 9;
    struct job_case k;
    struct lent l;
    job_case_product(&k, &state, 256);
    lent_make(&l, &k, 5, base, 0);
    l.refs[2].offset = l.refs[1].offset; /* exactly */
    lent_send(&l, fd, 1);
    client_expect_error(fd, 1, WIRE_ARENA_OVERLAP, "ref1");
    munmap(base, ARENA_BYTES);
    close(fd);
    job_case_free(&k);
}
END_TEST

START_TEST(another_connections_arena_is_unknown)
{
    int owner = client_open(&bed), other = client_open(&bed);
    uint8_t *base = arena_add(owner, 5, ARENA_BYTES);
    struct job_case k;
    struct lent l;
    small_sum(&l, &k, 5, base);
    lent_send(&l, other, 1);
    client_expect_error(other, 1, WIRE_ARENA_UNKNOWN, "ref0");
    arena_send_drop(other, 2, 5);
    client_expect_error(other, 2, WIRE_ARENA_UNKNOWN, NULL);
    lent_send(&l, owner, 3);
    lent_check(&l, owner, 3, base);
    munmap(base, ARENA_BYTES);
    close(owner);
    close(other);
    job_case_free(&k);
}
END_TEST

START_TEST(offsets_in_an_arena_are_checked)
{
    int fd = client_open(&bed);
    uint8_t *base = arena_add(fd, 5, ARENA_BYTES);
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
        lent_make(&l, &k, 5, base, 0);
        memcpy(base + l.refs[1].offset, wrong[i], sizeof(wrong[i]));
        lent_send(&l, fd, i);
        client_expect_error(fd, i, WIRE_BAD_OFFSETS, NULL);
    }
    munmap(base, ARENA_BYTES);
    close(fd);
    job_case_free(&k);
}
END_TEST

/* ---- right results ---- */

START_TEST(jobs_in_arenas_compute_what_inline_jobs_do)
{
    uint64_t state = chance_seed();
    enum { BYTES = 8 << 20 };
    int fd = client_open(&bed);
    uint8_t *base = arena_add(fd, 5, BYTES);
    for (unsigned i = 0; i < bed_scaled(200); i++) {
        struct job_case k;
        struct lent l;
        job_case_random(&k, &state, 40000);
        memset(base, 0, k.shape.total_bytes + 4096);
        lent_make(&l, &k, 5, base, chance_below(&state, 512) * 8);
        if (chance_below(&state, 3) == 0)
            l.refs[k.shape.in_count] = (struct wire_ref){WIRE_INLINE, 0, 0};
        lent_send(&l, fd, i);
        lent_check(&l, fd, i, base);
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
    uint8_t *base = arena_add(fd, 5, ARENA_BYTES);
    for (unsigned operand = 0; operand < 2; operand++) {
        struct job_case k;
        struct lent l;
        small_sum(&l, &k, 5, base);
        l.refs[2].offset = l.refs[operand].offset;
        lent_send(&l, fd, operand);
        lent_check(&l, fd, operand, base);
        job_case_free(&k);
    }
    munmap(base, ARENA_BYTES);
    close(fd);
}
END_TEST

START_TEST(two_arenas_over_the_same_memory_harm_nobody)
{
    int fd = client_open(&bed);
    int memfd = arena_memfd(ARENA_BYTES, ARENA_SEALS);
    uint8_t *base = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    ck_assert(base != MAP_FAILED);
    for (uint32_t n = 1; n <= 2; n++) {
        arena_send_add(fd, n, n, ARENA_BYTES, memfd);
        client_expect_ok(fd, n);
    }
    uint64_t state = 5;
    struct job_case k;
    struct lent l;
    job_case_product(&k, &state, 256);
    lent_make(&l, &k, 1, base, 0);
    l.refs[2] = (struct wire_ref){2, 0, 64}; /* the result runs over both operands */
    lent_send(&l, fd, 3);
    client_expect_ok(fd, 3); /* its bits are the client's own trouble */
    client_expect_service(&bed);
    munmap(base, ARENA_BYTES);
    close(memfd);
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
    tcase_add_test(t, offsets_in_an_arena_are_checked);
    tcase_add_test(t, jobs_in_arenas_compute_what_inline_jobs_do);
    tcase_add_test(t, a_sum_may_lie_exactly_on_its_operand);
    tcase_add_test(t, two_arenas_over_the_same_memory_harm_nobody);
    tcase_add_test(t, the_books_balance);
    suite_add_tcase(s, t);
    return suite_run(s);
}

int main(void)
{
    static const char *const flags[] = {"--workers", "1", NULL};
    return bed_suite(&bed, NULL, flags, run);
}
