/* The modules that are loaded. */
#include "config.h"

#include "module.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct modules {
    pthread_mutex_t lock; /* guards the array */
    struct module **module;
    size_t count;
    _Atomic uint32_t drops;
};

struct module *module_new(uint32_t number, wasmtime_module_t *code,
                          struct host_function *functions, uint32_t count)
{
    struct module *m = calloc(1, sizeof *m);
    if (m == NULL)
        return NULL;
    m->number = number;
    m->code = code;
    m->functions = functions;
    m->function_count = count;
    atomic_init(&m->refs, 1);
    atomic_init(&m->dropped, 0);
    return m;
}

void module_put(struct module *m)
{
    if (m == NULL)
        return;
    /* acq_rel: the last one sees what the others did before they let go; pairs with itself. */
    if (atomic_fetch_sub_explicit(&m->refs, 1, memory_order_acq_rel) != 1)
        return;
    wasmtime_module_delete(m->code);
    free(m->functions);
    free(m);
}

int modules_new(struct modules **out)
{
    struct modules *all = calloc(1, sizeof *all);
    if (all == NULL)
        return -ENOMEM;
    pthread_mutex_init(&all->lock, NULL);
    atomic_init(&all->drops, 0);
    *out = all;
    return 0;
}

/* With the lock held: its index, or the count. */
static size_t index_of(const struct modules *all, uint32_t number)
{
    size_t i = 0;
    while (i < all->count && all->module[i]->number != number)
        i++;
    return i;
}

/* With the lock held. Returns the table's reference. */
static struct module *take_out(struct modules *all, size_t i)
{
    struct module *m = all->module[i];
    all->module[i] = all->module[--all->count];
    /* release, then release: who sees the new number of drops sees this too. Pairs with the acquire
     * loads in modules_drops() and of who looks through its instances. */
    atomic_store_explicit(&m->dropped, 1, memory_order_release);
    atomic_fetch_add_explicit(&all->drops, 1, memory_order_release);
    return m;
}

int modules_add(struct modules *all, struct module *m)
{
    struct module *old = NULL;
    int err = 0;

    pthread_mutex_lock(&all->lock);
    struct module **grown = realloc(all->module, (all->count + 1) * sizeof(struct module *));
    if (grown == NULL) {
        err = -ENOMEM;
    } else {
        all->module = grown;
        size_t i = index_of(all, m->number);
        if (i < all->count)
            old = take_out(all, i);
        all->module[all->count++] = m;
    }
    pthread_mutex_unlock(&all->lock);
    module_put(old);
    return err;
}

struct module *modules_get(struct modules *all, uint32_t number)
{
    struct module *m = NULL;

    pthread_mutex_lock(&all->lock);
    size_t i = index_of(all, number);
    if (i < all->count) {
        m = all->module[i];
        /* relaxed: the lock orders it, and the table's own reference keeps it above 0. */
        atomic_fetch_add_explicit(&m->refs, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&all->lock);
    return m;
}

int modules_drop(struct modules *all, uint32_t number)
{
    struct module *m = NULL;

    pthread_mutex_lock(&all->lock);
    size_t i = index_of(all, number);
    if (i < all->count)
        m = take_out(all, i);
    pthread_mutex_unlock(&all->lock);
    module_put(m);
    return m != NULL ? 0 : -ENOENT;
}

uint32_t modules_drops(struct modules *all)
{
    /* acquire: pairs with the release in take_out(). */
    return atomic_load_explicit(&all->drops, memory_order_acquire);
}
