/* Every kernel against its reference, on every ISA that this machine has.
 *
 *     test_kernels [ISA] [OP] [--seed N]
 *
 * test_kernels has the native ISAs, test_kernels_wasm those of WebAssembly: see kernels_tables.h.
 * Needs no test library, since it also runs where only the kernels are built. KERN_TEST_ROUNDS sets
 * the random cases of each ISA and op (48), less for slow tools. */
#include "config.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernels_case.h"
#include "kernels_tables.h"

enum { ROUNDS_DEFAULT = 48 };

/* For the handler alone: the case that a kernel died in. */
static const struct kcase *running;

static void say(const char *text)
{
    if (write(STDOUT_FILENO, text, strlen(text)) < 0)
        _exit(EXIT_FAILURE);
}

static void on_crash(int signal_number)
{
    if (running != NULL) {
        say("FAIL ");
        say(kcase_what(running));
        say(signal_number == SIGILL   ? ": unknown instruction\n"
            : signal_number == SIGFPE ? ": division by zero\n"
                                      : ": touched forbidden memory\n");
    }
    _exit(EXIT_FAILURE);
}

struct options {
    enum kern_isa isa; /* KERN_ISA_COUNT: all */
    enum kern_op op;   /* KERN_OP_NONE: all */
    uint64_t seed;
    size_t rounds;
};

/* False if an argument means nothing. */
static bool parse_options(struct options *o, int argc, char **argv)
{
    const char *rounds = getenv("KERN_TEST_ROUNDS");
    *o = (struct options){.isa = KERN_ISA_COUNT, .seed = 1, .rounds = ROUNDS_DEFAULT};
    if (rounds != NULL)
        o->rounds = strtoul(rounds, NULL, 10);
    for (int i = 1; i < argc; i++) {
        enum kern_op op = kern_op_find(argv[i], strlen(argv[i]));
        if (strcmp(argv[i], "--seed") == 0 && i + 1 < argc)
            o->seed = strtoull(argv[++i], NULL, 10);
        else if (op != KERN_OP_NONE)
            o->op = op;
        else if (kern_isa_find(&o->isa, argv[i]) < 0)
            return false;
    }
    return true;
}

static void run_family(struct kcase *k, enum kern_op op)
{
    switch (kern_op_info(op)->family) {
    case KERN_zip:
        kcases_zip(k, op);
        break;
    case KERN_map:
        kcases_map(k, op);
        break;
    case KERN_hash:
        kcases_hash(k, op);
        break;
    case KERN_matmul:
        kcases_matmul(k, op);
        break;
    case KERN_conv2d:
        kcases_conv2d(k, op);
        break;
    }
}

static void run_op(const struct options *o, const struct kern_table *table, enum kern_op op,
                   size_t *passed, size_t *failed)
{
    struct kcase *k = kcase_new(table, op, o->seed, o->rounds);
    if (k == NULL) {
        ++*failed;
        return;
    }
    running = k;
    run_family(k, op);
    running = NULL;
    *passed += kcase_passed(k);
    *failed += kcase_failed(k);
    if (kcase_failed(k) != 0)
        printf("%s %s: %zu of %zu cases failed\n", kern_isa_name(table->isa),
               kern_op_info(op)->name, kcase_failed(k), kcase_failed(k) + kcase_passed(k));
    kcase_free(k);
}

int main(int argc, char **argv)
{
    struct options o;
    size_t passed = 0, failed = 0;
    if (!parse_options(&o, argc, argv)) {
        fprintf(stderr, "usage: %s [ISA] [OP] [--seed N]\n", argv[0]);
        return 64;
    }
    signal(SIGSEGV, on_crash);
    signal(SIGBUS, on_crash);
    signal(SIGFPE, on_crash);
    signal(SIGILL, on_crash);
    setvbuf(stdout, NULL, _IOLBF, 0); /* what was printed must not die with us */
    kernels_tables_open();
    if (o.isa != KERN_ISA_COUNT && kernels_table(o.isa) == NULL) {
        fprintf(stderr, "%s is not in this program or not in this CPU\n", kern_isa_name(o.isa));
        return 64;
    }

    for (unsigned isa = 0; isa < KERN_ISA_COUNT; isa++) {
        const struct kern_table *table = kernels_table((enum kern_isa)isa);
        if (table == NULL || (o.isa != KERN_ISA_COUNT && o.isa != isa))
            continue;
        for (unsigned op = 1; op < KERN_OP_END; op++) {
            if (kern_op_info(op) != NULL && (o.op == KERN_OP_NONE || o.op == op))
                run_op(&o, table, (enum kern_op)op, &passed, &failed);
        }
    }
    printf("%zu passed, %zu failed\n", passed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
