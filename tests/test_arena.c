/* arena.h: which descriptors are mapped, which are refused, and by what name. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arena.h"
#include "suite.h"

enum { SIZE = 12288 };
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW)

static int memfd(off_t bytes, int seals)
{
    int fd = memfd_create("test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, bytes), 0);
    if (seals != 0)
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

/* Opens, closes the descriptor, and says what came of it; *out stays NULL on a refusal. */
static enum wire_status try_open(int fd, uint64_t want_bytes, struct arena **out)
{
    *out = NULL;
    enum wire_status status = arena_open(out, fd, want_bytes);
    ck_assert_int_ge(fcntl(fd, F_GETFD), 0); /* it takes nothing */
    close(fd);
    if (status != WIRE_OK)
        ck_assert_ptr_null(*out);
    return status;
}

static void refused(int fd, uint64_t want_bytes, enum wire_status why)
{
    struct arena *a;
    ck_assert_str_eq(wire_status_name(try_open(fd, want_bytes, &a)), wire_status_name(why));
}

/* The same memfd through another descriptor. */
static int reopen(int fd, int flags)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    int again = open(path, flags);
    ck_assert_int_ge(again, 0);
    close(fd);
    return again;
}

START_TEST(a_sealed_memfd_is_mapped_and_shared)
{
    int fd = memfd(SIZE, SEALS);
    int mine = dup(fd);
    struct arena *a;
    void *p = NULL;

    ck_assert_uint_eq(try_open(fd, SIZE, &a), WIRE_OK);
    ck_assert_uint_eq(arena_bytes(a), SIZE);
    ck_assert_int_eq(pwrite(mine, "sent", 4, 4096), 4);
    ck_assert_uint_eq(arena_at(a, 4096, 4, &p), WIRE_OK);
    ck_assert_mem_eq(p, "sent", 4);
    memcpy(p, "back", 4);
    char buf[4];
    ck_assert_int_eq(pread(mine, buf, 4, 4096), 4);
    ck_assert_mem_eq(buf, "back", 4);
    /* the promise that the mapping rests on */
    ck_assert(ftruncate(mine, 0) < 0 && errno == EPERM);
    close(mine);
    arena_put(a);
}
END_TEST

START_TEST(a_size_that_is_no_multiple_of_a_page_is_kept_exactly)
{
    struct arena *a;
    void *p = NULL;

    ck_assert_uint_eq(try_open(memfd(5000, SEALS | F_SEAL_SEAL), 5000, &a), WIRE_OK);
    ck_assert_uint_eq(arena_bytes(a), 5000);
    ck_assert_uint_eq(arena_at(a, 4992, 8, &p), WIRE_OK);
    ck_assert_uint_eq(arena_at(a, 4992, 9, &p), WIRE_ARENA_RANGE);
    arena_put(a);
}
END_TEST

START_TEST(an_unsealed_memfd_is_refused)
{
    refused(memfd(SIZE, 0), SIZE, WIRE_ARENA_UNSEALED);
    refused(memfd(SIZE, F_SEAL_SHRINK), SIZE, WIRE_ARENA_UNSEALED);
    refused(memfd(SIZE, F_SEAL_GROW), SIZE, WIRE_ARENA_UNSEALED);
    /* without MFD_ALLOW_SEALING it can never be sealed */
    int fd = memfd_create("test", MFD_CLOEXEC);
    ck_assert_int_eq(ftruncate(fd, SIZE), 0);
    refused(fd, SIZE, WIRE_ARENA_UNSEALED);
}
END_TEST

START_TEST(a_wrong_or_empty_size_is_refused)
{
    refused(memfd(SIZE, SEALS), SIZE - 1, WIRE_ARENA_BAD_SIZE);
    refused(memfd(SIZE, SEALS), SIZE + 1, WIRE_ARENA_BAD_SIZE);
    refused(memfd(SIZE, SEALS), 0, WIRE_ARENA_BAD_SIZE);
    refused(memfd(SIZE, SEALS), UINT64_MAX, WIRE_ARENA_BAD_SIZE);
    refused(memfd(0, SEALS), 0, WIRE_ARENA_BAD_SIZE);
    refused(memfd(0, SEALS), SIZE, WIRE_ARENA_BAD_SIZE);
}
END_TEST

START_TEST(what_cannot_be_written_is_refused)
{
    refused(reopen(memfd(SIZE, SEALS), O_RDONLY | O_CLOEXEC), SIZE, WIRE_ARENA_NOT_MEMFD);
    refused(reopen(memfd(SIZE, SEALS), O_WRONLY | O_CLOEXEC), SIZE, WIRE_ARENA_NOT_MEMFD);
    refused(reopen(memfd(SIZE, SEALS), O_PATH | O_CLOEXEC), SIZE, WIRE_ARENA_NOT_MEMFD);
    refused(memfd(SIZE, SEALS | F_SEAL_WRITE), SIZE, WIRE_ARENA_NOT_MEMFD);
    refused(memfd(SIZE, SEALS | F_SEAL_FUTURE_WRITE), SIZE, WIRE_ARENA_NOT_MEMFD);
}
END_TEST

