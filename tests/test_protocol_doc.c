/* docs/protocol.md: the bytes of its examples are the bytes that this code reads and writes. */
#include "config.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "kernels/kern.h"
#include "protocol/shape.h"
#include "suite.h"

enum { EXAMPLES_MAX = 16, BYTES_MAX = 256, NAME_MAX_BYTES = 64 };

struct example {
    char name[NAME_MAX_BYTES];
    uint8_t p[BYTES_MAX];
    size_t bytes;
    bool seen; /* by a test */
};

static struct example examples[EXAMPLES_MAX];
static size_t example_count;

/* Returns owned: docs/protocol.md of the source tree. */
static FILE *open_doc(void)
{
    const char *srcdir = getenv("srcdir");
    char path[4096];
    snprintf(path, sizeof(path), "%s/docs/protocol.md", srcdir != NULL ? srcdir : ".");
    FILE *f = fopen(path, "r");
    ck_assert_msg(f != NULL, "%s", path);
    return f;
}

/* "0010  53 4d ...  ; comment": appends the bytes; the offset must be right. */
static void read_row(struct example *e, const char *row)
{
    unsigned offset, byte;
    int used;

    ck_assert_msg(sscanf(row, "%4x%n", &offset, &used) == 1, "%s: %s", e->name, row);
    ck_assert_uint_eq(offset, e->bytes);
    row += used;
    while (sscanf(row, " %2x%n", &byte, &used) == 1) {
        ck_assert_uint_lt(e->bytes, BYTES_MAX);
        e->p[e->bytes++] = (uint8_t)byte;
        row += used;
    }
    while (isspace((unsigned char)*row))
        row++;
    ck_assert_msg(*row == ';' || *row == '\0', "%s: %s", e->name, row);
}

/* All blocks that open with ```hex NAME. */
static void read_examples(void)
{
    FILE *f = open_doc();
    struct example *e = NULL;
    char line[512];

    while (fgets(line, sizeof(line), f) != NULL) {
        if (e == NULL && strncmp(line, "```hex ", 7) == 0) {
            ck_assert_uint_lt(example_count, EXAMPLES_MAX);
            e = &examples[example_count++];
            ck_assert_int_eq(sscanf(line + 7, "%63s", e->name), 1);
        } else if (strncmp(line, "```", 3) == 0) {
            e = NULL;
        } else if (e != NULL) {
            read_row(e, line);
        }
    }
    fclose(f);
}

static const struct example *find(const char *name)
{
    if (example_count == 0)
        read_examples();
    for (size_t i = 0; i < example_count; i++) {
        if (strcmp(examples[i].name, name) == 0) {
            examples[i].seen = true;
            return &examples[i];
        }
    }
    ck_abort_msg("docs/protocol.md has no example %s", name);
}

static void same(const char *name, const void *header, const void *payload, size_t payload_bytes)
{
    const struct example *e = find(name);
    ck_assert_msg(e->bytes == WIRE_HEADER_BYTES + payload_bytes, "%s has %zu bytes", name,
                  e->bytes);
    ck_assert_mem_eq(e->p, header, WIRE_HEADER_BYTES);
    if (payload_bytes > 0)
        ck_assert_mem_eq(e->p + WIRE_HEADER_BYTES, payload, payload_bytes);
}

/* A request that the daemon would take, and what it says. */
static struct wire_request accepted(const char *name)
{
    const struct example *e = find(name);
    struct wire_request h;
    struct frame_reject why;

    ck_assert_int_eq(frame_parse(&h, &why, e->p, e->bytes, BYTES_MAX), FRAME_OK);
    ck_assert_uint_eq(h.payload_bytes, e->bytes - WIRE_HEADER_BYTES);
    return h;
}

static struct wire_request job(uint64_t id, unsigned op)
{
    return (struct wire_request){.magic = WIRE_MAGIC,
                                 .version = WIRE_VERSION,
                                 .type = WIRE_JOB,
                                 .id = id,
                                 .op = (uint16_t)op};
}

