/* The promises of wasm/host/task.h, asked of the process itself. */
#include "config.h"

#include "suite.h"

#include <fcntl.h>
#include <string.h>

#include <sys/wait.h>
#include <unistd.h>

#include "wasm_host.h"

static struct host_task kernel_task(enum kern_op op, uint32_t in0, uint32_t in1, uint32_t out,
                                    uint32_t n)
{
    struct host_task t = {.kind = HOST_TASK_KERNEL};
    t.u.kernel = (struct host_kernel){.op = op,
                                      .isa = KERN_ISA_WASM128,
                                      .in = {in0, in1},
                                      .out = out,
                                      .end = n,
                                      .n = n};
    return t;
}

START_TEST(starts_and_runs_a_kernel_in_the_segment)
{
    struct wasm_host h;
    wasm_host_open(&h, 2);
    int32_t *x = (int32_t *)(void *)h.segment;
    for (int i = 0; i < 100; i++)
        x[i] = i, x[100 + i] = 1000 * i;
    struct host_task t = kernel_task(KERN_OP_add_i32, WINDOW_SEGMENT, WINDOW_SEGMENT + 400,
                                     WINDOW_SEGMENT + 800, 100);
    wasm_host_run(&h, &t);
    ck_assert_msg(t.status == HOST_OK, "%u %s", t.status, t.reason);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(x[200 + i], 1001 * i);
    ck_assert_int_eq(wasm_host_close(&h), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wasm_host");
    TCase *t = tcase_create("start");
    tcase_add_test(t, starts_and_runs_a_kernel_in_the_segment);
    suite_add_tcase(suite, t);
    return suite_run(suite);
}
