/* The main job at the whole daemon: any mix of ops, from many connections at once, inline, in
 * arenas and as JSON, computed or cached, gives the plain references' bits; and the books
 * balance. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jansson.h>

#include "daemon_arenas.h"
#include "daemon_bed.h"
#include "daemon_jobs.h"
#include "suite.h"

static struct bed bed;

/* ---- many connections, many in flight ---- */

enum { DEPTH = 16, CLIENTS = 6, ELEMENTS_MAX = 30000 };

/* Keeps DEPTH jobs in flight on one connection until `count` are answered. In a child. */
static void pipeline(uint64_t seed, unsigned count)
{
    struct job_case k[DEPTH];
    uint64_t state = seed, sent = 0;
    int fd = client_open(&bed);
    const int room = 4 << 20; /* DEPTH requests go out before any answer is read */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
    for (unsigned answered = 0; answered < count; answered++) {
        for (; sent < count && sent - answered < DEPTH; sent++) {
            struct job_case *fresh = &k[0];
            for (unsigned i = 0; i < DEPTH; i++) { /* answers come in any order */
                if (sent < DEPTH ? i == sent : k[i].payload == NULL)
                    fresh = &k[i];
            }
            job_case_random(fresh, &state, 1 + chance_below(&state, ELEMENTS_MAX));
            fresh->h.flags |= (uint16_t)(chance_below(&state, 3) << WIRE_F_CACHE_SHIFT);
            job_case_send(fresh, fd, (uint64_t)(fresh - k));
        }
        struct answer a;
        client_receive(fd, &a);
        ck_assert_uint_lt(a.h.id, DEPTH);
        ck_assert_ptr_nonnull(k[a.h.id].payload);
        job_case_check(&k[a.h.id], &a);
        job_case_free(&k[a.h.id]);
    }
    close(fd);
}

START_TEST(any_mix_from_many_connections_gives_the_references_bits)
{
    uint64_t seed = chance_seed();
    pid_t children[CLIENTS];
    fflush(NULL);
    for (uint64_t i = 0; i < CLIENTS; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            pipeline(seed + i, bed_scaled(300));
            exit(0); /* a failed check exits otherwise */
        }
    }
    for (int i = 0; i < CLIENTS; i++) {
        int status;
        ck_assert_int_eq(waitpid(children[i], &status, 0), children[i]);
        ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "client %d: %x", i, status);
    }
    ck_assert_double_ge(bed_metric(&bed, "jobs.done"), CLIENTS * bed_scaled(300));
}
END_TEST

START_TEST(each_op_is_served_at_each_priority)
{
    uint64_t state = chance_seed();
    int fd = client_open(&bed);
    for (unsigned op = 1; op < KERN_OP_END; op++) {
        for (uint8_t priority = 0; priority < 3; priority++) {
            struct job_case k;
            do { /* the first one of this op */
                job_case_random(&k, &state, 2000);
                if (k.h.op != op)
                    job_case_free(&k);
            } while (k.payload == NULL);
            k.h.priority = priority;
            k.h.backend = priority % 2 == 0 ? WIRE_BACKEND_AUTO : WIRE_BACKEND_NATIVE;
            job_case_round(&k, fd, op);
            job_case_free(&k);
        }
    }
    close(fd);
}
END_TEST

START_TEST(large_jobs_that_are_shared_between_workers_give_the_same_bits)
{
    static const struct {
        uint16_t op;
        uint32_t arg[8];
    } large[] = {
        {KERN_OP_matmul_f32, {300, 310, 290, 0, 0, 0, 0x3f800000, 0}},
        {KERN_OP_matmul_u8, {257, 300, 301, 0, 0, 0, 3, 200}},
        {KERN_OP_conv2d_u8, {400, 300, 3, 7, 7, 3, 0}},
        {KERN_OP_conv2d_f32, {300, 301, 1, 11, 9, 2}},
        {KERN_OP_mix_u32, {3000001}},
        {KERN_OP_add_f32, {2000003}},
        {KERN_OP_hash_fast, {5, 3000000}},
    };
    uint64_t state = chance_seed();
    int fd = client_open(&bed);
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        struct wire_request h = client_request(WIRE_JOB, i);
        struct job_case k;
        h.op = large[i].op;
        memcpy(h.arg, large[i].arg, sizeof(h.arg));
        job_case_of(&k, &h, &state);
        job_case_round(&k, fd, i);
        job_case_free(&k);
    }
    close(fd);
}
END_TEST

