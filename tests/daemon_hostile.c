/* A daemon with tight limits, and the hostile module in it. */
#include "config.h"

#include "daemon_hostile.h"

#include <stdlib.h>

#include <check.h>

#include "daemon_modules.h"
#include "wasm/hostile.h"

static const char *const limits =
    "[wasm]\nwasm_max_run_time = 300ms\nwasm_max_compile_time = 20s\nwasm_memory_max = 16MiB\n"
    "wasm_segment_max = 16MiB\nmodule_max_bytes = 4MiB\nmodules_max = 8\n"
    "[socket]\nsocket_group = root\n";

const uint8_t hostile_operand[64] = {1, 2, 3};

void hostile_open(struct bed *b)
{
    modules_open(b, limits);
}

void hostile_close(struct bed *b)
{
    bed_await_idle(b);
    bed_check_books(b);
    bed_close(b);
}

void hostile_add_run(int fd)
{
    struct wasm_bytes m = {0};
    hostile_run(&m);
    modules_add(fd, "m", m.p, m.n);
    bytes_free(&m);
}

void hostile_expect_served(const struct bed *b, int fd)
{
    struct answer a;
    client_expect_service(b);
    modules_send_call(fd, 1, "m/ok", hostile_operand, 8, NULL, 0);
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", wire_status_name(a.h.status), a.payload);
    ck_assert_uint_eq(a.h.result_bytes, 8);
    free(a.payload);
}
