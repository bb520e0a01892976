/* What crosses between the daemon and a user's simdd-wasm process: the only header both include.
 *
 * The daemon starts the process with one end of a SOCK_SEQPACKET pair at HOST_FD. Over it go
 * messages (struct host_msg one way, struct host_reply the other, each request answered once, in
 * order, one at a time) with descriptors beside them. Jobs do not go over it: each worker has its
 * lane, a ring of tasks in the control memory that both sides map, and its partner thread, which
 * runs them in order.
 *
 * Everything the process writes is untrusted: the daemon copies what it reads once, and checks it.
 */
#ifndef WASM_HOST_TASK_H
#define WASM_HOST_TASK_H

#include <stdatomic.h>
#include <stdint.h>

#include "kernels/kern.h"

/* Compiled forms of another engine are of no use. */
#define HOST_ENGINE "wasmtime48"

enum { HOST_VERSION = 1, HOST_FD = 3, HOST_REASON_BYTES = 240 };

/* A guest's 4 GiB address space, the same in every instance of one process:
 *
 *   0                 the module's own memory, up to its maximum or WINDOW_CALL
 *   WINDOW_CALL       private pages through which the host passes one call's description
 *   WINDOW_SEGMENT    the user's payload segment: operands, results and scratch of inline jobs
 *   WINDOW_ARENAS     arenas, where the daemon says
 *   WINDOW_END        never mapped, so that one byte behind the last arena is a trap
 *
 * Whatever is not mapped has no access: a touch there is a trap. */
#define WINDOW_CALL       0x3fff0000u
#define WINDOW_CALL_BYTES 0x00008000u /* followed by as much that is never mapped */
#define WINDOW_SEGMENT    0x40000000u
#define WINDOW_ARENAS     0x80000000u
#define WINDOW_END        0xffff0000u
#define WINDOW_BYTES      ((uint64_t)1 << 32)

/* ---- tasks ---- */

enum host_task_kind {
    HOST_TASK_KERNEL = 1, /* one range of one phase of a daemon's op, in the kernels' module */
    HOST_TASK_CALL = 2,   /* a function of a user's module, units [begin, end) of it */
    HOST_TASK_UNITS = 3,  /* how many units that call has: value */
    HOST_TASK_SHAPE = 4   /* type and shape of its result: result */
};

/* One operand or result of a call; `at` and every address below is a window address. */
struct host_array {
    uint32_t at;
    uint32_t type; /* enum kern_type */
    uint32_t rank; /* 1 to 4 */
    uint32_t dim[4];
    uint32_t bytes;
};

/* A kernel's arguments in fixed widths: also what the kernels' module reads. 0 is NULL. */
struct host_kernel {
    uint32_t op;  /* enum kern_op */
    uint32_t isa; /* KERN_ISA_WASM128 or KERN_ISA_WASM128R */
    uint32_t in[KERN_IN_MAX];
    uint32_t out;
    uint32_t shared, scratch;
    uint32_t phase;
    uint32_t begin, end; /* units */
    uint32_t n;          /* zip, map; hash: n_bytes */
    uint32_t count;      /* hash */
    union {
        struct kern_matmul matmul;
        struct kern_conv2d conv2d;
    } u;
};

enum { HOST_PARAMS_MAX = 8 };

struct host_call {
    uint32_t module;   /* number from HOST_MSG_MODULE */
    uint32_t function; /* index into its function list */
    uint32_t in_count, param_count;
    struct host_array in[KERN_IN_MAX];
    struct host_array out;
    uint32_t begin, end;
    double param[HOST_PARAMS_MAX];
};

/* How a task ended. */
enum host_status {
    HOST_OK,
    HOST_FAILED,       /* the function answered an error number of its own: value, reason */
    HOST_TRAP_MEMORY,  /* an access outside everything that is mapped */
    HOST_TRAP_STACK,   /* recursion without end */
    HOST_TRAP_CODE,    /* unreachable code, a bad indirect call, a cast that does not fit */
    HOST_TRAP_MATH,    /* division by zero, integer overflow */
    HOST_BAD_IMPORT,   /* a pointer or shape handed to one of the daemon's ops is wrong: reason */
    HOST_BAD_SHAPE,    /* the module describes a result that cannot be: reason */
    HOST_NO_MEMORY,    /* an instance could not be made within the limits: reason */
    HOST_NO_FUNCTION,  /* no such module or function here */
    HOST_INTERNAL,     /* reason */
    HOST_STATUS_COUNT
};

