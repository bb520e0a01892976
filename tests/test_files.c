/* Images, streams and the numbers of a report: PGM and PPM headers, PNG both ways, files that
 * appear whole or not at all, quantiles. */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "client/hist.h"
#include "client/human.h"
#include "client/image_png.h"
#include "client/pnm.h"
#include "client/stream.h"
#include "suite.h"

static char folder[64];

static void make_folder(void)
{
    (void)snprintf(folder, sizeof(folder), "/tmp/simdd-files-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

/* Removes the folder and what is in it; returns how many files there were. */
static int clear_folder(void)
{
    int count = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; d != NULL && (e = readdir(d)) != NULL;) {
        char path[512];
        (void)snprintf(path, sizeof(path), "%s/%s", folder, e->d_name);
        count += unlink(path) == 0;
    }
    if (d != NULL)
        (void)closedir(d);
    (void)rmdir(folder);
    return count;
}

static void remove_folder(void)
{
    (void)clear_folder();
}

static int pnm(const char *text, struct pnm *image, size_t *header, char why[static PNM_WHY_BYTES])
{
    why[0] = '\0';
    return pnm_parse(image, header, why, (const uint8_t *)text, strlen(text));
}

START_TEST(pnm_header_is_read_over_blanks_and_comments)
{
    static const char *const headers[] = {"P5 3 2 255\n", "P5\n3 2\n255\n",
                                          "P5#c\n3\t#d 9 9\n\r2 255 ",
                                          "P5\n# made by\n# hand\n3 2 255\n"};
    struct pnm image;
    size_t header;
    char why[PNM_WHY_BYTES];
    ck_assert_msg(pnm(headers[_i], &image, &header, why) == 0, "%s: %s", headers[_i], why);
    ck_assert_uint_eq(image.width, 3);
    ck_assert_uint_eq(image.height, 2);
    ck_assert_uint_eq(image.channels, 1);
    ck_assert_uint_eq(header, strlen(headers[_i]));
}
END_TEST

START_TEST(pnm_header_that_is_wrong_is_refused_with_its_reason)
{
    static const struct {
        const char *text, *reason;
    } bad[] = {
        {"P2 3 2 255\n", "it is P2"},       {"P3 3 2 255\n", "it is P3"},
        {"P4 3 2\n1", "it is P4"},          {"P7\nWIDTH 3\n", "it is P7"},
        {"P5 3 2 65535\n", "maxval is 65535"}, {"P5 3 2 15\n", "maxval is 15"},
        {"P5 0 2 255\n", "width is 0"},     {"P5 3 0 255\n", "height is 0"},
        {"P5 x 2 255\n", "width is not a number"}, {"P5 -3 2 255\n", "width is not a number"},
        {"P5 99999999999 2 255\n", "width is over"}, {"P53 2 255\n", "not a number"},
        {"P5 3 2 255x", "maxval is not a number"}, {"GIF89a", "not a PGM"},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct pnm image;
        size_t header;
        char why[PNM_WHY_BYTES];
        ck_assert_msg(pnm(bad[i].text, &image, &header, why) == -EINVAL, "%s", bad[i].text);
        ck_assert_msg(strstr(why, bad[i].reason) != NULL, "%s: %s", bad[i].text, why);
    }
}
END_TEST

START_TEST(pnm_header_cut_anywhere_asks_for_more)
{
    static const char text[] = "P6 30 20 255\n";
    struct pnm image;
    size_t header;
    char why[PNM_WHY_BYTES];
    for (size_t cut = 0; cut < sizeof(text) - 1; cut++)
        ck_assert_int_eq(pnm_parse(&image, &header, why, (const uint8_t *)text, cut), -EAGAIN);
    ck_assert_int_eq(pnm(text, &image, &header, why), 0);
    ck_assert_uint_eq(image.channels, 3);
}
END_TEST

START_TEST(pnm_header_printed_is_read_back)
{
    const struct pnm image = {16777216, 1, 3};
    struct pnm back;
    uint8_t out[PNM_PRINT_MAX];
    size_t bytes = pnm_print(out, &image), header;
    char why[PNM_WHY_BYTES];
    ck_assert_int_eq(pnm_parse(&back, &header, why, out, bytes), 0);
    ck_assert_uint_eq(header, bytes);
    ck_assert_mem_eq(&back, &image, sizeof(image));
}
END_TEST

struct target {
    uint8_t *pixels;
};

static void *take(void *user, const struct image_png *image)
{
    struct target *t = user;
    t->pixels = malloc((size_t)image->width * image->height * image->channels);
    return t->pixels;
}

static const char *in_folder(char path[static 128], const char *name)
{
    (void)snprintf(path, 128, "%s/%s", folder, name);
    return path;
}

/* Writes a PNG of that many channels; its pixels. */
static uint8_t *write_png(const char *path, const struct image_png *image)
{
    size_t bytes = (size_t)image->width * image->height * image->channels;
    uint8_t *pixels = malloc(bytes);
    for (size_t i = 0; i < bytes; i++)
        pixels[i] = (uint8_t)(i * 7 + i / 100);
    struct output out;
    char why[IMAGE_PNG_WHY_BYTES] = "";
    ck_assert_int_eq(output_open(&out, path), 0);
    ck_assert_msg(image_png_write(why, &out, image, pixels) == 0, "%s", why);
    ck_assert_int_eq(output_close(&out, true), 0);
    return pixels;
}

START_TEST(png_of_1_3_and_4_channels_comes_back)
{
    static const uint32_t channels[] = {1, 3, 4};
    const struct image_png image = {57, 31, channels[_i]};
    char path[128], why[IMAGE_PNG_WHY_BYTES] = "";
    uint8_t *pixels = write_png(in_folder(path, "x.png"), &image);
    struct input in;
    struct image_png back;
    struct target t = {NULL};
    ck_assert_int_eq(input_open(&in, path), 0);
    ck_assert_msg(image_png_read(&back, why, &in, take, &t) == 0, "%s", why);
    input_close(&in);
    ck_assert_mem_eq(&back, &image, sizeof(image));
    ck_assert_mem_eq(t.pixels, pixels, (size_t)57 * 31 * image.channels);
    free(pixels);
    free(t.pixels);
}
END_TEST

START_TEST(png_that_is_damaged_is_refused)
{
    unsigned seed = (unsigned)time(NULL);
    (void)printf("png_that_is_damaged_is_refused: seed %u\n", seed);
    char path[128];
    free(write_png(in_folder(path, "x.png"), &(struct image_png){40, 40, 3}));
    struct input in;
    uint8_t *file;
    size_t bytes;
    ck_assert_int_eq(input_open(&in, path), 0);
    ck_assert_int_eq(input_read_all(&in, &file, &bytes), 0);
    input_close(&in);
    for (int round = 0; round < 300; round++) {
        char other[128];
        struct output out;
        struct target t = {NULL};
        struct image_png image;
        char why[IMAGE_PNG_WHY_BYTES] = "";
        seed = seed * 1664525u + 1013904223u;
        bool cut = round % 2 == 0;
        size_t at = (seed >> 8) % bytes;
        uint8_t was = file[at];
        file[at] ^= (uint8_t)(cut ? 0 : 1u << (seed >> 29));
        ck_assert_int_eq(output_open(&out, in_folder(other, "y.png")), 0);
        ck_assert_int_eq(output_write(&out, file, cut ? at : bytes), 0);
        ck_assert_int_eq(output_close(&out, true), 0);
        ck_assert_int_eq(input_open(&in, other), 0);
        /* Every byte is under a checksum, but of the last chunk only its presence matters. */
        int err = image_png_read(&image, why, &in, take, &t);
        if (cut || at < bytes - 12)
            ck_assert_msg(err == -EINVAL, "round %d: %d, changed at %zu", round, err, at);
        input_close(&in);
        free(t.pixels);
        file[at] = was;
    }
    free(file);
}
END_TEST

START_TEST(file_appears_whole_or_not_at_all)
{
    char path[128];
    struct output out;
    struct stat st;
    (void)in_folder(path, "out");
    ck_assert_int_eq(output_open(&out, path), 0);
    ck_assert_int_eq(output_write(&out, "new", 3), 0);
    ck_assert_int_eq(stat(path, &st), -1);
    ck_assert_int_eq(output_close(&out, true), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 3);
    ck_assert_int_eq(st.st_mode & 0111, 0);

    ck_assert_int_eq(output_open(&out, path), 0);
    ck_assert_int_eq(output_write(&out, "longer", 6), 0);
    ck_assert_int_eq(output_close(&out, false), 0);
    ck_assert_int_eq(stat(path, &st), 0);
    ck_assert_int_eq(st.st_size, 3); /* the old one is still there */
    ck_assert_int_eq(clear_folder(), 1); /* and nothing else */
}
END_TEST

START_TEST(output_that_cannot_be_is_said_at_once)
{
    struct output out;
    ck_assert_int_eq(output_open(&out, "/nonexistent/x"), -ENOENT);
    struct input in;
    ck_assert_int_eq(input_open(&in, "/nonexistent/x"), -ENOENT);
    ck_assert_int_eq(input_open(&in, folder), -EISDIR);
}
END_TEST

START_TEST(input_is_the_same_peeked_at_or_not)
{
    enum { BYTES = 400000 };
    char path[128];
    uint8_t *want = malloc(BYTES), *got = malloc(BYTES);
    for (size_t i = 0; i < BYTES; i++)
        want[i] = (uint8_t)(i * 13 + i / 251);
    struct output out;
    ck_assert_int_eq(output_open(&out, in_folder(path, "in")), 0);
    ck_assert_int_eq(output_write(&out, want, BYTES), 0);
    ck_assert_int_eq(output_close(&out, true), 0);

    struct input in;
    const uint8_t *p;
    size_t have, n;
    ck_assert_int_eq(input_open(&in, path), 0);
    ck_assert_uint_eq(in.size, BYTES);
    ck_assert_int_eq(input_peek(&in, 100000, &p, &have), 0);
    ck_assert_uint_ge(have, 100000);
    ck_assert_mem_eq(p, want, 100000);
    input_skip(&in, 10);
    ck_assert_int_eq(input_peek(&in, 20, &p, &have), 0);
    ck_assert_mem_eq(p, want + 10, 20);
    ck_assert_int_eq(input_read(&in, got, 200000, &n), 0);
    ck_assert_uint_eq(n, 200000);
    ck_assert_mem_eq(got, want + 10, 200000);
    uint8_t *rest;
    ck_assert_int_eq(input_read_all(&in, &rest, &n), 0);
    ck_assert_uint_eq(n, BYTES - 200010);
    ck_assert_mem_eq(rest, want + 200010, n);
    input_close(&in);
    free(rest);
    free(want);
    free(got);
}
END_TEST

START_TEST(quantiles_are_right_to_three_percent)
{
    struct hist h = {.count = 0};
    for (uint64_t i = 1; i <= 100000; i++)
        hist_add(&h, i * 17, 1);
    static const double qs[] = {0, .1, .5, .9, .99, .999};
    for (size_t i = 0; i < sizeof(qs) / sizeof(qs[0]); i++) {
        double want = qs[i] * 100000 * 17, got = (double)hist_quantile(&h, qs[i]);
        ck_assert_msg(got >= want * .97 && got <= want * 1.03 + 17, "q %g: %g", qs[i], got);
    }
    ck_assert_uint_eq(hist_quantile(&h, 1), 1700000);
    ck_assert_uint_eq(h.min_ns, 17);
    hist_add(&h, UINT64_MAX, 1);
    ck_assert_uint_eq(hist_quantile(&h, 1), UINT64_MAX);
    ck_assert_uint_eq(hist_quantile(&(struct hist){.count = 0}, .5), 0);
}
END_TEST

START_TEST(numbers_for_people_are_short)
{
    char t[HUMAN_BYTES];
    ck_assert_str_eq(human_ns(t, 950), "950 ns");
    ck_assert_str_eq(human_ns(t, 12345), "12.3 us");
    ck_assert_str_eq(human_bytes(t, 1536), "1.50 KiB");
    ck_assert_str_eq(human_bytes(t, 64), "64 B");
    ck_assert_str_eq(human_count(t, 1234567), "1.23 M");
    ck_assert_str_eq(human_count(t, 42), "42");
    ck_assert_str_eq(human_seconds(t, 7322), "2 h 2 min");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("files");
    TCase *tc = tcase_create("files");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, make_folder, remove_folder);
    tcase_add_loop_test(tc, pnm_header_is_read_over_blanks_and_comments, 0, 4);
    tcase_add_test(tc, pnm_header_that_is_wrong_is_refused_with_its_reason);
    tcase_add_test(tc, pnm_header_cut_anywhere_asks_for_more);
    tcase_add_test(tc, pnm_header_printed_is_read_back);
    tcase_add_loop_test(tc, png_of_1_3_and_4_channels_comes_back, 0, 3);
    tcase_add_test(tc, png_that_is_damaged_is_refused);
    tcase_add_test(tc, file_appears_whole_or_not_at_all);
    tcase_add_test(tc, output_that_cannot_be_is_said_at_once);
    tcase_add_test(tc, input_is_the_same_peeked_at_or_not);
    tcase_add_test(tc, quantiles_are_right_to_three_percent);
    tcase_add_test(tc, numbers_for_people_are_short);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
