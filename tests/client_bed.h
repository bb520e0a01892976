/* What the suites of the client share: a socket path of one's own, a fake daemon, a handle, and
 * jobs whose right answer is easy to tell. */
#ifndef TESTS_CLIENT_BED_H
#define TESTS_CLIENT_BED_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <check.h>

#include "client/simdd.h"
#include "fake_daemon.h"

struct bed {
    char path[64];
    struct fake *fake;
    struct simdd *s;
};

static inline void bed_path(struct bed *b)
{
    (void)snprintf(b->path, sizeof(b->path), "/tmp/simdd-test-%ld.sock", (long)getpid());
}

static inline void bed_open(struct bed *b, fake_script_fn *script, void *user)
{
    *b = (struct bed){.fake = NULL};
    bed_path(b);
    ck_assert_int_eq(fake_start(&b->fake, b->path, script, user), 0);
    ck_assert_int_eq(simdd_connect(&b->s, b->path), 0);
    ck_assert_int_eq(simdd_set(b->s, SIMDD_OPT_RECONNECT_US, 200), 0);
}

static inline void bed_close(struct bed *b)
{
    simdd_close(b->s);
    fake_stop(b->fake);
}

/* n numbers whose sums are exact. */
static inline void bed_fill(float *x, uint32_t n, unsigned seed)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] = (float)((i * 7u + seed) % 1000u);
}

/* One assertion for all: each one writes to a file. */
static inline void bed_check_sum(const float *x, const float *y, const float *z, uint32_t n)
{
    uint32_t i = 0;
    while (i < n && z[i] == x[i] + y[i])
        i++;
    ck_assert_msg(i == n, "element %u", i);
}

/* add_f32 jobs of one float each, and how often each completed. */
enum { BED_JOBS_MAX = 512 };
struct bed_jobs {
    float x[BED_JOBS_MAX], y[BED_JOBS_MAX], z[BED_JOBS_MAX];
    unsigned completed[BED_JOBS_MAX];
    int status[BED_JOBS_MAX];
    unsigned total;
};

struct bed_tag {
    struct bed_jobs *jobs;
    uint32_t index;
};

static inline void bed_done(struct simdd *s, const struct simdd_result *result)
{
    (void)s;
    struct bed_tag *tag = result->arg;
    tag->jobs->completed[tag->index]++;
    tag->jobs->status[tag->index] = result->status;
    tag->jobs->total++;
}

static inline void bed_submit(struct simdd *s, struct bed_jobs *jobs, struct bed_tag *tags,
                              uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        jobs->x[i] = (float)i;
        jobs->y[i] = (float)(2 * i);
        jobs->z[i] = -1.0f;
        tags[i] = (struct bed_tag){jobs, i};
        struct simdd_job job;
        simdd_job_zip(&job, SIMDD_ADD_F32, 1, &jobs->x[i], &jobs->y[i], &jobs->z[i]);
        ck_assert_int_eq(simdd_submit(s, &job, bed_done, &tags[i]), 0);
    }
}

/* Each completed once with `status`, and right if that is 0. */
static inline void bed_check(const struct bed_jobs *jobs, uint32_t count, int status)
{
    ck_assert_uint_eq(jobs->total, count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(jobs->completed[i], 1);
        ck_assert_int_eq(jobs->status[i], status);
        if (status == 0)
            ck_assert_msg(jobs->z[i] == (float)(3 * i), "job %u has another's answer", i);
    }
}

#endif
