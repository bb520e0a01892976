/* Jobs with random shapes and contents for the suites of the whole daemon, and what must come out
 * of them, bit for bit, by the plain references. */
#ifndef TESTS_DAEMON_JOBS_H
#define TESTS_DAEMON_JOBS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon_bed.h"
#include "protocol/shape.h"

struct job_case {
    struct wire_request h; /* an inline job */
    struct shape shape;
    uint8_t *payload;     /* owned: operands as an inline frame carries them */
    uint8_t *expected[2]; /* owned: the result, split and fused class; made when asked for */
};

/* Where chance comes from: any number is a good start. */
uint64_t chance_next(uint64_t *state);
uint64_t chance_below(uint64_t *state, uint64_t n);

/* A start from the clock, or SIMDD_TEST_SEED; prints it. */
uint64_t chance_seed(void);

/* Any op and any parameters; no operand has more than some `elements_max` elements. */
void job_case_random(struct job_case *k, uint64_t *state, size_t elements_max);

/* A job of this header (op, flags and arguments set) with random contents. */
void job_case_of(struct job_case *k, const struct wire_request *h, uint64_t *state);

/* A job that keeps a worker busy for a minute or more if nobody stops it: a small image under a
 * very large kernel. It is split, so it stops soon when its client goes. */
void job_case_endless(struct job_case *k);

/* A job that goes to a worker, with `rows` of results to tell jobs apart. */
void job_case_product(struct job_case *k, uint64_t *state, uint32_t rows);

void job_case_free(struct job_case *k);

/* Returns borrowed: what an ISA must compute; shape.out_bytes, gaps between rows are 0. */
const uint8_t *job_case_expected(struct job_case *k, unsigned isa);

/* Returns borrowed: operand i within the payload. */
const uint8_t *job_case_operand(const struct job_case *k, unsigned i);

/* Sends it inline under this id. */
void job_case_send(struct job_case *k, int fd, uint64_t id);

/* `a` is OK and holds the right bits. Frees a->payload. */
void job_case_check(struct job_case *k, struct answer *a);

/* job_case_send(), then receives the one answer and checks it. */
void job_case_round(struct job_case *k, int fd, uint64_t id);

#endif
