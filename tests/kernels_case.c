/* The frame in which every kernel meets its reference; the promise stands in kernels_case.h.
 *
 * A case's operands are staged in plain memory, so that the reference works on memory of its own.
 * For the kernel they are copied into mappings whose last page cannot be touched, between bytes
 * that must not change. A kernel that reads or writes beyond the end dies there; the handler in
 * test_kernels.c then names the case. */
#include "config.h"

#include "kernels_case.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels_fill.h"
#include "kernels_place.h"

enum {
    GARBAGE_BYTE = 0xff, /* as floats: NaN */
    SPLITS = 3,          /* times that a case runs in random ranges */
    RANGES_MAX = 7,
    PRINTED_MAX = 5, /* failures of one ISA and op that are worth a line */
    WHAT_BYTES = 320
};

struct staged {
    void *data;
    enum kern_type type;
    size_t count;
};

struct kcase {
    const struct kern_table *table; /* borrowed */
    enum kern_op op;
    uint64_t seed;
    struct chance chance;
    size_t rounds, passed, failed;
    /* The case being declared. */
    struct staged in[KERN_IN_MAX], out;
    int in_place; /* operand, or -1 */
    const void *expected;
    char what[WHAT_BYTES]; /* how to name it and to run it again */
};

static size_t staged_bytes(const struct staged *s)
{
    return s->count * kern_type_bytes(s->type);
}

/* ---- chance ---- */

uint64_t kcase_random(struct kcase *k)
{
    return chance_next(&k->chance);
}

size_t kcase_below(struct kcase *k, size_t n)
{
    return chance_below(&k->chance, n);
}

size_t kcase_between(struct kcase *k, size_t lo, size_t hi)
{
    return lo + kcase_below(k, hi - lo + 1);
}

enum kcase_fill kcase_fill(struct kcase *k)
{
    return (enum kcase_fill)kcase_below(k, FILL_COUNT);
}

/* ---- declaring ---- */

static void *stage(struct staged *s, enum kern_type type, size_t count)
{
    free(s->data);
    *s = (struct staged){.type = type, .count = count};
    s->data = place_alloc(staged_bytes(s));
    return s->data;
}

void *kcase_in(struct kcase *k, unsigned index, enum kern_type type, size_t count,
               enum kcase_fill fill)
{
    struct staged *s = &k->in[index];
    stage(s, type, count);
    fill_elements(&k->chance, s->data, type, count, fill);
    return s->data;
}

void kcase_out(struct kcase *k, enum kern_type type, size_t count)
{
    stage(&k->out, type, count);
    fill_elements(&k->chance, k->out.data, type, count, FILL_ANY);
}

void kcase_in_place(struct kcase *k, unsigned index)
{
    k->in_place = (int)index;
}

void kcase_expect(struct kcase *k, const void *result)
{
    k->expected = result;
}

static void forget(struct kcase *k)
{
    for (unsigned i = 0; i < KERN_IN_MAX; i++) {
        free(k->in[i].data);
        k->in[i] = (struct staged){0};
    }
    free(k->out.data);
    k->out = (struct staged){0};
    k->in_place = -1;
    k->expected = NULL;
}

/* ---- judging ---- */

/* Index of the first element that differs, or count. NaN equals NaN. */
static size_t first_difference(const struct staged *like, const void *got, const void *want)
{
    const size_t elem = kern_type_bytes(like->type);
    if (memcmp(got, want, staged_bytes(like)) == 0)
        return like->count;
    for (size_t i = 0; i < like->count; i++) {
        const uint8_t *g = (const uint8_t *)got + i * elem, *w = (const uint8_t *)want + i * elem;
        if (memcmp(g, w, elem) == 0)
            continue;
        float x = 0.0f, y = 0.0f;
        if (like->type == KERN_f32) {
            memcpy(&x, g, sizeof x);
            memcpy(&y, w, sizeof y);
        }
        if (!isnan(x) || !isnan(y))
            return i;
    }
    return like->count;
}

static void describe_element(char *text, size_t text_bytes, enum kern_type type, const void *data,
                             size_t i)
{
    uint64_t bits = 0;
    float f;
    const uint8_t *at = (const uint8_t *)data + i * kern_type_bytes(type);
    for (size_t byte = kern_type_bytes(type); byte-- > 0;)
        bits = bits << 8 | at[byte];
    if (type == KERN_f32) {
        memcpy(&f, at, sizeof f);
        snprintf(text, text_bytes, "%a", (double)f);
    } else {
        snprintf(text, text_bytes, "0x%llx", (unsigned long long)bits);
    }
}

