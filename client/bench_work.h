/* The job that `simdctl bench` sends again and again, and the answer that it must get. */
#ifndef CLIENT_BENCH_WORK_H
#define CLIENT_BENCH_WORK_H

#include <stddef.h>
#include <stdint.h>

#include "protocol/shape.h"
#include "protocol/wire.h"

struct bench_work {
    struct wire_request header; /* without id, flags and payload_bytes */
    struct shape shape;
    uint8_t *operands; /* owned: as an inline frame carries them, shape.inline_bytes */
    uint8_t *expected; /* owned: shape.out_bytes, then zeros up to a multiple of 8 */
};

/**
 * Makes a job of `op` whose operands take about `operand_bytes`, and computes its answer with
 * plain loops. Numbers are small whole ones, so that sums of floats are exact in any order.
 * Returns 0, -ENOMEM, or a wire status.
 */
int bench_work_init(struct bench_work *w, unsigned op, size_t operand_bytes);
void bench_work_fini(struct bench_work *w);

#endif
