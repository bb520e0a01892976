/* Members of a request by name: which there may be, and one of each kind. */
#include "config.h"

#include "json_job_priv.h"

#include <string.h>

#include "json_array.h"

enum { FIELD_BYTES = 64 }; /* what json_job_parse() promises */

/* Which requests have a member. */
enum {
    CONTROL = 1, /* ping, metrics */
    ZIP = 2,
    MAP = 4,
    MATMUL = 8, /* f32 and i32: scaled */
    MATMUL_U8 = 16,
    CONV2D = 32,
    HASH = 64,
    CALL = 128, /* a function of a user's module */
    JOB = ZIP | MAP | MATMUL | MATMUL_U8 | CONV2D | HASH | CALL
};

static const struct member {
    const char *name;
    unsigned groups;
} members[] = {
    {"op", CONTROL | JOB},
    {"id", CONTROL | JOB},
    {"backend", JOB},
    {"cache", JOB},
    {"deadline_us", JOB},
    {"priority", JOB},
    {"x", ZIP | MAP | CALL},
    {"y", ZIP | CALL},
    {"z", CALL},
    {"params", CALL},
    {"result", CALL},
    {"a", MATMUL | MATMUL_U8},
    {"b", MATMUL | MATMUL_U8},
    {"c", MATMUL},
    {"m", MATMUL | MATMUL_U8},
    {"n", MATMUL | MATMUL_U8},
    {"k", MATMUL | MATMUL_U8},
    {"trans_a", MATMUL | MATMUL_U8},
    {"trans_b", MATMUL | MATMUL_U8},
    {"alpha", MATMUL},
    {"beta", MATMUL},
    {"zero_a", MATMUL_U8},
    {"zero_b", MATMUL_U8},
    {"image", CONV2D},
    {"kernel", CONV2D},
    {"h", CONV2D},
    {"w", CONV2D},
    {"channels", CONV2D},
    {"r", CONV2D},
    {"s", CONV2D},
    {"border", CONV2D},
    {"rounding", CONV2D},
    {"text", HASH},
    {"base64", HASH},
    {"messages", HASH},
};

bool json_is_word(const json_t *v, const char *word)
{
    return json_is_string(v) && json_string_length(v) == strlen(word) &&
           memcmp(json_string_value(v), word, strlen(word)) == 0;
}

/* The name is cut at a whole character, since it goes into an answer that must be UTF-8. */
enum wire_status json_parse_refuse(struct json_parse *p, enum wire_status status, const char *name)
{
    size_t n = strlen(name);

    if (n >= FIELD_BYTES) {
        n = FIELD_BYTES - 1;
        while (n > 0 && ((unsigned char)name[n] & 0xc0) == 0x80)
            n--;
    }
    memcpy(p->field, name, n);
    p->field[n] = '\0';
    return status;
}

static unsigned group_of(const struct kern_op_info *info)
{
    if (info == NULL)
        return CONTROL;
    switch (info->family) {
    case KERN_zip:
        return ZIP;
    case KERN_map:
        return MAP;
    case KERN_matmul:
        return info->in == KERN_u8 ? MATMUL_U8 : MATMUL;
    case KERN_conv2d:
        return CONV2D;
    case KERN_hash:
        return HASH;
    }
    return 0;
}

enum wire_status json_parse_members(struct json_parse *p)
{
    unsigned group = p->out->call != NULL ? CALL : group_of(p->info);

    for (void *it = json_object_iter(p->root); it != NULL;
         it = json_object_iter_next(p->root, it)) {
        const char *key = json_object_iter_key(it);
        size_t i = 0, count = sizeof(members) / sizeof(members[0]);
        while (i < count && strcmp(members[i].name, key) != 0)
            i++;
        if (i == count || (members[i].groups & group) == 0)
            return json_parse_refuse(p, WIRE_BAD_FIELD, key);
    }
    return WIRE_OK;
}

enum wire_status json_parse_number(struct json_parse *p, void *out, enum kern_type type,
                                   const char *name)
{
    const json_t *v = json_object_get(p->root, name);
    enum wire_status status = v == NULL ? WIRE_OK : json_number(out, type, v);
    return status == WIRE_OK ? WIRE_OK : json_parse_refuse(p, status, name);
}

enum wire_status json_parse_dim(struct json_parse *p, uint32_t *out, const char *name)
{
    enum wire_status status = json_parse_number(p, out, KERN_u32, name);
    if (status == WIRE_OK && *out == 0 && json_object_get(p->root, name) != NULL)
        return json_parse_refuse(p, WIRE_BAD_SHAPE, name);
    return status;
}

enum wire_status json_parse_word(struct json_parse *p, uint32_t *out, const char *const *words,
                                 const char *name, enum wire_status unknown)
{
    const json_t *v = json_object_get(p->root, name);
    if (v == NULL)
        return WIRE_OK;
    if (!json_is_string(v))
        return json_parse_refuse(p, WIRE_BAD_FIELD, name);
    for (uint32_t i = 0; words[i] != NULL; i++) {
        if (json_is_word(v, words[i])) {
            *out = i;
            return WIRE_OK;
        }
    }
    return json_parse_refuse(p, unknown, name);
}

enum wire_status json_parse_flag(struct json_parse *p, unsigned flag, const char *name)
{
    const json_t *v = json_object_get(p->root, name);
    if (v != NULL && !json_is_boolean(v))
        return json_parse_refuse(p, WIRE_BAD_FIELD, name);
    if (json_is_true(v))
        p->out->header.flags |= (uint16_t)flag;
    return WIRE_OK;
}

