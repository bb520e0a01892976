/* What the process gives up, before it touches a module. */
#ifndef WASM_HOST_SANDBOX_H
#define WASM_HOST_SANDBOX_H

#include <stdint.h>

/* First thing: other descriptors than 0, 1, 2 and `socket`, signals of the terminal, new
 * privileges, core files; ends with its parent. Returns 0 or a negative errno. */
int sandbox_begin(int socket);

/* Limits of what it may take from the machine. data_bytes: private memory that can be written. */
int sandbox_limit(uint64_t data_bytes);

/* Files: none, if the kernel has Landlock. Holds for the calling thread and those it starts.
 * Returns 0 also on a kernel without it. */
int sandbox_files(void);

/* System calls: only those that running and compiling modules takes, in all threads. Another one
 * ends the process. After this no thread can be started. */
int sandbox_calls(void);

#endif
