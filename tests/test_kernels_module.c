/* The kernels' module as a file: what it asks of its host, and what it offers. */
#include "config.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/suite.h"

/* Sections of the WebAssembly format, version 1. */
enum { CUSTOM, TYPE, IMPORT, FUNCTION, TABLE, MEMORY, GLOBAL, EXPORT, START, SECTIONS = 14 };
enum { MODULE_MAX = 256 << 10, HEADER = 8 };

struct section {
    const uint8_t *at;
    size_t bytes;
    unsigned count;
};

static uint8_t module[MODULE_MAX];
static size_t module_bytes;
static struct section sections[SECTIONS];

/* LEB128, of at most 32 bits; *at moves on. */
static uint32_t number(const uint8_t **at)
{
    uint32_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;
        value |= (uint32_t)(byte & 0x7f) << shift;
        if ((byte & 0x80) == 0)
            return value;
    }
}

static void setup(void)
{
    const uint8_t *at = module + HEADER;
    FILE *file = fopen(KERNELS_WASM, "rb");
    ck_assert_ptr_nonnull(file);
    module_bytes = fread(module, 1, sizeof module, file);
    ck_assert_msg(fgetc(file) == EOF, "the module is over %d bytes", MODULE_MAX);
    fclose(file);
    ck_assert_mem_eq(module, "\0asm\1\0\0\0", HEADER);
    while (at < module + module_bytes) {
        uint8_t id = *at++;
        size_t bytes = number(&at);
        ck_assert_uint_lt(id, SECTIONS);
        sections[id] = (struct section){at, bytes, sections[id].count + 1};
        at += bytes;
    }
    ck_assert_ptr_eq(at, module + module_bytes);
}

START_TEST(nothing_is_imported_nor_run_at_the_start)
{
    ck_assert_uint_eq(sections[IMPORT].count, 0);
    ck_assert_uint_eq(sections[START].count, 0);
}
END_TEST

START_TEST(it_is_stripped)
{
    /* the one custom section that may stay lists the features that were used */
    ck_assert_uint_le(sections[CUSTOM].count, 1);
    if (sections[CUSTOM].count == 1)
        ck_assert_mem_eq(sections[CUSTOM].at, "\x0ftarget_features", 16);
}
END_TEST

START_TEST(memory_and_one_function_are_exported)
{
    const uint8_t *at = sections[EXPORT].at;
    bool memory = false, kern = false;
    ck_assert_uint_eq(number(&at), 2);
    for (int i = 0; i < 2; i++) {
        size_t name_bytes = number(&at);
        const char *name = (const char *)at;
        at += name_bytes;
        unsigned kind = *at++;
        number(&at);
        memory |= kind == 2 && name_bytes == 6 && memcmp(name, "memory", 6) == 0;
        kern |= kind == 0 && name_bytes == 10 && memcmp(name, "simdd_kern", 10) == 0;
    }
    ck_assert(memory && kern);
}
END_TEST

START_TEST(its_memory_is_the_whole_window)
{
    const uint8_t *at = sections[MEMORY].at;
    ck_assert_uint_eq(number(&at), 1);
    ck_assert_uint_eq(number(&at), 1); /* with a maximum, 32-bit, not shared */
    ck_assert_uint_eq(number(&at), 65536);
    ck_assert_uint_eq(number(&at), 65536);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("kernels_module");
    TCase *tc = tcase_create("kernels_module");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, nothing_is_imported_nor_run_at_the_start);
    tcase_add_test(tc, it_is_stripped);
    tcase_add_test(tc, memory_and_one_function_are_exported);
    tcase_add_test(tc, its_memory_is_the_whole_window);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