/* ---- cached ---- */

START_TEST(a_cached_answer_is_flagged_and_has_the_same_bits)
{
    uint64_t state = chance_seed();
    for (unsigned i = 0; i < bed_scaled(30); i++) {
        struct job_case k;
        struct answer a;
        int fd = client_open(&bed); /* shared between connections of one user */
        job_case_random(&k, &state, 20000);
        k.h.flags |= WIRE_CACHE_ALWAYS << WIRE_F_CACHE_SHIFT;
        /* A result with gaps between its rows is not kept. */
        bool gaps = k.shape.info->family == KERN_matmul && k.h.arg[5] != 0 &&
                    k.h.arg[5] != k.h.arg[1];
        for (int round = 0; round < 3; round++) {
            job_case_send(&k, fd, i);
            client_receive(fd, &a);
            bool cached = (a.h.flags & WIRE_A_CACHED) != 0;
            ck_assert_msg(cached == (round > 0 && !gaps), "%s, round %d", k.shape.info->name,
                          round);
            job_case_check(&k, &a);
        }
        k.h.flags = (uint16_t)((k.h.flags & ~WIRE_F_CACHE_MASK) |
                               WIRE_CACHE_NEVER << WIRE_F_CACHE_SHIFT);
        job_case_send(&k, fd, i);
        client_receive(fd, &a);
        ck_assert_uint_eq(a.h.flags & WIRE_A_CACHED, 0);
        job_case_check(&k, &a);
        job_case_free(&k);
        close(fd);
    }
}
END_TEST

START_TEST(a_result_cached_inline_comes_into_an_arena_and_back)
{
    enum { BYTES = 4 << 20 };
    uint64_t state = chance_seed();
    struct job_case k;
    struct answer a;
    int fd = client_open(&bed);
    uint8_t *base = arena_add(fd, 1, BYTES);
    for (unsigned rows = 16; rows <= 512; rows *= 32) { /* copied by the loop, and by a worker */
        job_case_product(&k, &state, rows);
        k.h.flags = WIRE_CACHE_ALWAYS << WIRE_F_CACHE_SHIFT;
        job_case_round(&k, fd, 2);
        struct wire_ref refs[3] = {
            {1, 0, 0}, {1, 0, wire_pad(k.shape.in_bytes[0])}, {1, 0, 3 << 20}};
        memcpy(base, k.payload, k.shape.inline_bytes);
        memset(base + refs[2].offset, 0x55, k.shape.out_bytes);
        k.h.flags |= WIRE_F_ARENA;
        client_send_frame(fd, &k.h, refs, sizeof(refs));
        client_receive(fd, &a);
        ck_assert_uint_eq(a.h.status, WIRE_OK);
        ck_assert_uint_eq(a.h.flags, WIRE_A_CACHED | WIRE_A_IN_ARENA);
        ck_assert_mem_eq(base + refs[2].offset, job_case_expected(&k, a.h.isa), k.shape.out_bytes);
        free(a.payload);
        job_case_free(&k);
    }
    munmap(base, BYTES);
    close(fd);
}
END_TEST

/* ---- JSON ---- */

static void print_numbers(char **p, const struct job_case *k, unsigned i, enum kern_type type)
{
    const uint8_t *at = job_case_operand(k, i);
    size_t count = k->shape.in_bytes[i] / kern_type_bytes(type);
    for (size_t n = 0; n < count; n++, at += kern_type_bytes(type)) {
        float f;
        int32_t s;
        uint32_t u;
        memcpy(&u, at, kern_type_bytes(type) < 4 ? 1 : 4);
        memcpy(&f, &u, sizeof(f));
        memcpy(&s, &u, sizeof(s));
        *p += n == 0 ? 0 : sprintf(*p, ",");
        if (type == KERN_f32)
            *p += sprintf(*p, "%.9g", (double)f);
        else if (type == KERN_i32)
            *p += sprintf(*p, "%d", s);
        else
            *p += sprintf(*p, "%u", type == KERN_u8 ? *at : u);
    }
}

