/* Requests: from a caller's job to the frame on the wire, and its result back.
 *
 * A frame is never copied together: the header lies in the request, operands stay with the
 * caller, and one writev takes them all. Two results cannot be read straight into the caller's
 * memory. Where the result is also an operand, half an answer would spoil the operand that must
 * be sent again after a break; where a matrix has gaps between its rows, the gaps are not ours to
 * write. Such a result waits in a buffer of its own until it is whole.
 */
#include "config.h"

#include "request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void request_queue_push(struct request_queue *q, struct request *r)
{
    r->next = NULL;
    r->prev = q->last;
    if (q->last != NULL)
        q->last->next = r;
    else
        q->first = r;
    q->last = r;
}

void request_queue_push_front(struct request_queue *q, struct request *r)
{
    r->prev = NULL;
    r->next = q->first;
    if (q->first != NULL)
        q->first->prev = r;
    else
        q->last = r;
    q->first = r;
}

void request_queue_push_due(struct request_queue *q, struct request *r)
{
    struct request *before = q->last;
    while (before != NULL && before->due_us > r->due_us)
        before = before->prev;
    if (before == NULL) {
        request_queue_push_front(q, r);
        return;
    }
    r->prev = before;
    r->next = before->next;
    if (before->next != NULL)
        before->next->prev = r;
    else
        q->last = r;
    before->next = r;
}

void request_queue_remove(struct request_queue *q, struct request *r)
{
    if (r->prev != NULL)
        r->prev->next = r->next;
    else
        q->first = r->next;
    if (r->next != NULL)
        r->next->prev = r->prev;
    else
        q->last = r->prev;
    r->next = r->prev = NULL;
}

static void header_init(struct wire_request *h, enum wire_type type, uint64_t id)
{
    *h = (struct wire_request){
        .magic = WIRE_MAGIC, .version = WIRE_VERSION, .type = (uint8_t)type, .id = id};
}

void request_encode_header(struct request *r, enum wire_type type)
{
    header_init(&r->header, type, request_id(r));
}

void request_encode_plain(struct request *r, enum wire_type type, uint32_t arg0)
{
    header_init(&r->header, type, request_id(r));
    r->header.arg[0] = arg0;
    r->part_count = 0;
    r->frame_bytes = WIRE_HEADER_BYTES;
}

static void encode_matmul(struct wire_request *h, const struct simdd_matmul *p)
{
    const uint32_t dims[] = {p->m, p->n, p->k, p->lda, p->ldb, p->ldc};
    memcpy(h->arg, dims, sizeof(dims));
    memcpy(&h->arg[6], &p->alpha, sizeof(h->arg[6]));
    memcpy(&h->arg[7], &p->beta, sizeof(h->arg[7]));
    if (p->trans_a)
        h->flags |= WIRE_F_TRANS_A;
    if (p->trans_b)
        h->flags |= WIRE_F_TRANS_B;
}

static void encode_conv2d(struct wire_request *h, const struct simdd_conv2d *p)
{
    const uint32_t args[] = {
        p->h, p->w, p->channels, p->r, p->s, (uint32_t)p->border, (uint32_t)p->rounding};
    memcpy(h->arg, args, sizeof(args));
}

static int encode_header(struct wire_request *h, const struct simdd_job *job, uint64_t id)
{
    const struct kern_op_info *info = kern_op_info(job->op);
    if (info == NULL)
        return WIRE_BAD_OP;
    if ((unsigned)job->backend > UINT8_MAX || (unsigned)job->priority > UINT8_MAX ||
        (unsigned)job->cache > WIRE_CACHE_NEVER)
        return -EINVAL;
    header_init(h, WIRE_JOB, id);
    h->op = (uint16_t)job->op;
    h->backend = (uint8_t)job->backend;
    h->priority = (uint8_t)job->priority;
    h->deadline_us = job->deadline_us;
    h->flags = (uint16_t)((unsigned)job->cache << WIRE_F_CACHE_SHIFT);
    switch (info->family) {
    case KERN_zip:
    case KERN_map:
        h->arg[0] = job->u.n;
        break;
    case KERN_matmul:
        encode_matmul(h, &job->u.matmul);
        break;
    case KERN_conv2d:
        encode_conv2d(h, &job->u.conv2d);
        break;
    case KERN_hash:
        h->arg[0] = job->u.hash.count;
        h->arg[1] = (uint32_t)job->u.hash.bytes;
        h->arg[2] = (uint32_t)(job->u.hash.bytes >> 32);
        break;
    }
    return WIRE_OK;
}

static bool overlaps(const void *a, size_t a_bytes, const void *b, size_t b_bytes)
{
    uintptr_t x = (uintptr_t)a, y = (uintptr_t)b;
    return a_bytes != 0 && b_bytes != 0 && x < y + b_bytes && y < x + a_bytes;
}

/* Decides whether the result must wait in r->bounce, and makes it. */
static int bounce_init(struct request *r, const struct request_data *d)
{
    bool wanted = d->rows.count != 0;
    for (unsigned i = 0; i < d->in_count; i++)
        wanted |= overlaps(d->out, d->out_bytes, d->in[i], d->in_bytes[i]);
    r->rows = d->rows;
    if (!wanted || r->bounce != NULL)
        return 0;
    r->bounce = malloc(d->out_bytes);
    return r->bounce != NULL ? 0 : -ENOMEM;
}

static bool ref_find(const struct memory *m, const void *p, size_t bytes, struct wire_ref *ref)
{
    *ref = (struct wire_ref){0};
    return memory_find(m, p, bytes, &ref->arena, &ref->offset) && ref->offset % WIRE_ALIGN == 0;
}

