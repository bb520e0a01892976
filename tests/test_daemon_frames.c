/* Frames that are wrong, cut off, oversized or garbage: each gets its answer by name, its
 * connection lives on where the promise says so, and nobody else notices. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "suite.h"

/* job_max_bytes of the suite's daemon. */
enum { JOB_MAX = 1 << 20, IN_PLACE_MAX = 16384 };

static struct bed bed;

/* ---- refused by name ---- */

static const struct refusal {
    const char *what;
    uint8_t type;
    uint16_t flags, op;
    uint8_t backend, priority;
    uint32_t deadline_us;
    uint32_t arg[8];
    uint64_t payload_bytes;
    enum wire_status status;
    const char *field;
} refusals[] = {
    {"type 0", 0, 0, 1, 0, 0, 0, {2}, 16, WIRE_BAD_TYPE, "type"},
    {"type 11", 11, 0, 1, 0, 0, 0, {2}, 16, WIRE_BAD_TYPE, "type"},
    {"an answer's type", WIRE_ANSWER | 1, 0, 1, 0, 0, 0, {2}, 16, WIRE_BAD_TYPE, "type"},
    {"flag 3", WIRE_JOB, 0x0008, 1, 0, 0, 0, {2}, 16, WIRE_BAD_FLAGS, "flags"},
    {"flag 15", WIRE_JOB, 0x8000, 1, 0, 0, 0, {2}, 16, WIRE_BAD_FLAGS, "flags"},
    {"cache 3", WIRE_JOB, 0x0030, 1, 0, 0, 0, {2}, 16, WIRE_BAD_FLAGS, "flags"},
    {"transpose of a sum", WIRE_JOB, WIRE_F_TRANS_A, 1, 0, 0, 0, {2}, 16, WIRE_BAD_FLAGS, "flags"},
    {"op 0", WIRE_JOB, 0, 0, 0, 0, 0, {2}, 16, WIRE_BAD_OP, "op"},
    {"op after the last", WIRE_JOB, 0, KERN_OP_END, 0, 0, 0, {2}, 16, WIRE_BAD_OP, "op"},
    {"op 65535", WIRE_JOB, 0, 65535, 0, 0, 0, {2}, 16, WIRE_BAD_OP, "op"},
    {"backend 3", WIRE_JOB, 0, 1, 3, 0, 0, {2}, 16, WIRE_BAD_BACKEND, "backend"},
    {"priority 3", WIRE_JOB, 0, 1, 0, 3, 0, {2}, 16, WIRE_BAD_PRIORITY, "priority"},
    {"an argument too many", WIRE_JOB, 0, 1, 0, 0, 0, {2, 1}, 16, WIRE_BAD_RESERVED, "arg1"},
    {"rounding of floats", WIRE_JOB, 0, KERN_OP_conv2d_f32, 0, 0, 0, {1, 1, 1, 1, 1, 0, 1}, 16,
     WIRE_BAD_RESERVED, "rounding"},
    {"n 0", WIRE_JOB, 0, 1, 0, 0, 0, {0}, 16, WIRE_BAD_SHAPE, "n"},
    {"m 0", WIRE_JOB, 0, KERN_OP_matmul_f32, 0, 0, 0, {0, 1, 1}, 16, WIRE_BAD_SHAPE, "m"},
    {"n 0 of a product", WIRE_JOB, 0, KERN_OP_matmul_i32, 0, 0, 0, {1, 0, 1}, 16, WIRE_BAD_SHAPE,
     "n"},
    {"k 0", WIRE_JOB, 0, KERN_OP_matmul_u8, 0, 0, 0, {1, 1, 0}, 0, WIRE_BAD_SHAPE, "k"},
    {"k whose sums overflow", WIRE_JOB, 0, KERN_OP_matmul_u8, 0, 0, 0, {1, 1, 33001}, 66008,
     WIRE_BAD_SHAPE, "k"},
    {"an even kernel", WIRE_JOB, 0, KERN_OP_conv2d_u8, 0, 0, 0, {4, 4, 1, 2, 3}, 40, WIRE_BAD_SHAPE,
     "r"},
    {"two channels", WIRE_JOB, 0, KERN_OP_conv2d_u8, 0, 0, 0, {4, 4, 2, 3, 3}, 72, WIRE_BAD_SHAPE,
     "channels"},
    {"border 4", WIRE_JOB, 0, KERN_OP_conv2d_u8, 0, 0, 0, {1, 1, 1, 1, 1, 4}, 16,
     WIRE_BAD_PARAMETER, "border"},
    {"rows that overlap", WIRE_JOB, 0, KERN_OP_matmul_f32, 0, 0, 0, {2, 2, 2, 1}, 32,
     WIRE_BAD_PARAMETER, "lda"},
    {"a zero point of 256", WIRE_JOB, 0, KERN_OP_matmul_u8, 0, 0, 0, {1, 1, 1, 0, 0, 0, 256}, 16,
     WIRE_BAD_PARAMETER, "zero_a"},
    {"a product beyond 64 bits", WIRE_JOB, 0, KERN_OP_matmul_f32, 0, 0, 0,
     {UINT32_MAX, UINT32_MAX, UINT32_MAX}, 16, WIRE_SIZE_OVERFLOW, "a"},
    {"an image beyond 64 bits", WIRE_JOB, 0, KERN_OP_conv2d_i32, 0, 0, 0,
     {UINT32_MAX, UINT32_MAX, 4, 3, 3}, 16, WIRE_SIZE_OVERFLOW, "image"},
    {"bytes beyond 64 bits", WIRE_JOB, 0, KERN_OP_hash_fast, 0, 0, 0, {0, UINT32_MAX, UINT32_MAX},
     16, WIRE_SIZE_OVERFLOW, "bytes"},
    {"more than the limit", WIRE_JOB, 0, 1, 0, 0, 0, {UINT32_MAX}, 16, WIRE_TOO_BIG, NULL},
    {"a result over the limit", WIRE_JOB, 0, KERN_OP_matmul_f32, 0, 0, 0, {1024, 1024, 1}, 8192,
     WIRE_TOO_BIG, NULL},
    {"a payload over the limit", WIRE_JOB, 0, 1, 0, 0, 0, {2}, JOB_MAX + 8, WIRE_TOO_BIG,
     "payload_bytes"},
    {"no payload", WIRE_JOB, 0, 1, 0, 0, 0, {2}, 0, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {"a payload too short", WIRE_JOB, 0, 1, 0, 0, 0, {2}, 8, WIRE_BAD_PAYLOAD_BYTES,
     "payload_bytes"},
    {"a payload too long", WIRE_JOB, 0, 1, 0, 0, 0, {2}, 24, WIRE_BAD_PAYLOAD_BYTES,
     "payload_bytes"},
    {"a large payload too long", WIRE_JOB, 0, 1, 0, 0, 0, {2}, 100000, WIRE_BAD_PAYLOAD_BYTES,
     "payload_bytes"},
    {"a large payload too short", WIRE_JOB, 0, 1, 0, 0, 0, {80000}, 100000, WIRE_BAD_PAYLOAD_BYTES,
     "payload_bytes"},
    {"a payload of 12", WIRE_JOB, 0, 1, 0, 0, 0, {2}, 12, WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {"references for operands only", WIRE_JOB, WIRE_F_ARENA, 1, 0, 0, 0, {2}, 32,
     WIRE_BAD_PAYLOAD_BYTES, "payload_bytes"},
    {"the backend that is not there", WIRE_JOB, 0, 1, WIRE_BACKEND_WASM, 0, 0, {2}, 16,
     WIRE_NO_BACKEND, NULL},
    {"a ping with a flag", WIRE_PING, 1, 0, 0, 0, 0, {0}, 0, WIRE_BAD_FLAGS, "flags"},
    {"a ping with an op", WIRE_PING, 0, 1, 0, 0, 0, {0}, 0, WIRE_BAD_RESERVED, "op"},
    {"a ping with a backend", WIRE_PING, 0, 0, 1, 0, 0, {0}, 0, WIRE_BAD_RESERVED, "backend"},
    {"a ping with a priority", WIRE_PING, 0, 0, 0, 1, 0, {0}, 0, WIRE_BAD_RESERVED, "priority"},
    {"a ping with a deadline", WIRE_PING, 0, 0, 0, 0, 1, {0}, 0, WIRE_BAD_RESERVED, "deadline_us"},
    {"a ping with arguments", WIRE_PING, 0, 0, 0, 0, 0, {0, 0, 0, 0, 0, 0, 0, 9}, 0,
     WIRE_BAD_RESERVED, "arg7"},
    {"a ping with a payload", WIRE_PING, 0, 0, 0, 0, 0, {0}, 64, WIRE_BAD_PAYLOAD_BYTES,
     "payload_bytes"},
    {"metrics of a third form", WIRE_METRICS, 0, 0, 0, 0, 0, {3}, 0, WIRE_BAD_PARAMETER, "arg0"},
    {"an arena of the reserved number", WIRE_ARENA_ADD, 0, 0, 0, 0, 0, {WIRE_INLINE, 4096}, 0,
     WIRE_BAD_PARAMETER, "arg0"},
};

/* The refusal's header and payload; 0xaa so that a daemon out of step takes it for garbage. */
static void send_refusal(int fd, const struct refusal *r, uint64_t id)
{
    struct wire_request h = client_request((enum wire_type)r->type, id);
    uint8_t *payload = malloc(r->payload_bytes + 1);
    ck_assert_ptr_nonnull(payload);
    memset(payload, 0xaa, r->payload_bytes + 1);
    h.flags = r->flags;
    h.op = r->op;
    h.backend = r->backend;
    h.priority = r->priority;
    h.deadline_us = r->deadline_us;
    memcpy(h.arg, r->arg, sizeof(h.arg));
    client_send_frame(fd, &h, payload, r->payload_bytes);
    free(payload);
}

START_TEST(a_wrong_frame_is_refused_by_name_and_the_connection_lives_on)
{
    const struct refusal *r = &refusals[_i];
    double refused = bed_metric(&bed, "jobs.refused");
    int fd = client_open(&bed);
    client_expect_alive(fd);
    send_refusal(fd, r, 0xabcdef0123456789u);
    client_expect_error(fd, 0xabcdef0123456789u, r->status, r->field);
    client_expect_alive(fd);
    ck_assert_msg(bed_metric(&bed, "jobs.refused") == refused + 1, "%s is not counted", r->what);
    close(fd);
}
END_TEST

START_TEST(wrong_frames_between_good_ones_harm_none_of_them)
{
    uint64_t state = chance_seed();
    int fd = client_open(&bed);
    for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
        struct job_case k;
        struct answer a;
        job_case_random(&k, &state, 3000);
        job_case_send(&k, fd, 1000 + i);
        send_refusal(fd, &refusals[i], i);
        bool seen[2] = {false, false};
        for (int n = 0; n < 2; n++) {
            client_receive(fd, &a);
            ck_assert(a.h.id == i || a.h.id == 1000 + i);
            seen[a.h.id == i] = true;
            if (a.h.id == i) {
                ck_assert_uint_eq(a.h.status, refusals[i].status);
                free(a.payload);
            } else {
                job_case_check(&k, &a);
            }
        }
        ck_assert(seen[0] && seen[1]);
        job_case_free(&k);
    }
    close(fd);
}
END_TEST

START_TEST(any_header_gets_exactly_one_answer)
{
    uint64_t state = chance_seed();
    int fd = client_open(&bed);
    uint8_t payload[512] = {0};
    for (unsigned i = 0; i < bed_scaled(3000); i++) {
        struct wire_request h;
        for (size_t at = 0; at < sizeof(h); at += 8) {
            /* mostly small numbers, so that many get past the first check */
            uint64_t word = chance_next(&state);
            word &= chance_below(&state, 3) == 0 ? UINT64_MAX : 0x0000000700000007u;
            memcpy((uint8_t *)&h + at, &word, sizeof(word));
        }
        h.magic = WIRE_MAGIC;
        h.version = WIRE_VERSION;
        h.id = i;
        struct answer a;
        client_send_frame(fd, &h, payload, chance_below(&state, sizeof(payload)));
        client_receive(fd, &a);
        ck_assert_uint_eq(a.h.id, i);
        free(a.payload);
    }
    client_expect_alive(fd);
    close(fd);
}
END_TEST

/* ---- what ends a connection ---- */

START_TEST(a_wrong_magic_is_answered_and_the_connection_closed)
{
    struct wire_request h = client_request(WIRE_PING, 5);
    struct answer a;
    ((uint8_t *)&h)[_i] ^= 0x20;
    int fd = client_open(&bed);
    client_expect_alive(fd);
    client_send_frame(fd, &h, NULL, 0);
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.status, WIRE_BAD_MAGIC);
    ck_assert_int_eq(strncmp((const char *)a.payload, "magic: ", 7), 0);
    free(a.payload);
    client_expect_end(fd);
    close(fd);
}
END_TEST

