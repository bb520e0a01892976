/* Calls at the whole daemon: their frames in every shape and size, refusals by name, and lines. The
 * module is one that does what it should; what others do is test_daemon_hostile. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon_arenas.h"
#include "daemon_bed.h"
#include "daemon_modules.h"
#include "kernels/kern.h"
#include "protocol/shape.h"
#include "suite.h"
#include "wasm/hostile.h"

enum { CUSTOM_BYTES = 100000 };

static struct bed bed;

/* call -> 0: copies operand `in` to the result, as far as the result goes, from its end. */
static void copy_body(struct wasm_bytes *b, unsigned in)
{
    enum { CALL_ARRAY = 32 };
    const uint8_t data = (uint8_t)(CALL_IN_DATA + in * CALL_ARRAY);
    CODE(b, OP_LOCAL_GET, 0, OP_I32_LOAD, 2, data, OP_LOCAL_SET, 1);
    CODE(b, OP_LOCAL_GET, 0, OP_I32_LOAD, 2, CALL_OUT_DATA, OP_LOCAL_SET, 2);
    CODE(b, OP_LOCAL_GET, 0, OP_I32_LOAD, 2, (CALL_OUT_BYTES & 0x7f) | 0x80, CALL_OUT_BYTES >> 7,
         OP_LOCAL_SET, 3);
    CODE(b, OP_LOOP, VOID);
    CODE(b, OP_LOCAL_GET, 3, OP_I32_CONST, 1, OP_I32_SUB, OP_LOCAL_SET, 3);
    CODE(b, OP_LOCAL_GET, 2, OP_LOCAL_GET, 3, OP_I32_ADD);
    CODE(b, OP_LOCAL_GET, 1, OP_LOCAL_GET, 3, OP_I32_ADD, OP_I32_LOAD8_U, 0, 0);
    CODE(b, OP_I32_STORE8, 0, 0);
    CODE(b, OP_LOCAL_GET, 3, OP_BR_IF, 0, OP_END);
    CODE(b, OP_I32_CONST, 0);
}

/* Functions copy0 and copy1, by operand; and so much besides that the file is a large payload. */
static void copy_module(struct wasm_bytes *out)
{
    struct wasm_module m = {0};
    hostile_begin(&m);
    for (unsigned i = 0; i < 2; i++) {
        struct wasm_bytes body = {0};
        const char *const names[] = {"copy0", "copy1"};
        copy_body(&body, i);
        module_export(&m, names[i], KIND_FUNCTION, module_function(&m, TYPE_ABI, 3, &body));
    }
    module_finish(&m, out);
    bytes_put(out, 0); /* a custom section, called "x" */
    bytes_unsigned(out, CUSTOM_BYTES + 2);
    bytes_name(out, "x", 1);
    for (unsigned i = 0; i < CUSTOM_BYTES; i++)
        bytes_put(out, (uint8_t)i);
}

static void set_up(void)
{
    struct wasm_bytes m = {0};
    modules_open(&bed, "[jobs]\njob_max_bytes = 4MiB\njson_max_bytes = 64KiB\n");
    int fd = client_open(&bed);
    copy_module(&m);
    modules_add(fd, "m", m.p, m.n);
    bytes_free(&m);
    close(fd);
}

static void tear_down(void)
{
    bed_await_idle(&bed);
    bed_check_books(&bed);
    bed_close(&bed);
}

/* ---- one call's frame ---- */

struct frame {
    struct wire_request h;
    struct wire_call head;
    const char *name;
    uint8_t *p; /* owned: header and payload */
    size_t bytes;
};

/* A call of m/copy0 on u8[n]. */
static struct frame frame_of(uint64_t id, uint32_t n)
{
    struct frame f = {.name = "m/copy0"};
    f.h = client_request(WIRE_CALL, id);
    f.h.arg[0] = 1;
    f.head.in[0] = (struct wire_array){.type = KERN_u8, .rank = 1, .dim = {n}};
    return f;
}

