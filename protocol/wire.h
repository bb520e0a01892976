/* The socket protocol in bytes, shared by the daemon and libsimdd. docs/protocol.md tells it in
 * prose, with examples.
 *
 * Both directions carry frames: a header of 64 bytes, little-endian, then payload_bytes of
 * payload, always a multiple of 8. So every frame and every operand starts at a multiple of 8 in
 * the stream. A connection whose first byte is '{' speaks JSON lines instead.
 */
#ifndef PROTOCOL_WIRE_H
#define PROTOCOL_WIRE_H

#include <stddef.h>
#include <stdint.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the wire structs are used in place; a big-endian host would need to swap them"
#endif

#define WIRE_MAGIC 0x44444d53u /* the bytes "SMDD" */
enum { WIRE_VERSION = 1, WIRE_HEADER_BYTES = 64, WIRE_ALIGN = 8 };

enum wire_type {
    WIRE_JOB = 1,
    WIRE_PING = 2,       /* no payload; answered OK */
    WIRE_METRICS = 3,    /* arg[0]: enum wire_metrics; the answer's payload is the text */
    WIRE_ARENA_ADD = 4,  /* arg[0]: number; arg[1], arg[2]: size, low and high word; one memfd */
    WIRE_ARENA_DROP = 5, /* arg[0]: number */
    WIRE_CALL = 6,       /* a function of a user's module: a job with struct wire_call in front */
    /* arg[0]: bytes of the module's name, with which the payload begins, padded to 8. ADD, REMOVE:
     * arg[1]: enum wire_module. ADD: arg[2]: bytes of the file, which comes behind the name. */
    WIRE_MODULE_ADD = 7,    /* a module of that name is replaced; calls that run keep the old one */
    WIRE_MODULE_LIST = 8,   /* no name; the answer's payload is JSON, and so is that of */
    WIRE_MODULE_SHOW = 9,
    WIRE_MODULE_REMOVE = 10,
    WIRE_ANSWER = 0x80   /* or-ed to the request's type */
};

enum wire_module {
    WIRE_MODULE_OWN,
    WIRE_MODULE_ALL /* for all users; root only */
};

enum wire_metrics { WIRE_METRICS_JSON, WIRE_METRICS_PROMETHEUS, WIRE_METRICS_OPENMETRICS };

/* Flags of a request. All other bits are zero. */
enum {
    WIRE_F_ARENA = 0x0001,   /* the payload is struct wire_ref, one per operand, then the result */
    WIRE_F_TRANS_A = 0x0002, /* matmul */
    WIRE_F_TRANS_B = 0x0004, /* matmul */
    WIRE_F_CACHE_SHIFT = 4,  /* two bits: enum wire_cache */
    WIRE_F_CACHE_MASK = 0x0030
};
enum wire_cache { WIRE_CACHE_AUTO, WIRE_CACHE_ALWAYS, WIRE_CACHE_NEVER };
enum wire_backend { WIRE_BACKEND_AUTO, WIRE_BACKEND_NATIVE, WIRE_BACKEND_WASM };
enum wire_priority { WIRE_PRIORITY_NORMAL, WIRE_PRIORITY_HIGH, WIRE_PRIORITY_LOW };

/* Flags of an answer. */
enum {
    WIRE_A_CACHED = 0x0001,
    WIRE_A_IN_ARENA = 0x0002,
    WIRE_A_TYPE_SHIFT = 8, /* four bits: enum kern_type of a call's result */
    WIRE_A_TYPE_MASK = 0x0f00,
    WIRE_A_RANK_SHIFT = 12, /* three bits: its rank, 1 to WIRE_RANK_MAX; 0: no call */
    WIRE_A_RANK_MASK = 0x7000
};

/* arg[] of a job by family; arguments not named are 0.
 *   zip, map   n
 *   matmul     m n k lda ldb ldc alpha beta    a leading dimension of 0 means tight;
 *              alpha, beta: bits of f32 or i32; matmul_u8: the zero points of a and b
 *   conv2d     h w channels r s border rounding
 *   hash       count, bytes low word, bytes high word; count 0: one message, no offsets operand
 * and of a call: operands (1 to 3), params (0 to 8), bytes of the name, whether the result is told
 */
struct wire_request {
    uint32_t magic;
    uint8_t version;
    uint8_t type;
    uint16_t flags;
    uint64_t id; /* the client's; comes back with the answer */
    uint64_t payload_bytes;
    uint16_t op;
    uint8_t backend;
    uint8_t priority;
    uint32_t deadline_us; /* from arrival; 0: none */
    uint32_t arg[8];
};

struct wire_answer {
    uint32_t magic;
    uint8_t version;
    uint8_t type; /* WIRE_ANSWER | type of the request */
    uint16_t flags;
    uint64_t id;
    uint64_t payload_bytes; /* result_bytes rounded up to a multiple of 8, zeros behind */
    uint16_t status;        /* status.def; if not OK the payload is a sentence in UTF-8 */
    uint16_t isa;           /* enum kern_isa that computed it */
    uint32_t retry_after_us;
    uint64_t result_bytes;
    uint32_t queued_ns;  /* from arrival to the start of its run; saturates, like ran_ns */
    uint32_t ran_ns;
    uint32_t dim[4]; /* of a call's result, the first so many as its rank; the rest is 0 */
};

/* Messages of one hash job: their offsets are looked at before it is taken. */
enum { WIRE_MESSAGES_MAX = 1 << 20 };

/* Where an operand or the result lies. */
struct wire_ref {
    uint32_t arena; /* WIRE_INLINE for a result that comes back in the answer */
    uint32_t zero;
    uint64_t offset; /* bytes, a multiple of 8 */
};
#define WIRE_INLINE 0xffffffffu

/* A call's payload: struct wire_call; the name "MODULE/FUNCTION", padded to 8; then the operands,
 * each padded to 8, or the references. */
enum { WIRE_RANK_MAX = 4, WIRE_CALL_IN_MAX = 3, WIRE_PARAMS_MAX = 8, WIRE_NAME_MAX = 63 };

struct wire_array {
    uint8_t type; /* enum kern_type */
    uint8_t rank; /* 1 to WIRE_RANK_MAX */
    uint16_t zero;
    uint32_t dim[WIRE_RANK_MAX]; /* row-major, without gaps; those from rank on are 0 */
};

struct wire_call {
    struct wire_array in[WIRE_CALL_IN_MAX]; /* those from arg[0] on are zero */
    struct wire_array out;                  /* zero unless arg[3] is 1 */
    double param[WIRE_PARAMS_MAX];          /* those from arg[1] on are zero */
};

_Static_assert(sizeof(struct wire_request) == WIRE_HEADER_BYTES, "no padding in the header");
_Static_assert(sizeof(struct wire_answer) == WIRE_HEADER_BYTES, "no padding in the header");
_Static_assert(sizeof(struct wire_ref) == 16, "no padding in a reference");
_Static_assert(sizeof(struct wire_call) == 144, "no padding in a call");

enum wire_status {
#define STATUS(code, upper, name, sentence) WIRE_##upper = code,
#include "status.def"
#undef STATUS
};

/* The wire name of a status, "unknown" for a number that is not in the table. */
const char *wire_status_name(unsigned status);

/* Its sentence, likewise. */
const char *wire_status_sentence(unsigned status);

#endif
