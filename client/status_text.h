/* The daemon's metrics as a page for people. */
#ifndef CLIENT_STATUS_TEXT_H
#define CLIENT_STATUS_TEXT_H

#include <stdio.h>

/**
 * Prints the JSON form of the metrics as a page. What the daemon does not tell is left out.
 * eol  ends each line: "\n", or with an escape that clears the rest of it
 * Returns 0, or -EINVAL: it is not a JSON object.
 */
int status_text_print(FILE *to, const char *json, const char *eol);

#endif
