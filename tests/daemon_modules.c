#include "config.h"

#include "daemon_modules.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels/kern.h"
#include "suite.h"

void modules_state_dir(const struct bed *b, char path[static 64])
{
    (void)snprintf(path, 64, "%s/state", b->dir);
}

bool modules_start(struct bed *b)
{
    char state_dir[64];
    const char *const flags[] = {"--state-dir", state_dir, "--workers", "2", NULL};
    modules_state_dir(b, state_dir);
    return bed_start(b, flags);
}

void modules_open(struct bed *b, const char *config)
{
    char state_dir[64];
    bed_make(b);
    bed_configure(b, config);
    modules_state_dir(b, state_dir);
    ck_assert_int_eq(mkdir(state_dir, 0700), 0);
    ck_assert_msg(modules_start(b), "no daemon");
}

/* The parent of a living process, else 0. */
static pid_t parent_of(pid_t pid)
{
    char path[64], line[256];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return 0;
    int parent = 0;
    char state = 'Z';
    const char *end = fgets(line, sizeof(line), f) != NULL ? strrchr(line, ')') : NULL;
    if (end == NULL || sscanf(end, ") %c %d", &state, &parent) != 2 || state == 'Z')
        parent = 0;
    fclose(f);
    return parent;
}

static bool is_host(pid_t pid)
{
    char path[64], name[32] = "";
    (void)snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
    FILE *f = fopen(path, "r");
    if (f == NULL)
        return false;
    bool host = fgets(name, sizeof(name), f) != NULL && strcmp(name, "simdd-wasm\n") == 0;
    fclose(f);
    return host;
}

bool modules_kill_host(const struct bed *b)
{
    DIR *proc = opendir("/proc");
    ck_assert_ptr_nonnull(proc);
    bool killed = false;
    for (struct dirent *e; !killed && (e = readdir(proc)) != NULL;) {
        pid_t pid = (pid_t)atoi(e->d_name);
        if (pid > 0 && is_host(pid) &&
            (parent_of(pid) == b->pid || parent_of(parent_of(pid)) == b->pid))
            killed = kill(pid, SIGKILL) == 0;
    }
    closedir(proc);
    return killed;
}

static int damage_file(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)at;
    if (kind != FTW_F || strstr(path, ".cwasm") == NULL)
        return 0;
    uint8_t byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pread(fd, &byte, 1, st->st_size / 2), 1);
    byte ^= 0x10;
    ck_assert_int_eq(pwrite(fd, &byte, 1, st->st_size / 2), 1);
    close(fd);
    return 0;
}

void modules_damage_compiled(const struct bed *b)
{
    char state_dir[64];
    modules_state_dir(b, state_dir);
    ck_assert_int_eq(nftw(state_dir, damage_file, 8, FTW_PHYS), 0);
}

void modules_send_add(int fd, uint64_t id, const char *name, const void *file, size_t bytes,
                      bool for_all)
{
    const size_t name_bytes = strlen(name), padded = (name_bytes + 7) / 8 * 8;
    const size_t total = padded + (bytes + 7) / 8 * 8;
    struct wire_request h = client_request(WIRE_MODULE_ADD, id);
    uint8_t *payload = calloc(1, total);
    ck_assert_ptr_nonnull(payload);
    memcpy(payload, name, name_bytes);
    if (bytes > 0)
        memcpy(payload + padded, file, bytes);
    h.arg[0] = (uint32_t)name_bytes;
    h.arg[1] = for_all ? WIRE_MODULE_ALL : WIRE_MODULE_OWN;
    h.arg[2] = (uint32_t)bytes;
    client_send_frame(fd, &h, payload, total);
    free(payload);
}

void modules_add(int fd, const char *name, const void *file, size_t bytes)
{
    struct answer a;
    modules_send_add(fd, 77, name, file, bytes, false);
    client_receive(fd, &a);
    ck_assert_msg(a.h.status == WIRE_OK, "%s: %s", wire_status_name(a.h.status), a.payload);
    free(a.payload);
}

void modules_send_name(int fd, uint64_t id, enum wire_type type, const char *name,
                       size_t name_bytes)
{
    const size_t padded = (name_bytes + 7) / 8 * 8;
    struct wire_request h = client_request(type, id);
    uint8_t *payload = calloc(1, padded + 8);
    ck_assert_ptr_nonnull(payload);
    memcpy(payload, name, name_bytes);
    h.arg[0] = (uint32_t)name_bytes;
    client_send_frame(fd, &h, payload, padded);
    free(payload);
}

void modules_send_call(int fd, uint64_t id, const char *name, const void *operand, uint32_t n,
                       const double *params, uint32_t param_count)
{
    const size_t name_bytes = strlen(name), padded = (name_bytes + 7) / 8 * 8;
    const size_t total = sizeof(struct wire_call) + padded + (n + 7) / 8 * 8;
    struct wire_request h = client_request(WIRE_CALL, id);
    struct wire_call call = {.in = {{.type = KERN_u8, .rank = 1, .dim = {n}}}};
    uint8_t *payload = calloc(1, total);
    ck_assert_ptr_nonnull(payload);
    for (uint32_t i = 0; i < param_count; i++)
        call.param[i] = params[i];
    memcpy(payload, &call, sizeof(call));
    memcpy(payload + sizeof(call), name, name_bytes);
    memcpy(payload + sizeof(call) + padded, operand, n);
    h.arg[0] = 1;
    h.arg[1] = param_count;
    h.arg[2] = (uint32_t)name_bytes;
    client_send_frame(fd, &h, payload, total);
    free(payload);
}

void modules_send_call_in_arena(int fd, uint64_t id, const char *name, uint32_t arena, uint32_t n)
{
    const size_t name_bytes = strlen(name), padded = (name_bytes + 7) / 8 * 8;
    struct wire_request h = client_request(WIRE_CALL, id);
    const struct wire_call call = {.in = {{.type = KERN_u8, .rank = 1, .dim = {n}}}};
    const struct wire_ref refs[2] = {{arena, 0, 0}, {WIRE_INLINE, 0, 0}};
    uint8_t payload[sizeof(call) + 64 + sizeof(refs)] = {0};
    ck_assert_uint_le(padded, 64);
    memcpy(payload, &call, sizeof(call));
    memcpy(payload + sizeof(call), name, name_bytes);
    memcpy(payload + sizeof(call) + padded, refs, sizeof(refs));
    h.flags = WIRE_F_ARENA;
    h.arg[0] = 1;
    h.arg[2] = (uint32_t)name_bytes;
    client_send_frame(fd, &h, payload, sizeof(call) + padded + sizeof(refs));
}

void modules_expect_error(int fd, uint64_t id, enum wire_status status, const char *words)
{
    struct answer a;
    client_receive(fd, &a);
    ck_assert_uint_eq(a.h.id, id);
    ck_assert_msg(a.h.status == status, "%s instead of %s: %s", wire_status_name(a.h.status),
                  wire_status_name(status), a.payload);
    if (words != NULL)
        ck_assert_msg(strstr((const char *)a.payload, words) != NULL, "%s", a.payload);
    free(a.payload);
}