/* Returns owned (free): the line that asks for the same; NULL where JSON has no words for it. */
static char *as_line(const struct job_case *k)
{
    static const char *const names[][3] = {[KERN_zip] = {"x", "y"},
                                           [KERN_map] = {"x"},
                                           [KERN_matmul] = {"a", "b", "c"},
                                           [KERN_conv2d] = {"image", "kernel"}};
    static const char *const borders[] = {"keep", "zero", "replicate", "reflect101"};
    const struct kern_op_info *info = k->shape.info;
    const uint32_t *arg = k->h.arg;
    if (info->family == KERN_hash || (info->family == KERN_matmul && arg[3] != 0))
        return NULL;
    char *line = malloc(k->shape.inline_bytes * 20 + 1024), *p = line;
    ck_assert_ptr_nonnull(line);
    p += sprintf(p, "{\"id\":1,\"op\":\"%s\"", info->name);
    for (unsigned i = 0; i < k->shape.in_count; i++) {
        p += sprintf(p, ",\"%s\":[", names[info->family][i]);
        print_numbers(&p, k, i, k->h.op == KERN_OP_conv2d_u8 && i == 1 ? KERN_f32 : info->in);
        p += sprintf(p, "]");
    }
    if (info->family == KERN_matmul) {
        float alpha, beta;
        memcpy(&alpha, &arg[6], sizeof(alpha));
        memcpy(&beta, &arg[7], sizeof(beta));
        p += sprintf(p, ",\"m\":%u,\"n\":%u,\"k\":%u,\"trans_a\":%s,\"trans_b\":%s", arg[0], arg[1],
                     arg[2], k->h.flags & WIRE_F_TRANS_A ? "true" : "false",
                     k->h.flags & WIRE_F_TRANS_B ? "true" : "false");
        if (info->in == KERN_f32)
            p += sprintf(p, ",\"alpha\":%.9g,\"beta\":%.9g", (double)alpha, (double)beta);
        else if (info->in == KERN_i32)
            p += sprintf(p, ",\"alpha\":%d,\"beta\":%d", (int32_t)arg[6], (int32_t)arg[7]);
        else
            p += sprintf(p, ",\"zero_a\":%u,\"zero_b\":%u", arg[6], arg[7]);
    } else if (info->family == KERN_conv2d) {
        p += sprintf(p, ",\"h\":%u,\"w\":%u,\"channels\":%u,\"r\":%u,\"s\":%u,\"border\":\"%s\"",
                     arg[0], arg[1], arg[2], arg[3], arg[4], borders[arg[5]]);
        if (k->h.op == KERN_OP_conv2d_u8)
            p += sprintf(p, ",\"rounding\":\"%s\"", arg[6] == 0 ? "nearest" : "truncate");
    }
    sprintf(p, "}\n");
    return line;
}

/* Puts the numbers of arrays within arrays one behind the other. */
static uint8_t *flatten(const json_t *value, enum kern_type type, uint8_t *out)
{
    size_t i;
    json_t *member;
    if (json_is_array(value)) {
        json_array_foreach(value, i, member) out = flatten(member, type, out);
        return out;
    }
    ck_assert(json_is_number(value));
    float f = (float)json_number_value(value);
    uint32_t u = (uint32_t)json_integer_value(value);
    memcpy(out, type == KERN_f32 ? (void *)&f : (void *)&u, kern_type_bytes(type));
    return out + kern_type_bytes(type);
}

