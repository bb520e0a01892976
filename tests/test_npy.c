/* .npy headers: what numpy writes is read, whatever else is refused by reason. */
#include "config.h"

#include "client/npy.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "suite.h"

enum { FILE_MAX = 4096 };

/* A header of version 1 around a dictionary; returns its length. */
static size_t make(uint8_t out[static FILE_MAX], const char *dictionary)
{
    size_t length = strlen(dictionary);
    ck_assert_uint_le(length, FILE_MAX - 10);
    memcpy(out, "\x93NUMPY\x01\x00", 8);
    out[8] = (uint8_t)length;
    out[9] = (uint8_t)(length >> 8);
    memcpy(out + 10, dictionary, length);
    return 10 + length;
}

static int parse(const char *dictionary, struct tensor_shape *shape, char why[static NPY_WHY_BYTES])
{
    uint8_t file[FILE_MAX];
    size_t bytes = make(file, dictionary), header_bytes = 0;
    why[0] = '\0';
    int err = npy_parse(shape, &header_bytes, why, file, bytes);
    if (err == 0)
        ck_assert_uint_eq(header_bytes, bytes);
    return err;
}

static const struct {
    const char *dictionary;
    enum tensor_type type;
    unsigned dim_count;
    size_t first, last;
    bool fortran;
} good[] = {
    {"{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }", TENSOR_F32, 2, 3, 4, false},
    {"{'descr': '<i4', 'fortran_order': True, 'shape': (3, 4, 5), }", TENSOR_I32, 3, 3, 5, true},
    {"{'descr': '|u1', 'fortran_order': False, 'shape': (7,), }", TENSOR_U8, 1, 7, 7, false},
    {"{'descr': '<u4', 'fortran_order': False, 'shape': (), }", TENSOR_U32, 0, 0, 0, false},
    {"{'descr': '<u8', 'fortran_order': False, 'shape': (0, 9), }  \n", TENSOR_U64, 2, 0, 9, false},
    {"{\"shape\":(2,3),\"fortran_order\":False,\"descr\":\"<f4\"}", TENSOR_F32, 2, 2, 3, false},
    {" {'shape': (2L, 3L), 'descr': '=f4', 'fortran_order': False}", TENSOR_F32, 2, 2, 3, false},
    {"{'descr':'<u1','fortran_order':False,'shape':( 5 , )}", TENSOR_U8, 1, 5, 5, false},
};

START_TEST(header_as_programs_write_it_is_read)
{
    struct tensor_shape shape;
    char why[NPY_WHY_BYTES];
    ck_assert_msg(parse(good[_i].dictionary, &shape, why) == 0, "%s: %s", good[_i].dictionary, why);
    ck_assert_int_eq((int)shape.type, (int)good[_i].type);
    ck_assert_uint_eq(shape.dim_count, good[_i].dim_count);
    ck_assert_int_eq(shape.fortran, good[_i].fortran);
    if (shape.dim_count > 0) {
        ck_assert_uint_eq(shape.dim[0], good[_i].first);
        ck_assert_uint_eq(shape.dim[shape.dim_count - 1], good[_i].last);
    }
}
END_TEST

#define REST "'fortran_order': False, 'shape': (3,), }"
#define DESCR "{'descr': '<f4', "
static const struct {
    const char *dictionary, *reason; /* a part of it */
} bad[] = {
    {"{'descr': '<f8', " REST, "'<f8' is not supported"},
    {"{'descr': '>f4', " REST, "big-endian"},
    {"{'descr': '|b1', " REST, "'|b1' is not supported"},
    {"{'descr': '|O', " REST, "'|O' is not supported"},
    {"{'descr': '', " REST, "'' is not supported"},
    {"{'descr': [('x', '<f4')], " REST, "records"},
    {"{'descr': 4, " REST, "descr is not a string"},
    {"{'descr': '<f4" REST, "lacks a ',' between"},
    {"{'descr': '<f4, " REST, "not"},
    {"{'descr': 'a\\'b', " REST, "does not end"},
    {"{" REST, "lacks 'descr'"},
    {DESCR "'shape': (3,)}", "lacks 'fortran_order'"},
    {DESCR "'fortran_order': False}", "lacks 'shape'"},
    {DESCR "'fortran_order': 0, 'shape': (3,)}", "neither True nor False"},
    {DESCR "'fortran_order': False, 'shape': 3}", "'(' before the shape"},
    {DESCR "'fortran_order': False, 'shape': (3)}", "not a tuple"},
    {DESCR "'fortran_order': False, 'shape': (3 4)}", "does not end"},
    {DESCR "'fortran_order': False, 'shape': (-3,)}", "not a number"},
    {DESCR "'fortran_order': False, 'shape': (3.5,)}", "does not end"},
    {DESCR "'fortran_order': False, 'shape': (3,}", "not a number"},
    {DESCR "'fortran_order': False, 'shape': (18446744073709551616,)}", "64 bits"},
    {DESCR "'fortran_order': False, 'shape': (4294967296, 4294967296)}", "larger than any memory"},
    {DESCR "'fortran_order': False, 'shape': (9223372036854775807,)}", "larger than any memory"},
    {DESCR "'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
           "1,1,1,1,1,1,1,1)}",
     "more than 32"},
    {DESCR REST "}", "behind its dictionary"},
    {DESCR "'color': 1, " REST, "unknown key 'color'"},
    {DESCR DESCR REST, "not a string"},
    {DESCR "'descr': '<f4', " REST, "'descr' twice"},
    {"   ", "'{' at its start"},
    {"[]", "'{' at its start"},
    {"{'descr' '<f4'}", "':' after a key"},
};

