#include "config.h"

#include "bench/site.h"

#include <errno.h>
#include <ftw.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/tsv.h"

void site_init(struct site *site)
{
    ssize_t n = readlink("/proc/self/exe", site->build, sizeof site->build - 1);
    tsv_check(n > 0, "no /proc");
    site->build[n] = '\0';
    char *build = dirname(dirname(site->build)); /* .../bench/bench_daemon */
    memmove(site->build, build, strlen(build) + 1);
    strcpy(site->folder, "/tmp/simdd-bench-XXXXXX");
    tsv_check(mkdtemp(site->folder) != NULL, "/tmp: %s", strerror(errno));
    tsv_check(sched_getaffinity(0, sizeof site->all, &site->all) == 0, "no affinity");
    site->client_cpu = -1;
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&site->all) > 1; cpu++) {
        if (CPU_ISSET((size_t)cpu, &site->all))
            site->client_cpu = cpu;
    }
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* What servers leave behind: sockets, logs. */
void site_fini(struct site *site)
{
    tsv_check(nftw(site->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0, "%s: not removed",
              site->folder);
}

void site_pin(const struct site *site)
{
    cpu_set_t one;
    if (site->client_cpu < 0)
        return;
    CPU_ZERO(&one);
    CPU_SET((size_t)site->client_cpu, &one);
    tsv_check(sched_setaffinity(0, sizeof one, &one) == 0, "no affinity");
}

void site_unpin(const struct site *site)
{
    (void)sched_setaffinity(0, sizeof site->all, &site->all);
}
