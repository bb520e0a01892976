/* libsimdd: the client library of simdd, one tuned compute service for every process of a host.
 *
 *     struct simdd *s;
 *     int err = simdd_connect(&s, NULL);
 *     struct simdd_job job;
 *     simdd_job_zip(&job, SIMDD_ADD_F32, n, x, y, z);
 *     if (err == 0)
 *         err = simdd_call(s, &job, NULL);
 *     if (err != 0)
 *         fprintf(stderr, "%s\n", err < 0 || !s ? simdd_strerror(err) : simdd_last_error(s));
 *     simdd_close(s);
 *
 * Status    0 is success; a negative number is an errno of this host (-ECONNREFUSED); a positive
 *           one is enum simdd_status, the daemon's refusal. simdd_strerror() knows both.
 * Threads   a handle belongs to one thread at a time and takes no lock; threads that compute at
 *           once have a handle each. Functions without a handle may be called from anywhere.
 * Memory    operands and results stay the caller's. A submitted job borrows them until it
 *           completes: they may be neither written, read (the result) nor freed before.
 * Failure   jobs are pure, so a job whose connection breaks is sent again on a new one, and one
 *           that is turned away as overloaded is sent again later, both a bounded number of
 *           times. Every job that was submitted completes exactly once.
 */
#ifndef SIMDD_H
#define SIMDD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SIMDD_API __attribute__((visibility("default")))
#else
#define SIMDD_API
#endif

#define SIMDD_DEFAULT_SOCKET "/run/simdd/simdd.sock"

struct simdd;

/* The operations. simdd_op_find() knows them by name. */
enum simdd_op {
    SIMDD_ADD_F32 = 1,
    SIMDD_ADD_I32 = 2,
    SIMDD_ADD_U8 = 3,
    SIMDD_MUL_F32 = 4,
    SIMDD_MUL_I32 = 5,
    SIMDD_MUL_U8 = 6,
    SIMDD_MATMUL_F32 = 7,
    SIMDD_MATMUL_I32 = 8,
    SIMDD_MATMUL_U8 = 9,
    SIMDD_CONV2D_F32 = 10,
    SIMDD_CONV2D_I32 = 11,
    SIMDD_CONV2D_U8 = 12,
    SIMDD_HASH_FAST = 13,
    SIMDD_HASH_FNV1A_64 = 14,
    SIMDD_MIX_U32 = 15
};

/* What the daemon answers. 1 to 29: the request is wrong. 30 to 39: its shared memory is wrong.
 * 40 to 49: a module is wrong. 50 to 69: not now. 70 to 79: the daemon failed. 80 and up: a user's
 * function failed. */
enum simdd_status {
    SIMDD_OK = 0,
    SIMDD_BAD_MAGIC = 1,
    SIMDD_BAD_VERSION = 2,
    SIMDD_BAD_TYPE = 3,
    SIMDD_BAD_FLAGS = 4,
    SIMDD_BAD_OP = 5,
    SIMDD_BAD_BACKEND = 6,
    SIMDD_BAD_PRIORITY = 7,
    SIMDD_BAD_SHAPE = 8,
    SIMDD_BAD_PARAMETER = 9,
    SIMDD_SIZE_OVERFLOW = 10,
    SIMDD_BAD_PAYLOAD_BYTES = 11,
    SIMDD_TOO_BIG = 12,
    SIMDD_BAD_JSON = 13,
    SIMDD_BAD_FIELD = 14,
    SIMDD_BAD_VALUE = 15,
    SIMDD_BAD_OFFSETS = 16,
    SIMDD_LINE_TOO_LONG = 17,
    SIMDD_BAD_RESERVED = 18,
    SIMDD_SHAPE_MISMATCH = 19,
    SIMDD_ARENA_NO_FD = 30,
    SIMDD_ARENA_NOT_MEMFD = 31,
    SIMDD_ARENA_UNSEALED = 32,
    SIMDD_ARENA_BAD_SIZE = 33,
    SIMDD_ARENA_EXISTS = 34,
    SIMDD_ARENA_UNKNOWN = 35,
    SIMDD_ARENA_RANGE = 36,
    SIMDD_ARENA_MISALIGNED = 37,
    SIMDD_ARENA_OVERLAP = 38,
    SIMDD_ARENA_LIMIT = 39,
    SIMDD_BAD_NAME = 40,
    SIMDD_MODULE_UNKNOWN = 41,
    SIMDD_FUNCTION_UNKNOWN = 42,
    SIMDD_MODULE_REFUSED = 43,
    SIMDD_MODULE_NOT_ALLOWED = 44,
    SIMDD_MODULE_LIMIT = 45,
    SIMDD_MODULE_TOO_BIG = 46,
    SIMDD_MODULE_UNKEPT = 47,
    SIMDD_MODULE_TIMEOUT = 48,
    SIMDD_OVERLOADED = 50,
    SIMDD_DEADLINE_EXCEEDED = 51,
    SIMDD_SHUTTING_DOWN = 52,
    SIMDD_CANCELLED = 53,
    SIMDD_NO_BACKEND = 70,
    SIMDD_OUT_OF_MEMORY = 71,
    SIMDD_INTERNAL = 72,
    SIMDD_WASM_TRAP = 80,
    SIMDD_WASM_FAILED = 81,
    SIMDD_WASM_TIMEOUT = 82,
    SIMDD_WASM_CRASHED = 83,
    SIMDD_WASM_MEMORY = 84,
    SIMDD_WASM_BAD_IMPORT = 85,
    SIMDD_BAD_RESULT = 86,
    SIMDD_RESULT_TOO_BIG = 87
};

