/* The frame in which every kernel meets its reference: used by test_kernels.c alone.
 *
 * A generator makes cases of one family for the op and ISA that `k` stands for:
 *
 *     float *x = kcase_in(k, 0, KERN_f32, n, FILL_ANY);    declare and fill the operands,
 *     kcase_in(k, 1, KERN_f32, n, kcase_fill(k));          in the order of kern_args.in
 *     kcase_out(k, KERN_f32, n);                           declare the result
 *     struct kern_args args = {.u.zip.n = n};              no pointers: kcase_run() sets them
 *     kcase_run(k, &args, "n=%zu", n);                     run, judge, forget the case
 *
 * kcase_run() runs the reference of the ISA's class once, then the kernel in one range per phase
 * and in random ranges in random order, and demands the same bits each time (NaN payloads aside),
 * elements of the result that the op must not touch included. Operands and result start at random
 * element-aligned addresses and often end at a page that cannot be read; whatever lies round
 * the result and the operands must stay as it was. Shared and scratch memory start as garbage and
 * end, but for what rounds them up to 64 bytes, at such a page too.
 */
#ifndef TESTS_KERNELS_CASE_H
#define TESTS_KERNELS_CASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/kern.h"

struct kcase;

enum kcase_fill {
    FILL_SMALL, /* f32: quarters in -8..8; integers: -9..9, or 0..9 */
    FILL_ANY,   /* f32: finite numbers of all sizes; integers: any bits */
    FILL_EDGE,  /* NaN, infinities, denormals, both zeros, largest and smallest values */
    FILL_COUNT
};

/* Uniform 64 random bits; uniform in 0..n-1, n at least 1; uniform in lo..hi. */
uint64_t kcase_random(struct kcase *k);
size_t kcase_below(struct kcase *k, size_t n);
size_t kcase_between(struct kcase *k, size_t lo, size_t hi);

/* One of the fills. */
enum kcase_fill kcase_fill(struct kcase *k);

/* How many random cases a generator should make; less under slow tools. */
size_t kcase_rounds(const struct kcase *k);

/* Bytes of this ISA's vectors: V_BYTES of vec.h, 16 for the reference. */
size_t kcase_vector_bytes(const struct kcase *k);

/* Declares operand `index` of the next case. Returns borrowed memory for `count` elements, already
 * filled, to be changed at will before kcase_run(). */
void *kcase_in(struct kcase *k, unsigned index, enum kern_type type, size_t count,
               enum kcase_fill fill);

/* Declares the result. */
void kcase_out(struct kcase *k, enum kern_type type, size_t count);

/* The result takes the place of operand `index`, as zip and map allow. */
void kcase_in_place(struct kcase *k, unsigned index);

/* Anchors the next case: the result must also be exactly these bytes, which are borrowed until
 * kcase_run(); so that a wrong reference is found too. */
void kcase_expect(struct kcase *k, const void *result);

/* Judges the declared case and counts it. The sentence says what it was. */
void kcase_run(struct kcase *k, const struct kern_args *args, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The generators. */
void kcases_zip(struct kcase *k, enum kern_op op);
void kcases_map(struct kcase *k, enum kern_op op);
void kcases_hash(struct kcase *k, enum kern_op op);
void kcases_matmul(struct kcase *k, enum kern_op op); /* tests/kernels_matmul.c */
void kcases_conv2d(struct kcase *k, enum kern_op op); /* tests/kernels_conv2d.c */

/* One ISA and op. Borrows the table. Returns owned, or NULL without memory. */
struct kcase *kcase_new(const struct kern_table *table, enum kern_op op, uint64_t seed,
                        size_t rounds);
void kcase_free(struct kcase *k);

/* Returns borrowed: names the latest case, and how to run it again. */
const char *kcase_what(const struct kcase *k);
size_t kcase_passed(const struct kcase *k);
size_t kcase_failed(const struct kcase *k);

#endif
