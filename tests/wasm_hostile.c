/* A simdd-wasm process with a hostile module in it. */
#include "config.h"

#include "wasm_hostile.h"

#include <stdbool.h>
#include <string.h>

#include <check.h>
#include <sys/mman.h>

void bed_warm(void)
{
    struct wasm_host host;

    wasm_host_open(&host, 1);
    wasm_host_close(&host);
}

void bed_open(struct hostile_bed *bed, void (*make)(struct wasm_bytes *))
{
    struct wasm_bytes b = {0};

    wasm_host_open(&bed->host, 2);
    make(&b);
    wasm_host_add(&bed->host, 0, b.p, b.n, &bed->functions);
    ck_assert_msg(bed->functions.reply.status == HOST_REPLY_OK, "%s", bed->functions.reply.reason);
    bytes_free(&b);
    bed->arena = wasm_host_map(&bed->host, WINDOW_ARENAS, BED_ARENA_BYTES);
}

int bed_close(struct hostile_bed *bed)
{
    wasm_answer_close(&bed->functions);
    munmap(bed->arena, BED_ARENA_BYTES);
    return wasm_host_close(&bed->host);
}

void bed_add(struct hostile_bed *bed, void (*make)(struct wasm_bytes *), struct wasm_answer *a)
{
    struct wasm_bytes b = {0};

    make(&b);
    wasm_host_add(&bed->host, 1, b.p, b.n, a);
    bytes_free(&b);
}

struct host_task bed_call(const struct hostile_bed *bed, const char *function)
{
    struct host_task t = {.kind = HOST_TASK_CALL};

    t.u.call = (struct host_call){.function = wasm_host_function(&bed->functions, function),
                                  .in_count = 1,
                                  .param_count = HOST_PARAMS_MAX,
                                  .end = 1};
    t.u.call.in[0] = (struct host_array){.at = WINDOW_SEGMENT,
                                         .type = KERN_u8,
                                         .rank = 1,
                                         .dim = {BED_OPERAND_BYTES},
                                         .bytes = BED_OPERAND_BYTES};
    t.u.call.out = t.u.call.in[0];
    t.u.call.out.at += BED_OPERAND_BYTES;
    return t;
}

void bed_check_lives(struct hostile_bed *bed)
{
    struct host_task t = bed_call(bed, "ok");

    wasm_host_push(&bed->host, 1, &t);
    ck_assert(wasm_host_await(&bed->host, 1, &t));
    ck_assert_msg(t.status == HOST_OK, "%u %s", t.status, t.reason);
}

/* How many bytes the character at p has; 0 if it is none. */
static size_t character(const unsigned char *p)
{
    size_t bytes = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3
                                                                  : p[0] < 0xf5   ? 4
                                                                                  : 0;

    if (p[0] < ' ' || p[0] == 0x7f)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    }
    return bytes;
}

void bed_check_text(const char *reason)
{
    for (const unsigned char *p = (const unsigned char *)reason; *p != 0;) {
        size_t bytes = character(p);
        ck_assert_msg(bytes > 0, "no text at byte %td of '%s'", (const char *)p - reason, reason);
        p += bytes;
    }
}
