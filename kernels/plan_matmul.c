/* Plans of the matmuls: see matmul_geom.h for how they are cut. */
#include "config.h"

#include "plan.h"

#include "matmul_geom.h"

struct tile_size {
    size_t rows, vecs, panel_cols;
};

/* rows 0: the reference runs it, one element of c per unit. */
static struct tile_size tile_size_of(enum kern_isa isa)
{
    switch (isa) {
#define X(upper, lower, lanes, rows, vecs)                                                         \
    case KERN_ISA_##upper:                                                                         \
        return (struct tile_size){(rows), (vecs), (lanes) * (vecs)};
        MATMUL_TILES(X)
#undef X
    case KERN_ISA_SCALAR:
    case KERN_ISA_COUNT:
        break;
    }
    return (struct tile_size){0, 0, 0};
}

static void geom_of(struct matmul_geom *g, enum kern_op op, struct tile_size tile,
                    const struct kern_matmul *mm)
{
    matmul_geom_init(g, mm, op == KERN_OP_matmul_u8 ? 2 : 1, tile.rows, tile.vecs,
                     tile.panel_cols);
}

void kern_plan_matmul(struct kern_plan *plan, enum kern_op op, enum kern_isa isa,
                      const struct kern_args *args)
{
    struct tile_size tile = tile_size_of(isa);
    struct matmul_geom g;

    if (tile.rows == 0)
        return;
    geom_of(&g, op, tile, &args->u.matmul);
    if (!g.packed)
        return;
    /* Two phases per block of b. A b of 2^40 elements, far over any payload, has below 2^31. */
    plan->phase_count = (uint32_t)(2 * g.col_blocks * g.cell_blocks);
    plan->shared_bytes = g.block_cols * g.block_cells * MATMUL_CELL_BYTES;
    plan->scratch_bytes = sizeof(struct matmul_packed) +
                          g.block_rows * matmul_packed_row(g.block_cells) * MATMUL_CELL_BYTES;
}

size_t kern_units_matmul(enum kern_op op, enum kern_isa isa, const struct kern_args *args,
                         uint32_t phase)
{
    const struct kern_matmul *mm = &args->u.matmul;
    struct tile_size tile = tile_size_of(isa);
    struct matmul_geom g;
    struct matmul_phase p;

    if (tile.rows == 0)
        return (size_t)mm->m * mm->n;
    geom_of(&g, op, tile, mm);
    if (!g.packed)
        return matmul_ceil_div(mm->m, MATMUL_DIRECT_ROWS) *
               matmul_ceil_div(mm->n, MATMUL_DIRECT_COLS);
    matmul_phase_init(&p, &g, mm, phase);
    if (!p.multiply)
        return matmul_ceil_div(p.cols, MATMUL_PACK_COLS);
    return g.row_blocks * matmul_ceil_div(p.cols, g.tile_cols);
}
