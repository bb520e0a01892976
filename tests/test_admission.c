/* Quotas per uid, and turns between uids. */
#include "config.h"

#include "admission.h"

#include "batch.h"
#include "suite.h"

static struct admission *admission;
static struct client *alice, *bob;

static const struct admission_limits limits = {
    .client_jobs = 3,
    .client_bytes = 100,
    .client_arena_bytes = 50,
    .client_arenas = 2,
    .client_connections = 2,
};

static void setup(void)
{
    ck_assert_int_eq(admission_new(&admission, &limits), 0);
    alice = admission_connect(admission, 1000);
    bob = admission_connect(admission, 1001);
    ck_assert_ptr_nonnull(alice);
    ck_assert_ptr_ne(alice, bob);
}

static void teardown(void)
{
    admission_free(admission);
}

START_TEST(connections_of_one_uid_share_a_client)
{
    ck_assert_ptr_eq(admission_connect(admission, 1000), alice);
    ck_assert_uint_eq(client_uid(alice), 1000);
    ck_assert_ptr_null(admission_connect(admission, 1000)); /* a third is over the limit */
    admission_disconnect(admission, alice);
    ck_assert_ptr_eq(admission_connect(admission, 1000), alice);
}
END_TEST

START_TEST(jobs_over_the_quota_are_refused_with_a_hint)
{
    uint32_t retry_us = 0;
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(admission_enter(admission, alice, 10, &retry_us), WIRE_OK);
    ck_assert_int_eq(admission_enter(admission, alice, 10, &retry_us), WIRE_OVERLOADED);
    ck_assert_uint_gt(retry_us, 0);
    ck_assert_int_eq(admission_enter(admission, bob, 10, &retry_us), WIRE_OK);
    admission_leave(admission, alice, 10, 5000);
    ck_assert_int_eq(admission_enter(admission, alice, 10, &retry_us), WIRE_OK);
}
END_TEST

START_TEST(bytes_over_the_quota_are_refused_but_a_job_alone_gets_in)
{
    uint32_t retry_us;
    ck_assert_int_eq(admission_enter(admission, alice, 1000, &retry_us), WIRE_OK);
    ck_assert_int_eq(admission_enter(admission, alice, 1, &retry_us), WIRE_OVERLOADED);
    admission_leave(admission, alice, 1000, 0);
    ck_assert_int_eq(admission_enter(admission, alice, 60, &retry_us), WIRE_OK);
    ck_assert_int_eq(admission_enter(admission, alice, 41, &retry_us), WIRE_OVERLOADED);
    ck_assert_int_eq(admission_enter(admission, alice, SIZE_MAX, &retry_us), WIRE_OVERLOADED);
    ck_assert_int_eq(admission_enter(admission, alice, 40, &retry_us), WIRE_OK);
}
END_TEST

START_TEST(arenas_are_bounded_by_number_and_bytes)
{
    ck_assert_int_eq(admission_arena_enter(admission, alice, 30), WIRE_OK);
    ck_assert_int_eq(admission_arena_enter(admission, alice, 21), WIRE_ARENA_LIMIT);
    ck_assert_int_eq(admission_arena_enter(admission, alice, 20), WIRE_OK);
    ck_assert_int_eq(admission_arena_enter(admission, alice, 0), WIRE_ARENA_LIMIT);
    admission_arena_leave(admission, alice, 30);
    ck_assert_int_eq(admission_arena_enter(admission, alice, 30), WIRE_OK);
}
END_TEST

START_TEST(a_client_stays_until_its_last_job_is_gone)
{
    uint32_t retry_us;
    struct client_stats rows[4];
    ck_assert_int_eq(admission_enter(admission, alice, 10, &retry_us), WIRE_OK);
    admission_disconnect(admission, alice);
    ck_assert_uint_eq(admission_stats(admission, rows, 4), 2);
    admission_leave(admission, alice, 10, 0);
    ck_assert_uint_eq(admission_stats(admission, rows, 4), 1);
    ck_assert_uint_eq(rows[0].uid, 1001);
}
END_TEST

