/* Where work enters the scheduler: one ring_mpmc per lane.
 *
 * An empty lane costs its reader two loads, so asking all of them in turn is cheaper than keeping
 * a summary that every push would have to write. Ageing is left out on purpose: who may send how
 * much is decided before work comes here, by admission.
 */
#include "config.h"

#include "injector.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "ring.h"

struct injector {
    unsigned lane_count;
    struct ring_mpmc *lanes[];
};

int injector_new(struct injector **out, unsigned lane_count, size_t lane_capacity)
{
    if (lane_count == 0)
        return -EINVAL;
    struct injector *q = calloc(1, sizeof *q + lane_count * sizeof(q->lanes[0]));
    if (q == NULL)
        return -ENOMEM;
    q->lane_count = lane_count;
    for (unsigned i = 0; i < lane_count; i++) {
        int err = ring_mpmc_new(&q->lanes[i], lane_capacity);
        if (err < 0) {
            injector_free(q);
            return err;
        }
    }
    *out = q;
    return 0;
}

void injector_free(struct injector *q)
{
    if (q == NULL)
        return;
    for (unsigned i = 0; i < q->lane_count; i++)
        ring_mpmc_free(q->lanes[i]);
    free(q);
}

int injector_push(struct injector *q, unsigned lane, void *item)
{
    assert(lane < q->lane_count);
    return ring_mpmc_push(q->lanes[lane], item);
}

void *injector_pop(struct injector *q)
{
    for (unsigned i = 0; i < q->lane_count; i++) {
        void *item = ring_mpmc_pop(q->lanes[i]);
        if (item != NULL)
            return item;
    }
    return NULL;
}

size_t injector_size(const struct injector *q)
{
    size_t size = 0;
    for (unsigned i = 0; i < q->lane_count; i++)
        size += ring_mpmc_size(q->lanes[i]);
    return size;
}

bool injector_is_empty(const struct injector *q)
{
    return injector_size(q) == 0;
}
