/* Runs a fuzz target over kept inputs: every file of the directories that are named, or of this
 * target's own corpus. Built by the ordinary compiler, so `make check` repeats what fuzzing found.
 *
 * Each input runs in a process of its own, so that a crash is one failure among many, and not for
 * longer than INPUT_SECONDS. A directory that is not there is an error: no inputs prove nothing.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { INPUT_SECONDS = 60 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

struct tally {
    unsigned passed, failed;
};

/* Returns owned, exactly as long as the file, so that a sanitizer sees a read behind the end. */
static uint8_t *read_input(const char *path, size_t *bytes)
{
    uint8_t *data = NULL;
    FILE *in = fopen(path, "rb");
    if (in == NULL)
        return NULL;
    if (fseek(in, 0, SEEK_END) == 0) {
        long size = ftell(in);
        rewind(in);
        *bytes = size > 0 ? (size_t)size : 0;
        data = malloc(*bytes > 0 ? *bytes : 1);
        if (data != NULL && fread(data, 1, *bytes, in) != *bytes) {
            free(data);
            data = NULL;
        }
    }
    fclose(in);
    return data;
}

static int run_input(const char *path)
{
    size_t bytes = 0;
    uint8_t *data = read_input(path, &bytes);
    if (data == NULL) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return EXIT_FAILURE;
    }
    alarm(INPUT_SECONDS);
    (void)LLVMFuzzerTestOneInput(data, bytes);
    alarm(0);
    free(data);
    return EXIT_SUCCESS;
}

static void replay_file(struct tally *t, const char *path)
{
    int status = 0;
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0)
        exit(run_input(path)); /* not _exit(): the leak check runs at exit */
    if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0) {
        t->passed++;
        return;
    }
    printf("FAILED %s: %s\n", path,
           pid > 0 && WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit code");
    t->failed++;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void replay_directory(struct tally *t, const char *directory)
{
    struct dirent **entries = NULL;
    int count = scandir(directory, &entries, is_input, alphasort);
    if (count <= 0) {
        printf("FAILED %s: %s\n", directory, count < 0 ? strerror(errno) : "no inputs");
        t->failed++;
    }
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
        replay_file(t, path);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    struct tally t = {0};
    for (int i = 1; i < argc; i++)
        replay_directory(&t, argv[i]);
    if (argc == 1)
        replay_directory(&t, REPLAY_CORPUS);
    printf("%u passed, %u failed\n", t.passed, t.failed);
    return t.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
