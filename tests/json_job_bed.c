/* Lines for the suites of json_job.h, parsed. */
#include "config.h"

#include "json_job_bed.h"

#include <stdlib.h>
#include <string.h>

#include <check.h>

void bed_open(struct json_bed *b)
{
    ck_assert_int_eq(pool_new(&b->pool, (size_t)64 << 20, 0), 0);
    ck_assert_int_eq(pool_local_new(&b->local, b->pool), 0);
}

void bed_close(struct json_bed *b)
{
    struct pool_stats stats;
    pool_stats(b->pool, &stats);
    ck_assert_uint_eq(stats.used_bytes, 0);
    pool_local_free(b->local);
    pool_free(b->pool);
}

enum wire_status bed_parse_bytes(const struct json_bed *b, struct json_request *r,
                                 char field[static 64], const char *line, size_t bytes,
                                 size_t max_bytes)
{
    char *exact = malloc(bytes > 0 ? bytes : 1);
    ck_assert_ptr_nonnull(exact);
    memcpy(exact, line, bytes);
    memset(field, 'x', 64);
    enum wire_status status = json_job_parse(r, field, exact, bytes, max_bytes, b->local);
    ck_assert_ptr_nonnull(memchr(field, '\0', 64));
    if (status != WIRE_OK) {
        ck_assert_ptr_null(r->payload);
        ck_assert_ptr_null(r->call);
    }
    free(exact);
    return status;
}

enum wire_status bed_parse(const struct json_bed *b, struct json_request *r, char field[static 64],
                           const char *line)
{
    return bed_parse_bytes(b, r, field, line, strlen(line), JOB_MAX_BYTES);
}

void bed_drop(const struct json_bed *b, struct json_request *r)
{
    buf_put(b->local, r->payload);
    call_free(r->call);
    free(r->id_text);
}