START_TEST(a_stranger_is_told_at_his_first_byte)
{
    struct answer a;
    int fd = client_open(&bed);
    client_send(fd, "G", 1);
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.status, WIRE_BAD_MAGIC);
    free(a.payload);
    client_expect_end(fd);
    close(fd);
}
END_TEST

START_TEST(a_wrong_version_is_answered_and_the_connection_closed)
{
    static const uint8_t versions[] = {0, 2, 255};
    struct wire_request h = client_request(WIRE_PING, 77);
    h.version = versions[_i];
    int fd = client_open(&bed);
    client_send_frame(fd, &h, NULL, 0);
    client_expect_error(fd, 77, WIRE_BAD_VERSION, "version");
    client_expect_end(fd);
    close(fd);
}
END_TEST

START_TEST(what_was_accepted_before_garbage_is_answered)
{
    uint64_t state = chance_seed();
    struct job_case k;
    struct answer a;
    job_case_product(&k, &state, 64); /* to a worker: still running when the garbage comes */
    int fd = client_open(&bed);
    job_case_send(&k, fd, 1);
    client_send(fd, "GET / HTTP/1.1\r\n\r\n", 18);
    bool job = false, magic = false;
    for (int i = 0; i < 2; i++) {
        client_receive(fd, &a);
        if (a.h.status == WIRE_BAD_MAGIC) {
            magic = true;
            free(a.payload);
        } else {
            ck_assert_uint_eq(a.h.id, 1);
            job_case_check(&k, &a);
            job = true;
        }
    }
    ck_assert(job && magic);
    client_expect_end(fd);
    close(fd);
    job_case_free(&k);
}
END_TEST

