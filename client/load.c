/* Arrays from files and to files.
 *
 * A header is peeked at, then the numbers are read straight into the memory that the job will use.
 * A file that promises more than it holds costs address space, not memory: pages are touched as
 * bytes arrive.
 */
#include "config.h"

#include "load.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "image_png.h"
#include "npy.h"
#include "pnm.h"
#include "stream.h"

bool load_raw_dtype(struct load_raw *raw, const char *text)
{
    raw->given = tensor_type_find(&raw->shape.type, text);
    if (!raw->given)
        (void)ctl_usage("--dtype: '%s' is none of f32, i32, u8, u32, u64", text);
    return raw->given;
}

bool load_raw_shape(struct load_raw *raw, const char *text)
{
    struct tensor t = {.shape = raw->shape};
    t.shape.dim_count = 0;
    const char *p = text;
    for (bool more = true; more;) {
        char *end;
        errno = 0;
        unsigned long long dim = *p >= '0' && *p <= '9' ? strtoull(p, &end, 10) : 0;
        if (dim == 0 || errno != 0 || t.shape.dim_count == TENSOR_DIMS_MAX) {
            (void)ctl_usage("--shape: '%s' is not a list of sizes such as 480,640,3", text);
            return false;
        }
        t.shape.dim[t.shape.dim_count++] = (size_t)dim;
        more = *end == ',' || *end == 'x';
        p = more ? end + 1 : end;
    }
    t.shape.type = TENSOR_U64; /* the widest: whatever --dtype says fits then */
    if (*p != '\0' || !tensor_measure(&t)) {
        (void)ctl_usage("--shape: '%s' %s", text,
                        *p != '\0' ? "is not a list of sizes such as 480,640,3" : "is too large");
        return false;
    }
    t.shape.type = raw->shape.type;
    raw->shape = t.shape;
    return true;
}

int load_alloc(struct ctl *c, struct tensor *t)
{
    t->data = NULL;
    if (t->bytes >= LOAD_SHARE_BYTES || (c->shares_memory && t->bytes > 4096)) {
        t->data = simdd_alloc(c->s, t->bytes, NULL);
        t->shared = t->data != NULL;
        c->shares_memory |= t->shared;
    }
    if (t->data == NULL)
        t->data = malloc(t->bytes > 0 ? t->bytes : 1);
    return t->data != NULL ? EX_OK : ctl_fail(EX_OSERR, "no memory for %zu bytes", t->bytes);
}

void load_free(struct ctl *c, struct tensor *t)
{
    if (t->shared)
        simdd_free(c->s, t->data);
    else
        free(t->data);
    t->data = NULL;
    t->shared = false;
}

static int load_failed(const struct input *in, int err)
{
    return ctl_fail(EX_IOERR, "%s: %s", in->name, simdd_strerror(err));
}

/* Reads t->bytes of numbers behind a header. */
static int read_numbers(struct ctl *c, struct tensor *t, struct input *in)
{
    if (t->count == 0)
        return ctl_fail(EX_DATAERR, "%s: it has no elements", in->name);
    /* A regular file's size settles the matter before memory is asked for. */
    if (in->size > 0 && in->size < t->bytes)
        return ctl_fail(EX_DATAERR, "%s: it is cut short: %zu bytes of numbers are promised, the "
                                    "whole file has %llu",
                        in->name, t->bytes, (unsigned long long)in->size);
    int code = load_alloc(c, t);
    if (code != EX_OK)
        return code;
    size_t got = 0, more = 0;
    uint8_t extra;
    int err = input_read(in, t->data, t->bytes, &got);
    if (err == 0 && got == t->bytes)
        err = input_read(in, &extra, 1, &more);
    if (err < 0)
        return load_failed(in, err);
    if (got < t->bytes)
        return ctl_fail(EX_DATAERR, "%s: it is cut short: %zu of %zu bytes of numbers are there",
                        in->name, got, t->bytes);
    if (more > 0)
        return ctl_fail(EX_DATAERR, "%s: there are bytes behind its %zu bytes of numbers", in->name,
                        t->bytes);
    return EX_OK;
}

