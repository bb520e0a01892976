/* An answer -> one JSON line.
 *
 * Results nest as their operands did: matrices by rows, images by rows and, above one channel,
 * by pixels. A float is printed with as few digits as bring back the same float, and always with
 * a point or an exponent; what JSON cannot say (NaN, infinities) is null. 64-bit hashes are
 * strings, since most readers of JSON keep only 53 bits of a number.
 */
#include "config.h"

#include "json_job.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/kern.h"

enum { ELEMENT_CHARS = 24, RANK_MAX = WIRE_RANK_MAX };

/* A text that grows. A failure is remembered; what is put afterwards is dropped. */
struct text {
    char *p;
    size_t bytes, cap;
    bool failed;
};

/* Returns borrowed: room for n more bytes, or NULL. The caller adds what it used to t->bytes. */
static char *text_room(struct text *t, size_t n)
{
    if (t->failed)
        return NULL;
    if (n > t->cap - t->bytes) {
        size_t cap = t->cap + t->cap / 2 + n + 256;
        char *grown = realloc(t->p, cap);
        if (grown == NULL) {
            t->failed = true;
            return NULL;
        }
        t->p = grown;
        t->cap = cap;
    }
    return t->p + t->bytes;
}

static void put(struct text *t, const char *p, size_t n)
{
    char *room = text_room(t, n);
    if (room == NULL)
        return;
    memcpy(room, p, n);
    t->bytes += n;
}

static void put_str(struct text *t, const char *s)
{
    put(t, s, strlen(s));
}

static void put_char(struct text *t, char c)
{
    put(t, &c, 1);
}

/* A sentence may name a member of the client's, so anything but its UTF-8 is escaped. */
static void put_quoted(struct text *t, const char *s)
{
    put_char(t, '"');
    for (; *s != '\0'; s++) {
        unsigned char c = (unsigned char)*s;
        char escape[8];
        if (c == '"' || c == '\\') {
            put_char(t, '\\');
            put_char(t, *s);
        } else if (c < 0x20 || c == 0x7f) {
            snprintf(escape, sizeof(escape), "\\u%04x", c);
            put_str(t, escape);
        } else {
            put_char(t, *s);
        }
    }
    put_char(t, '"');
}

/* Decimal digits of v, at least `width` of them; returns how many. */
static size_t print_u64(char *out, uint64_t v, size_t width)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v != 0 || n < width);
    for (size_t i = 0; i < n; i++)
        out[i] = digits[n - 1 - i];
    return n;
}

static void put_u64(struct text *t, uint64_t v)
{
    char digits[20];
    put(t, digits, print_u64(digits, v, 1));
}

/* True if every reader, whether it rounds to float at once or through double, makes `f` of `d`. */
static bool reads_as(double d, float f)
{
    uint64_t bits;
    memcpy(&bits, &d, sizeof(bits));
    /* halfway between two floats a reader may go either way */
    bool is_halfway = (bits & 0x1fffffff) == 0x10000000;
    return (float)d == f && !is_halfway;
}

/* Any float, by way of the library: slow. */
static size_t print_f32_far(char *out, float v)
{
    int n = snprintf(out, ELEMENT_CHARS, "%.6g", (double)v);
    if (strtof(out, NULL) != v)
        n = snprintf(out, ELEMENT_CHARS, "%.9g", (double)v);
    if (n < 0)
        return 0;
    if (strpbrk(out, ".e") == NULL) {
        memcpy(out + n, ".0", 2);
        n += 2;
    }
    return (size_t)n;
}

/* Within 1e-4..1e7 the digits come from two exact doubles: the smallest k for which
 * round(v * 10^k) / 10^k reads as v. The quotient is rounded once, as a reader's would be. */
static size_t print_f32(char *out, float v)
{
    double a = fabs((double)v), scale = 1;
    size_t n = 0;

    if (!isfinite(v)) {
        memcpy(out, "null", 4);
        return 4;
    }
    if (a != 0 && !(a >= 1e-4 && a < 1e7))
        return print_f32_far(out, v);
    size_t k = 0;
    uint64_t digits = (uint64_t)(a + 0.5);
    while (!reads_as((double)digits / scale, fabsf(v))) {
        k++;
        scale *= 10;
        digits = (uint64_t)(a * scale + 0.5);
    }
    if (signbit(v))
        out[n++] = '-';
    n += print_u64(out + n, digits / (uint64_t)scale, 1);
    out[n++] = '.';
    n += print_u64(out + n, digits % (uint64_t)scale, k);
    return n;
}

static size_t print_i32(char *out, int32_t v)
{
    if (v >= 0)
        return print_u64(out, (uint64_t)v, 1);
    out[0] = '-';
    return 1 + print_u64(out + 1, (uint64_t)(-(int64_t)v), 1);
}

static size_t print_element(char *out, enum kern_type type, const uint8_t *p)
{
    union {
        float f32;
        int32_t i32;
        uint32_t u32;
        uint64_t u64;
    } v;

    memcpy(&v, p, kern_type_bytes(type));
    switch (type) {
    case KERN_f32:
        return print_f32(out, v.f32);
    case KERN_i32:
        return print_i32(out, v.i32);
    case KERN_u32:
        return print_u64(out, v.u32, 1);
    case KERN_u8:
        return print_u64(out, *p, 1);
    case KERN_u64:
        return (size_t)snprintf(out, ELEMENT_CHARS, "\"0x%016" PRIx64 "\"", v.u64);
    }
    return 0;
}