START_TEST(garbage_harms_nobody)
{
    uint64_t state = chance_seed();
    int other = client_open(&bed);
    for (unsigned i = 0; i < bed_scaled(200); i++) {
        uint8_t bytes[4096];
        size_t n = 1 + chance_below(&state, sizeof(bytes));
        for (size_t at = 0; at < n; at++)
            bytes[at] = (uint8_t)chance_next(&state);
        if (chance_below(&state, 2) == 0)
            memcpy(bytes, "SMDD\1", n < 5 ? n : 5);
        int fd = client_open(&bed);
        (void)!send(fd, bytes, n, MSG_NOSIGNAL);
        close(fd);
        if (i % 16 == 0)
            client_expect_alive(other);
    }
    close(other);
    client_expect_service(&bed);
}
END_TEST

/* ---- cut off ---- */

/* A good job of so many payload bytes (two operands of floats). */
static void sum_of(struct job_case *k, uint32_t payload_bytes)
{
    uint64_t state = 7;
    struct wire_request h = client_request(WIRE_JOB, 3);
    h.op = KERN_OP_add_f32;
    h.arg[0] = payload_bytes / 8;
    job_case_of(k, &h, &state);
    k->h.payload_bytes = payload_bytes;
}

static const struct cut {
    uint32_t payload_bytes;
    size_t sent; /* of header and payload */
    const char *field;
    bool has_id;
} cuts[] = {
    {16, 1, "header", false},
    {16, 63, "header", true},
    {16, 64, "payload_bytes", true},
    {16, 79, "payload_bytes", true},
    {IN_PLACE_MAX, 64 + IN_PLACE_MAX - 1, "payload_bytes", true},
    {IN_PLACE_MAX + 8, 64, NULL, true}, /* a job by then: only the status names it */
    {IN_PLACE_MAX + 8, 64 + IN_PLACE_MAX, NULL, true},
    {500000, 400000, NULL, true},
};

