/* How many CPUs this process may really use.
 *
 * A container usually sees all CPUs of its host and gets a share of their time: with one thread
 * per CPU it would run for a part of each period and be stopped for the rest. So the quota counts
 * as CPUs. The group's path in /proc/self/cgroup may be the host's while /sys/fs/cgroup shows the
 * container's own tree; then its first levels do not exist, and the walk upwards finds the quota
 * at the root. cpuset is left out: it shows in the affinity mask.
 */
#include "config.h"

#include "cpus.h"

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

/* CPUs in the affinity mask, 0 if the system does not tell. */
static unsigned affinity_count(void)
{
    /* The kernel refuses a set smaller than its own, and does not tell how large that is. */
    for (size_t cpus = 1024; cpus <= 1024 * 1024; cpus *= 2) {
        cpu_set_t *set = CPU_ALLOC(cpus);
        if (set == NULL)
            return 0;
        size_t bytes = CPU_ALLOC_SIZE(cpus);
        int err = sched_getaffinity(0, bytes, set) == 0 ? 0 : -errno;
        int count = err == 0 ? CPU_COUNT_S(bytes, set) : 0;
        CPU_FREE(set);
        if (err != -EINVAL)
            return (unsigned)count;
    }
    return 0;
}

unsigned cpus_available(void)
{
    unsigned count = affinity_count();
    if (count == 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        count = online > 0 ? (unsigned)online : 1;
    }
    unsigned quota = cpus_cgroup_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    return quota != 0 && quota < count ? quota : count;
}

/* A control group: root is a directory like /sys/fs/cgroup, and path_bytes of path count. */
struct group {
    const char *root;
    const char *hierarchy; /* v1: the controllers, as a directory's name; v2: "" */
    const char *path;
    size_t path_bytes;
};

/* Reads the first line of one of the group's files. False if it cannot be. */
static bool read_line(char line[static 128], const struct group *g, const char *file)
{
    char path[PATH_MAX];
    if (g->path_bytes >= sizeof path)
        return false;
    int bytes = snprintf(path, sizeof path, "%s/%s/%.*s/%s", g->root, g->hierarchy,
                         (int)g->path_bytes, g->path, file);
    if (bytes < 0 || (size_t)bytes >= sizeof path)
        return false;
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    bool is_read = fgets(line, 128, f) != NULL;
    fclose(f);
    return is_read;
}

/* CPUs that so much time per period makes, rounded down; 0 when it sets no limit. */
static unsigned quota_cpus(long long quota_us, long long period_us)
{
    if (quota_us <= 0 || period_us <= 0)
        return 0;
    long long cpus = quota_us / period_us;
    if (cpus == 0)
        return 1; /* less than one CPU still needs a thread to use it */
    return cpus > UINT_MAX ? 0 : (unsigned)cpus;
}

/* cgroup v2: "max 100000" or "150000 100000". */
static unsigned v2_quota(const struct group *g)
{
    char line[128];
    if (!read_line(line, g, "cpu.max"))
        return 0;
    char *rest;
    long long quota_us = strtoll(line, &rest, 10); /* "max" reads as 0, which is none too */
    return quota_cpus(quota_us, strtoll(rest, NULL, 10));
}

/* cgroup v1: a quota of -1 is none. */
static unsigned v1_quota(const struct group *g)
{
    char quota[128], period[128];
    if (!read_line(quota, g, "cpu.cfs_quota_us") ||
        !read_line(period, g, "cpu.cfs_period_us"))
        return 0;
    return quota_cpus(strtoll(quota, NULL, 10), strtoll(period, NULL, 10));
}

static unsigned smaller_limit(unsigned a, unsigned b)
{
    if (a == 0 || b == 0)
        return a + b; /* 0 is no limit */
    return a < b ? a : b;
}

/* The smallest quota of a group and all its parents. */
static unsigned walk_up(struct group g)
{
    unsigned limit = 0;
    for (;;) {
        limit = smaller_limit(limit, *g.hierarchy != '\0' ? v1_quota(&g) : v2_quota(&g));
        if (g.path_bytes == 0)
            return limit;
        while (g.path_bytes > 0 && g.path[--g.path_bytes] != '/')
            continue;
    }
}

/* True if "cpu" is in a list like "cpu,cpuacct". */
static bool has_cpu(const char *controllers)
{
    for (const char *p = controllers; *p != '\0';) {
        size_t bytes = strcspn(p, ",");
        if (bytes == 3 && strncmp(p, "cpu", 3) == 0)
            return true;
        p += bytes + (p[bytes] == ',');
    }
    return false;
}

/* One line of /proc/self/cgroup: "0::/group" (v2) or "4:cpu,cpuacct:/group" (v1). */
static unsigned line_quota(char *line, const char *root)
{
    line[strcspn(line, "\n")] = '\0';
    char *controllers = strchr(line, ':');
    if (controllers == NULL)
        return 0;
    *controllers++ = '\0';
    char *path = strchr(controllers, ':');
    if (path == NULL)
        return 0;
    *path++ = '\0';
    /* Outside its own namespace a group's path climbs with ".."; nothing below root is meant. */
    if (strstr(path, "/..") != NULL)
        *path = '\0';
    struct group g = {root, "", path, strlen(path)};
    if (*controllers == '\0')
        return walk_up(g);
    if (!has_cpu(controllers))
        return 0;
    /* Systems mount the hierarchy under the full list of its controllers, or just as "cpu". */
    g.hierarchy = controllers;
    unsigned limit = walk_up(g);
    g.hierarchy = "cpu";
    return smaller_limit(limit, walk_up(g));
}

unsigned cpus_cgroup_quota(const char *proc_cgroup, const char *cgroup_root)
{
    FILE *f = fopen(proc_cgroup, "re");
    if (f == NULL)
        return 0;
    unsigned limit = 0;
    char *line = NULL;
    size_t line_bytes = 0;
    while (getline(&line, &line_bytes, f) >= 0)
        limit = smaller_limit(limit, line_quota(line, cgroup_root));
    free(line);
    fclose(f);
    return limit;
}
