/* How many CPUs this process may really use. */
#ifndef DAEMON_CPUS_H
#define DAEMON_CPUS_H

/**
 * The smaller of the affinity mask's size and the cgroup's CPU quota (cgroup v2 `cpu.max` of this
 * group and every parent, or v1 `cpu.cfs_quota_us` / `cpu.cfs_period_us`), rounded down, at
 * least 1.
 * Files that cannot be read set no limit.
 */
unsigned cpus_available(void);

/* The same below given roots, for tests: proc_cgroup is a file like /proc/self/cgroup, and
 * cgroup_root a directory like /sys/fs/cgroup. Returns the quota alone, 0 for none. */
unsigned cpus_cgroup_quota(const char *proc_cgroup, const char *cgroup_root);

#endif
