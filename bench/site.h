/* Where a run takes place: where programs are found, where sockets lie, and which CPU is the
 * client's. */
#ifndef BENCH_SITE_H
#define BENCH_SITE_H

#include <sched.h>

struct site {
    char build[4096]; /* the build folder, from where this program runs */
    char folder[64];  /* private; left behind, with the servers' log, if a check fails */
    cpu_set_t all;    /* CPUs we may run on */
    int client_cpu;   /* the last of them; -1: there is only one */
};

void site_init(struct site *site);
void site_fini(struct site *site);

/* The calling thread, and what it starts, runs on the client's CPU only; on all again. */
void site_pin(const struct site *site);
void site_unpin(const struct site *site);

#endif