static bool fail(struct kcase *k, const char *how, const char *why)
{
    if (k->failed < PRINTED_MAX)
        printf("FAIL %s, %s: %s\n", k->what, how, why);
    return false;
}

static bool judge_result(struct kcase *k, const void *got, const void *want, const char *how)
{
    size_t at = first_difference(&k->out, got, want);
    if (at == k->out.count)
        return true;
    char got_text[32], want_text[32], why[128];
    describe_element(got_text, sizeof got_text, k->out.type, got, at);
    describe_element(want_text, sizeof want_text, k->out.type, want, at);
    snprintf(why, sizeof why, "element %zu of %zu is %s, not %s", at, k->out.count, got_text,
             want_text);
    return fail(k, how, why);
}

/* ---- running ---- */

/* Shared and scratch memory of one run, garbage to begin with. */
struct memory {
    struct placed shared, scratch;
};

static struct placed garbage(size_t bytes)
{
    struct placed p = place(NULL, bytes, (64 - bytes % 64) % 64);
    memset(p.data, GARBAGE_BYTE, bytes);
    return p;
}

static struct memory memory_open(const struct kern_plan *plan)
{
    return (struct memory){garbage(plan->shared_bytes), garbage(plan->scratch_bytes)};
}

/* Whether no kernel wrote beside it. */
static bool memory_close(struct memory *m)
{
    bool intact = place_guards_intact(&m->shared) && place_guards_intact(&m->scratch);
    unplace(&m->shared);
    unplace(&m->scratch);
    return intact;
}