START_TEST(a_frame_cut_off_by_a_half_close_is_answered)
{
    const struct cut *cut = &cuts[_i];
    struct job_case k;
    struct answer a;
    sum_of(&k, cut->payload_bytes);
    int fd = client_open(&bed);
    client_send(fd, &k.h, cut->sent < 64 ? cut->sent : 64);
    if (cut->sent > 64)
        client_send(fd, k.payload, cut->sent - 64);
    shutdown(fd, SHUT_WR);
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.status, WIRE_BAD_PAYLOAD_BYTES);
    ck_assert_uint_eq(a.h.id, cut->has_id ? 3 : 0);
    if (cut->field != NULL)
        ck_assert_int_eq(strncmp((const char *)a.payload, cut->field, strlen(cut->field)), 0);
    free(a.payload);
    client_expect_end(fd);
    close(fd);
    job_case_free(&k);
}
END_TEST

START_TEST(a_frame_cut_off_by_a_close_leaves_nothing_behind)
{
    const struct cut *cut = &cuts[_i];
    struct job_case k;
    client_expect_service(&bed); /* what the first reader leaves is no leak */
    bed_await_idle(&bed);
    double used = bed_metric(&bed, "pool.used_bytes");
    double fds = bed_fd_count(&bed);
    sum_of(&k, cut->payload_bytes);
    for (int i = 0; i < 10; i++) {
        int fd = client_open(&bed);
        client_send(fd, &k.h, cut->sent < 64 ? cut->sent : 64);
        if (cut->sent > 64)
            client_send(fd, k.payload, cut->sent - 64);
        close(fd);
    }
    bed_await_idle(&bed);
    ck_assert_double_eq(bed_metric(&bed, "pool.used_bytes"), used);
    ck_assert_double_eq(bed_fd_count(&bed), fds);
    job_case_free(&k);
}
END_TEST