START_TEST(what_is_no_memfd_is_refused)
{
    int pair[2], sockets[2];
    char path[] = "/var/tmp/simdd-test-XXXXXX";

    ck_assert_int_eq(pipe(pair), 0);
    close(pair[0]);
    refused(pair[1], SIZE, WIRE_ARENA_NOT_MEMFD);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
    close(sockets[0]);
    refused(sockets[1], SIZE, WIRE_ARENA_NOT_MEMFD);
    refused(open("/dev/zero", O_RDWR), SIZE, WIRE_ARENA_NOT_MEMFD);
    refused(open("/", O_RDONLY | O_DIRECTORY), SIZE, WIRE_ARENA_NOT_MEMFD);

    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    unlink(path);
    ck_assert_int_eq(ftruncate(fd, SIZE), 0);
    /* a disk file system has no seals; a tmpfs has, but lets nobody set them */
    struct arena *a;
    enum wire_status status = try_open(fd, SIZE, &a);
    ck_assert(status == WIRE_ARENA_NOT_MEMFD || status == WIRE_ARENA_UNSEALED);

    struct arena *none = NULL;
    ck_assert_uint_eq(arena_open(&none, -1, SIZE), WIRE_ARENA_NOT_MEMFD);
    ck_assert_ptr_null(none);
}
END_TEST

START_TEST(only_ranges_inside_at_multiples_of_eight_are_found)
{
    static const struct {
        uint64_t offset;
        size_t bytes;
        enum wire_status status;
    } rows[] = {
        {0, 0, WIRE_OK},
        {0, SIZE, WIRE_OK},
        {8, SIZE - 8, WIRE_OK},
        {SIZE, 0, WIRE_OK},
        {0, SIZE + 1, WIRE_ARENA_RANGE},
        {8, SIZE - 7, WIRE_ARENA_RANGE},
        {SIZE, 1, WIRE_ARENA_RANGE},
        {SIZE + 8, 0, WIRE_ARENA_RANGE},
        {8, SIZE_MAX, WIRE_ARENA_RANGE},
        {8, SIZE_MAX - 7, WIRE_ARENA_RANGE},
        {UINT64_MAX - 7, 8, WIRE_ARENA_RANGE},
        {UINT64_MAX - 7, SIZE_MAX, WIRE_ARENA_RANGE},
        {1, 1, WIRE_ARENA_MISALIGNED},
        {4, 8, WIRE_ARENA_MISALIGNED},
        {UINT64_MAX, 1, WIRE_ARENA_MISALIGNED},
    };
    struct arena *a;
    void *base = NULL;

    ck_assert_uint_eq(try_open(memfd(SIZE, SEALS), SIZE, &a), WIRE_OK);
    ck_assert_uint_eq(arena_at(a, 0, 1, &base), WIRE_OK);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        void *p = NULL;
        ck_assert_uint_eq(arena_at(a, rows[i].offset, rows[i].bytes, &p), rows[i].status);
        if (rows[i].status == WIRE_OK)
            ck_assert_ptr_eq(p, (uint8_t *)base + rows[i].offset);
        else
            ck_assert_ptr_null(p);
    }
    arena_put(a);
}
END_TEST

/* Asked of the kernel, since a touch would end the test. */
static bool is_mapped(const void *p)
{
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    bool found = false;

    ck_assert_ptr_nonnull(maps);
    while (!found && fgets(line, sizeof(line), maps) != NULL) {
        uintptr_t begin, end;
        if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &begin, &end) == 2)
            found = begin <= (uintptr_t)p && (uintptr_t)p < end;
    }
    fclose(maps);
    return found;
}

START_TEST(the_last_reference_unmaps)
{
    struct arena *a;
    void *p = NULL;

    ck_assert_uint_eq(try_open(memfd(SIZE, SEALS), SIZE, &a), WIRE_OK);
    ck_assert_uint_eq(arena_at(a, 0, SIZE, &p), WIRE_OK);
    ck_assert_ptr_eq(arena_get(a), a);
    arena_put(a);
    ck_assert(is_mapped(p));
    memset(p, 1, SIZE);
    arena_put(a);
    ck_assert(!is_mapped(p));
    arena_put(NULL);
}
END_TEST

static Suite *arena_suite(void)
{
    Suite *suite = suite_create("arena");
    TCase *tc = tcase_create("arena");

    tcase_add_test(tc, a_sealed_memfd_is_mapped_and_shared);
    tcase_add_test(tc, a_size_that_is_no_multiple_of_a_page_is_kept_exactly);
    tcase_add_test(tc, an_unsealed_memfd_is_refused);
    tcase_add_test(tc, a_wrong_or_empty_size_is_refused);
    tcase_add_test(tc, what_cannot_be_written_is_refused);
    tcase_add_test(tc, what_is_no_memfd_is_refused);
    tcase_add_test(tc, only_ranges_inside_at_multiples_of_eight_are_found);
    tcase_add_test(tc, the_last_reference_unmaps);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(arena_suite());
}
