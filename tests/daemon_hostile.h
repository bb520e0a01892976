/* For suites of modules at the whole daemon: one with tight limits, and the module "m", whose
 * functions do what they should not. */
#ifndef TESTS_DAEMON_HOSTILE_H
#define TESTS_DAEMON_HOSTILE_H

#include <stdint.h>

#include "daemon_bed.h"

/* As modules_open(), with the limits: functions run 300 ms, files have 4 MiB, each user 8 modules.
 * The socket is for all of root's group. */
void hostile_open(struct bed *b);

/* The books must balance. */
void hostile_close(struct bed *b);

/* Adds hostile_run() as "m". */
void hostile_add_run(int fd);

extern const uint8_t hostile_operand[64];

/* A wasm job and a native one go through: this user and others are served. */
void hostile_expect_served(const struct bed *b, int fd);

#endif
