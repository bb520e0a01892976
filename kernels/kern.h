/* The kernels: what is computed, for one ISA at a time.
 *
 * A kernel is a pure function over memory that its caller owns. It knows no jobs, threads, logs
 * or configuration; it never allocates and never fails. Whoever calls it has checked shapes,
 * sizes and overlap before.
 *
 * An op runs in phases. Each phase has a number of units (elements, rows, messages, tiles) and
 * any split of [0, units) into ranges, run in any order on any threads, gives the same bits. A
 * phase starts only when the one before it has ended. Most ops have one phase; a large matmul
 * packs b in one phase and multiplies in the next.
 */
#ifndef KERNELS_KERN_H
#define KERNELS_KERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum kern_op {
    KERN_OP_NONE = 0,
#define OP(id, name, family, in, out, tolerance, ps, help) KERN_OP_##name = id,
#include "ops.def"
#undef OP
    KERN_OP_END
};

/* Instruction sets, weakest first within one architecture. */
#define KERN_ISAS(X)                                                                               \
    X(SCALAR, scalar)                                                                              \
    X(SSE4, sse4)                                                                                  \
    X(AVX2, avx2)                                                                                  \
    X(AVX512, avx512)                                                                              \
    X(NEON, neon)                                                                                  \
    X(WASM128, wasm128)                                                                            \
    X(WASM128R, wasm128r)

enum kern_isa {
#define X(upper, lower) KERN_ISA_##upper,
    KERN_ISAS(X)
#undef X
    KERN_ISA_COUNT
};

enum kern_family { KERN_zip, KERN_map, KERN_matmul, KERN_conv2d, KERN_hash };
enum kern_type { KERN_f32, KERN_i32, KERN_u32, KERN_u8, KERN_u64 };

/* x[n], y[n] -> z[n], element by element. in: x, y. out: z; z may be exactly x or y. */
struct kern_zip {
    size_t n;
};

/* x[n] -> y[n]. in: x. out: y; y may be exactly x. */
struct kern_map {
    size_t n;
};

/* c[m,n] = alpha * op(a)[m,k] op(b)[k,n] + beta * c_in[m,n], all row-major.
 * in: a, b, and c_in where beta is not 0 (matmul_u8 has no c_in). out: c, which overlaps no
 * operand. Elements of c between n and ldc are not touched.
 * Per element the sum runs over k in order, starting from +0. beta = 0 means that c_in is not
 * read. The result is alpha * sum, or fma(beta, c_in, alpha * sum); matmul_u8 has neither. */
struct kern_matmul {
    uint32_t m, n, k;
    uint32_t lda, ldb, ldc; /* elements from one row as stored to the next; ldc for c_in too */
    bool trans_a, trans_b;  /* a is stored as [k,m], b as [n,k] */
    union {
        float f32;
        int32_t i32; /* matmul_i32; zero point of a, 0..255, for matmul_u8 */
    } alpha;
    union {
        float f32;
        int32_t i32; /* matmul_i32; zero point of b, 0..255, for matmul_u8 */
    } beta;
};

enum kern_border {
    KERN_BORDER_KEEP,       /* outside the interior the image is copied */
    KERN_BORDER_ZERO,       /* 0 beyond the edge */
    KERN_BORDER_REPLICATE,  /* aaa|abcd|ddd */
    KERN_BORDER_REFLECT101, /* dcb|abcd|cba */
    KERN_BORDER_COUNT
};

enum kern_rounding { KERN_ROUND_NEAREST, KERN_ROUND_TRUNCATE, KERN_ROUND_COUNT };

/* out[y,x,ch] = sum over i < r, j < s of image[y + i - r/2, x + j - s/2, ch] * kernel[i,j].
 * in: image[h,w,channels], kernel[r,s] (f32; i32 for conv2d_i32). out: like the image, no overlap.
 * The sum runs over i, then j, in order, starting from +0, with fused multiply-add in the fused
 * class. conv2d_u8 rounds and then clamps to 0..255; a NaN becomes 0. The interior is where the
 * whole kernel lies inside the image. reflect101 reflects as often as a small image needs; an
 * edge of 1 element reflects to itself. */
