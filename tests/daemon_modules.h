/* What suites of the whole daemon need for modules and their processes. */
#ifndef TESTS_DAEMON_MODULES_H
#define TESTS_DAEMON_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "daemon_bed.h"

/* bed_open() with two workers and a folder for modules, which stays until bed_remove(). */
void modules_open(struct bed *b, const char *config);

/* bed_start() with the same, for a daemon that was stopped. */
bool modules_start(struct bed *b);

/* That folder. */
void modules_state_dir(const struct bed *b, char path[static 64]);

/* SIGKILL for a simdd-wasm process of the daemon; false if there is none. */
bool modules_kill_host(const struct bed *b);

/* Turns over a bit in the middle of every compiled form. */
void modules_damage_compiled(const struct bed *b);

/* Sends a MODULE_ADD; its answer is still to be received. */
void modules_send_add(int fd, uint64_t id, const char *name, const void *file, size_t bytes,
                      bool for_all);

/* Adds it: must go well. */
void modules_add(int fd, const char *name, const void *file, size_t bytes);

/* A request of a name alone: MODULE_SHOW, MODULE_REMOVE. */
void modules_send_name(int fd, uint64_t id, enum wire_type type, const char *name,
                       size_t name_bytes);

/* Sends a call with one operand of bytes (u8[n]) and these parameters. The result is as large. */
void modules_send_call(int fd, uint64_t id, const char *name, const void *operand, uint32_t n,
                       const double *params, uint32_t param_count);

/* The same with an operand of n bytes at the beginning of an arena; the result comes inline. */
void modules_send_call_in_arena(int fd, uint64_t id, const char *name, uint32_t arena, uint32_t n);

/* Receives an answer to `id` that is an error, with `words` somewhere in its text (NULL: any). */
void modules_expect_error(int fd, uint64_t id, enum wire_status status, const char *words);

#endif