START_TEST(the_first_example_adds_two_vectors)
{
    const float operands[] = {1, 2, 3, 4}, sums[] = {4, 6};
    struct wire_request want = job(1, KERN_OP_add_f32), h = accepted("add_f32.request");
    struct shape s;
    const char *field = NULL;

    want.payload_bytes = sizeof(operands);
    want.arg[0] = 2;
    same("add_f32.request", &want, operands, sizeof(operands));
    ck_assert_uint_eq(shape_check(&s, &h, BYTES_MAX, &field), WIRE_OK);
    ck_assert_uint_eq(s.inline_bytes, h.payload_bytes);

    struct wire_answer a;
    frame_answer(&a, WIRE_JOB, 1, WIRE_OK, s.out_bytes);
    a.isa = KERN_ISA_AVX2;
    a.queued_ns = 1500;
    a.ran_ns = 60;
    same("add_f32.answer", &a, sums, sizeof(sums));
}
END_TEST

START_TEST(the_second_example_is_refused_as_it_says)
{
    struct wire_request want = job(2, KERN_OP_matmul_f32), h = accepted("error.request");
    struct shape s;
    const char *field = NULL;
    const float one = 1;
    char reason[48] = "";

    want.arg[0] = want.arg[1] = 2;
    memcpy(&want.arg[6], &one, sizeof(one));
    same("error.request", &want, NULL, 0);
    enum wire_status status = shape_check(&s, &h, BYTES_MAX, &field);

    struct wire_answer a;
    size_t reason_bytes = frame_reason(reason, sizeof(reason), status, field, NULL);
    frame_answer(&a, WIRE_JOB, 2, status, reason_bytes);
    same("error.answer", &a, reason, sizeof(reason));
}
END_TEST

START_TEST(the_third_example_works_in_an_arena)
{
    struct wire_request want = {.magic = WIRE_MAGIC,
                                .version = WIRE_VERSION,
                                .type = WIRE_ARENA_ADD,
                                .id = 3,
                                .arg = {7, 4096, 0}};
    struct wire_answer a;

    accepted("arena_add.request");
    same("arena_add.request", &want, NULL, 0);
    frame_answer(&a, WIRE_ARENA_ADD, 3, WIRE_OK, 0);
    same("arena_add.answer", &a, NULL, 0);

    const struct wire_ref refs[] = {{7, 0, 0}, {7, 0, 64}, {7, 0, 128}};
    struct wire_request h = accepted("arena_job.request");
    struct wire_ref parsed[3];
    struct shape s;
    const char *field = NULL;
    want = job(4, KERN_OP_add_f32);
    want.flags = WIRE_F_ARENA;
    want.payload_bytes = sizeof(refs);
    want.arg[0] = 2;
    same("arena_job.request", &want, refs, sizeof(refs));
    ck_assert_uint_eq(shape_check(&s, &h, BYTES_MAX, &field), WIRE_OK);
    ck_assert_uint_eq(frame_parse_refs(parsed, s.in_count + 1,
                                       find("arena_job.request")->p + WIRE_HEADER_BYTES,
                                       sizeof(refs), &field),
                      WIRE_OK);

    frame_answer(&a, WIRE_JOB, 4, WIRE_OK, 0);
    a.flags = WIRE_A_IN_ARENA;
    a.isa = KERN_ISA_AVX2;
    a.queued_ns = 1500;
    a.ran_ns = 60;
    same("arena_job.answer", &a, NULL, 0);
}
END_TEST

START_TEST(no_example_is_left_unchecked)
{
    static const char *const checked[] = {
        "add_f32.request", "add_f32.answer",    "error.request",    "error.answer",
        "arena_add.request", "arena_add.answer", "arena_job.request", "arena_job.answer"};

    for (size_t i = 0; i < sizeof(checked) / sizeof(checked[0]); i++)
        find(checked[i]);
    for (size_t i = 0; i < example_count; i++)
        ck_assert_msg(examples[i].seen, "%s", examples[i].name);
}
END_TEST

static Suite *protocol_doc_suite(void)
{
    Suite *suite = suite_create("protocol_doc");
    TCase *tc = tcase_create("examples");

    tcase_add_test(tc, the_first_example_adds_two_vectors);
    tcase_add_test(tc, the_second_example_is_refused_as_it_says);
    tcase_add_test(tc, the_third_example_works_in_an_arena);
    tcase_add_test(tc, no_example_is_left_unchecked);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(protocol_doc_suite());
}
