/* Cases of the zip, map and hash families: see kernels_case.h for what is judged. */
#include "config.h"

#include "kernels_case.h"

#include <stdint.h>
#include <string.h>

/* So long operands take zip and map over KERN_STREAM_BYTES of vec.h. */
enum { ZIP_STREAMED_BYTES = 6 << 20, MAP_STREAMED_BYTES = 9 << 20 };

static size_t lanes_of(const struct kcase *k, enum kern_type type)
{
    return kcase_vector_bytes(k) / kern_type_bytes(type);
}

/* ---- zip and map: lengths round one vector, one turn of the loop, and any ---- */

enum { LENGTHS = 12 };

static size_t length_nth(size_t lanes, size_t i)
{
    const size_t lengths[LENGTHS] = {0,         1,         lanes - 1,     lanes,
                                     lanes + 1, 2 * lanes, 3 * lanes + 2, 4 * lanes - 1,
                                     4 * lanes, 4 * lanes + 1, 5 * lanes, 9 * lanes + 3};
    return lengths[i];
}

/* in_place names the operand whose place the result takes; 2: none. */
static void zip_case(struct kcase *k, enum kern_type type, size_t n, enum kcase_fill fill,
                     unsigned in_place)
{
    kcase_in(k, 0, type, n, fill);
    kcase_in(k, 1, type, n, fill);
    kcase_out(k, type, n);
    if (in_place < 2)
        kcase_in_place(k, in_place);
    struct kern_args args = {.u.zip.n = n};
    kcase_run(k, &args, "n=%zu fill=%d in_place=%u", n, (int)fill, in_place);
}

/* Three elements, worked out by hand. */
static void zip_anchor(struct kcase *k, enum kern_type type, const void *x, const void *y,
                       const void *z)
{
    enum { N = 3 };
    size_t bytes = N * kern_type_bytes(type);
    memcpy(kcase_in(k, 0, type, N, FILL_SMALL), x, bytes);
    memcpy(kcase_in(k, 1, type, N, FILL_SMALL), y, bytes);
    kcase_out(k, type, N);
    kcase_expect(k, z);
    struct kern_args args = {.u.zip.n = N};
    kcase_run(k, &args, "anchor");
}

static void zip_anchors(struct kcase *k, enum kern_op op)
{
    static const float fx[] = {1.5f, -0.0f, 16777216.0f}, fy[] = {-2.0f, 0.0f, 1.0f};
    static const float fsum[] = {-0.5f, 0.0f, 16777216.0f};
    static const float fproduct[] = {-3.0f, -0.0f, 16777216.0f};
    static const int32_t ix[] = {INT32_MAX, -1, 65536}, iy[] = {1, -1, 65537};
    static const int32_t isum[] = {INT32_MIN, -2, 131073}, iproduct[] = {INT32_MAX, 1, 65536};
    static const uint8_t ux[] = {200, 15, 16}, uy[] = {100, 17, 16};
    static const uint8_t usum[] = {255, 32, 32}, uproduct[] = {255, 255, 255};
    static const uint8_t vx[] = {15, 1, 0}, vy[] = {16, 254, 255}, vproduct[] = {240, 254, 0};
    switch (op) {
    case KERN_OP_add_f32:
        zip_anchor(k, KERN_f32, fx, fy, fsum);
        break;
    case KERN_OP_mul_f32:
        zip_anchor(k, KERN_f32, fx, fy, fproduct);
        break;
    case KERN_OP_add_i32:
        zip_anchor(k, KERN_i32, ix, iy, isum);
        break;
    case KERN_OP_mul_i32:
        zip_anchor(k, KERN_i32, ix, iy, iproduct);
        break;
    case KERN_OP_add_u8:
        zip_anchor(k, KERN_u8, ux, uy, usum);
        break;
    case KERN_OP_mul_u8:
        zip_anchor(k, KERN_u8, ux, uy, uproduct);
        zip_anchor(k, KERN_u8, vx, vy, vproduct);
        break;
    default:
        break;
    }
}

void kcases_zip(struct kcase *k, enum kern_op op)
{
    enum kern_type type = kern_op_info(op)->in;
    zip_anchors(k, op);
    for (size_t i = 0; i < LENGTHS; i++) {
        for (unsigned fill = 0; fill < FILL_COUNT; fill++)
            zip_case(k, type, length_nth(lanes_of(k, type), i), (enum kcase_fill)fill,
                     (unsigned)i % 3);
    }
    for (size_t i = 0; i < kcase_rounds(k); i++)
        zip_case(k, type, kcase_below(k, 2000), kcase_fill(k), (unsigned)kcase_below(k, 3));
    size_t large = ZIP_STREAMED_BYTES / kern_type_bytes(type) + kcase_below(k, 99);
    zip_case(k, type, large, FILL_ANY, 2);
}

static void map_case(struct kcase *k, enum kern_type type, size_t n, enum kcase_fill fill,
                     bool in_place)
{
    kcase_in(k, 0, type, n, fill);
    kcase_out(k, type, n);
    if (in_place)
        kcase_in_place(k, 0);
    struct kern_args args = {.u.map.n = n};
    kcase_run(k, &args, "n=%zu fill=%d in_place=%d", n, (int)fill, in_place);
}

