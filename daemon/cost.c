/* Rates follow the measurements, but one interrupted run must not move them far. */
#include "config.h"

#include "cost.h"

enum { RUN_MIN_NS = 1000 }; /* below this the clock's own cost shows */

#define WEIGHT         (1.0 / 16) /* of one run: the last 50 make up 96 % */
#define OUTLIER_FACTOR 8.0 /* one run moves the mean by no more than if it were so far off */

void cost_init(struct cost *c)
{
    *c = (struct cost){0};
    for (unsigned op = KERN_OP_NONE + 1; op < KERN_OP_END; op++) {
        const struct kern_op_info *info = kern_op_info(op);
        if (info)
            c->ps_per_work[op] = info->ps_per_work;
    }
}

void cost_learn(struct cost *c, enum kern_op op, uint64_t work, uint64_t ns)
{
    if (ns < RUN_MIN_NS || work == 0)
        return;
    double *mean = &c->ps_per_work[op];
    double rate = (double)ns * 1e3 / (double)work;
    if (*mean > 0 && rate > *mean * OUTLIER_FACTOR)
        rate = *mean * OUTLIER_FACTOR;
    if (*mean > 0 && rate < *mean / OUTLIER_FACTOR)
        rate = *mean / OUTLIER_FACTOR;
    *mean = *mean > 0 ? *mean + (rate - *mean) * WEIGHT : rate;
}
