/* The promises of cpus.h, on cgroup trees made of files. */
#include "config.h"

#include "suite.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cpus.h"

static char base[64]; /* of the test's own files */
static char root[80]; /* what stands for /sys/fs/cgroup, one level down */

static void make_root(void)
{
    strcpy(base, "/tmp/simdd-cpus-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(base));
    snprintf(root, sizeof root, "%s/fs", base);
    ck_assert_int_eq(mkdir(root, 0700), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static void remove_root(void)
{
    nftw(base, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* Writes root/path, and makes the folders it needs. */
static void put(const char *path, const char *text)
{
    char whole[PATH_MAX];
    snprintf(whole, sizeof whole, "%s/%s", root, path);
    for (char *slash = strchr(whole + strlen(root) + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        ck_assert(mkdir(whole, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *f = fopen(whole, "w");
    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

static unsigned quota(void)
{
    char proc[PATH_MAX];
    snprintf(proc, sizeof proc, "%s/proc", root);
    return cpus_cgroup_quota(proc, root);
}

START_TEST(v2_quota_is_rounded_down_but_at_least_one)
{
    static const struct {
        const char *cpu_max;
        unsigned cpus;
    } cases[] = {
        {"max 100000\n", 0},      {"100000 100000\n", 1},  {"250000 100000\n", 2},
        {"399999 100000\n", 3},   {"50000 100000\n", 1},   {"1000 1000000\n", 1},
        {"1600000 100000\n", 16}, {"200000 50000\n", 4},   {"", 0},
        {"nonsense\n", 0},        {"-1 100000\n", 0},      {"100000 0\n", 0},
        {"100000\n", 0},          {"0 100000\n", 0},
    };
    put("proc", "0::/a\n");
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        put("a/cpu.max", cases[i].cpu_max);
        ck_assert_msg(quota() == cases[i].cpus, "\"%s\" gave %u", cases[i].cpu_max, quota());
    }
}
END_TEST

START_TEST(v2_smallest_quota_of_all_parents_wins)
{
    put("proc", "0::/a/b/c\n");
    put("a/b/c/cpu.max", "400000 100000\n");
    ck_assert_uint_eq(quota(), 4);
    put("a/b/cpu.max", "max 100000\n");
    ck_assert_uint_eq(quota(), 4);
    put("a/cpu.max", "200000 100000\n");
    ck_assert_uint_eq(quota(), 2);
    put("cpu.max", "300000 100000\n");
    ck_assert_uint_eq(quota(), 2);
    put("cpu.max", "100000 100000\n");
    ck_assert_uint_eq(quota(), 1);
}
END_TEST

START_TEST(v2_container_root_counts_when_the_host_path_is_not_visible)
{
    put("proc", "0::/system.slice/docker-1234.scope\n");
    put("cpu.max", "300000 100000\n");
    ck_assert_uint_eq(quota(), 3);
    put("proc", "0::/\n");
    ck_assert_uint_eq(quota(), 3);
}
END_TEST

START_TEST(a_path_that_climbs_out_of_its_namespace_counts_as_the_root)
{
    put("proc", "0::/../x\n");
    put("cpu.max", "300000 100000\n");
    put("../x/cpu.max", "100000 100000\n"); /* beside root: must not be read */
    ck_assert_uint_eq(quota(), 3);
}
END_TEST

START_TEST(v1_quota_is_found_under_either_name_of_the_hierarchy)
{
    put("proc", "12:memory:/a\n4:cpu,cpuacct:/a/b\n1:name=systemd:/a\n");
    put("cpu,cpuacct/a/b/cpu.cfs_quota_us", "250000\n");
    put("cpu,cpuacct/a/b/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 2);
    put("proc", "4:cpuacct,cpu:/a/b\n");
    ck_assert_uint_eq(quota(), 0);
    put("cpu/a/cpu.cfs_quota_us", "300000\n");
    put("cpu/a/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 3);
}
END_TEST

START_TEST(v1_minus_one_is_no_limit_and_parents_count)
{
    put("proc", "4:cpu:/a/b\n");
    put("cpu/a/b/cpu.cfs_quota_us", "-1\n");
    put("cpu/a/b/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 0);
    put("cpu/a/cpu.cfs_quota_us", "500000\n");
    put("cpu/a/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 5);
    put("cpu/cpu.cfs_quota_us", "200000\n");
    put("cpu/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 2);
}
END_TEST

START_TEST(controllers_that_only_contain_the_word_cpu_are_not_it)
{
    put("proc", "3:cpuset:/a\n2:cpuacct:/a\n");
    put("cpu/a/cpu.cfs_quota_us", "100000\n");
    put("cpu/a/cpu.cfs_period_us", "100000\n");
    put("cpuset/a/cpu.cfs_quota_us", "100000\n");
    put("cpuset/a/cpu.cfs_period_us", "100000\n");
    ck_assert_uint_eq(quota(), 0);
}
END_TEST

START_TEST(hybrid_systems_take_the_smaller_of_v1_and_v2)
{
    put("proc", "4:cpu:/a\n0::/b\n");
    put("cpu/a/cpu.cfs_quota_us", "500000\n");
    put("cpu/a/cpu.cfs_period_us", "100000\n");
    put("b/cpu.max", "700000 100000\n");
    ck_assert_uint_eq(quota(), 5);
    put("b/cpu.max", "200000 100000\n");
    ck_assert_uint_eq(quota(), 2);
}
END_TEST

START_TEST(files_that_are_missing_or_odd_set_no_limit)
{
    ck_assert_uint_eq(quota(), 0); /* not even a list of groups */
    put("proc", "");
    ck_assert_uint_eq(quota(), 0);
    put("proc", "garbage\n::\n:\n\n4\n0::\n0:cpu\n:::::\n");
    ck_assert_uint_eq(quota(), 0);
    char line[3 * PATH_MAX];
    memset(line, 'a', sizeof line);
    memcpy(line, "0::/", 4);
    line[sizeof line - 1] = '\0';
    put("proc", line);
    put("cpu.max", "200000 100000\n");
    ck_assert_uint_eq(quota(), 2); /* too long a path is not there; its root is */
    memcpy(line, "4:cpu:/", 7);
    put("proc", line);
    ck_assert_uint_eq(quota(), 0);
}
END_TEST

START_TEST(available_is_at_least_one_and_never_over_the_affinity_mask)
{
    cpu_set_t before, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof before, &before), 0);
    ck_assert_uint_ge(cpus_available(), 1);
    ck_assert_uint_le(cpus_available(), (unsigned)CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (size_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &before)) {
            CPU_SET(cpu, &one);
            break;
        }
    }
    ck_assert_int_eq(sched_setaffinity(0, sizeof one, &one), 0);
    ck_assert_uint_eq(cpus_available(), 1);
    ck_assert_int_eq(sched_setaffinity(0, sizeof before, &before), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cpus");
    TCase *tc = tcase_create("cpus");
    tcase_add_checked_fixture(tc, make_root, remove_root);
    tcase_add_test(tc, v2_quota_is_rounded_down_but_at_least_one);
    tcase_add_test(tc, v2_smallest_quota_of_all_parents_wins);
    tcase_add_test(tc, v2_container_root_counts_when_the_host_path_is_not_visible);
    tcase_add_test(tc, a_path_that_climbs_out_of_its_namespace_counts_as_the_root);
    tcase_add_test(tc, v1_quota_is_found_under_either_name_of_the_hierarchy);
    tcase_add_test(tc, v1_minus_one_is_no_limit_and_parents_count);
    tcase_add_test(tc, controllers_that_only_contain_the_word_cpu_are_not_it);
    tcase_add_test(tc, hybrid_systems_take_the_smaller_of_v1_and_v2);
    tcase_add_test(tc, files_that_are_missing_or_odd_set_no_limit);
    tcase_add_test(tc, available_is_at_least_one_and_never_over_the_affinity_mask);
    suite_add_tcase(suite, tc);
    return suite_run(suite);
}
