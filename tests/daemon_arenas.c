/* Arenas, and jobs in them. */
#include "config.h"

#include "daemon_arenas.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <check.h>

int arena_memfd(size_t bytes, int seals)
{
    int fd = memfd_create("arena", MFD_ALLOW_SEALING | MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(ftruncate(fd, (off_t)bytes), 0);
    if (seals != 0)
        ck_assert_int_eq(fcntl(fd, F_ADD_SEALS, seals), 0);
    return fd;
}

void arena_send_add(int fd, uint64_t id, uint32_t number, uint64_t bytes, int memfd)
{
    struct wire_request h = client_request(WIRE_ARENA_ADD, id);
    h.arg[0] = number;
    h.arg[1] = (uint32_t)bytes;
    h.arg[2] = (uint32_t)(bytes >> 32);
    if (memfd >= 0)
        client_send_fds(fd, &h, sizeof(h), &memfd, 1);
    else
        client_send_frame(fd, &h, NULL, 0);
}

void arena_send_drop(int fd, uint64_t id, uint32_t number)
{
    struct wire_request h = client_request(WIRE_ARENA_DROP, id);
    h.arg[0] = number;
    client_send_frame(fd, &h, NULL, 0);
}

uint8_t *arena_add(int fd, uint32_t number, size_t bytes)
{
    int memfd = arena_memfd(bytes, ARENA_SEALS);
    uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
    ck_assert(p != MAP_FAILED);
    arena_send_add(fd, number, number, bytes, memfd);
    client_expect_ok(fd, number);
    close(memfd);
    return p;
}

void lent_make(struct lent *l, struct job_case *k, uint32_t arena, uint8_t *base, size_t at)
{
    *l = (struct lent){.k = k};
    for (unsigned i = 0; i < k->shape.in_count; i++) {
        l->refs[i] = (struct wire_ref){arena, 0, at};
        memcpy(base + at, job_case_operand(k, i), k->shape.in_bytes[i]);
        at += wire_pad(k->shape.in_bytes[i]);
    }
    l->refs[k->shape.in_count] = (struct wire_ref){arena, 0, at};
}

void lent_send(struct lent *l, int fd, uint64_t id)
{
    struct wire_request h = l->k->h;
    h.id = id;
    h.flags |= WIRE_F_ARENA;
    client_send_frame(fd, &h, l->refs, (l->k->shape.in_count + 1) * sizeof(l->refs[0]));
}

void lent_check(const struct lent *l, int fd, uint64_t id, const uint8_t *base)
{
    struct answer a;
    struct job_case *k = l->k;
    const struct wire_ref *result = &l->refs[k->shape.in_count];
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.id, id);
    if (result->arena == WIRE_INLINE) {
        ck_assert_uint_eq(a.h.flags & WIRE_A_IN_ARENA, 0);
        job_case_check(k, &a);
        return;
    }
    ck_assert_msg(a.h.status == WIRE_OK, "%s", wire_status_name(a.h.status));
    ck_assert_uint_ne(a.h.flags & WIRE_A_IN_ARENA, 0);
    ck_assert_uint_eq(a.h.result_bytes, 0);
    ck_assert_int_eq(memcmp(base + result->offset, job_case_expected(k, a.h.isa),
                            k->shape.out_bytes),
                     0);
    free(a.payload);
}