static int load_npy(struct ctl *c, struct tensor *t, struct input *in)
{
    const uint8_t *p;
    size_t have, header_bytes;
    int err = input_peek(in, NPY_HEADER_MAX, &p, &have);
    if (err < 0)
        return load_failed(in, err);
    char why[NPY_WHY_BYTES];
    err = npy_parse(&t->shape, &header_bytes, why, p, have);
    if (err < 0)
        return ctl_fail(EX_DATAERR, "%s: %s", in->name,
                        err == -EAGAIN ? "its npy header is cut short" : why);
    (void)tensor_measure(t);
    input_skip(in, header_bytes);
    return read_numbers(c, t, in);
}

static void image_shape(struct tensor *t, uint32_t height, uint32_t width, uint32_t channels)
{
    t->shape = (struct tensor_shape){.type = TENSOR_U8,
                                     .dim_count = channels == 1 ? 2 : 3,
                                     .dim = {height, width, channels}};
}

static int load_pnm(struct ctl *c, struct tensor *t, struct input *in)
{
    const uint8_t *p;
    size_t have, header_bytes;
    int err = input_peek(in, PNM_HEADER_MAX, &p, &have);
    if (err < 0)
        return load_failed(in, err);
    char why[PNM_WHY_BYTES];
    struct pnm image;
    err = pnm_parse(&image, &header_bytes, why, p, have);
    if (err < 0)
        return ctl_fail(EX_DATAERR, "%s: %s", in->name,
                        err == -EAGAIN ? "its header is cut short" : why);
    image_shape(t, image.height, image.width, image.channels);
    (void)tensor_measure(t); /* 2^24 * 2^24 * 3 fits */
    input_skip(in, header_bytes);
    return read_numbers(c, t, in);
}

struct png_target {
    struct ctl *c;
    struct tensor *t;
};

static void *take_pixels(void *user, const struct image_png *image)
{
    struct png_target *target = user;
    image_shape(target->t, image->height, image->width, image->channels);
    if (!tensor_measure(target->t) || load_alloc(target->c, target->t) != EX_OK)
        return NULL;
    return target->t->data;
}

static int load_png(struct ctl *c, struct tensor *t, struct input *in)
{
    char why[IMAGE_PNG_WHY_BYTES];
    struct image_png image;
    struct png_target target = {c, t};
    int err = image_png_read(&image, why, in, take_pixels, &target);
    if (err == -EINVAL)
        return ctl_fail(EX_DATAERR, "%s: %s", in->name, why);
    return err < 0 ? load_failed(in, err) : EX_OK;
}

static int load_raw(struct ctl *c, struct tensor *t, struct input *in, const struct load_raw *raw)
{
    t->shape = raw->shape;
    if (t->shape.dim_count > 0) {
        (void)tensor_measure(t);
        return read_numbers(c, t, in);
    }
    uint8_t *p = NULL;
    size_t bytes = 0, element = tensor_type_bytes(t->shape.type);
    int err = input_read_all(in, &p, &bytes);
    if (err < 0)
        return load_failed(in, err);
    if (bytes == 0 || bytes % element != 0) {
        free(p);
        return ctl_fail(EX_DATAERR, "%s: its %zu bytes are not a whole number of %s", in->name,
                        bytes, tensor_type_name(t->shape.type));
    }
    t->shape.dim_count = 1;
    t->shape.dim[0] = bytes / element;
    (void)tensor_measure(t);
    int code = load_alloc(c, t);
    if (code == EX_OK)
        memcpy(t->data, p, bytes);
    free(p);
    return code;
}

int load_file(struct ctl *c, struct tensor *t, const char *name, const struct load_raw *raw,
              enum load_format *format)
{
    *t = (struct tensor){.data = NULL};
    struct input in;
    int err = input_open(&in, name);
    if (err < 0)
        return ctl_fail(err == -EACCES ? EX_NOPERM : EX_NOINPUT, "%s: %s", name,
                        simdd_strerror(err));
    const uint8_t *p;
    size_t have;
    enum load_format found = LOAD_UNKNOWN;
    int code;
    err = input_peek(&in, 16, &p, &have);
    if (err < 0) {
        code = load_failed(&in, err);
    } else if (raw != NULL && raw->given) {
        found = LOAD_RAW;
        code = load_raw(c, t, &in, raw);
    } else if (npy_is(p, have)) {
        found = LOAD_NPY;
        code = load_npy(c, t, &in);
    } else if (pnm_is(p, have)) {
        found = LOAD_PNM;
        code = load_pnm(c, t, &in);
    } else if (image_png_is(p, have)) {
        found = LOAD_PNG;
        code = load_png(c, t, &in);
    } else {
        code = ctl_fail(EX_DATAERR, "%s: %s", in.name,
                        have == 0 ? "it is empty"
                                  : "it is none of .npy, PGM, PPM, PNG; --dtype reads it as raw");
    }
    if (format != NULL)
        *format = found;
    input_close(&in);
    return code;
}

