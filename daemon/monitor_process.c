/* The process as the operating system sees it.
 *
 * CPU time comes from a clock, since /proc/self/stat counts in ticks of 10 ms. The start time is
 * in ticks since boot; the boot time in /proc/stat is hidden in a hardened unit, so the process'
 * age is taken from CLOCK_BOOTTIME instead.
 */
#include "config.h"

#include "monitor_process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { STAT_START_TIME = 22 }; /* field of /proc/self/stat, from 1 */

/* Reads a small file into `text`, terminated. Returns its length, 0 if it cannot be read. */
static size_t file_read(const char *path, char *text, size_t text_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, text, text_bytes - 1);
    close(fd);
    size_t length = n < 0 ? 0 : (size_t)n;
    text[length] = '\0';
    return length;
}

static double seconds(clockid_t clock)
{
    struct timespec t;
    if (clock_gettime(clock, &t) != 0)
        return 0;
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint64_t open_fd_count(void)
{
    /* Since Linux 6.2 the directory's size is the count; before, it is 0 and we list it. */
    struct stat st;
    if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
        return (uint64_t)st.st_size;

    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    uint64_t count = 0;
    for (const struct dirent *e; (e = readdir(dir)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(dir);
    return count > 0 ? count - 1 : 0; /* without the listing's own */
}

void monitor_process_read(struct snapshot_process *out)
{
    char text[256];
    uint64_t pages_virtual, pages_resident;
    uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    out->virtual_bytes = out->resident_bytes = 0;
    if (file_read("/proc/self/statm", text, sizeof text) > 0 &&
        sscanf(text, "%" SCNu64 " %" SCNu64, &pages_virtual, &pages_resident) == 2) {
        out->virtual_bytes = pages_virtual * page_bytes;
        out->resident_bytes = pages_resident * page_bytes;
    }

    struct timespec cpu;
    out->cpu_ns = 0;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0)
        out->cpu_ns = (uint64_t)cpu.tv_sec * 1000000000u + (uint64_t)cpu.tv_nsec;

    struct rlimit limit;
    out->max_fds = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
    out->open_fds = open_fd_count();
}

double monitor_process_start_time(void)
{
    char text[1024];
    long ticks_per_second = sysconf(_SC_CLK_TCK);
    if (file_read("/proc/self/stat", text, sizeof text) == 0 || ticks_per_second <= 0)
        return 0;

    /* Field 2 is the program's name in parentheses and may hold anything, blanks too. */
    const char *p = strrchr(text, ')');
    for (int field = 2; p != NULL && field < STAT_START_TIME; field++)
        p = strchr(p + 1, ' ');
    uint64_t ticks;
    if (p == NULL || sscanf(p, " %" SCNu64, &ticks) != 1)
        return 0;
    double age = seconds(CLOCK_BOOTTIME) - (double)ticks / (double)ticks_per_second;
    return seconds(CLOCK_REALTIME) - age;
}