/* Puts it together; `rest` is what follows the name. */
static void frame_build(struct frame *f, const void *rest, size_t rest_bytes)
{
    size_t name_bytes = strlen(f->name);
    size_t head = sizeof(f->h) + sizeof(f->head);
    f->h.arg[2] = (uint32_t)name_bytes;
    f->bytes = head + wire_pad(name_bytes) + wire_pad(rest_bytes);
    f->h.payload_bytes = f->bytes - sizeof(f->h);
    f->p = calloc(1, f->bytes);
    ck_assert_ptr_nonnull(f->p);
    memcpy(f->p, &f->h, sizeof(f->h));
    memcpy(f->p + sizeof(f->h), &f->head, sizeof(f->head));
    memcpy(f->p + head, f->name, name_bytes);
    if (rest_bytes > 0)
        memcpy(f->p + head + wire_pad(name_bytes), rest, rest_bytes);
}

static void frame_send(struct frame *f, int fd, const void *rest, size_t rest_bytes)
{
    frame_build(f, rest, rest_bytes);
    client_send(fd, f->p, f->bytes);
    free(f->p);
}

/* The answer to `id`: u8[n], equal to `want` if it came inline. */
static void expect_bytes(int fd, uint64_t id, const uint8_t *want, uint32_t n)
{
    struct answer a;
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", wire_status_name(a.h.status), a.payload);
    ck_assert_uint_eq(a.h.type, WIRE_ANSWER | WIRE_CALL);
    ck_assert_uint_eq(a.h.id, id);
    ck_assert_uint_eq((a.h.flags & WIRE_A_TYPE_MASK) >> WIRE_A_TYPE_SHIFT, KERN_u8);
    ck_assert_uint_eq((a.h.flags & WIRE_A_RANK_MASK) >> WIRE_A_RANK_SHIFT, 1);
    ck_assert_uint_eq(a.h.dim[0], n);
    ck_assert_uint_eq(a.h.dim[1] | a.h.dim[2] | a.h.dim[3], 0);
    if ((a.h.flags & WIRE_A_IN_ARENA) == 0) {
        ck_assert_uint_eq(a.h.result_bytes, n);
        ck_assert_int_eq(memcmp(a.payload, want, n), 0);
    }
    free(a.payload);
}

static uint8_t *numbers(uint32_t n)
{
    uint8_t *p = malloc(n);
    ck_assert_ptr_nonnull(p);
    for (uint32_t i = 0; i < n; i++)
        p[i] = (uint8_t)(i * 7 + (i >> 8));
    return p;
}

START_TEST(results_of_any_size_come_back_with_their_shape)
{
    static const uint32_t sizes[] = {1, 7, 8, 4097, 16200, 16384, 20000, 1 << 20};
    int fd = client_open(&bed);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        uint8_t *in = numbers(sizes[i]);
        struct frame f = frame_of(i, sizes[i]);
        frame_send(&f, fd, in, sizes[i]);
        expect_bytes(fd, i, in, sizes[i]);
        client_expect_alive(fd);
        free(in);
    }
    close(fd);
}
END_TEST

START_TEST(pipelined_calls_of_all_sizes_are_each_answered)
{
    static const uint32_t sizes[] = {3, 70000, 16, 300000, 9000};
    enum { CALLS = 60, SIZES = sizeof(sizes) / sizeof(sizes[0]) };
    bool answered[CALLS] = {false};
    int fd = client_open(&bed);
    uint8_t *in = numbers(300000);
    for (unsigned i = 0; i < CALLS; i += SIZES) { /* what is under way fits into the sockets */
        for (unsigned k = 0; k < SIZES; k++) {
            struct frame f = frame_of(i + k, sizes[k]);
            frame_send(&f, fd, in, sizes[k]);
        }
        for (unsigned k = 0; k < SIZES; k++) {
            struct answer a;
            client_receive(fd, &a);
            ck_assert_uint_lt(a.h.id, CALLS);
            ck_assert(a.h.status == WIRE_OK && !answered[a.h.id]);
            ck_assert_uint_eq(a.h.result_bytes, sizes[a.h.id % SIZES]);
            ck_assert_int_eq(memcmp(a.payload, in, a.h.result_bytes), 0);
            answered[a.h.id] = true;
            free(a.payload);
        }
    }
    free(in);
    close(fd);
}
END_TEST

