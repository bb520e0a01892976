/* An array in memory: what simdctl reads from a file and writes to one. */
#ifndef CLIENT_TENSOR_H
#define CLIENT_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(NAME, name, npy descr, bytes) */
#define TENSOR_TYPES(X)                                                                            \
    X(F32, "f32", "<f4", 4)                                                                        \
    X(I32, "i32", "<i4", 4)                                                                        \
    X(U8, "u8", "|u1", 1)                                                                          \
    X(U32, "u32", "<u4", 4)                                                                        \
    X(U64, "u64", "<u8", 8)

enum tensor_type {
#define X(upper, name, descr, bytes) TENSOR_##upper,
    TENSOR_TYPES(X)
#undef X
    TENSOR_TYPE_COUNT
};

enum { TENSOR_DIMS_MAX = 32 }; /* as many as numpy has */

struct tensor_shape {
    enum tensor_type type;
    unsigned dim_count; /* 0: a single number */
    size_t dim[TENSOR_DIMS_MAX];
    bool fortran; /* the first index runs fastest */
};

struct tensor {
    struct tensor_shape shape;
    size_t count, bytes; /* elements, and what they take */
    void *data;          /* owned; see load_free() */
    bool shared;         /* it is lent memory */
};

const char *tensor_type_name(enum tensor_type type);
size_t tensor_type_bytes(enum tensor_type type);

/* false if no type has that name. */
bool tensor_type_find(enum tensor_type *type, const char *name);

/* false if the sizes overflow. */
bool tensor_measure(struct tensor *t);

bool tensor_same_dims(const struct tensor_shape *a, const struct tensor_shape *b);

/* "3x4", "scalar"; cut to fit. Returns buffer. */
char *tensor_print_dims(char *buffer, size_t cap, const struct tensor_shape *shape);

#endif
