/* An array in memory. */
#include "config.h"

#include "tensor.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
} types[] = {
#define X(upper, name, descr, bytes) {name, bytes},
    TENSOR_TYPES(X)
#undef X
};

const char *tensor_type_name(enum tensor_type type)
{
    return types[type].name;
}

size_t tensor_type_bytes(enum tensor_type type)
{
    return types[type].bytes;
}

bool tensor_type_find(enum tensor_type *type, const char *name)
{
    for (unsigned i = 0; i < TENSOR_TYPE_COUNT; i++) {
        if (strcmp(types[i].name, name) == 0) {
            *type = (enum tensor_type)i;
            return true;
        }
    }
    return false;
}

bool tensor_measure(struct tensor *t)
{
    bool empty = false;
    for (unsigned i = 0; i < t->shape.dim_count; i++)
        empty |= t->shape.dim[i] == 0;
    size_t count = empty ? 0 : 1, limit = SIZE_MAX / 2 / tensor_type_bytes(t->shape.type);
    for (unsigned i = 0; i < t->shape.dim_count && !empty; i++) {
        if (t->shape.dim[i] > limit / count)
            return false;
        count *= t->shape.dim[i];
    }
    t->count = count;
    t->bytes = count * tensor_type_bytes(t->shape.type);
    return true;
}

bool tensor_same_dims(const struct tensor_shape *a, const struct tensor_shape *b)
{
    return a->dim_count == b->dim_count &&
           memcmp(a->dim, b->dim, a->dim_count * sizeof(a->dim[0])) == 0;
}

char *tensor_print_dims(char *buffer, size_t cap, const struct tensor_shape *shape)
{
    if (shape->dim_count == 0)
        (void)snprintf(buffer, cap, "scalar");
    size_t at = 0;
    for (unsigned i = 0; i < shape->dim_count && at < cap; i++) {
        int n = snprintf(buffer + at, cap - at, "%s%zu", i > 0 ? "x" : "", shape->dim[i]);
        at += n > 0 ? (size_t)n : 0;
    }
    return buffer;
}