START_TEST(a_frame_may_come_in_any_pieces)
{
    int fd = client_open(&bed);
    uint8_t *in = numbers(20000);
    static const uint32_t sizes[] = {5, 20000}; /* worked on in place; read on its own */
    static const size_t cuts[] = {1, 63, 64, 65, 100, 207, 208, 209, 215, 216, 217, 220};
    for (size_t s = 0; s < 2; s++) {
        for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
            struct frame f = frame_of(i, sizes[s]);
            frame_build(&f, in, sizes[s]);
            client_send(fd, f.p, cuts[i]);
            (void)bed_metric(&bed, "jobs.accepted"); /* a round trip: the piece was read */
            client_send(fd, f.p + cuts[i], f.bytes - cuts[i]);
            expect_bytes(fd, i, in, sizes[s]);
            free(f.p);
        }
    }
    free(in);
    close(fd);
}
END_TEST

START_TEST(a_result_may_have_the_shape_that_the_client_tells)
{
    int fd = client_open(&bed);
    uint8_t *in = numbers(64);
    struct frame f = frame_of(1, 64);
    struct answer a;
    f.h.arg[3] = 1;
    f.head.out = (struct wire_array){.type = KERN_f32, .rank = 4, .dim = {2, 1, 3, 2}};
    frame_send(&f, fd, in, 64);
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OK, "%s", a.payload);
    ck_assert_uint_eq(a.h.flags, KERN_f32 << WIRE_A_TYPE_SHIFT | 4 << WIRE_A_RANK_SHIFT);
    ck_assert_uint_eq(a.h.dim[0], 2);
    ck_assert_uint_eq(a.h.dim[2], 3);
    ck_assert_uint_eq(a.h.result_bytes, 48);
    ck_assert_int_eq(memcmp(a.payload, in, 48), 0);
    free(a.payload);
    free(in);
    close(fd);
}
END_TEST

/* ---- arenas ---- */

static void send_lent(int fd, struct frame f, const struct wire_ref *refs, size_t count)
{
    f.h.flags |= WIRE_F_ARENA;
    frame_send(&f, fd, refs, count * sizeof(*refs));
}

