/* What crosses between the host and a user's module: wasm/guest/simdd.h with the guest's pointers
 * as the numbers that they are. Version 1. */
#ifndef WASM_HOST_GUEST_H
#define WASM_HOST_GUEST_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "wasm/host/task.h"

enum { GUEST_VERSION = 1 };

/* One call, at WINDOW_CALL while it runs. */
struct guest_call {
    uint32_t version;
    uint32_t in_count;
    struct host_array in[KERN_IN_MAX];
    struct host_array out;
    uint32_t begin, end; /* units */
    uint32_t param_count;
    uint32_t zero;
    double param[HOST_PARAMS_MAX];
    char reason[HOST_REASON_BYTES];
};

/* What a module hands to one of the daemon's ops. Flags are bytes here: a guest may put any number
 * where C allows a bool two. */
struct guest_matmul {
    uint32_t m, n, k;
    uint32_t lda, ldb, ldc; /* 0: rows without gaps */
    uint8_t trans_a, trans_b, zero[2];
    uint32_t alpha, beta; /* bits */
};

struct guest_conv2d {
    uint32_t h, w, channels;
    uint32_t r, s;
    uint32_t border, rounding;
};

struct guest_op {
    uint32_t in[KERN_IN_MAX];
    uint32_t out;
    uint32_t n;     /* elements; hash: bytes */
    uint32_t count; /* hash: messages */
    union {
        struct guest_matmul matmul;
        struct guest_conv2d conv2d;
    } u;
};

static_assert(sizeof(struct host_array) == 32, "as in the guest");
static_assert(offsetof(struct guest_call, param) == 152, "as in the guest");
static_assert(sizeof(struct guest_call) == 456, "as in the guest");
static_assert(sizeof(struct guest_matmul) == sizeof(struct kern_matmul), "as in the guest");
static_assert(sizeof(struct guest_conv2d) == sizeof(struct kern_conv2d), "as in the guest");
static_assert(offsetof(struct guest_op, u) == 24, "as in the guest");
static_assert(sizeof(struct guest_call) <= WINDOW_CALL_BYTES, "it fits");

#endif