struct kern_conv2d {
    uint32_t h, w, channels; /* channels 1, 3 or 4, interleaved */
    uint32_t r, s;           /* odd */
    enum kern_border border;
    enum kern_rounding rounding; /* conv2d_u8 only */
};

/* count messages in one run of bytes -> u64[count].
 * in: bytes[n_bytes]; offsets u64[count + 1], rising, in 0..n_bytes, or NULL for one message of
 * n_bytes. Message i is bytes[offsets[i] .. offsets[i + 1]). out: one hash each. */
struct kern_hash {
    size_t n_bytes;
    size_t count;
};

enum { KERN_IN_MAX = 3 };

/* All arguments of one op. Operands and result are aligned to their element type at least. */
struct kern_args {
    const void *in[KERN_IN_MAX];
    void *out;
    union {
        struct kern_zip zip;
        struct kern_map map;
        struct kern_matmul matmul;
        struct kern_conv2d conv2d;
        struct kern_hash hash;
    } u;
};

/* One range of one phase, and the memory to work in (64-byte aligned, not initialised). */
struct kern_part {
    uint32_t phase;
    size_t begin, end; /* units */
    void *shared;      /* kern_plan.shared_bytes; one for the job, kept from phase to phase */
    void *scratch;     /* kern_plan.scratch_bytes; nobody else's while this range runs */
    bool kept;         /* scratch is as another range of this phase left it: a kernel may go on */
};

typedef void kern_fn(const struct kern_args *args, const struct kern_part *part);

/* How an op wants to be run. */
struct kern_plan {
    uint32_t phase_count;
    size_t range_units; /* a power of two; ranges of multiples of it waste nothing */
    size_t shared_bytes;
    size_t scratch_bytes;
};

struct kern_op_info {
    const char *name;
    const char *help;
    enum kern_family family;
    enum kern_type in, out;
    uint32_t ps_per_work;
};

/* One ISA's kernels, indexed by enum kern_op; entry 0 is NULL. */
struct kern_table {
    enum kern_isa isa;
    bool fused; /* multiply-add rounds once */
    kern_fn *fn[KERN_OP_END];
};

/* Returns borrowed: the row of `op`, or NULL if there is no such op. */
const struct kern_op_info *kern_op_info(unsigned op);

/* The op of that name (name_bytes long, no terminator needed), or KERN_OP_NONE. */
enum kern_op kern_op_find(const char *name, size_t name_bytes);

/* Size in bytes of one element. */
size_t kern_type_bytes(enum kern_type type);

const char *kern_isa_name(enum kern_isa isa);

/* 0 and *isa, or -EINVAL if no ISA has that name. */
int kern_isa_find(enum kern_isa *isa, const char *name);

/* The strongest ISA that this build has and this CPU (and its kernel) can run, at most `max`.
 * Pass KERN_ISA_COUNT for no limit. SCALAR always works. */
enum kern_isa kern_isa_best(enum kern_isa max);

/* Whether this build has `isa` and this CPU can run it. */
bool kern_isa_usable(enum kern_isa isa);

/* Returns borrowed, valid for ever: the kernels of a usable ISA; NULL for one not in this build. */
const struct kern_table *kern_table(enum kern_isa isa);

/* The plain references: fused multiply-adds, or split ones. Never tuned; they judge the rest. */
const struct kern_table *kern_table_ref(bool fused);

/**
 * How `op` with these arguments is to be run on `isa`.
 * Reads sizes and flags of `args` only, never an operand.
 */
void kern_plan(struct kern_plan *plan, enum kern_op op, enum kern_isa isa,
               const struct kern_args *args);

/* Units of one phase of that plan, at least 1. */
size_t kern_phase_units(enum kern_op op, enum kern_isa isa, const struct kern_args *args,
                        uint32_t phase);

/* Work of the whole op: elements for zip and map, bytes for hash, multiply-adds for the others.
 * Saturates at UINT64_MAX. */
uint64_t kern_work(enum kern_op op, const struct kern_args *args);

/* Runs all phases on the calling thread. shared and scratch as kern_plan() asks. */
void kern_run(const struct kern_table *table, enum kern_op op, const struct kern_args *args,
              void *shared, void *scratch);

#endif