static void map_anchor_mix(struct kcase *k)
{
    static const uint32_t x[] = {0, 1, 2, 0x80000000, 0xffffffff};
    static const uint32_t y[] = {0, 0x22f52cd3, 0xb1e27fa2, 0x66e73720, 0xf2042536};
    enum { N = sizeof x / sizeof *x };
    memcpy(kcase_in(k, 0, KERN_u32, N, FILL_SMALL), x, sizeof x);
    kcase_out(k, KERN_u32, N);
    kcase_expect(k, y);
    struct kern_args args = {.u.map.n = N};
    kcase_run(k, &args, "anchor");
}

void kcases_map(struct kcase *k, enum kern_op op)
{
    enum kern_type type = kern_op_info(op)->in;
    if (op == KERN_OP_mix_u32)
        map_anchor_mix(k);
    for (size_t i = 0; i < LENGTHS; i++) {
        for (unsigned fill = 0; fill < FILL_COUNT; fill++)
            map_case(k, type, length_nth(lanes_of(k, type), i), (enum kcase_fill)fill, i % 2 == 0);
    }
    for (size_t i = 0; i < kcase_rounds(k); i++)
        map_case(k, type, kcase_below(k, 2000), kcase_fill(k), kcase_below(k, 2) == 0);
    size_t large = MAP_STREAMED_BYTES / kern_type_bytes(type) + kcase_below(k, 99);
    map_case(k, type, large, FILL_ANY, false);
}

/* ---- hash ---- */

static void hash_anchor(struct kcase *k, const char *message, uint64_t hash)
{
    size_t n = strlen(message);
    memcpy(kcase_in(k, 0, KERN_u8, n, FILL_SMALL), message, n);
    kcase_out(k, KERN_u64, 1);
    kcase_expect(k, &hash);
    struct kern_args args = {.u.hash = {.n_bytes = n, .count = 1}};
    kcase_run(k, &args, "anchor \"%s\"", message);
}

/* The published test vectors. hash_fast has FNV-1a-32's in its low half; the high half was worked
 * out apart, with numbers of any length. */
static void hash_anchors(struct kcase *k, enum kern_op op)
{
    static const struct {
        const char *message;
        uint64_t fast, fnv1a_64;
    } anchors[] = {
        {"", 0x811c9dc5, 0xcbf29ce484222325},
        {"a", 0x00811d68e40c292c, 0xaf63dc4c8601ec8c},
        {"foobar", 0x2998276fbf9cf968, 0x85944171f73967e8},
        {"chongo was here!\n", 0x84bea308d49930d5, 0x46810940eff5f915},
    };
    for (size_t i = 0; i < sizeof anchors / sizeof *anchors; i++)
        hash_anchor(k, anchors[i].message,
                    op == KERN_OP_hash_fast ? anchors[i].fast : anchors[i].fnv1a_64);
}

static void hash_one(struct kcase *k, size_t n, enum kcase_fill fill)
{
    kcase_in(k, 0, KERN_u8, n, fill);
    kcase_out(k, KERN_u64, 1);
    struct kern_args args = {.u.hash = {.n_bytes = n, .count = 1}};
    kcase_run(k, &args, "one message of %zu bytes", n);
}

/* `count` messages of shortest..longest bytes, with some bytes before and after that belong to no
 * message. */
static void hash_many(struct kcase *k, size_t count, size_t shortest, size_t longest)
{
    uint64_t *offsets = kcase_in(k, 1, KERN_u64, count + 1, FILL_SMALL);
    offsets[0] = kcase_below(k, 4);
    for (size_t i = 0; i < count; i++)
        offsets[i + 1] = offsets[i] + kcase_between(k, shortest, longest);
    size_t n = (size_t)offsets[count] + kcase_below(k, 4);
    kcase_in(k, 0, KERN_u8, n, kcase_fill(k));
    kcase_out(k, KERN_u64, count);
    struct kern_args args = {.u.hash = {.n_bytes = n, .count = count}};
    kcase_run(k, &args, "%zu messages of %zu to %zu bytes", count, shortest, longest);
}

void kcases_hash(struct kcase *k, enum kern_op op)
{
    static const size_t counts[] = {0, 1, 2, 3, 4, 5, 8, 16, 31, 32, 33, 64, 100};
    static const size_t lengths[] = {0, 1, 7, 8, 9, 16, 63, 64, 65};
    hash_anchors(k, op);
    for (size_t n = 0; n <= 72; n++)
        hash_one(k, n, kcase_fill(k));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        size_t length = lengths[kcase_below(k, sizeof lengths / sizeof *lengths)];
        hash_many(k, counts[i], length, length);
        hash_many(k, counts[i], 0, 20);
    }
    for (size_t i = 0; i < kcase_rounds(k); i++) {
        hash_one(k, kcase_below(k, 3000), kcase_fill(k));
        hash_many(k, kcase_below(k, 150), kcase_below(k, 10), kcase_between(k, 10, 200));
    }
}