/* Queues `count` batches of `ns` each for a client. */
static void queue(struct batch *b, size_t count, struct client *c, uint64_t ns)
{
    for (size_t i = 0; i < count; i++) {
        b[i] = (struct batch){.client = c, .estimate_ns = ns};
        admission_queue(admission, &b[i]);
    }
}

START_TEST(a_short_job_waits_for_a_turn_not_for_a_queue)
{
    struct batch longs[100], short_one;
    queue(longs, 100, alice, 100000000);
    queue(&short_one, 1, bob, 1000);
    size_t before = 0;
    while (admission_next(admission) != &short_one)
        before++;
    ck_assert_uint_le(before, 1);
    size_t rest = before;
    while (admission_next(admission) != NULL)
        rest++;
    ck_assert_uint_eq(rest, 100);
}
END_TEST

START_TEST(time_is_shared_whatever_the_size_of_jobs)
{
    static struct batch big[100], small[10000];
    queue(big, 100, alice, 10000000);
    queue(small, 10000, bob, 100000);
    uint64_t alice_ns = 0, bob_ns = 0;
    while (alice_ns + bob_ns < 1000000000) {
        struct batch *b = admission_next(admission);
        *(b->client == alice ? &alice_ns : &bob_ns) += b->estimate_ns;
    }
    ck_assert_uint_gt(alice_ns, 400000000);
    ck_assert_uint_gt(bob_ns, 400000000);
    while (admission_next(admission) != NULL)
        ;
}
END_TEST

START_TEST(a_client_alone_gets_its_batches_in_order)
{
    struct batch b[5];
    queue(b, 5, alice, 100000000);
    for (int i = 0; i < 5; i++)
        ck_assert_ptr_eq(admission_next(admission), &b[i]);
    ck_assert_ptr_null(admission_next(admission));
}
END_TEST

START_TEST(priority_orders_a_clients_own_batches)
{
    struct batch b[3];
    uint8_t priority[3] = {WIRE_PRIORITY_LOW, WIRE_PRIORITY_NORMAL, WIRE_PRIORITY_HIGH};
    for (int i = 0; i < 3; i++) {
        b[i] = (struct batch){.client = alice, .estimate_ns = 1, .priority = priority[i]};
        admission_queue(admission, &b[i]);
    }
    for (int i = 2; i >= 0; i--)
        ck_assert_ptr_eq(admission_next(admission), &b[i]);
}
END_TEST

START_TEST(statistics_list_the_busiest_clients_first)
{
    struct client_stats rows[2];
    uint32_t retry_us;
    for (uid_t uid = 1; uid <= 5; uid++) {
        struct client *c = admission_connect(admission, uid);
        for (uid_t i = 0; i < uid && i < 3; i++)
            ck_assert_int_eq(admission_enter(admission, c, 1, &retry_us), WIRE_OK);
        if (uid == 4) { /* four in all */
            admission_leave(admission, c, 1, 70);
            ck_assert_int_eq(admission_enter(admission, c, 1, &retry_us), WIRE_OK);
        }
    }
    ck_assert_uint_eq(admission_stats(admission, rows, 2), 7);
    ck_assert_uint_eq(rows[0].uid, 4);
    ck_assert_uint_eq(rows[0].jobs_total, 4);
    ck_assert_uint_eq(rows[0].run_ns_total, 70);
    ck_assert_uint_eq(rows[1].jobs_total, 3);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("admission");
    TCase *t = tcase_create("admission");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, connections_of_one_uid_share_a_client);
    tcase_add_test(t, jobs_over_the_quota_are_refused_with_a_hint);
    tcase_add_test(t, bytes_over_the_quota_are_refused_but_a_job_alone_gets_in);
    tcase_add_test(t, arenas_are_bounded_by_number_and_bytes);
    tcase_add_test(t, a_client_stays_until_its_last_job_is_gone);
    tcase_add_test(t, a_short_job_waits_for_a_turn_not_for_a_queue);
    tcase_add_test(t, time_is_shared_whatever_the_size_of_jobs);
    tcase_add_test(t, a_client_alone_gets_its_batches_in_order);
    tcase_add_test(t, priority_orders_a_clients_own_batches);
    tcase_add_test(t, statistics_list_the_busiest_clients_first);
    suite_add_tcase(s, t);
    return suite_run(s);
}