/* How the result lies in memory: sizes and steps in elements, the last dimension dense. */
struct layout {
    unsigned rank;
    size_t size[RANK_MAX], step[RANK_MAX];
};

static struct layout layout_of(const struct shape *s)
{
    const struct kern_matmul *mm = &s->args.u.matmul;
    const struct kern_conv2d *c = &s->args.u.conv2d;

    switch (s->info->family) {
    case KERN_zip:
        return (struct layout){1, {s->args.u.zip.n}, {1}};
    case KERN_map:
        return (struct layout){1, {s->args.u.map.n}, {1}};
    case KERN_hash:
        return (struct layout){1, {s->args.u.hash.count}, {1}};
    case KERN_matmul:
        return (struct layout){2, {mm->m, mm->n}, {mm->ldc, 1}};
    case KERN_conv2d:
        if (c->channels == 1)
            return (struct layout){2, {c->h, c->w}, {c->w, 1}};
        return (struct layout){
            3, {c->h, c->w, c->channels}, {(size_t)c->w * c->channels, c->channels, 1}};
    }
    return (struct layout){0};
}

static void put_array(struct text *t, enum kern_type type, const uint8_t *p,
                      const struct layout *layout, unsigned level)
{
    assert(level < RANK_MAX);
    size_t step_bytes = layout->step[level] * kern_type_bytes(type);

    put_char(t, '[');
    for (size_t i = 0; i < layout->size[level] && !t->failed; i++, p += step_bytes) {
        if (i > 0)
            put_char(t, ',');
        if (level + 1 < layout->rank) {
            put_array(t, type, p, layout, level + 1);
            continue;
        }
        char *room = text_room(t, ELEMENT_CHARS);
        if (room != NULL)
            t->bytes += print_element(room, type, p);
    }
    put_char(t, ']');
}

/* Line breaks stand between values only, so a space may take their place. */
static void put_on_one_line(struct text *t, const char *json)
{
    size_t n = strlen(json), start = t->bytes;

    put(t, json, n);
    if (t->failed)
        return;
    for (size_t i = start; i < t->bytes; i++) {
        if (t->p[i] == '\n' || t->p[i] == '\r')
            t->p[i] = ' ';
    }
}

/* Row-major, without gaps. */
static struct layout layout_of_array(const struct call_array *array)
{
    struct layout layout = {.rank = array->rank};
    size_t step = 1;

    assert(array->rank >= 1 && array->rank <= RANK_MAX);
    for (unsigned i = array->rank; i-- > 0;) {
        layout.size[i] = array->dim[i];
        layout.step[i] = step;
        step *= array->dim[i];
    }
    return layout;
}

/* A call's client may not know beforehand what comes. */
static void put_shape(struct text *t, const struct call_array *array)
{
    static const char *const types[] = {"f32", "i32", "u32", "u8", "u64"};

    put_str(t, ",\"type\":");
    put_quoted(t, types[array->type]);
    put_str(t, ",\"shape\":[");
    for (unsigned i = 0; i < array->rank; i++) {
        if (i > 0)
            put_char(t, ',');
        put_u64(t, array->dim[i]);
    }
    put_char(t, ']');
}

static void put_result(struct text *t, const struct json_answer *a)
{
    struct layout layout = a->array != NULL ? layout_of_array(a->array) : layout_of(a->shape);

    put_str(t, ",\"result\":");
    put_array(t, a->array != NULL ? (enum kern_type)a->array->type : a->shape->info->out,
              a->result, &layout, 0);
    if (a->array != NULL)
        put_shape(t, a->array);
    put_str(t, a->cached ? ",\"cached\":true" : ",\"cached\":false");
    if (a->isa != NULL) {
        put_str(t, ",\"isa\":");
        put_quoted(t, a->isa);
    }
    put_str(t, ",\"queued_ns\":");
    put_u64(t, a->queued_ns);
    put_str(t, ",\"ran_ns\":");
    put_u64(t, a->ran_ns);
}

static void put_error(struct text *t, const struct json_answer *a)
{
    put_str(t, ",\"error\":");
    put_quoted(t, a->reason != NULL ? a->reason : wire_status_sentence(a->status));
    if (a->retry_after_us != 0) {
        put_str(t, ",\"retry_after_us\":");
        put_u64(t, a->retry_after_us);
    }
}

char *json_job_print(const struct json_answer *a, size_t *bytes)
{
    struct text t = {NULL, 0, 0, false};

    put_str(&t, "{\"id\":");
    put_str(&t, a->id_text != NULL ? a->id_text : "null");
    put_str(&t, ",\"status\":");
    put_quoted(&t, wire_status_name(a->status));
    if (a->status != WIRE_OK) {
        put_error(&t, a);
    } else if (a->shape != NULL || a->array != NULL) {
        put_result(&t, a);
    } else if (a->text != NULL) {
        put_str(&t, ",\"result\":");
        put_on_one_line(&t, a->text);
    }
    put_str(&t, "}\n");
    if (t.failed) {
        free(t.p);
        return NULL;
    }
    *bytes = t.bytes;
    return t.p;
}