enum load_format load_format_of(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (dot == NULL || strchr(dot, '/') != NULL)
        return LOAD_UNKNOWN;
    if (strcmp(dot, ".pgm") == 0 || strcmp(dot, ".ppm") == 0)
        return LOAD_PNM;
    return strcmp(dot, ".bin") == 0 ? LOAD_RAW : load_format_find(dot + 1);
}

enum load_format load_format_find(const char *word)
{
    static const char *const names[] = {"npy", "raw", "pnm", "png", NULL};
    int found = ctl_choice(word, names);
    return found < 0 ? LOAD_UNKNOWN : (enum load_format)(LOAD_NPY + found);
}

/* [h,w] or [h,w,channels] of bytes? */
static bool is_image(const struct tensor_shape *s, uint32_t *channels)
{
    *channels = s->dim_count == 3 ? (uint32_t)s->dim[2] : 1;
    return s->type == TENSOR_U8 && !s->fortran && (s->dim_count == 2 || s->dim_count == 3) &&
           (*channels == 1 || *channels == 3 || *channels == 4);
}

int load_check_store(const char *name, enum load_format format, const struct tensor_shape *shape)
{
    if (strcmp(name, "-") == 0 && isatty(STDOUT_FILENO))
        return ctl_usage("the result is binary: name a file with -o, or redirect standard output");
    if (format == LOAD_UNKNOWN)
        return ctl_usage("%s: the suffix is none of .npy .raw .bin .png .pgm .ppm .pnm; use --to",
                         name);
    if (format != LOAD_PNM && format != LOAD_PNG)
        return EX_OK;
    uint32_t channels;
    if (!is_image(shape, &channels))
        return ctl_fail(EX_DATAERR, "%s: the result is no image of bytes; use .npy", name);
    if (format == LOAD_PNM && channels == 4)
        return ctl_fail(EX_DATAERR, "%s: a PPM image has no alpha channel; use .png", name);
    const char *dot = strrchr(name, '.');
    if (format == LOAD_PNM && dot != NULL && strcmp(dot, channels == 1 ? ".ppm" : ".pgm") == 0)
        return ctl_fail(EX_DATAERR, "%s: the result is %s; use %s", name,
                        channels == 1 ? "grey" : "in colour", channels == 1 ? ".pgm" : ".ppm");
    return EX_OK;
}

static int write_as(struct output *out, enum load_format format, const struct tensor *t,
                    char why[static IMAGE_PNG_WHY_BYTES])
{
    uint8_t header[NPY_PRINT_MAX];
    size_t header_bytes = 0;
    uint32_t channels = 1;
    (void)is_image(&t->shape, &channels);
    if (format == LOAD_PNG) {
        const struct image_png image = {(uint32_t)t->shape.dim[1], (uint32_t)t->shape.dim[0],
                                        channels};
        return image_png_write(why, out, &image, t->data);
    }
    if (format == LOAD_NPY) {
        header_bytes = npy_print(header, &t->shape);
    } else if (format == LOAD_PNM) {
        const struct pnm image = {(uint32_t)t->shape.dim[1], (uint32_t)t->shape.dim[0], channels};
        header_bytes = pnm_print(header, &image);
    }
    int err = output_write(out, header, header_bytes);
    return err < 0 ? err : output_write(out, t->data, t->bytes);
}

int load_store(const char *name, enum load_format format, const struct tensor *t)
{
    struct output out;
    int err = output_open(&out, name);
    if (err < 0)
        return ctl_fail(EX_CANTCREAT, "%s: cannot be created: %s", name, simdd_strerror(err));
    char why[IMAGE_PNG_WHY_BYTES] = "";
    err = write_as(&out, format, t, why);
    int closed = output_close(&out, err == 0);
    if (err == -EINVAL)
        return ctl_fail(EX_SOFTWARE, "%s: %s", name, why);
    err = err < 0 ? err : closed;
    return err < 0 ? ctl_fail(EX_IOERR, "%s: %s", name, simdd_strerror(err)) : EX_OK;
}