enum simdd_backend { SIMDD_BACKEND_AUTO, SIMDD_BACKEND_NATIVE, SIMDD_BACKEND_WASM };
enum simdd_cache { SIMDD_CACHE_AUTO, SIMDD_CACHE_ALWAYS, SIMDD_CACHE_NEVER };
enum simdd_priority { SIMDD_PRIORITY_NORMAL, SIMDD_PRIORITY_HIGH, SIMDD_PRIORITY_LOW };
enum simdd_border {
    SIMDD_BORDER_KEEP,      /* outside the interior the image is copied */
    SIMDD_BORDER_ZERO,      /* 0 beyond the edge */
    SIMDD_BORDER_REPLICATE, /* aaa|abcd|ddd */
    SIMDD_BORDER_REFLECT101 /* dcb|abcd|cba */
};
enum simdd_rounding { SIMDD_ROUND_NEAREST, SIMDD_ROUND_TRUNCATE };

/* Leading dimensions count elements from one row as stored to the next; 0 means tight. */
struct simdd_matmul {
    uint32_t m, n, k;
    uint32_t lda, ldb, ldc;
    int trans_a, trans_b; /* a is stored as [k,m], b as [n,k] */
    union {
        float f32;
        int32_t i32; /* matmul_u8: the zero point of a, 0 to 255 */
    } alpha;
    union {
        float f32;
        int32_t i32; /* matmul_u8: the zero point of b, 0 to 255 */
    } beta;
};

struct simdd_conv2d {
    uint32_t h, w, channels; /* channels 1, 3 or 4, interleaved */
    uint32_t r, s;           /* rows and columns of the kernel, odd */
    enum simdd_border border;
    enum simdd_rounding rounding; /* conv2d_u8 only */
};

struct simdd_hash {
    uint64_t bytes;
    uint32_t count; /* messages; 0: one message without offsets */
};

/* One job. Fill it with a simdd_job_…() function, then change what differs; a member that is not
 * named there keeps its zero, which always means the usual thing. */
struct simdd_job {
    uint32_t op;
    uint32_t deadline_us; /* from the daemon's receipt of it; 0: none */
    enum simdd_backend backend;
    enum simdd_cache cache;
    enum simdd_priority priority;
    uint32_t zero;
    const void *in[4];
    void *out;
    union {
        uint32_t n; /* zip and map: elements */
        struct simdd_matmul matmul;
        struct simdd_conv2d conv2d;
        struct simdd_hash hash;
        uint64_t room[16]; /* for families to come */
    } u;
};

/* add, mul: x[n], y[n] -> z[n]. z may be exactly x or y. */
SIMDD_API void simdd_job_zip(struct simdd_job *job, uint32_t op, uint32_t n, const void *x,
                             const void *y, void *z);

/* mix: x[n] -> y[n]. y may be exactly x. */
SIMDD_API void simdd_job_map(struct simdd_job *job, uint32_t op, uint32_t n, const void *x,
                             void *y);

/* c[m,n] = a[m,k] b[k,n], row-major; alpha 1, beta 0, zero points 0, tight. With beta set
 * afterwards, in[2] is the c that is added; it may be the same memory as c. */
SIMDD_API void simdd_job_matmul(struct simdd_job *job, uint32_t op, uint32_t m, uint32_t n,
                                uint32_t k, const void *a, const void *b, void *c);

/* image[h,w,channels], kernel[r,s] -> out[h,w,channels]; border keep, rounding nearest. The kernel
 * is float for conv2d_f32 and conv2d_u8, int32_t for conv2d_i32. */
SIMDD_API void simdd_job_conv2d(struct simdd_job *job, uint32_t op, uint32_t h, uint32_t w,
                                uint32_t channels, const void *image, uint32_t r, uint32_t s,
                                const void *kernel, void *out);

/* bytes -> one uint64_t. For many messages in one run of bytes set in[1] to uint64_t offsets
 * [count + 1] and u.hash.count; out then has count elements. */
