/* Arrays from files and to files, whatever their format. Complaints are made here; functions
 * return exit codes. */
#ifndef CLIENT_LOAD_H
#define CLIENT_LOAD_H

#include <stdbool.h>

#include "ctl.h"
#include "tensor.h"

enum load_format { LOAD_UNKNOWN, LOAD_NPY, LOAD_RAW, LOAD_PNM, LOAD_PNG };

/* How a raw stream is to be understood. */
struct load_raw {
    bool given;                /* --dtype was: inputs are raw */
    struct tensor_shape shape; /* dim_count 0: one dimension, as long as the stream */
};

/* --dtype and --shape. false: complained. */
bool load_raw_dtype(struct load_raw *raw, const char *text);
bool load_raw_shape(struct load_raw *raw, const char *text);

/* Memory for t->bytes: lent to the daemon from LOAD_SHARE_BYTES on. */
enum { LOAD_SHARE_BYTES = 256 * 1024 };
int load_alloc(struct ctl *c, struct tensor *t);
void load_free(struct ctl *c, struct tensor *t);

/**
 * Reads a file (.npy, PGM, PPM, PNG by their first bytes; raw if `raw` is given). An image has
 * shape [h,w] or [h,w,channels]. load_free() in any case.
 * format  what it was; may be NULL
 */
int load_file(struct ctl *c, struct tensor *t, const char *name, const struct load_raw *raw,
              enum load_format *format);

/* The format by the suffix of a name; LOAD_UNKNOWN for "-" and others. */
enum load_format load_format_of(const char *name);

/* "npy", "raw", "pnm" or "png"; LOAD_UNKNOWN for another word. */
enum load_format load_format_find(const char *word);

/* Checks, before any work, that `format` (in which `name` will be written) can hold the shape, and
 * that a terminal would not get binary. */
int load_check_store(const char *name, enum load_format format, const struct tensor_shape *shape);

int load_store(const char *name, enum load_format format, const struct tensor *t);

#endif