START_TEST(json_computes_what_frames_do)
{
    uint64_t state = chance_seed();
    int frames = client_open(&bed), lines = client_open(&bed);
    for (unsigned i = 0; i < bed_scaled(150); i++) {
        struct job_case k;
        struct answer a;
        job_case_random(&k, &state, 600);
        char *line = as_line(&k);
        if (line != NULL) {
            job_case_send(&k, frames, i);
            client_receive(frames, &a);
            client_send(lines, line, strlen(line));
            char *said = client_read_line(lines);
            json_t *json = json_loads(said, 0, NULL);
            ck_assert_ptr_nonnull(json);
            const json_t *result = json_object_get(json, "result");
            ck_assert_msg(result != NULL, "%.300s", said);
            uint8_t *got = malloc(k.shape.out_bytes + 8);
            const uint8_t *end = flatten(result, k.shape.info->out, got);
            ck_assert_uint_eq((size_t)(end - got), k.shape.out_bytes);
            ck_assert_msg(memcmp(got, a.payload, k.shape.out_bytes) == 0, "%.300s", line);
            job_case_check(&k, &a);
            free(got);
            json_decref(json);
            free(said);
        }
        free(line);
        job_case_free(&k);
    }
    close(frames);
    close(lines);
}
END_TEST

START_TEST(json_hashes_what_frames_do)
{
    uint64_t state = chance_seed();
    int frames = client_open(&bed), lines = client_open(&bed);
    for (unsigned i = 0; i < 40; i++) {
        struct wire_request h = client_request(WIRE_JOB, 0);
        struct job_case k;
        struct answer a;
        char line[256], want[32];
        h.op = i % 2 == 0 ? KERN_OP_hash_fast : KERN_OP_hash_fnv1a_64;
        h.arg[1] = i;
        job_case_of(&k, &h, &state);
        for (unsigned n = 0; n < i; n++)
            k.payload[n] = (uint8_t)('a' + k.payload[n] % 26);
        job_case_send(&k, frames, i);
        client_receive(frames, &a);
        uint64_t hash;
        memcpy(&hash, a.payload, sizeof(hash));
        job_case_check(&k, &a);
        int n = snprintf(line, sizeof(line), "{\"op\":\"%s\",\"text\":\"%.*s\"}\n",
                         k.shape.info->name, (int)i, (const char *)k.payload);
        client_send(lines, line, (size_t)n);
        char *said = client_read_line(lines);
        (void)snprintf(want, sizeof(want), "\"0x%016llx\"", (unsigned long long)hash);
        ck_assert_msg(strstr(said, want) != NULL, "no %s in %s", want, said);
        free(said);
        job_case_free(&k);
    }
    close(frames);
    close(lines);
}
END_TEST

/* ---- the end ---- */

START_TEST(the_books_balance_and_nothing_is_held)
{
    /* without its results, what the pool holds is what an idle daemon does */
    bed_check_books(&bed);
    bed_configure(&bed, "[cache]\ncache_max = 0\n");
    double reloads = bed_metric(&bed, "config.reloads_ok");
    kill(bed.pid, SIGHUP);
    bed_await(&bed, "config.reloads_ok", reloads + 1);
    ck_assert_double_eq(bed_metric(&bed, "cache.entries"), 0);
    /* the chunk that is read into, and this answer */
    ck_assert_double_le(bed_metric(&bed, "pool.used_bytes"), 600000);
    ck_assert_double_gt(bed_metric(&bed, "cache.hits"), 0);
    ck_assert_double_eq(bed_metric(&bed, "jobs.failed"), 0);
    ck_assert_double_eq(bed_metric(&bed, "jobs.refused"), 0);
    ck_assert_double_eq(bed_metric(&bed, "pool.refused"), 0);
}
END_TEST

static int run(void)
{
    Suite *s = suite_create("daemon, jobs");
    TCase *t = tcase_create("jobs");
    tcase_set_timeout(t, 2 * BED_PATIENCE_S);
    tcase_add_test(t, each_op_is_served_at_each_priority);
    tcase_add_test(t, any_mix_from_many_connections_gives_the_references_bits);
    tcase_add_test(t, large_jobs_that_are_shared_between_workers_give_the_same_bits);
    tcase_add_test(t, a_cached_answer_is_flagged_and_has_the_same_bits);
    tcase_add_test(t, a_result_cached_inline_comes_into_an_arena_and_back);
    tcase_add_test(t, json_computes_what_frames_do);
    tcase_add_test(t, json_hashes_what_frames_do);
    tcase_add_test(t, the_books_balance_and_nothing_is_held);
    suite_add_tcase(s, t);
    return suite_run(s);
}

int main(void)
{
    static const char *const flags[] = {"--workers", "3", NULL};
    return bed_suite(&bed, NULL, flags, run);
}
