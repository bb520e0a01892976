/* A segment hands out shared memory whose book-keeping nobody who writes into it can touch. */
#include "config.h"

#include "daemon/segment.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <sys/mman.h>

#include "tests/suite.h"

enum { GRANULE = 64 << 10, BYTES = 64 * GRANULE };

static struct segment *segment;

static void setup(void)
{
    ck_assert_int_eq(segment_new(&segment, BYTES), 0);
}

static void teardown(void)
{
    segment_put(segment);
}

START_TEST(blocks_are_aligned_and_do_not_overlap)
{
    const size_t sizes[] = {0, 1, 64, 65, 1000, 4096, 32768, 32769, 65536, 65537, 200000};
    enum { COUNT = sizeof(sizes) / sizeof(sizes[0]) };
    uint8_t *blocks[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        blocks[i] = segment_take(segment, sizes[i]);
        ck_assert_ptr_nonnull(blocks[i]);
        ck_assert_uint_eq((uintptr_t)blocks[i] % 64, 0);
        ck_assert(segment_holds(segment, blocks[i], sizes[i]));
        memset(blocks[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < COUNT; i++) {
        for (size_t k = 0; k < sizes[i]; k++)
            ck_assert_uint_eq(blocks[i][k], i);
        segment_give(segment, blocks[i]);
    }
    ck_assert_uint_eq(segment_used_bytes(segment), 0);
}
END_TEST

START_TEST(another_mapping_of_its_descriptor_sees_the_same_bytes_at_the_same_offset)
{
    char *block = segment_take(segment, 100);
    strcpy(block, "shared");
    char *map = mmap(NULL, BYTES, PROT_READ, MAP_SHARED, segment_fd(segment), 0);
    ck_assert(map != MAP_FAILED);
    ck_assert_str_eq(map + segment_offset(segment, block), "shared");
    munmap(map, BYTES);
    segment_give(segment, block);
}
END_TEST

START_TEST(a_full_segment_refuses_and_serves_again_when_blocks_come_back)
{
    void *all = segment_take(segment, BYTES);
    ck_assert_ptr_nonnull(all);
    ck_assert_ptr_null(segment_take(segment, 1));
    ck_assert_ptr_null(segment_take(segment, BYTES + 1));
    ck_assert_ptr_null(segment_take(segment, SIZE_MAX));
    segment_give(segment, all);
    all = segment_take(segment, BYTES);
    ck_assert_ptr_nonnull(all);
    segment_give(segment, all);
}
END_TEST

START_TEST(whatever_is_written_into_it_the_books_stay_right)
{
    void *blocks[64];
    for (size_t i = 0; i < 64; i++)
        blocks[i] = segment_take(segment, 64 + i * 700);
    for (size_t i = 0; i < 64; i += 2)
        segment_give(segment, blocks[i]);
    /* as a hostile guest would, through its own mapping: everything */
    uint8_t *map = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, segment_fd(segment), 0);
    ck_assert(map != MAP_FAILED);
    memset(map, 0xa5, BYTES);
    for (size_t i = 0; i < 64; i += 2)
        ck_assert_ptr_nonnull(blocks[i] = segment_take(segment, 64 + i * 700));
    for (size_t i = 0; i < 64; i++)
        segment_give(segment, blocks[i]);
    ck_assert_uint_eq(segment_used_bytes(segment), 0);
    munmap(map, BYTES);
}
END_TEST

START_TEST(pages_go_back_when_nothing_is_in_use)
{
    void *large = segment_take(segment, BYTES);
    memset(large, 1, BYTES);
    ck_assert_uint_eq(segment_held_bytes(segment), BYTES);
    segment_give(segment, large);
    /* 4 MiB, all that this one has, are kept; so look at a larger one */
    struct segment *wide;
    ck_assert_int_eq(segment_new(&wide, (size_t)4 * BYTES), 0);
    large = segment_take(wide, (size_t)4 * BYTES);
    memset(large, 1, (size_t)4 * BYTES);
    segment_give(wide, large);
    ck_assert_uint_eq(segment_held_bytes(wide), (size_t)4 << 20);
    segment_put(wide);
}
END_TEST

START_TEST(what_lies_outside_is_not_held)
{
    char *block = segment_take(segment, 64);
    char other = 0;
    ck_assert(!segment_holds(segment, &other, 1));
    ck_assert(!segment_holds(segment, block, BYTES + 1));
    ck_assert(!segment_holds(segment, NULL, 0));
    segment_give(segment, block);
}
END_TEST

static void *take_and_give(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    struct {
        uint8_t *block;
        size_t bytes;
    } held[16] = {{0}};
    for (unsigned i = 0; i < 20000; i++) {
        size_t k = (size_t)rand_r(&seed) % 16;
        if (held[k].block != NULL) {
            if (held[k].block[0] != k || held[k].block[held[k].bytes - 1] != k)
                return arg;
            segment_give(segment, held[k].block);
        }
        held[k].bytes = 2 + (size_t)rand_r(&seed) % (k == 0 ? 200000 : 5000);
        held[k].block = segment_take(segment, held[k].bytes);
        if (held[k].block != NULL)
            held[k].block[0] = held[k].block[held[k].bytes - 1] = (uint8_t)k;
    }
    for (size_t k = 0; k < 16; k++)
        segment_give(segment, held[k].block);
    return NULL;
}

START_TEST(threads_share_it)
{
    pthread_t threads[3];
    for (uintptr_t i = 0; i < 3; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, take_and_give, (void *)(i + 1)), 0);
    for (size_t i = 0; i < 3; i++) {
        void *bad;
        pthread_join(threads[i], &bad);
        ck_assert_ptr_null(bad);
    }
    ck_assert_uint_eq(segment_used_bytes(segment), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("segment");
    TCase *tests = tcase_create("segment");
    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, blocks_are_aligned_and_do_not_overlap);
    tcase_add_test(tests, another_mapping_of_its_descriptor_sees_the_same_bytes_at_the_same_offset);
    tcase_add_test(tests, a_full_segment_refuses_and_serves_again_when_blocks_come_back);
    tcase_add_test(tests, whatever_is_written_into_it_the_books_stay_right);
    tcase_add_test(tests, pages_go_back_when_nothing_is_in_use);
    tcase_add_test(tests, what_lies_outside_is_not_held);
    tcase_add_test(tests, threads_share_it);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
