/* S3-FIFO; see cache_evict.h. Queues are doubly linked, since any entry may be replaced. */
#include "config.h"

#include "cache_evict.h"

enum {
    SMALL_SHARE = 10, /* the small queue's: a tenth */
    PROMOTE_HITS = 2, /* so many hits in the small queue lead to main */
    ROTATE_MAX = 256  /* entries that one eviction passes over: if all were hit, it does not walk
                       * through all of them */
};

void evict_init(struct evict *e, uint64_t max_units)
{
    *e = (struct evict){.max_units = max_units};
}

void evict_fini(struct evict *e)
{
    ghost_fini(&e->ghost);
    *e = (struct evict){0};
}

void evict_set_max(struct evict *e, uint64_t max_units)
{
    /* What a smaller cache remembers is to be smaller, too; it starts anew. */
    if (max_units < e->max_units)
        ghost_fini(&e->ghost);
    e->max_units = max_units;
}

static void queue_add(struct evict *e, struct evict_node *n, unsigned queue)
{
    struct evict_queue *q = &e->queue[queue];
    n->queue = (uint8_t)queue;
    n->newer = NULL;
    n->older = q->newest;
    *(q->newest ? &q->newest->newer : &q->oldest) = n;
    q->newest = n;
    q->units += n->units;
    q->count++;
}

void evict_remove(struct evict *e, struct evict_node *n)
{
    struct evict_queue *q = &e->queue[n->queue];
    *(n->newer ? &n->newer->older : &q->newest) = n->older;
    *(n->older ? &n->older->newer : &q->oldest) = n->newer;
    q->units -= n->units;
    q->count--;
}

void evict_restore(struct evict *e, struct evict_node *n)
{
    queue_add(e, n, n->queue);
}

/* As many as there are entries: who comes back later would have been evicted from main, too. */
static size_t ghost_limit(const struct evict *e)
{
    return e->queue[EVICT_SMALL].count + e->queue[EVICT_MAIN].count + 1;
}

void evict_insert(struct evict *e, struct evict_node *n)
{
    n->hits = 0;
    bool seen = ghost_remove(&e->ghost, n->hash, ghost_limit(e));
    queue_add(e, n, seen ? EVICT_MAIN : EVICT_SMALL);
}

struct evict_node *evict_victim(struct evict *e)
{
    struct evict_queue *small = &e->queue[EVICT_SMALL];
    struct evict_queue *main = &e->queue[EVICT_MAIN];
    for (unsigned passed = 0;; passed++) {
        bool from_small = small->oldest &&
                          (!main->oldest || small->units > e->max_units / SMALL_SHARE);
        struct evict_node *n = from_small ? small->oldest : main->oldest;
        if (!n)
            return NULL;
        evict_remove(e, n);
        if (from_small && n->hits >= PROMOTE_HITS && passed < ROTATE_MAX) {
            n->hits = 0;
            queue_add(e, n, EVICT_MAIN);
        } else if (!from_small && n->hits > 0 && passed < ROTATE_MAX) {
            n->hits--;
            queue_add(e, n, EVICT_MAIN);
        } else {
            if (from_small)
                ghost_add(&e->ghost, n->hash, ghost_limit(e));
            return n;
        }
    }
}
