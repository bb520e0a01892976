/* Lent memory for the suites of the whole daemon: arenas, and jobs whose operands and result lie in
 * them. */
#ifndef TESTS_DAEMON_ARENAS_H
#define TESTS_DAEMON_ARENAS_H

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon_bed.h"
#include "daemon_jobs.h"

enum { ARENA_BYTES = 1 << 20, ARENA_SEALS = F_SEAL_SHRINK | F_SEAL_GROW };

/* Returns owned (close): memory of this size, with these seals. */
int arena_memfd(size_t bytes, int seals);

/* Sends an ARENA_ADD that says so many bytes, with the memfd unless it is -1. */
void arena_send_add(int fd, uint64_t id, uint32_t number, uint64_t bytes, int memfd);

void arena_send_drop(int fd, uint64_t id, uint32_t number);

/* Adds a fresh arena, must work, and returns it mapped (munmap). */
uint8_t *arena_add(int fd, uint32_t number, size_t bytes);

/* A job whose references are still to be sent; operands one after the other, then the result. */
struct lent {
    struct job_case *k; /* borrowed */
    struct wire_ref refs[KERN_IN_MAX + 1];
};

/* Copies the job's operands into the arena mapped at `base`, from `at` on. */
void lent_make(struct lent *l, struct job_case *k, uint32_t arena, uint8_t *base, size_t at);

void lent_send(struct lent *l, int fd, uint64_t id);

/* The answer to it is OK and its bits are right, wherever the result lies. */
void lent_check(const struct lent *l, int fd, uint64_t id, const uint8_t *base);

#endif
