/* module_imports.h: names from modules that are right, and no harm from those that are not. */
#include "config.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "module_imports.h"
#include "suite.h"
#include "wasm/hostile.h"

struct told {
    unsigned count;
    char names[256];
};

static void tell(void *user, const char *name, size_t name_bytes)
{
    struct told *t = user;
    t->count++;
    size_t at = strlen(t->names);
    (void)snprintf(t->names + at, sizeof(t->names) - at, "%.*s ", (int)name_bytes, name);
}

/* Reads from memory of exactly that size. */
static int read_imports(struct told *t, const uint8_t *p, size_t bytes)
{
    uint8_t *exact = malloc(bytes > 0 ? bytes : 1);
    ck_assert_ptr_nonnull(exact);
    if (bytes > 0)
        memcpy(exact, p, bytes);
    *t = (struct told){.count = 0};
    int err = module_imports(exact, bytes, tell, t);
    free(exact);
    return err;
}

static void make(struct wasm_bytes *out)
{
    struct wasm_module m;
    module_init(&m);
    (void)module_import_function(&m, "simdd", "matmul_f32", TYPE_ABI);
    (void)module_import_function(&m, "simdd", "add_u8", TYPE_ABI);
    module_memory(&m, 1, 2);
    module_finish(&m, out);
}

START_TEST(imports_are_told_in_order)
{
    struct wasm_bytes m = {0};
    struct told t;
    make(&m);
    ck_assert_int_eq(read_imports(&t, m.p, m.n), 0);
    ck_assert_uint_eq(t.count, 2);
    ck_assert_str_eq(t.names, "matmul_f32 add_u8 ");
    bytes_free(&m);
}
END_TEST

START_TEST(a_module_without_imports_has_none)
{
    struct wasm_module m = {0};
    struct wasm_bytes b = {0};
    struct told t;
    hostile_begin(&m);
    module_finish(&m, &b);
    ck_assert_int_eq(read_imports(&t, b.p, b.n), 0);
    ck_assert_uint_eq(t.count, 0);
    ck_assert_int_eq(read_imports(&t, (const uint8_t *)"\0asm\1\0\0\0", 8), 0);
    ck_assert_uint_eq(t.count, 0);
    bytes_free(&b);
}
END_TEST

START_TEST(cut_and_flipped_modules_are_followed_no_further_than_they_go)
{
    struct wasm_bytes m = {0};
    struct told t;
    make(&m);
    for (size_t bytes = 0; bytes < m.n; bytes++)
        (void)read_imports(&t, m.p, bytes);
    ck_assert_int_eq(read_imports(&t, m.p, 7), -EINVAL);
    for (size_t bit = 0; bit < 8 * m.n; bit++) {
        m.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        (void)read_imports(&t, m.p, m.n);
        ck_assert_uint_le(t.count, m.n);
        m.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    bytes_free(&m);
}
END_TEST

START_TEST(every_hostile_form_is_survived)
{
    struct told t;
    for (size_t i = 0; i < hostile_form_count; i++) {
        struct wasm_bytes m = {0};
        hostile_forms[i].make(&m);
        int err = read_imports(&t, m.p, m.n);
        ck_assert(err == 0 || err == -EINVAL);
        bytes_free(&m);
    }
}
END_TEST

START_TEST(numbers_that_do_not_end_are_refused)
{
    static const uint8_t endless[] = "\0asm\1\0\0\0\2\xff\xff\xff\xff\xff\xff";
    static const uint8_t large[] = "\0asm\1\0\0\0\2\xff\xff\xff\xff\x0f";
    static const uint8_t many[] = "\0asm\1\0\0\0\2\5\xff\xff\xff\xff\x0f";
    struct told t;
    ck_assert_int_eq(read_imports(&t, endless, sizeof(endless) - 1), -EINVAL);
    ck_assert_int_eq(read_imports(&t, large, sizeof(large) - 1), -EINVAL);
    ck_assert_int_eq(read_imports(&t, many, sizeof(many) - 1), -EINVAL);
    ck_assert_uint_eq(t.count, 0);
}
END_TEST

static Suite *module_imports_suite(void)
{
    Suite *suite = suite_create("module_imports");
    TCase *tc = tcase_create("module_imports");
    tcase_add_test(tc, imports_are_told_in_order);
    tcase_add_test(tc, a_module_without_imports_has_none);
    tcase_add_test(tc, cut_and_flipped_modules_are_followed_no_further_than_they_go);
    tcase_add_test(tc, every_hostile_form_is_survived);
    tcase_add_test(tc, numbers_that_do_not_end_are_refused);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(module_imports_suite());
}
