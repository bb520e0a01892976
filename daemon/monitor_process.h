/* What the operating system says about this process. */
#ifndef DAEMON_MONITOR_PROCESS_H
#define DAEMON_MONITOR_PROCESS_H

#include "monitor.h"

/* Reads /proc/self and a few clocks; nothing that ProcSubset=pid hides. Fills all of *out but
 * start_time_seconds. */
void monitor_process_read(struct snapshot_process *out);

/* Unix time at which this process started, 0 if unknown. A step of the wall clock moves it, so
 * ask once and keep it. */
double monitor_process_start_time(void);

#endif