/* A slot of a lane. The daemon fills it before it moves `pushed`; the partner fills the second part
 * before it moves `done`. */
struct host_task {
    uint32_t kind;
    uint32_t zero;
    union {
        struct host_kernel kernel;
        struct host_call call;
    } u;
    /* the partner's */
    uint32_t status; /* enum host_status */
    int32_t value;
    uint64_t copied; /* bytes of operands and results that the host copied: 0 */
    struct host_array result;
    char reason[HOST_REASON_BYTES]; /* UTF-8, terminated; empty if the status says it all */
};

enum { HOST_LANE_TASKS = 64 }; /* a power of two */

/* pushed and done count tasks and wrap; task i lies in slot i % HOST_LANE_TASKS. Either side
 * sleeps with a shared futex on the other's counter, after it has set its own *_sleeps to 1; who
 * moves a counter exchanges the other's *_sleeps with 0 and wakes it if it was 1. */
struct host_lane {
    _Alignas(64) _Atomic uint32_t pushed; /* by the worker */
    _Atomic uint32_t worker_sleeps;
    _Alignas(64) _Atomic uint32_t done;   /* by the partner */
    _Atomic uint32_t partner_sleeps;
    struct host_task task[HOST_LANE_TASKS];
};

/* ---- messages ---- */

enum host_msg_type {
    /* Descriptors: control memory (workers x struct host_lane), payload segment, kernels' module,
     * and, if it is on disk, its compiled form. Always the first. The reply says compile_ns and
     * from_disk; a memfd with the compiled form to keep comes beside it if it was compiled anew.
     * After it the process is inside its filters. */
    HOST_MSG_START = 1,
    /* Maps a sealed memfd at `at` in every window. Descriptor: the memfd. */
    HOST_MSG_MAP = 2,
    HOST_MSG_UNMAP = 3,
    /* Loads a user's module as `number`. Descriptors: its bytes, and its compiled form if it is on
     * disk. Reply as for START; a refused module has its reason. Beside the reply, last: a memfd
     * with the list of its functions, one struct host_function each, value of them. */
    HOST_MSG_MODULE = 4,
    HOST_MSG_MODULE_DROP = 5
};

struct host_msg {
    uint32_t type;
    uint32_t number;      /* module */
    uint32_t at;          /* MAP, UNMAP: window address, a multiple of 64 KiB */
    uint32_t workers;     /* START */
    uint64_t bytes;       /* START: of the segment; MAP, UNMAP: of the mapping; MODULE: the file */
    /* START: limits that the process keeps itself */
    uint32_t version;
    uint32_t spin_ns;     /* a partner looks for work so long before it sleeps */
    uint64_t memory_max;  /* of one instance's own memory */
    uint32_t compiled_has; /* START, MODULE: a compiled form comes along */
    uint32_t zero;
};

enum host_reply_status {
    HOST_REPLY_OK,
    HOST_REPLY_REFUSED,  /* the module is not valid, or asks for what there is not: reason */
    HOST_REPLY_FAILED    /* the process cannot do it (no memory, no address space): reason */
};

struct host_reply {
    uint32_t status;
    uint32_t value;       /* MODULE: functions */
    uint64_t compile_ns;  /* 0 if the compiled form was used */
    uint32_t from_disk;   /* the compiled form that came along was used */
    uint32_t stale;       /* one came along, and was damaged or made for something else */
    uint32_t compiled;    /* a memfd with the compiled form comes beside this */
    uint32_t zero;
    uint64_t compiled_bytes;
    char reason[HOST_REASON_BYTES];
};

/* One function of a user's module, as the ABI of wasm/guest/simdd.h finds it. */
struct host_function {
    char name[64]; /* terminated */
    uint8_t splits; /* it exports its units */
    uint8_t shapes; /* it exports its result's shape */
    uint8_t zero[6];
};

#endif
