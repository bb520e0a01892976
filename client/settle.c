/* What becomes of a request: its answer is found a place, and it completes or goes another round.
 *
 * Completion callbacks run from here, and only inside pump_run() or simdd_close(), with `busy`
 * set: what they may call never sends or receives, so the pump finds its state as it left it.
 */
#include "config.h"

#include "handle.h"

#include <errno.h>
#include <stdlib.h>

enum {
    TEXT_MAX_BYTES = 64 << 20, /* metrics; far above what a daemon prints */
    RETRY_DEFAULT_US = 1000,   /* where a refusal names no time */
    RETRY_MAX_US = 1000 * 1000 /* nor is a longer one believed */
};

void settle_result(const struct request *r, struct simdd_result *result)
{
    const struct wire_answer *a = &r->answer;
    *result = (struct simdd_result){
        .arg = r->arg,
        .status = r->status,
        .reason = "",
        .isa = "",
        .queued_ns = a->queued_ns,
        .ran_ns = a->ran_ns,
        .sent_count = r->sent_count,
        .in_arena = (r->header.flags & WIRE_F_ARENA) != 0,
    };
    if (r->status != 0)
        result->reason = r->text != NULL && r->status > 0 ? r->text : simdd_strerror(r->status);
    else
        result->bytes = r->out != NULL ? r->out_bytes : a->result_bytes;
    if (r->status == 0 && (r->header.type == WIRE_JOB || r->header.type == WIRE_CALL)) {
        result->cached = (a->flags & WIRE_A_CACHED) != 0;
        result->isa = a->isa < KERN_ISA_COUNT ? kern_isa_name((enum kern_isa)a->isa) : "";
    }
}

void settle_complete(struct simdd *s, struct request *r, int status)
{
    if (r->control) {
        handle_recycle(s, r);
        return;
    }
    r->status = status;
    s->in_flight--;
    s->completed++;
    if (status != 0)
        handle_fail(s, status, status > 0 ? r->text : NULL);
    if (r->done == NULL) {
        request_queue_push(&s->finished, r);
        return;
    }
    struct simdd_result result;
    settle_result(r, &result);
    s->completing = r;
    r->done(s, &result);
    s->completing = NULL;
    handle_recycle(s, r);
}

void settle_abandon(struct simdd *s, int status)
{
    /* A callback may submit: what it adds is not abandoned with the rest. */
    struct request_queue *const queues[] = {&s->answered, &s->sent, &s->queue, &s->waiting};
    struct request_queue doomed[sizeof(queues) / sizeof(queues[0])];
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        doomed[i] = *queues[i];
        *queues[i] = (struct request_queue){NULL, NULL};
    }
    for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++) {
        while (doomed[i].first != NULL) {
            struct request *r = doomed[i].first;
            request_queue_remove(&doomed[i], r);
            settle_complete(s, r, status);
        }
    }
}

static void wait_for_turn(struct simdd *s, struct request *r, uint32_t retry_after_us)
{
    uint64_t pause_us = retry_after_us != 0 ? retry_after_us : RETRY_DEFAULT_US;
    r->turned_away_count++;
    r->due_us = handle_now_us() + (pause_us < RETRY_MAX_US ? pause_us : RETRY_MAX_US);
    request_queue_push_due(&s->waiting, r);
}

static bool turned_away(int status)
{
    return status == WIRE_OVERLOADED || status == WIRE_SHUTTING_DOWN;
}

void settle_answered(struct simdd *s, struct request *r)
{
    int status = r->answer.status;
    r->on_wire = r->answered = false;
    if (turned_away(status) && r->turned_away_count < s->options.overload_retries) {
        wait_for_turn(s, r, r->answer.retry_after_us);
        return;
    }
    if (status == WIRE_ARENA_UNKNOWN && (r->header.flags & WIRE_F_ARENA) != 0) {
        /* The daemon would not take the arena, so the bytes go over the socket. */
        const char *field;
        int err = request_encode(r, NULL, &field);
        if (err == 0)
            handle_enqueue(s, r);
        else
            settle_complete(s, r, err);
        return;
    }
    if (r->header.type == WIRE_ARENA_ADD && status != WIRE_OK)
        memory_refuse(s->memory, r->header.arg[0]);
    if (status == WIRE_OK)
        request_deliver(r);
    settle_complete(s, r, status);
}

static struct request *find(const struct simdd *s, uint64_t id)
{
    size_t slot = (uint32_t)id;
    if (slot >= s->slot_count)
        return NULL;
    struct request *r = s->slots[slot];
    return request_id(r) == id && r->on_wire && !r->answered ? r : NULL;
}

/* Where an answer's payload goes. */
static int place(struct request *r, const struct wire_answer *a, void **into, size_t *into_bytes)
{
    bool call = a->status == WIRE_OK && r->function != NULL;
    free(r->text);
    r->text = NULL;
    if (call && !request_answer_fits(r, a))
        return -EPROTO;
    if (a->status == WIRE_OK && r->out != NULL) {
        bool in_arena = (a->flags & WIRE_A_IN_ARENA) != 0;
        if (a->result_bytes != (in_arena ? 0 : r->out_bytes))
            return -EPROTO;
        *into = in_arena ? NULL : request_target(r);
        *into_bytes = in_arena ? 0 : r->out_bytes;
        return 0;
    }
    if (a->result_bytes > TEXT_MAX_BYTES && !call)
        return -EPROTO;
    if (a->result_bytes == 0)
        return 0;
    size_t bytes = (size_t)a->result_bytes;
    r->text = malloc(bytes + 1);
    if (r->text == NULL)
        return -ENOMEM;
    r->text[bytes] = '\0';
    *into = r->text;
    *into_bytes = bytes;
    return 0;
}

static int answer_begin(void *user, const struct wire_answer *a, void **into, size_t *into_bytes)
{
    struct simdd *s = user;
    struct request *r = find(s, a->id);
    if (r == NULL || a->type != (WIRE_ANSWER | r->header.type)) {
        /* To nobody. The daemon cannot follow our stream, and sending it again is no use; or it
         * is noise, and then it may be. */
        if (a->status == WIRE_BAD_MAGIC || a->status == WIRE_BAD_VERSION)
            s->fatal_status = a->status;
        return -EPROTO;
    }
    r->answer = *a;
    s->answering = r;
    return place(r, a, into, into_bytes);
}

static int answer_end(void *user, const struct wire_answer *a)
{
    (void)a;
    struct simdd *s = user;
    struct request *r = s->answering;
    s->answering = NULL;
    s->attempt_count = 0;
    if (r == s->queue.first && s->link.head_sent > 0) {
        /* Refused before it was wholly sent. The rest must follow, or the next frame could not be
         * told from it, and until then the operands are borrowed. */
        r->answered = true;
        return 0;
    }
    request_queue_remove(&s->sent, r);
    settle_answered(s, r);
    return 0;
}

static void request_sent(void *user, struct request *r)
{
    struct simdd *s = user;
    r->sent_count++;
    /* One that was answered early is settled by the pump: we may be inside a mere flush. */
    request_queue_push(r->answered ? &s->answered : &s->sent, r);
}

const struct link_sink settle_sink = {answer_begin, answer_end, request_sent, NULL};
