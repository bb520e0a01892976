/* Jobs filled in, ops and statuses by name. No handle, no state. */
#include "config.h"

#include "simdd.h"

#include <string.h>

#include "kernels/kern.h"
#include "protocol/wire.h"

/* simdd.h stands alone, so it repeats numbers of the tables; here they are held to them. */
#define OP(id, name, ...) OP_##name = id,
enum {
#include "kernels/ops.def"
};
#undef OP
_Static_assert((int)SIMDD_ADD_F32 == OP_add_f32 && (int)SIMDD_ADD_I32 == OP_add_i32 &&
                   (int)SIMDD_ADD_U8 == OP_add_u8 && (int)SIMDD_MUL_F32 == OP_mul_f32 &&
                   (int)SIMDD_MUL_I32 == OP_mul_i32 && (int)SIMDD_MUL_U8 == OP_mul_u8 &&
                   (int)SIMDD_MATMUL_F32 == OP_matmul_f32 &&
                   (int)SIMDD_MATMUL_I32 == OP_matmul_i32 &&
                   (int)SIMDD_MATMUL_U8 == OP_matmul_u8 && (int)SIMDD_CONV2D_F32 == OP_conv2d_f32 &&
                   (int)SIMDD_CONV2D_I32 == OP_conv2d_i32 &&
                   (int)SIMDD_CONV2D_U8 == OP_conv2d_u8 && (int)SIMDD_HASH_FAST == OP_hash_fast &&
                   (int)SIMDD_HASH_FNV1A_64 == OP_hash_fnv1a_64 &&
                   (int)SIMDD_MIX_U32 == OP_mix_u32,
               "enum simdd_op says what ops.def says");
#define STATUS(code, upper, name, sentence)                                                        \
    _Static_assert((int)SIMDD_##upper == code, "enum simdd_status says what status.def says");
#include "protocol/status.def"
#undef STATUS
_Static_assert((int)SIMDD_BORDER_REFLECT101 == (int)KERN_BORDER_REFLECT101 &&
                   (int)SIMDD_ROUND_TRUNCATE == (int)KERN_ROUND_TRUNCATE &&
                   (int)SIMDD_CACHE_NEVER == (int)WIRE_CACHE_NEVER &&
                   (int)SIMDD_BACKEND_WASM == (int)WIRE_BACKEND_WASM &&
                   (int)SIMDD_PRIORITY_LOW == (int)WIRE_PRIORITY_LOW &&
                   (int)SIMDD_METRICS_OPENMETRICS == (int)WIRE_METRICS_OPENMETRICS,
               "the public enums are the wire's");

static void job_init(struct simdd_job *job, uint32_t op, const void *x, const void *y, void *out)
{
    memset(job, 0, sizeof(*job));
    job->op = op;
    job->in[0] = x;
    job->in[1] = y;
    job->out = out;
}

void simdd_job_zip(struct simdd_job *job, uint32_t op, uint32_t n, const void *x, const void *y,
                   void *z)
{
    job_init(job, op, x, y, z);
    job->u.n = n;
}

void simdd_job_map(struct simdd_job *job, uint32_t op, uint32_t n, const void *x, void *y)
{
    job_init(job, op, x, NULL, y);
    job->u.n = n;
}

void simdd_job_matmul(struct simdd_job *job, uint32_t op, uint32_t m, uint32_t n, uint32_t k,
                      const void *a, const void *b, void *c)
{
    job_init(job, op, a, b, c);
    job->u.matmul.m = m;
    job->u.matmul.n = n;
    job->u.matmul.k = k;
    if (op == SIMDD_MATMUL_F32)
        job->u.matmul.alpha.f32 = 1.0f;
    else if (op == SIMDD_MATMUL_I32)
        job->u.matmul.alpha.i32 = 1;
}

void simdd_job_conv2d(struct simdd_job *job, uint32_t op, uint32_t h, uint32_t w,
                      uint32_t channels, const void *image, uint32_t r, uint32_t s,
                      const void *kernel, void *out)
{
    job_init(job, op, image, kernel, out);
    job->u.conv2d = (struct simdd_conv2d){.h = h, .w = w, .channels = channels, .r = r, .s = s};
}

void simdd_job_hash(struct simdd_job *job, uint32_t op, const void *bytes, uint64_t byte_count,
                    uint64_t *out)
{
    job_init(job, op, bytes, NULL, out);
    job->u.hash.bytes = byte_count;
}

uint32_t simdd_op_find(const char *name)
{
    return (uint32_t)kern_op_find(name, strlen(name));
}

const char *simdd_op_name(uint32_t op)
{
    const struct kern_op_info *info = kern_op_info(op);
    return info != NULL ? info->name : NULL;
}

const char *simdd_strerror(int status)
{
    if (status >= 0)
        return wire_status_sentence((unsigned)status);
    const char *sentence = strerrordesc_np(-status);
    return sentence != NULL ? sentence : "unknown error";
}

const char *simdd_status_name(int status)
{
    if (status >= 0)
        return wire_status_name((unsigned)status);
    const char *name = strerrorname_np(-status);
    return name != NULL ? name : "unknown";
}