static int compare_sizes(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

/* One phase, cut at random places; the ranges run in random order, half of them in the scratch
 * memory that the one before has left. */
static void run_phase_split(struct kcase *k, const struct kern_args *args, uint32_t phase,
                            struct memory *m)
{
    size_t units = kern_phase_units(k->op, k->table->isa, args, phase);
    size_t cuts[RANGES_MAX + 1] = {0}, order[RANGES_MAX], ranges = kcase_between(k, 2, RANGES_MAX);
    for (size_t i = 1; i < ranges; i++)
        cuts[i] = kcase_below(k, units + 1);
    cuts[ranges] = units;
    qsort(cuts, ranges + 1, sizeof *cuts, compare_sizes);
    for (size_t i = 0; i < ranges; i++) {
        size_t other = kcase_below(k, i + 1);
        order[i] = order[other];
        order[other] = i;
    }
    bool used = false;
    for (size_t i = 0; i < ranges; i++) {
        struct kern_part part = {.phase = phase,
                                 .begin = cuts[order[i]],
                                 .end = cuts[order[i] + 1],
                                 .shared = m->shared.data,
                                 .scratch = m->scratch.data};
        if (part.begin == part.end)
            continue;
        part.kept = used && kcase_below(k, 2) == 0;
        if (!part.kept)
            memset(m->scratch.data, GARBAGE_BYTE, m->scratch.bytes);
        k->table->fn[k->op](args, &part);
        used = true;
    }
}

/* False if it wrote beside its shared or scratch memory. */
static bool run(struct kcase *k, const struct kern_args *args, bool split)
{
    struct kern_plan plan;
    kern_plan(&plan, k->op, k->table->isa, args);
    struct memory m = memory_open(&plan);
    if (split) {
        for (uint32_t phase = 0; phase < plan.phase_count; phase++)
            run_phase_split(k, args, phase, &m);
    } else {
        kern_run(k->table, k->op, args, m.shared.data, m.scratch.data);
    }
    return memory_close(&m);
}

/* Half of the operands end where the readable page ends. */
static struct placed place_staged(struct kcase *k, const struct staged *s)
{
    size_t elem_bytes = kern_type_bytes(s->type);
    size_t gap = kcase_below(k, 2) == 0 ? 0 : kcase_below(k, 64 / elem_bytes) * elem_bytes;
    return place(s->data, staged_bytes(s), gap);
}

/* Places the case anew, runs the kernel and looks at all that it may and may not have changed. */
static bool run_and_judge(struct kcase *k, const struct kern_args *shape, const void *want,
                          bool split)
{
    const char *how = split ? "in ranges" : "whole";
    struct kern_args args = *shape;
    struct placed in[KERN_IN_MAX] = {0}, out;
    const struct staged *fill = k->in_place >= 0 ? &k->in[k->in_place] : &k->out;
    bool ok = true;

    out = place_staged(k, fill);
    args.out = out.data;
    for (unsigned i = 0; i < KERN_IN_MAX; i++) {
        if (k->in[i].data == NULL || (int)i == k->in_place) {
            args.in[i] = (int)i == k->in_place ? out.data : NULL;
            continue;
        }
        in[i] = place_staged(k, &k->in[i]);
        args.in[i] = in[i].data;
    }

    ok = run(k, &args, split) || fail(k, how, "bytes beside the working memory changed");
    ok = ok && judge_result(k, out.data, want, how);
    if (ok && !place_guards_intact(&out))
        ok = fail(k, how, "bytes beside the result changed");
    for (unsigned i = 0; ok && i < KERN_IN_MAX; i++) {
        if (in[i].map != NULL && (memcmp(in[i].data, k->in[i].data, in[i].bytes) != 0 ||
                                  !place_guards_intact(&in[i])))
            ok = fail(k, how, "an operand or bytes beside it changed");
    }
    for (unsigned i = 0; i < KERN_IN_MAX; i++)
        unplace(&in[i]);
    unplace(&out);
    return ok;
}

/* Returns owned: what the reference makes of the case. */
static void *run_reference(struct kcase *k, const struct kern_args *shape)
{
    const struct kern_table *ref = kern_table_ref(k->table->fused);
    struct kern_args args = *shape;
    struct kern_plan plan;
    void *want = place_alloc(staged_bytes(&k->out));
    memcpy(want, k->out.data, staged_bytes(&k->out));
    for (unsigned i = 0; i < KERN_IN_MAX; i++)
        args.in[i] = k->in[i].data;
    args.out = want;
    kern_plan(&plan, k->op, ref->isa, &args);
    struct memory m = memory_open(&plan);
    kern_run(ref, k->op, &args, m.shared.data, m.scratch.data);
    memory_close(&m);
    return want;
}

void kcase_run(struct kcase *k, const struct kern_args *args, const char *format, ...)
{
    int named = snprintf(k->what, sizeof k->what, "%s %s --seed %llu: ",
                         kern_isa_name(k->table->isa), kern_op_info(k->op)->name,
                         (unsigned long long)k->seed);
    va_list list;
    va_start(list, format);
    vsnprintf(k->what + named, sizeof k->what - (size_t)named, format, list);
    va_end(list);

    void *want = run_reference(k, args);
    bool ok = k->expected == NULL || judge_result(k, want, k->expected, "reference");
    ok = ok && run_and_judge(k, args, want, false);
    for (int i = 0; ok && i < SPLITS; i++)
        ok = run_and_judge(k, args, want, true);
    if (ok)
        k->passed++;
    else
        k->failed++;
    free(want);
    forget(k);
}

/* ---- life ---- */

struct kcase *kcase_new(const struct kern_table *table, enum kern_op op, uint64_t seed,
                        size_t rounds)
{
    struct kcase *k = calloc(1, sizeof *k);
    if (k == NULL)
        return NULL;
    k->table = table;
    k->op = op;
    k->seed = seed;
    k->chance.state = seed + ((uint64_t)table->isa << 32 | (uint64_t)op);
    k->rounds = rounds;
    k->in_place = -1;
    return k;
}

void kcase_free(struct kcase *k)
{
    if (k != NULL)
        forget(k);
    free(k);
}

size_t kcase_rounds(const struct kcase *k)
{
    return k->rounds;
}

size_t kcase_vector_bytes(const struct kcase *k)
{
    switch (k->table->isa) {
    case KERN_ISA_AVX2:
        return 32;
    case KERN_ISA_AVX512:
        return 64;
    default:
        return 16;
    }
}

const char *kcase_what(const struct kcase *k)
{
    return k->what;
}

size_t kcase_passed(const struct kcase *k)
{
    return k->passed;
}

size_t kcase_failed(const struct kcase *k)
{
    return k->failed;
}