SIMDD_API void simdd_job_hash(struct simdd_job *job, uint32_t op, const void *bytes,
                              uint64_t byte_count, uint64_t *out);

/* The number of an operation's name, 0 if there is none; the name of a number, or NULL. */
SIMDD_API uint32_t simdd_op_find(const char *name);
SIMDD_API const char *simdd_op_name(uint32_t op);

/* How a job ended. Lives as long as the call that shows it says. */
struct simdd_result {
    void *arg;           /* as given to simdd_submit() */
    int status;          /* 0, -errno or enum simdd_status */
    const char *reason;  /* a sentence; the daemon's own where there is one; "" if status is 0 */
    const char *isa;     /* instruction set that computed it; "" if unknown */
    uint64_t bytes;      /* of the result */
    uint32_t queued_ns;  /* in the daemon: from arrival to the start of the run; saturates */
    uint32_t ran_ns;     /* of the run; saturates */
    uint32_t sent_count; /* times that it was sent */
    int cached;          /* the result came from the cache */
    int in_arena;        /* operands were read in place from shared memory */
};

/**
 * Connects to a daemon.
 * path    of its socket; NULL: $SIMDD_SOCKET, or SIMDD_DEFAULT_SOCKET if that is not set
 * Returns 0 and an owned handle, or -ENOENT, -ECONNREFUSED (nobody listens), -EACCES,
 * -ENAMETOOLONG, -ENOMEM, ...; then *out is NULL.
 */
SIMDD_API int simdd_connect(struct simdd **out, const char *path);

/* Ends the connection. Jobs still in flight complete with -ECANCELED first; memory from
 * simdd_alloc() goes. Not from a completion callback. NULL is fine. */
SIMDD_API void simdd_close(struct simdd *s);

enum simdd_option {
    SIMDD_OPT_RECONNECTS = 1,       /* attempts in a row to get a broken connection back; 8 */
    SIMDD_OPT_RECONNECT_US = 2,     /* pause before the second attempt, then doubled; 5000 */
    SIMDD_OPT_RESENDS = 3,          /* times that one job is sent again after a break; 3 */
    SIMDD_OPT_OVERLOAD_RETRIES = 4, /* times that one job is sent again after OVERLOADED or
                                       SHUTTING_DOWN, when the daemon's pause is over; 100 */
    SIMDD_OPT_ARENA_KEEP_BYTES = 5  /* freed shared memory that is kept for reuse; 256 MiB */
};

/* Returns 0 or -EINVAL: no such option. 0 turns off what the option counts. */
SIMDD_API int simdd_set(struct simdd *s, enum simdd_option option, uint64_t value);

/**
 * Runs one job and waits for it; other jobs in flight go on meanwhile.
 * result  NULL, or filled in; its reason lives until the next call on the handle
 * Returns the job's status. Not from a completion callback (-EBUSY).
 */
SIMDD_API int simdd_call(struct simdd *s, const struct simdd_job *job,
                         struct simdd_result *result);

/* Called once for a job, from simdd_process(), simdd_wait(), simdd_call() or simdd_close(). It may
 * submit; it may not call those four. `result` lives until it returns. */
typedef void simdd_done_fn(struct simdd *s, const struct simdd_result *result);

/**
 * Queues a job. It is sent by the next simdd_process(), simdd_flush() or simdd_wait(), together
 * with all that were queued before, or at once when enough have gathered.
 * job    copied; what it points to is borrowed until it completes
 * done   called when it completes; NULL: simdd_take() hands the completion out
 * Returns 0; or why the job can never run (-EINVAL, SIMDD_BAD_SHAPE, ..., with simdd_last_error()
 * naming the field), and then it does not complete.
 */
SIMDD_API int simdd_submit(struct simdd *s, const struct simdd_job *job, simdd_done_fn *done,
                           void *arg);

/* ---- users' functions ---- */

enum simdd_type { SIMDD_F32, SIMDD_I32, SIMDD_U32, SIMDD_U8, SIMDD_U64 };

/* Row-major, without gaps. */
struct simdd_array {
    void *data;
    enum simdd_type type;
    uint32_t rank; /* 1 to 4 */
    uint32_t dim[4];
};

/* A call of a function in a module that somebody added. Fill it with simdd_function_init(), then
 * set what it needs; a member that is left zero means the usual thing. */
struct simdd_function {
    const char *name; /* "MODULE/FUNCTION" */
    uint32_t deadline_us;
    enum simdd_cache cache;
    enum simdd_priority priority;
    uint32_t in_count;        /* 1 to 3 */
    struct simdd_array in[3]; /* only read; those behind in_count are not looked at */
    /* The result: type and shape, and memory for it; or all zero, and the module says what it is:
     * then, when the call completes with status 0, type and shape are filled in and `data` is owned
     * by the caller (free). */
    struct simdd_array *out;
    uint32_t param_count; /* 0 to 8 */
    double param[8];
    uint64_t room[8]; /* for what is to come */
};

