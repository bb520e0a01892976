/* Numbers for people. Each writes into a buffer of HUMAN_BYTES and returns it. */
#ifndef CLIENT_HUMAN_H
#define CLIENT_HUMAN_H

#include <stdint.h>

enum { HUMAN_BYTES = 32 };

char *human_ns(char out[static HUMAN_BYTES], double ns);         /* "12.3 us" */
char *human_bytes(char out[static HUMAN_BYTES], double bytes);   /* "12.3 MiB" */
char *human_count(char out[static HUMAN_BYTES], double count);   /* "1,234,567", "12.3 M" */
char *human_seconds(char out[static HUMAN_BYTES], double seconds); /* "3 d 4 h", "12 s" */

#endif
