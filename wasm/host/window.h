/* Windows: the address spaces of guests.
 *
 * Each instance of a module has one: a reservation of 4 GiB, laid out as task.h says. What the
 * daemon lends (the payload segment, arenas) is mapped at one address in all of them, the living
 * and the ones to come.
 *
 * Thread: any; one lock guards the list of windows and the list of what is mapped.
 */
#ifndef WASM_HOST_WINDOW_H
#define WASM_HOST_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <wasmtime.h>

struct windows; /* all of the process, and what is mapped into them */
struct window;  /* one */

/* -ENOMEM. */
int windows_new(struct windows **out);

/* Bytes that a module's own memory may have. Before the first instance. */
void windows_limit(struct windows *all, uint64_t memory_max);

/* What makes the memories of an engine. Borrows `all` for as long as the engine lives. */
void windows_creator(struct windows *all, wasmtime_memory_creator_t *creator);

/**
 * Maps a descriptor's first `bytes` at window address `at`, in every window. Takes `fd` on success.
 * -EINVAL   not a multiple of 64 KiB, or not inside [WINDOW_SEGMENT, WINDOW_END), or the file is
 *           shorter
 * -EEXIST   overlaps what is mapped
 * -ENOMEM   no memory, or no room in the process; nothing has changed
 */
int windows_map(struct windows *all, int fd, uint32_t at, uint64_t bytes);

/* Takes away what windows_map() mapped with these very numbers; -ENOENT if nothing was. */
int windows_unmap(struct windows *all, uint32_t at, uint64_t bytes);

/* Returns borrowed: the window whose memory starts at `base`, or NULL. */
struct window *windows_find(struct windows *all, const uint8_t *base);

/* Where address 0 of the window is. */
uint8_t *window_base(const struct window *w);

/* Whether [at, at + bytes) is memory that the daemon's ops may use for a guest: its own memory at
 * its present size, the segment, arenas; not the call page. True for no bytes. */
bool window_holds(const struct window *w, uint32_t at, uint64_t bytes);

/* Whether a host address lies in the window or its guard. Reads what never changes, so that a
 * signal handler may ask. */
bool window_spans(const struct window *w, const void *address);

#endif
