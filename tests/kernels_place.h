/* Memory that shows what a kernel touches beside its operands. */
#ifndef TESTS_KERNELS_PLACE_H
#define TESTS_KERNELS_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* bytes at data, with guard bytes before them and, after `gap` more, a page without access. */
struct placed {
    uint8_t *map, *data;
    size_t map_bytes, bytes;
};

/* From here on place() maps within these bytes, which are reserved and long enough that no more
 * than that is ever in use, rather than anywhere. */
void place_within(uint8_t *base, size_t bytes);

/* Copies `bytes` from `from`, unless that is NULL. Ends the program where there is no memory. */
struct placed place(const void *from, size_t bytes, size_t gap);

/* An empty struct is fine. */
void unplace(struct placed *p);

bool place_guards_intact(const struct placed *p);

/* Plain memory, 64-byte aligned, for free(). Ends the program where there is none. */
void *place_alloc(size_t bytes);

#endif
