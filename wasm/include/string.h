/* What the kernels use of <string.h>. The module has no C library: the compiler makes instructions
 * of these. */
#ifndef WASM_INCLUDE_STRING_H
#define WASM_INCLUDE_STRING_H

#define memcpy __builtin_memcpy
#define memset __builtin_memset

#endif