START_TEST(a_half_close_after_good_frames_still_gets_every_answer)
{
    uint64_t state = chance_seed();
    enum { JOBS = 20 };
    struct job_case k[JOBS];
    struct answer a;
    int fd = client_open(&bed);
    for (unsigned i = 0; i < JOBS; i++) {
        job_case_random(&k[i], &state, 20000);
        job_case_send(&k[i], fd, i);
    }
    shutdown(fd, SHUT_WR);
    for (unsigned i = 0; i < JOBS; i++) {
        client_receive(fd, &a);
        ck_assert_uint_lt(a.h.id, JOBS);
        job_case_check(&k[a.h.id], &a);
        job_case_free(&k[a.h.id]);
    }
    client_expect_end(fd);
    close(fd);
}
END_TEST

START_TEST(a_client_may_send_one_byte_at_a_time)
{
    struct job_case k;
    struct answer a;
    sum_of(&k, 400);
    int fd = client_open(&bed);
    int other = client_open(&bed);
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < 64; i++)
            client_send(fd, (const uint8_t *)&k.h + i, 1);
        for (size_t i = 0; i < k.shape.inline_bytes; i++) {
            client_send(fd, k.payload + i, 1);
            if (i % 64 == 0)
                client_expect_alive(other); /* served in between */
        }
        client_receive(fd, &a);
        job_case_check(&k, &a);
    }
    close(fd);
    close(other);
    job_case_free(&k);
}
END_TEST

