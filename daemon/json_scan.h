/* A look at a JSON line before the parser takes it: how deep it nests and where its id is, so that
 * even a line that will be refused is answered under its own id. */
#ifndef DAEMON_JSON_SCAN_H
#define DAEMON_JSON_SCAN_H

#include <stddef.h>

struct json_scan {
    const char *id; /* borrowed from the line: the first top-level "id" as it stands; NULL: none */
    size_t id_bytes;
};

/**
 * Reads the line once, without recursion or allocation. It need not be JSON; what is found is
 * then what a reader would take for it.
 * Returns 0, or -E2BIG at the first value nested deeper than max_depth; *out is written anyway.
 */
int json_scan(struct json_scan *out, const char *line, size_t line_bytes, unsigned max_depth);

#endif