START_TEST(header_that_is_wrong_is_refused_with_its_reason)
{
    struct tensor_shape shape;
    char why[NPY_WHY_BYTES];
    ck_assert_msg(parse(bad[_i].dictionary, &shape, why) == -EINVAL, "%s", bad[_i].dictionary);
    ck_assert_msg(strstr(why, bad[_i].reason) != NULL, "%s: %s", bad[_i].dictionary, why);
}
END_TEST

START_TEST(header_cut_anywhere_asks_for_more)
{
    uint8_t file[FILE_MAX];
    size_t bytes = make(file, good[0].dictionary), header_bytes;
    struct tensor_shape shape;
    char why[NPY_WHY_BYTES];
    for (size_t cut = 0; cut < bytes; cut++)
        ck_assert_int_eq(npy_parse(&shape, &header_bytes, why, file, cut), -EAGAIN);
    ck_assert_int_eq(npy_parse(&shape, &header_bytes, why, file, bytes + 100), 0);
}
END_TEST

START_TEST(other_magic_version_or_length_is_refused)
{
    uint8_t file[FILE_MAX];
    size_t bytes = make(file, good[0].dictionary), header_bytes;
    struct tensor_shape shape;
    char why[NPY_WHY_BYTES];
    file[6] = 9;
    ck_assert_int_eq(npy_parse(&shape, &header_bytes, why, file, bytes), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "version 9.0"));
    file[6] = 2; /* then the length has four bytes, two of which are "{'" */
    ck_assert_int_eq(npy_parse(&shape, &header_bytes, why, file, bytes), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "too long"));
    file[1] = 'n';
    ck_assert_int_eq(npy_parse(&shape, &header_bytes, why, file, bytes), -EINVAL);
    ck_assert_ptr_nonnull(strstr(why, "not a .npy"));
}
END_TEST

START_TEST(versions_2_and_3_have_a_longer_length)
{
    const char *dictionary = good[0].dictionary;
    size_t length = strlen(dictionary), header_bytes;
    uint8_t file[FILE_MAX] = "\x93NUMPY\x02";
    struct tensor_shape shape;
    char why[NPY_WHY_BYTES];
    file[8] = (uint8_t)length;
    memcpy(file + 12, dictionary, length);
    for (uint8_t version = 2; version <= 3; version++) {
        file[6] = version;
        ck_assert_int_eq(npy_parse(&shape, &header_bytes, why, file, 12 + length), 0);
        ck_assert_uint_eq(header_bytes, 12 + length);
        ck_assert_uint_eq(shape.dim[1], 4);
    }
}
END_TEST

START_TEST(printed_header_is_read_back)
{
    for (unsigned dims = 0; dims <= TENSOR_DIMS_MAX; dims++) {
        struct tensor_shape shape = {
            .type = TENSOR_I32, .dim_count = dims, .fortran = dims % 2 == 1};
        struct tensor_shape back;
        for (unsigned i = 0; i < dims; i++)
            shape.dim[i] = i == 0 ? 1234567890123 : 1 + i % 2 * (dims < 8);
        uint8_t out[NPY_PRINT_MAX];
        size_t bytes = npy_print(out, &shape), header_bytes;
        char why[NPY_WHY_BYTES] = "";
        ck_assert_uint_eq(bytes % 64, 0);
        ck_assert_int_eq(out[bytes - 1], '\n');
        ck_assert_msg(npy_parse(&back, &header_bytes, why, out, bytes) == 0, "%s", why);
        ck_assert_uint_eq(header_bytes, bytes);
        ck_assert(tensor_same_dims(&shape, &back));
        ck_assert_int_eq((int)back.type, (int)shape.type);
        ck_assert_int_eq(back.fortran, shape.fortran);
    }
}
END_TEST

START_TEST(any_bytes_are_parsed_or_refused)
{
    unsigned seed = (unsigned)time(NULL);
    (void)printf("any_bytes_are_parsed_or_refused: seed %u\n", seed);
    for (int round = 0; round < 20000; round++) {
        uint8_t file[FILE_MAX];
        size_t header_bytes = 0;
        size_t bytes = make(file, good[round % 8].dictionary);
        for (int changes = round % 4 + 1; changes > 0; changes--) {
            seed = seed * 1664525u + 1013904223u;
            file[8 + (seed >> 8) % (bytes - 8)] = (uint8_t)(seed >> 24);
        }
        struct tensor_shape shape;
        char why[NPY_WHY_BYTES] = "";
        int err = npy_parse(&shape, &header_bytes, why, file, bytes);
        ck_assert(err == 0 || err == -EINVAL || err == -EAGAIN);
        if (err == 0)
            ck_assert_uint_le(header_bytes, bytes);
        else if (err == -EINVAL)
            ck_assert_str_ne(why, "");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("npy");
    TCase *tc = tcase_create("headers");
    tcase_add_loop_test(tc, header_as_programs_write_it_is_read, 0, sizeof(good) / sizeof(good[0]));
    tcase_add_loop_test(tc, header_that_is_wrong_is_refused_with_its_reason, 0,
                        sizeof(bad) / sizeof(bad[0]));
    tcase_add_test(tc, header_cut_anywhere_asks_for_more);
    tcase_add_test(tc, other_magic_version_or_length_is_refused);
    tcase_add_test(tc, versions_2_and_3_have_a_longer_length);
    tcase_add_test(tc, printed_header_is_read_back);
    tcase_add_test(tc, any_bytes_are_parsed_or_refused);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