static void stage_give(struct request *r, struct memory *m)
{
    for (unsigned i = 0; i < KERN_IN_MAX; i++) {
        memory_block_give(m, r->stage[i]);
        r->stage[i] = NULL;
    }
}

/* References for all operands; a small one outside of shared memory is copied into it. */
static bool refs_init(struct request *r, struct memory *m, const struct request_data *d)
{
    bool inside[KERN_IN_MAX] = {false}, any = false;
    for (unsigned i = 0; i < d->in_count; i++) {
        inside[i] = ref_find(m, d->in[i], d->in_bytes[i], &r->refs[i]);
        if (!inside[i] && d->in_bytes[i] > REQUEST_STAGE_MAX)
            return false;
        any |= inside[i];
    }
    if (!any)
        return false;
    for (unsigned i = 0; i < d->in_count; i++) {
        if (inside[i])
            continue;
        int err;
        r->stage[i] = memory_block_take(m, d->in_bytes[i], &err);
        if (r->stage[i] == NULL || !ref_find(m, r->stage[i], d->in_bytes[i], &r->refs[i])) {
            stage_give(r, m);
            return false;
        }
        memcpy(r->stage[i], d->in[i], d->in_bytes[i]);
    }
    struct wire_ref *out = &r->refs[d->in_count];
    if (d->out == NULL || r->bounce != NULL || !ref_find(m, d->out, d->out_bytes, out))
        *out = (struct wire_ref){.arena = WIRE_INLINE};
    return true;
}

static void add_part(struct request *r, const void *p, size_t bytes)
{
    r->part[r->part_count] = p;
    r->part_bytes[r->part_count++] = bytes;
    r->header.payload_bytes += wire_pad(bytes);
}

int request_encode_data(struct request *r, struct memory *m, const struct request_data *d,
                        size_t head_bytes)
{
    for (unsigned i = 0; i < d->in_count; i++)
        if (d->in[i] == NULL && d->in_bytes[i] != 0)
            return -EINVAL;
    r->out = d->out;
    r->out_bytes = d->out_bytes;
    int err = bounce_init(r, d);
    if (err < 0)
        return err;

    r->part_count = 0;
    r->header.payload_bytes = 0;
    if (head_bytes > 0)
        add_part(r, r->head, head_bytes);
    if (m != NULL && refs_init(r, m, d)) {
        r->header.flags |= WIRE_F_ARENA;
        add_part(r, r->refs, (d->in_count + 1) * sizeof(r->refs[0]));
    } else {
        for (unsigned i = 0; i < d->in_count; i++)
            add_part(r, d->in[i], d->in_bytes[i]);
    }
    r->frame_bytes = WIRE_HEADER_BYTES + (size_t)r->header.payload_bytes;
    return 0;
}

int request_encode(struct request *r, struct memory *m, const char **field)
{
    *field = NULL;
    if (r->function != NULL)
        return request_encode_function(r, m, field);
    int err = encode_header(&r->header, &r->job, request_id(r));
    if (err != WIRE_OK)
        return err;
    struct shape shape;
    err = (int)shape_check(&shape, &r->header, SIZE_MAX, field);
    if (err != WIRE_OK)
        return err;
    if (r->job.out == NULL)
        return -EINVAL;

    struct request_data d = {
        .in_count = shape.in_count, .out = r->job.out, .out_bytes = shape.out_bytes};
    memcpy(d.in, r->job.in, sizeof(d.in));
    memcpy(d.in_bytes, shape.in_bytes, sizeof(d.in_bytes));
    const struct simdd_matmul *p = &r->job.u.matmul;
    if (shape.info->family == KERN_matmul && p->ldc > p->n) {
        size_t element = kern_type_bytes(shape.info->out);
        d.rows = (struct request_rows){p->m, p->n * element, p->ldc * element};
    }
    return request_encode_data(r, m, &d, 0);
}

unsigned request_pieces(const struct request *r, size_t skip, struct iovec *iov)
{
    static const uint8_t zeros[WIRE_ALIGN];
    const void *base[REQUEST_IOV_MAX] = {&r->header};
    size_t bytes[REQUEST_IOV_MAX] = {WIRE_HEADER_BYTES};
    unsigned count = 1;
    for (unsigned i = 0; i < r->part_count; i++) {
        base[count] = r->part[i];
        bytes[count++] = r->part_bytes[i];
        base[count] = zeros;
        bytes[count++] = wire_pad(r->part_bytes[i]) - r->part_bytes[i];
    }

    unsigned n = 0;
    for (unsigned i = 0; i < count; i++) {
        if (skip >= bytes[i]) {
            skip -= bytes[i];
            continue;
        }
        /* sendmsg reads only, but iovec has no const. */
        iov[n].iov_base = (void *)((uintptr_t)base[i] + skip);
        iov[n++].iov_len = bytes[i] - skip;
        skip = 0;
    }
    return n;
}

void request_deliver(struct request *r)
{
    if (r->function != NULL)
        request_deliver_function(r);
    if (r->bounce == NULL)
        return;
    if (r->rows.count == 0) {
        memcpy(r->out, r->bounce, r->out_bytes);
        return;
    }
    for (size_t i = 0; i < r->rows.count; i++)
        memcpy((uint8_t *)r->out + i * r->rows.stride_bytes,
               (uint8_t *)r->bounce + i * r->rows.stride_bytes, r->rows.bytes);
}

void request_reset(struct request *r, struct memory *m)
{
    stage_give(r, m);
    free(r->bounce);
    free(r->text);
    free(r->function);
    free(r->head);
    if (r->fd >= 0)
        (void)close(r->fd);
    uint32_t slot = r->slot, generation = r->generation;
    *r = (struct request){.slot = slot, .generation = generation, .fd = -1};
}
