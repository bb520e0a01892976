/* What the two files of wasm jobs share:
 *   pipeline_wasm.c        jobs on their way to a lane, and small ones in streams
 *   pipeline_wasm_split.c  one job alone: in ranges, a call, an errand
 */
#ifndef DAEMON_PIPELINE_WASM_H
#define DAEMON_PIPELINE_WASM_H

#include "pipeline_priv.h"
#include "segment.h"
#include "wasm.h"

/* Runs that a process's end may cut short: of any job, and of one that was running itself. */
enum { TRIES_MAX = 16, SUSPECT_MAX = 2 };

/* What stands behind an error's sentence: the words of whoever failed; of a function, after its
 * number. */
struct task_words {
    char text[HOST_REASON_BYTES + 16];
};
struct task_words task_words(const struct host_task *t);

enum wire_status task_status(const struct host_task *t);

/* When a task of the job that has run since started_ns must end, and what its job is told when it
 * was ended for that. */
uint64_t task_until(struct pipeline *p, const struct job *job, uint64_t started_ns);
enum wire_status task_overtime_status(const struct job *job);

/* The job's first failure is its status; without memory for its reason it goes without. */
void job_fail(struct job *job, enum wire_status status, const char *reason);
void job_set_reason(struct job *job, const char *reason);

/* WIRE_OK, or why the job need not run any more. */
enum wire_status job_stop_status(const struct job *job);

struct segment *job_segment(const struct job *job);

/* A daemon's op as a task: all but phase, range, shared memory and scratch. As wasm_window_at(). */
enum wire_status kernel_fill(struct pipeline *p, struct wasm_session *s, const struct job *job,
                             struct host_kernel *k);

/* Runs a job that has its worker to itself, or several. */
void pipeline_run_wasm_alone(struct pipeline *p, struct sched_worker *w, struct job *job);

#endif
