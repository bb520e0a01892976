/* A connection's arenas: a table by number, and the operands that jobs name in them. */
#include "config.h"

#include "connection_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "call.h"
#include "frame.h"
#include "wasm.h"

/* Index of the first entry whose number is not below `number`. */
static size_t arena_index(const struct connection *c, uint32_t number)
{
    size_t low = 0, high = c->arena_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (c->arenas[middle].number < number)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct arena *arena_find(const struct connection *c, uint32_t number)
{
    size_t at = arena_index(c, number);
    return at < c->arena_count && c->arenas[at].number == number ? c->arenas[at].arena : NULL;
}

/* Takes the arena on success. */
static int arena_insert(struct connection *c, uint32_t number, struct arena *arena)
{
    if (c->arena_count == c->arena_cap) {
        size_t cap = c->arena_cap == 0 ? 4 : c->arena_cap * 2;
        struct arena_entry *grown = realloc(c->arenas, cap * sizeof(*grown));
        if (grown == NULL)
            return -ENOMEM;
        c->arenas = grown;
        c->arena_cap = cap;
    }
    size_t at = arena_index(c, number);
    memmove(&c->arenas[at + 1], &c->arenas[at], (c->arena_count - at) * sizeof(c->arenas[0]));
    c->arenas[at] = (struct arena_entry){number, arena};
    c->arena_count++;
    return 0;
}

void connection_drop_arenas(struct connection *c)
{
    for (size_t i = 0; i < c->arena_count; i++)
        arena_put(c->arenas[i].arena);
    free(c->arenas);
    c->arenas = NULL;
    c->arena_count = c->arena_cap = 0;
}

/* The last job that used it is done, perhaps long after its connection. */
static void arena_closed(void *room, void *owner, const struct arena *a)
{
    struct connection_set *s = room;
    if (s->rooms.wasm != NULL)
        wasm_arena_closed(s->rooms.wasm, client_uid(owner), a);
    admission_arena_leave(s->rooms.admission, owner, arena_bytes(a));
    monitor_add(monitor_loop(s->rooms.monitor), MONITOR_arenas_closed, 1);
}

enum wire_status connection_arena_add(struct connection *c, const struct wire_request *r, int fd)
{
    uint64_t bytes = r->arg[1] | (uint64_t)r->arg[2] << 32;
    if (fd < 0)
        return WIRE_ARENA_NO_FD;
    if (arena_find(c, r->arg[0]) != NULL)
        return WIRE_ARENA_EXISTS;
    struct arena *arena;
    enum wire_status status = arena_open(&arena, fd, bytes);
    if (status != WIRE_OK)
        return status;
    status = admission_arena_enter(c->set->rooms.admission, c->client, bytes);
    if (status == WIRE_OK) {
        monitor_add(monitor_loop(c->set->rooms.monitor), MONITOR_arenas_opened, 1);
        arena_on_close(arena, arena_closed, c->set, c->client);
        if (arena_insert(c, r->arg[0], arena) < 0)
            status = WIRE_OUT_OF_MEMORY;
    }
    if (status != WIRE_OK)
        arena_put(arena);
    return status;
}

enum wire_status connection_arena_drop(struct connection *c, const struct wire_request *r)
{
    struct arena *arena = arena_find(c, r->arg[0]);
    if (arena == NULL)
        return WIRE_ARENA_UNKNOWN;
    size_t at = arena_index(c, r->arg[0]);
    c->arena_count--;
    memmove(&c->arenas[at], &c->arenas[at + 1], (c->arena_count - at) * sizeof(c->arenas[0]));
    arena_put(arena);
    return WIRE_OK;
}

/* Whether the result may lie where it does. Element by element ops may write over an operand. */
static bool overlaps(const struct job *job, unsigned i)
{
    uintptr_t in = (uintptr_t)job->args.in[i], out = (uintptr_t)job->args.out;
    bool in_place =
        job->info != NULL && (job->info->family == KERN_zip || job->info->family == KERN_map);
    if (in == out && in_place)
        return false;
    return in < out + job->out_bytes && out < in + job->in_bytes[i];
}

static const char *const ref_names[] = {"ref0", "ref1", "ref2", "ref3"};

enum wire_status connection_arena_operands(struct connection *c, struct job *job,
                                           const uint8_t *p, size_t p_bytes, const char **field)
{
    struct wire_ref refs[KERN_IN_MAX + 1];
    size_t count = (size_t)job->in_count + 1;
    enum wire_status status = frame_parse_refs(refs, count, p, p_bytes, field);
    if (status != WIRE_OK)
        return status;
    job->arenas_used = true;
    for (size_t i = 0; i < count; i++) {
        bool is_result = i == job->in_count;
        if (is_result && refs[i].arena == WIRE_INLINE)
            continue;
        *field = ref_names[i];
        /* nobody could say how much of the arena it needs, nor what it overlaps */
        if (is_result && job->call != NULL && !job->call->out_known)
            return WIRE_BAD_PARAMETER;
        struct arena *arena = arena_find(c, refs[i].arena);
        if (arena == NULL)
            return WIRE_ARENA_UNKNOWN;
        void *at;
        status = arena_at(arena, refs[i].offset, is_result ? job->out_bytes : job->in_bytes[i],
                          &at);
        if (status != WIRE_OK)
            return status;
        job->arenas[is_result ? KERN_IN_MAX : i] = arena_get(arena);
        if (is_result)
            job->args.out = at;
        else
            job->args.in[i] = at;
    }
    for (unsigned i = 0; job->args.out != NULL && i < job->in_count; i++) {
        *field = ref_names[i];
        if (overlaps(job, i))
            return WIRE_ARENA_OVERLAP;
    }
    *field = NULL;
    return WIRE_OK;
}
