/* matmul_u8, exact: see matmul_geom.h for how it is cut, matmul_run.h for how it runs.
 *
 * Packing widens to 16 bits and takes the zero points off, so that every factor lies in -255..255.
 * A cell is two neighbours along k, for one multiply-add takes two products into a 32-bit sum.
 * k <= 33000 keeps each sum below 33000 * 255 * 255 < 2^31. */
#include "vec.h"

struct pair {
    int16_t lo, hi;
};

typedef uint8_t elem;
typedef struct pair cell;
typedef int32_t sum;
typedef v_i16 v_cell;
typedef v_i32 v_sum;

enum { CELL_ELEMS = 2, CELL_IN_PLACE = 0 };

static inline v_i16 cells_load(const struct pair *p)
{
    return v_i16_load(&p->lo);
}

#if !V_SPREADS
/* Only packed cells are ever read, and their panels are whole. */
static inline v_i16 cells_load_n(const struct pair *p, size_t n)
{
    (void)n;
    return v_i16_load(&p->lo);
}

static inline v_i16 cell_spread(struct pair p)
{
    return v_i16_pair(p.lo, p.hi);
}
#endif

#define sums_zero    v_i32_zero
#define sums_load    v_i32_load
#define sums_load_n  v_i32_load_n
#define sums_store   v_i32_store
#define sums_store_n v_i32_store_n
#define sums_mac     v_i32_madd_i16

#include "matmul_tile.h"

static inline int32_t zero_of_a(const struct kern_matmul *mm)
{
    return mm->alpha.i32;
}

static inline int32_t zero_of_b(const struct kern_matmul *mm)
{
    return mm->beta.i32;
}

static struct pair pair_of(int32_t lo, int32_t hi)
{
    return (struct pair){(int16_t)lo, (int16_t)hi};
}

/* As in matmul_pack.h, but with elements that are not cells yet. A pair without its second element
 * has a 0 there, in a and in b. */
static void pack_line(struct pair *to, const uint8_t *from, size_t elems, int32_t zero)
{
    for (size_t p = 0; p < elems / 2; p++)
        to[p] = pair_of(from[2 * p] - zero, from[2 * p + 1] - zero);
    if (elems % 2 != 0)
        to[elems / 2] = pair_of(from[elems - 1] - zero, 0);
}

static void pack_lines(struct pair *to, size_t to_step, const uint8_t *from, size_t ld, size_t n,
                       size_t elems, int32_t zero)
{
    for (size_t j = 0; j < n; j++, from += ld) {
        for (size_t p = 0; p < elems / 2; p++)
            to[p * to_step + j] = pair_of(from[2 * p] - zero, from[2 * p + 1] - zero);
        if (elems % 2 != 0)
            to[elems / 2 * to_step + j] = pair_of(from[elems - 1] - zero, 0);
    }
}

static void pack_across(struct pair *to, const uint8_t *from, size_t ld, size_t elems, size_t n,
                        int32_t zero)
{
    if (elems == 2) {
        for (size_t j = 0; j < n; j++)
            to[j] = pair_of(from[j] - zero, from[ld + j] - zero);
    } else {
        for (size_t j = 0; j < n; j++)
            to[j] = pair_of(from[j] - zero, 0);
    }
}

static inline bool finish_needed(const struct kern_matmul *mm)
{
    (void)mm;
    return false;
}

static inline void finish_row(const struct kern_matmul *mm, int32_t *c, const int32_t *c_in,
                              size_t n)
{
    (void)mm;
    (void)c;
    (void)c_in;
    (void)n;
}

#include "matmul_run.h"

KERN_DEFINE(matmul_u8)
{
    matmul_run(args, part);
}