/* `in_count` arrays from `in` are copied. */
SIMDD_API void simdd_function_init(struct simdd_function *f, const char *name, uint32_t in_count,
                                   const struct simdd_array *in, struct simdd_array *out);

/* As simdd_call(). SIMDD_WASM_FAILED: it answered an error; the reason has its number and words. */
SIMDD_API int simdd_function_call(struct simdd *s, const struct simdd_function *f,
                                  struct simdd_result *result);

/* As simdd_submit(). *f is copied, with its name; its `out` is borrowed until it completes. */
SIMDD_API int simdd_function_submit(struct simdd *s, const struct simdd_function *f,
                                    simdd_done_fn *done, void *arg);

enum { SIMDD_MODULE_ALL = 1 }; /* for all users; root only */

/**
 * Adds a WebAssembly module, or replaces the one of that name all at once: calls that run keep the
 * old one.
 * name   1 to 63 of A-Z a-z 0-9 _ . -, not beginning with a point
 * flags  0 or SIMDD_MODULE_ALL
 * Returns a status: SIMDD_MODULE_REFUSED (the reason says why), SIMDD_MODULE_LIMIT, ...
 */
SIMDD_API int simdd_module_add(struct simdd *s, const char *name, const void *bytes,
                               size_t byte_count, unsigned flags);

/* Removes one's own, or the one for all. Returns a status. */
SIMDD_API int simdd_module_remove(struct simdd *s, const char *name, unsigned flags);

/* What one may call, as a JSON array; one module as a JSON object, with its functions. Returns a
 * status; on success *text is owned (free) and terminated. */
SIMDD_API int simdd_module_list(struct simdd *s, char **text);
SIMDD_API int simdd_module_show(struct simdd *s, const char *name, char **text);

/* ---- sending and waiting ---- */

/* Sends what is queued as far as the socket takes it now. 0, or -errno: the connection broke, and
 * simdd_process() will get it back. */
SIMDD_API int simdd_flush(struct simdd *s);

/**
 * Sends, receives, reconnects and retries: whatever can be done now.
 * timeout_ms  waits up to so long for a job to complete; 0: does not wait; -1: no limit
 * Returns how many jobs completed; 0 after the timeout or if none is in flight; -EBUSY from a
 * completion callback; another -errno if waiting itself failed.
 */
SIMDD_API int simdd_process(struct simdd *s, int timeout_ms);

/* Waits until no job is in flight: 0, or -errno as simdd_process(). */
SIMDD_API int simdd_wait(struct simdd *s);

/* Hands out the oldest completion of a job without a callback: 1 and *result, or 0 if there is
 * none. The reason lives until the next call on the handle. */
SIMDD_API int simdd_take(struct simdd *s, struct simdd_result *result);

/* Jobs submitted and not complete. */
SIMDD_API size_t simdd_in_flight(const struct simdd *s);

/* For an event loop of one's own: readable (POLLIN) when simdd_process(s, 0) has something to do.
 * The handle's; stays the same for its life, over reconnections too. */
SIMDD_API int simdd_fd(const struct simdd *s);

/**
 * Memory that the daemon maps too. A job whose operands all lie in it sends offsets instead of
 * bytes, by itself; so does its result. Operands of up to 16 KiB may lie elsewhere. Worth it from
 * about 256 KiB. Pages come zeroed or, when reused, as they were.
 * Returns owned by the handle: at least `bytes`, page-aligned; or NULL with the errno in *err
 * (may be NULL).
 */
SIMDD_API void *simdd_alloc(struct simdd *s, size_t bytes, int *err);

/* Gives it back. No job in flight may use it. NULL is fine. */
SIMDD_API void simdd_free(struct simdd *s, void *p);

/* One round trip without a job. Returns a status. */
SIMDD_API int simdd_ping(struct simdd *s);

enum simdd_metrics { SIMDD_METRICS_JSON, SIMDD_METRICS_PROMETHEUS, SIMDD_METRICS_OPENMETRICS };

/* What the daemon counts, as text. Returns a status; on success *text is owned (free) and
 * terminated. */
SIMDD_API int simdd_metrics(struct simdd *s, enum simdd_metrics form, char **text);

/* The sentence of the handle's latest failure, "" if there was none; lives until the next call. */
SIMDD_API const char *simdd_last_error(const struct simdd *s);

/* The sentence of a status of either sign; the wire name of a positive one ("overloaded") or the
 * name of an errno ("ECONNREFUSED"). Both are constants. */
SIMDD_API const char *simdd_strerror(int status);
SIMDD_API const char *simdd_status_name(int status);

/* The library's version, "0.1.0". */
SIMDD_API const char *simdd_version(void);

#ifdef __cplusplus
}
#endif

#endif
