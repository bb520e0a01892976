/* What the suites of json_job.h share: memory to parse into, and lines parsed so that a read behind
 * them is seen. */
#ifndef TESTS_JSON_JOB_BED_H
#define TESTS_JSON_JOB_BED_H

#include <stddef.h>

#include "json_job.h"
#include "pool.h"

#define JOB_MAX_BYTES ((size_t)1 << 20)
#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

/* How a line with operands begins, by op. */
#define ADD "{\"op\":\"add_f32\","
#define MM "{\"op\":\"matmul_f32\","
#define MM8 "{\"op\":\"matmul_u8\",\"a\":[[1]],\"b\":[[1]],"
#define CONV "{\"op\":\"conv2d_u8\","
#define HASH "{\"op\":\"hash_fast\","

struct json_bed {
    struct pool *pool;
    struct pool_local *local;
};

void bed_open(struct json_bed *b);

/* Whatever a test parsed, it must have given back. */
void bed_close(struct json_bed *b);

/* Parses from memory of exactly the line's size. */
enum wire_status bed_parse_bytes(const struct json_bed *b, struct json_request *r,
                                 char field[static 64], const char *line, size_t bytes,
                                 size_t max_bytes);

/* The same for a string and JOB_MAX_BYTES. */
enum wire_status bed_parse(const struct json_bed *b, struct json_request *r, char field[static 64],
                           const char *line);

/* Gives back what a line was parsed to, refused or not. */
void bed_drop(const struct json_bed *b, struct json_request *r);

#endif
