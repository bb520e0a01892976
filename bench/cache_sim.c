/* See cache_sim.h. OPT may refuse an object, so no policy can beat it. */
#include "config.h"

#include "cache_sim.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cache_evict.h"

#define NEVER UINT32_MAX

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Makes the ids dense, so that arrays can be indexed by them. */
static int renumber(struct trace *t)
{
    uint32_t *sorted = malloc((t->count + 1) * sizeof *sorted);
    if (!sorted)
        return -ENOMEM;
    if (t->count > 0)
        memcpy(sorted, t->ids, t->count * sizeof *sorted);
    qsort(sorted, t->count, sizeof *sorted, compare_ids);
    size_t unique = 0;
    for (size_t i = 0; i < t->count; i++) {
        if (unique == 0 || sorted[i] != sorted[unique - 1])
            sorted[unique++] = sorted[i];
    }
    for (size_t i = 0; i < t->count; i++) {
        const uint32_t *at = bsearch(&t->ids[i], sorted, unique, sizeof *sorted, compare_ids);
        t->ids[i] = (uint32_t)(at - sorted);
    }
    t->unique_count = unique;
    free(sorted);
    return 0;
}

int trace_load(struct trace *t, const char *path)
{
    *t = (struct trace){0};
    FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (!in)
        return -errno;
    int err = 0;
    size_t cap = 0;
    for (;;) {
        if (t->count == cap) {
            cap = cap ? cap * 2 : 65536;
            uint32_t *ids = realloc(t->ids, cap * sizeof *ids);
            if (!ids) {
                err = -ENOMEM;
                break;
            }
            t->ids = ids;
        }
        size_t n = fread(t->ids + t->count, sizeof *t->ids, cap - t->count, in);
        if (n == 0)
            break;
        t->count += n;
    }
    if (err == 0 && ferror(in))
        err = -EIO;
    if (in != stdin)
        fclose(in);
    if (err == 0 && t->count >= NEVER)
        err = -EFBIG;
    if (err == 0)
        err = renumber(t);
    if (err < 0)
        trace_fini(t);
    return err;
}

void trace_fini(struct trace *t)
{
    free(t->ids);
    *t = (struct trace){0};
}

static uint64_t mix(uint64_t x) /* splitmix64: the policy wants hashes */
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static int run_ours(size_t *hits, const struct trace *t, size_t capacity)
{
    struct evict_node *nodes = calloc(t->unique_count + 1, sizeof *nodes);
    bool *is_in = calloc(t->unique_count + 1, sizeof *is_in);
    struct evict e;
    evict_init(&e, capacity);
    *hits = 0;
    for (size_t i = 0; nodes && is_in && i < t->count; i++) {
        uint32_t id = t->ids[i];
        if (is_in[id]) {
            evict_hit(&nodes[id]);
            (*hits)++;
            continue;
        }
        while (evict_is_over(&e, 1))
            is_in[evict_victim(&e) - nodes] = false;
        nodes[id] = (struct evict_node){.hash = mix(id), .units = 1};
        evict_insert(&e, &nodes[id]);
        is_in[id] = true;
    }
    int err = nodes && is_in ? 0 : -ENOMEM;
    evict_fini(&e);
    free(nodes);
    free(is_in);
    return err;
}

/* A ring through all ids in the cache; index unique_count is its head. */
struct lru_link {
    uint32_t newer, older;
    bool is_in;
};

static void lru_unlink(struct lru_link *links, uint32_t id)
{
    links[links[id].newer].older = links[id].older;
    links[links[id].older].newer = links[id].newer;
    links[id].is_in = false;
}

static void lru_link_newest(struct lru_link *links, uint32_t id, uint32_t head)
{
    links[id] = (struct lru_link){.newer = head, .older = links[head].older, .is_in = true};
    links[links[id].older].newer = id;
    links[head].older = id;
}

static int run_lru(size_t *hits, const struct trace *t, size_t capacity)
{
    struct lru_link *links = calloc(t->unique_count + 1, sizeof *links);
    if (!links)
        return -ENOMEM;
    uint32_t head = (uint32_t)t->unique_count;
    links[head] = (struct lru_link){.newer = head, .older = head};
    size_t count = 0;
    *hits = 0;
    for (size_t i = 0; i < t->count; i++) {
        uint32_t id = t->ids[i];
        if (links[id].is_in) {
            (*hits)++;
            lru_unlink(links, id);
        } else if (count < capacity) {
            count++;
        } else {
            lru_unlink(links, links[head].newer);
        }
        lru_link_newest(links, id, head);
    }
    free(links);
    return 0;
}

/* A heap with the farthest next use on top; entries that are out of date are skipped there. */
struct use {
    uint32_t next, id;
};

static void heap_push(struct use *heap, size_t *count, struct use u)
{
    size_t i = (*count)++;
    for (; i > 0 && heap[(i - 1) / 2].next < u.next; i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = u;
}

static struct use heap_pop(struct use *heap, size_t *count)
{
    struct use top = heap[0];
    struct use last = heap[--*count];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child + 1 < *count && heap[child + 1].next > heap[child].next)
            child++;
        if (child >= *count || heap[child].next <= last.next)
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
    return top;
}

/* next[i]: when the object of access i is asked for again. */
static void find_next_uses(uint32_t *next, uint32_t *last, const struct trace *t)
{
    for (size_t id = 0; id < t->unique_count; id++)
        last[id] = NEVER;
    for (size_t i = t->count; i-- > 0;) {
        next[i] = last[t->ids[i]];
        last[t->ids[i]] = (uint32_t)i;
    }
}

static int run_opt(size_t *hits, const struct trace *t, size_t capacity)
{
    uint32_t *next = calloc(t->count + 1, sizeof *next);
    uint32_t *due = calloc(t->unique_count + 1, sizeof *due); /* of objects in the cache */
    bool *is_in = calloc(t->unique_count + 1, sizeof *is_in);
    struct use *heap = calloc(t->count + 1, sizeof *heap);
    int err = next && due && is_in && heap ? 0 : -ENOMEM;
    size_t count = 0, heap_count = 0;
    *hits = 0;
    if (err == 0)
        find_next_uses(next, due, t);
    for (size_t i = 0; err == 0 && i < t->count; i++) {
        uint32_t id = t->ids[i];
        *hits += is_in[id];
        count += !is_in[id];
        is_in[id] = true;
        due[id] = next[i];
        heap_push(heap, &heap_count, (struct use){.next = next[i], .id = id});
        while (count > capacity) {
            struct use far = heap_pop(heap, &heap_count);
            if (!is_in[far.id] || due[far.id] != far.next)
                continue;
            is_in[far.id] = false;
            count--;
        }
    }
    free(next);
    free(due);
    free(is_in);
    free(heap);
    return err;
}

int sim_run(struct sim_ratios *out, const struct trace *t, size_t capacity)
{
    size_t ours, lru, opt;
    if (run_ours(&ours, t, capacity) < 0 || run_lru(&lru, t, capacity) < 0 ||
        run_opt(&opt, t, capacity) < 0)
        return -ENOMEM;
    double accesses = t->count > 0 ? (double)t->count : 1;
    *out = (struct sim_ratios){
        .ours = (double)ours / accesses,
        .lru = (double)lru / accesses,
        .opt = (double)opt / accesses,
    };
    return 0;
}