START_TEST(frames_may_be_cut_anywhere)
{
    uint64_t state = chance_seed();
    int fd = client_open(&bed);
    for (unsigned i = 0; i < bed_scaled(60); i++) {
        struct job_case k;
        struct answer a;
        job_case_random(&k, &state, 20000);
        k.h.id = i;
        k.h.payload_bytes = k.shape.inline_bytes;
        size_t n = sizeof(k.h) + k.shape.inline_bytes;
        uint8_t *frame = malloc(n);
        ck_assert_ptr_nonnull(frame);
        memcpy(frame, &k.h, sizeof(k.h));
        memcpy(frame + sizeof(k.h), k.payload, k.shape.inline_bytes);
        for (size_t at = 0; at < n;) {
            size_t piece = 1 + chance_below(&state, chance_below(&state, 2) == 0 ? 100 : 20000);
            piece = piece < n - at ? piece : n - at;
            client_send(fd, frame + at, piece);
            at += piece;
            if (chance_below(&state, 4) == 0) {
                int other = client_open(&bed);
                client_expect_alive(other); /* so the daemon has read what came so far */
                close(other);
            }
        }
        free(frame);
        client_receive(fd, &a);
        ck_assert_uint_eq(a.h.id, i);
        job_case_check(&k, &a);
        job_case_free(&k);
    }
    close(fd);
}
END_TEST

START_TEST(the_books_balance)
{
    bed_check_books(&bed);
}
END_TEST

static int run(void)
{
    Suite *s = suite_create("daemon, frames");
    TCase *t = tcase_create("frames");
    enum { CUTS = sizeof(cuts) / sizeof(cuts[0]) };
    tcase_set_timeout(t, 2 * BED_PATIENCE_S);
    tcase_add_loop_test(t, a_wrong_frame_is_refused_by_name_and_the_connection_lives_on, 0,
                        sizeof(refusals) / sizeof(refusals[0]));
    tcase_add_test(t, wrong_frames_between_good_ones_harm_none_of_them);
    tcase_add_test(t, any_header_gets_exactly_one_answer);
    tcase_add_loop_test(t, a_wrong_magic_is_answered_and_the_connection_closed, 0, 4);
    tcase_add_test(t, a_stranger_is_told_at_his_first_byte);
    tcase_add_loop_test(t, a_wrong_version_is_answered_and_the_connection_closed, 0, 3);
    tcase_add_test(t, what_was_accepted_before_garbage_is_answered);
    tcase_add_test(t, garbage_harms_nobody);
    tcase_add_loop_test(t, a_frame_cut_off_by_a_half_close_is_answered, 0, CUTS);
    tcase_add_loop_test(t, a_frame_cut_off_by_a_close_leaves_nothing_behind, 0, CUTS);
    tcase_add_test(t, a_half_close_after_good_frames_still_gets_every_answer);
    tcase_add_test(t, a_client_may_send_one_byte_at_a_time);
    tcase_add_test(t, frames_may_be_cut_anywhere);
    tcase_add_test(t, the_books_balance);
    suite_add_tcase(s, t);
    return suite_run(s);
}

int main(void)
{
    return bed_suite(&bed, "[jobs]\njob_max_bytes = 1MiB\n[wasm]\nwasm_host = /nonexistent\n", NULL,
                     run);
}
