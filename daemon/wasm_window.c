/* Arenas in the windows of a process: mapped at their first use, unmapped when they have gone or
 * others need the room. */
#include "config.h"

#include "wasm_priv.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

#define MAP_ALIGN ((uint64_t)64 << 10)
#define ARENA_ROOM ((uint64_t)WINDOW_END - WINDOW_ARENAS)

enum { MAP_TIMEOUT_MS = 1000 };

/* Under the user's lock. */
static void map_remove(struct wasm_session *s, size_t i)
{
    struct wasm_reply reply;
    struct wasm_map *m = &s->maps[i];
    const struct host_msg msg = {.type = HOST_MSG_UNMAP, .at = m->at, .bytes = m->bytes};
    if (wasm_ask(s, &reply, &msg, NULL, 0, (uint64_t)MAP_TIMEOUT_MS * 1000000) == 0)
        wasm_reply_close(&reply);
    atomic_fetch_sub_explicit(&s->user->wasm->mapped_bytes, m->bytes, memory_order_relaxed);
    memmove(m, m + 1, (s->map_count - i - 1) * sizeof(*m));
    s->map_count--;
}

void wasm_window_sweep(struct wasm_session *s)
{
    struct wasm_user *u = s->user;
    (void)pthread_mutex_lock(&u->gone_lock);
    for (size_t i = 0; i < s->map_count; i++) {
        for (size_t j = 0; j < u->gone_count; j++) {
            if (s->maps[i].arena == u->gone[j])
                s->maps[i].arena = NULL;
        }
        if (u->gone_all)
            s->maps[i].arena = NULL;
    }
    u->gone_count = 0;
    u->gone_all = false;
    (void)pthread_mutex_unlock(&u->gone_lock);
    for (size_t i = s->map_count; i-- > 0;) {
        if (s->maps[i].arena == NULL)
            map_remove(s, i);
    }
}

void wasm_window_fini(struct wasm_session *s)
{
    for (size_t i = 0; i < s->map_count; i++)
        atomic_fetch_sub_explicit(&s->user->wasm->mapped_bytes, s->maps[i].bytes,
                                  memory_order_relaxed);
    free(s->maps);
}

void wasm_arena_closed(struct wasm *w, uid_t uid, const struct arena *a)
{
    struct wasm_user *u = w->users;
    while (u != NULL && u->uid != uid)
        u = u->next;
    if (u == NULL)
        return;
    (void)pthread_mutex_lock(&u->gone_lock);
    if (u->gone_count == u->gone_cap) {
        size_t cap = u->gone_cap == 0 ? 16 : u->gone_cap * 2;
        const struct arena **grown = realloc(u->gone, cap * sizeof(*grown));
        if (grown != NULL) {
            u->gone = grown;
            u->gone_cap = cap;
        }
    }
    if (u->gone_count < u->gone_cap)
        u->gone[u->gone_count++] = a;
    else
        u->gone_all = true;
    (void)pthread_mutex_unlock(&u->gone_lock);
}

/* The maps are ordered by address: the first gap that takes `bytes`, or 0. */
static uint32_t gap_find(const struct wasm_session *s, uint64_t bytes, size_t *index)
{
    uint64_t at = WINDOW_ARENAS;
    size_t i = 0;
    for (; i < s->map_count; i++) {
        if (s->maps[i].at - at >= bytes)
            break;
        at = s->maps[i].at + (s->maps[i].bytes + MAP_ALIGN - 1) / MAP_ALIGN * MAP_ALIGN;
    }
    if (i == s->map_count && WINDOW_END - at < bytes)
        return 0;
    *index = i;
    return (uint32_t)at;
}

/* The mapping unused for longest goes, unless the session's own user needs it. */
static bool map_evict(struct wasm_session *s)
{
    size_t oldest = s->map_count;
    for (size_t i = 0; i < s->map_count; i++) {
        if (s->maps[i].used < s->entered_ns &&
            (oldest == s->map_count || s->maps[i].used < s->maps[oldest].used))
            oldest = i;
    }
    if (oldest == s->map_count)
        return false;
    map_remove(s, oldest);
    return true;
}

static enum wire_status map_add(struct wasm_session *s, const struct arena *a, size_t *index)
{
    uint64_t bytes = arena_bytes(a);
    if (bytes > ARENA_ROOM)
        return WIRE_TOO_BIG;
    uint32_t at;
    while ((at = gap_find(s, bytes, index)) == 0) {
        /* Only when nobody else is in here can no task be using another arena. */
        if (s->refs > 2 || !map_evict(s))
            return WIRE_OVERLOADED;
    }
    if (s->map_count == s->map_cap) {
        size_t cap = s->map_cap == 0 ? 8 : s->map_cap * 2;
        struct wasm_map *grown = realloc(s->maps, cap * sizeof(*grown));
        if (grown == NULL)
            return WIRE_OUT_OF_MEMORY;
        s->maps = grown;
        s->map_cap = cap;
    }
    struct wasm_reply reply;
    const struct host_msg msg = {.type = HOST_MSG_MAP, .at = at, .bytes = bytes};
    const int fd = arena_fd(a);
    if (wasm_ask(s, &reply, &msg, &fd, 1, (uint64_t)MAP_TIMEOUT_MS * 1000000) < 0)
        return WIRE_WASM_CRASHED;
    wasm_reply_close(&reply);
    if (reply.head.status != HOST_REPLY_OK)
        return WIRE_OUT_OF_MEMORY;
    memmove(&s->maps[*index + 1], &s->maps[*index],
            (s->map_count - *index) * sizeof(s->maps[0]));
    s->maps[*index] = (struct wasm_map){.arena = a, .at = at, .bytes = bytes};
    s->map_count++;
    atomic_fetch_add_explicit(&s->user->wasm->mapped_bytes, bytes, memory_order_relaxed);
    return WIRE_OK;
}

static enum wire_status arena_window(struct wasm_session *s, const struct arena *a, uint32_t *at)
{
    wasm_window_sweep(s);
    size_t i = 0;
    while (i < s->map_count && s->maps[i].arena != a)
        i++;
    if (i == s->map_count) {
        enum wire_status status = map_add(s, a, &i);
        if (status != WIRE_OK)
            return status;
    }
    s->maps[i].used = clock_ns();
    *at = s->maps[i].at;
    return WIRE_OK;
}

enum wire_status wasm_window_at(struct wasm_session *s, const void *p, size_t bytes,
                                const struct arena *a, uint32_t *at)
{
    struct wasm_user *u = s->user;
    *at = 0;
    if (p == NULL)
        return WIRE_OK;
    if (a == NULL) {
        if (!segment_holds(u->segment, p, bytes))
            return WIRE_INTERNAL;
        *at = (uint32_t)(WINDOW_SEGMENT + segment_offset(u->segment, p));
        return WIRE_OK;
    }
    wasm_lock(u);
    enum wire_status status = arena_window(s, a, at);
    wasm_unlock(u);
    if (status == WIRE_OK)
        *at += (uint32_t)((uintptr_t)p - (uintptr_t)arena_base(a));
    return status;
}