START_TEST(operands_and_result_may_lie_in_arenas)
{
    enum { N = 100000 };
    int fd = client_open(&bed);
    uint8_t *base = arena_add(fd, 3, ARENA_BYTES), *in = numbers(N);
    memcpy(base + 64, in, N);
    struct frame f = frame_of(1, N);
    f.name = "m/copy1";
    f.h.arg[0] = 2;
    f.head.in[1] = f.head.in[0];
    const struct wire_ref refs[3] = {{3, 0, 0}, {3, 0, 64}, {3, 0, 400000}};
    const struct wire_ref inline_refs[3] = {{3, 0, 0}, {3, 0, 64}, {WIRE_INLINE, 0, 0}};
    send_lent(fd, f, inline_refs, 3); /* nobody tells, so it is like operand 0 */
    expect_bytes(fd, 1, in, N);
    f.h.arg[3] = 1;
    f.head.out = f.head.in[0];
    send_lent(fd, f, inline_refs, 3);
    expect_bytes(fd, 1, in, N);
    send_lent(fd, f, refs, 3);
    expect_bytes(fd, 1, in, N);
    ck_assert_int_eq(memcmp(base + 400000, in, N), 0);
    ck_assert_int_eq(base[400000 + N], 0);

    f.h.arg[3] = 0; /* how much of the arena would that be? */
    f.head.out = (struct wire_array){0};
    send_lent(fd, f, refs, 3);
    client_expect_error(fd, 1, WIRE_BAD_PARAMETER, "ref2");
    f.h.arg[3] = 1;
    f.head.out = f.head.in[0];
    const struct wire_ref over[3] = {{3, 0, 0}, {3, 0, 64}, {3, 0, 64}};
    send_lent(fd, f, over, 3);
    client_expect_error(fd, 1, WIRE_ARENA_OVERLAP, "ref0");
    const struct wire_ref beyond[3] = {{3, 0, 0}, {3, 0, 64}, {3, 0, ARENA_BYTES - 8}};
    send_lent(fd, f, beyond, 3);
    client_expect_error(fd, 1, WIRE_ARENA_RANGE, "ref2");
    const struct wire_ref unknown[3] = {{3, 0, 0}, {4, 0, 64}, {3, 0, 400000}};
    send_lent(fd, f, unknown, 3);
    client_expect_error(fd, 1, WIRE_ARENA_UNKNOWN, "ref1");
    send_lent(fd, f, refs, 2);
    client_expect_error(fd, 1, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes");
    client_expect_alive(fd);
    munmap(base, ARENA_BYTES);
    free(in);
    close(fd);
}
END_TEST

/* ---- refusals ---- */

struct spoiled {
    const char *what;
    void (*spoil)(struct frame *f);
    size_t operand_bytes;
    enum wire_status status;
    const char *field;
};

static void spoil_module(struct frame *f)
{
    f->name = "nobodys/copy0";
}

static void spoil_name(struct frame *f)
{
    f->name = "../m";
}

static void spoil_type(struct frame *f)
{
    f->head.in[0].type = 9;
}

static void spoil_dim(struct frame *f)
{
    f->head.in[0].dim[0] = 0;
}

static void spoil_second(struct frame *f)
{
    f->head.in[1].rank = 1;
}

static void spoil_param(struct frame *f)
{
    f->head.param[3] = 1;
}

static void spoil_size(struct frame *f)
{
    f->head.in[0] = (struct wire_array){
        .type = KERN_u64, .rank = 3, .dim = {UINT32_MAX, UINT32_MAX, UINT32_MAX}};
}

static void spoil_limit(struct frame *f)
{
    f->head.in[0].dim[0] = 4 << 20;
}

static void spoil_result(struct frame *f)
{
    f->h.arg[3] = 1;
    f->head.out = (struct wire_array){.type = KERN_u8, .rank = 1, .dim = {4 << 20}};
}

static void spoil_backend(struct frame *f)
{
    f->h.backend = WIRE_BACKEND_NATIVE;
}

static void spoil_nothing(struct frame *f)
{
    (void)f;
}

static const struct spoiled spoiled[] = {
    {"another's module", spoil_module, 8, WIRE_MODULE_UNKNOWN, "name"},
    {"another's module, large", spoil_module, 50000, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {"a path", spoil_name, 8, WIRE_BAD_NAME, "name"},
    {"no such type", spoil_type, 8, WIRE_BAD_PARAMETER, "in0.type"},
    {"a side of 0", spoil_dim, 8, WIRE_BAD_SHAPE, "in0.dim0"},
    {"an operand too many", spoil_second, 8, WIRE_BAD_RESERVED, "in1"},
    {"a parameter too many", spoil_param, 8, WIRE_BAD_RESERVED, "param3"},
    {"more than 64 bits", spoil_size, 8, WIRE_SIZE_OVERFLOW, "in0"},
    {"operand and result over the limit", spoil_limit, 8, WIRE_TOO_BIG, NULL},
    {"a result over the limit", spoil_result, 8, WIRE_TOO_BIG, NULL},
    {"the native backend", spoil_backend, 8, WIRE_BAD_BACKEND, "backend"},
    {"a payload too short", spoil_nothing, 0, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {"a payload too long", spoil_nothing, 16, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {"a large payload too long", spoil_nothing, 100000, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
};

START_TEST(a_wrong_call_is_refused_by_name_and_the_connection_lives_on)
{
    int fd = client_open(&bed);
    uint8_t *garbage = malloc(100000);
    ck_assert_ptr_nonnull(garbage);
    memset(garbage, 0xaa, 100000); /* a daemon out of step takes it for frames */
    for (size_t i = 0; i < sizeof(spoiled) / sizeof(spoiled[0]); i++) {
        struct frame f = frame_of(i, 8);
        spoiled[i].spoil(&f);
        frame_send(&f, fd, garbage, spoiled[i].operand_bytes);
        client_expect_error(fd, i, spoiled[i].status, spoiled[i].field);
        client_expect_alive(fd);
    }
    free(garbage);
    close(fd);
}
END_TEST

START_TEST(requests_about_modules_are_refused_by_name_too)
{
    static const char name[16] = "m";
    int fd = client_open(&bed);
    struct wire_request h = client_request(WIRE_MODULE_SHOW, 1);
    h.arg[0] = 1;
    client_send_frame(fd, &h, name, 16);
    client_expect_error(fd, 1, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes");
    client_expect_alive(fd);
    modules_send_name(fd, 2, WIRE_MODULE_SHOW, "none", 4);
    client_expect_error(fd, 2, WIRE_MODULE_UNKNOWN, "name");
    modules_send_name(fd, 3, WIRE_MODULE_REMOVE, "none", 4);
    client_expect_error(fd, 3, WIRE_MODULE_UNKNOWN, "name");
    h = client_request(WIRE_MODULE_LIST, 4);
    h.arg[1] = 1;
    client_send_frame(fd, &h, NULL, 0);
    client_expect_error(fd, 4, WIRE_BAD_RESERVED, "arg1");
    client_expect_alive(fd);
    close(fd);
}
END_TEST

/* ---- lines ---- */

static void expect_line(int fd, const char *request, const char *begin)
{
    client_send(fd, request, strlen(request));
    client_send(fd, "\n", 1);
    char *line = client_read_line(fd);
    ck_assert_msg(strncmp(line, begin, strlen(begin)) == 0, "%s: %s", request, line);
    free(line);
}

START_TEST(a_line_may_call_a_function)
{
    int fd = client_open(&bed);
    expect_line(fd, "{\"id\":1,\"op\":\"m/copy0\",\"x\":[[1,2],[3,4]]}",
                "{\"id\":1,\"status\":\"ok\",\"result\":[[1.0,2.0],[3.0,4.0]],\"type\":\"f32\","
                "\"shape\":[2,2],\"cached\":false,\"isa\":\"wasm128");
    expect_line(fd,
                "{\"op\":\"m/copy1\",\"x\":[1],\"y\":{\"type\":\"u8\",\"data\":[1,2,3,4]},"
                "\"result\":{\"type\":\"u8\",\"shape\":[2,2]},\"params\":[1,2]}",
                "{\"id\":null,\"status\":\"ok\",\"result\":[[1,2],[3,4]],\"type\":\"u8\",");
    expect_line(fd, "{\"id\":2,\"op\":\"nobodys/copy\",\"x\":[1]}",
                "{\"id\":2,\"status\":\"module_unknown\",\"error\":\"op: ");
    expect_line(fd, "{\"id\":3,\"op\":\"m/nothing\",\"x\":[1]}",
                "{\"id\":3,\"status\":\"function_unknown\",\"error\":");
    expect_line(fd, "{\"id\":4,\"op\":\"m/copy0\",\"x\":[1],\"result\":{\"shape\":[20000]}}",
                "{\"id\":4,\"status\":\"too_big\",\"error\":\"result: ");
    expect_line(fd, "{\"id\":5,\"op\":\"m/copy0\",\"x\":[]}",
                "{\"id\":5,\"status\":\"bad_shape\",\"error\":\"x: ");
    expect_line(fd, "{\"op\":\"ping\"}", "{\"id\":null,\"status\":\"ok\"");
    close(fd);
}
END_TEST

START_TEST(without_a_place_to_keep_them_there_are_no_modules)
{
    struct bed none;
    bed_open(&none, NULL, NULL);
    int fd = client_open(&none);
    modules_send_add(fd, 1, "m", "\0asm\1\0\0\0", 8, false);
    client_expect_error(fd, 1, WIRE_NO_BACKEND, "state_dir");
    modules_send_name(fd, 2, WIRE_MODULE_SHOW, "m", 1);
    client_expect_error(fd, 2, WIRE_NO_BACKEND, "state_dir");
    struct frame f = frame_of(3, 8);
    frame_send(&f, fd, "12345678", 8);
    client_expect_error(fd, 3, WIRE_NO_BACKEND, NULL);
    client_expect_alive(fd);
    close(fd);
    bed_close(&none);
}
END_TEST

static Suite *daemon_calls_suite(void)
{
    Suite *suite = suite_create("daemon, calls");
    TCase *tc = tcase_create("calls");
    tcase_set_timeout(tc, BED_PATIENCE_S);
    tcase_add_unchecked_fixture(tc, set_up, tear_down);
    tcase_add_test(tc, results_of_any_size_come_back_with_their_shape);
    tcase_add_test(tc, pipelined_calls_of_all_sizes_are_each_answered);
    tcase_add_test(tc, a_frame_may_come_in_any_pieces);
    tcase_add_test(tc, a_result_may_have_the_shape_that_the_client_tells);
    tcase_add_test(tc, operands_and_result_may_lie_in_arenas);
    tcase_add_test(tc, a_wrong_call_is_refused_by_name_and_the_connection_lives_on);
    tcase_add_test(tc, requests_about_modules_are_refused_by_name_too);
    tcase_add_test(tc, a_line_may_call_a_function);
    tcase_add_test(tc, without_a_place_to_keep_them_there_are_no_modules);
    suite_add_tcase(suite, tc);
    return suite;
}

int main(void)
{
    return suite_run(daemon_calls_suite());
}
