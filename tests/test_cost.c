/* Estimates start from the table, follow what is measured, and shrug off what is not typical. */
#include "config.h"

#include "daemon/cost.h"

#include "tests/suite.h"

static struct cost cost;

static void setup(void)
{
    cost_init(&cost);
}

START_TEST(estimates_start_from_the_guesses_in_the_table)
{
    for (unsigned op = KERN_OP_NONE + 1; op < KERN_OP_END; op++) {
        uint64_t guess = kern_op_info(op)->ps_per_work;
        ck_assert_uint_eq(cost_estimate_ns(&cost, (enum kern_op)op, 1000000), guess * 1000);
    }
}
END_TEST

START_TEST(estimates_follow_the_measurements)
{
    for (int i = 0; i < 200; i++)
        cost_learn(&cost, KERN_OP_add_f32, 1000000, 3000000); /* 3 ns each */
    uint64_t ns = cost_estimate_ns(&cost, KERN_OP_add_f32, 1000);
    ck_assert_uint_ge(ns, 2970);
    ck_assert_uint_le(ns, 3030);
}
END_TEST

START_TEST(one_op_does_not_move_another)
{
    struct cost before = cost;
    for (int i = 0; i < 10; i++)
        cost_learn(&cost, KERN_OP_mul_u8, 1000, 1000000);
    ck_assert(cost.ps_per_work[KERN_OP_mul_u8] > before.ps_per_work[KERN_OP_mul_u8]);
    for (unsigned op = 0; op < KERN_OP_END; op++) {
        if (op != KERN_OP_mul_u8)
            ck_assert(cost.ps_per_work[op] == before.ps_per_work[op]);
    }
}
END_TEST

START_TEST(runs_too_short_to_time_are_ignored)
{
    struct cost before = cost;
    cost_learn(&cost, KERN_OP_add_f32, 1, 999);
    cost_learn(&cost, KERN_OP_add_f32, 1000000, 0);
    cost_learn(&cost, KERN_OP_add_f32, 0, 1000000);
    ck_assert(cost.ps_per_work[KERN_OP_add_f32] == before.ps_per_work[KERN_OP_add_f32]);
}
END_TEST

START_TEST(one_interrupted_run_hardly_moves_the_estimate)
{
    double before = cost.ps_per_work[KERN_OP_add_f32];
    cost_learn(&cost, KERN_OP_add_f32, 1000, 1000000000);
    ck_assert(cost.ps_per_work[KERN_OP_add_f32] < 1.5 * before);
    ck_assert(cost.ps_per_work[KERN_OP_add_f32] > before);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cost");
    TCase *tc = tcase_create("cost");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, estimates_start_from_the_guesses_in_the_table);
    tcase_add_test(tc, estimates_follow_the_measurements);
    tcase_add_test(tc, one_op_does_not_move_another);
    tcase_add_test(tc, runs_too_short_to_time_are_ignored);
    tcase_add_test(tc, one_interrupted_run_hardly_moves_the_estimate);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
