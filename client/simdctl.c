/* simdctl: the command line of simdd. */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "cmd.h"

static const struct ctl_command *const commands[] = {
    &cmd_add,    &cmd_mul,    &cmd_matmul, &cmd_conv2d,  &cmd_mix,  &cmd_hash,  &cmd_function,
    &cmd_module, &cmd_submit, &cmd_status, &cmd_top,     &cmd_metrics, &cmd_ping, &cmd_bench,
};

enum { COMMAND_COUNT = sizeof(commands) / sizeof(commands[0]) };

static void print_help(void)
{
    (void)puts("Usage: simdctl [OPTION...] COMMAND [ARGUMENT...]\n"
               "Compute on arrays, images and files through the simdd daemon.\n\n"
               "Commands:");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)printf("  %-8s %s\n", commands[i]->name, commands[i]->summary);
    (void)puts("\nOptions, before or behind COMMAND:\n"
               "      --socket PATH    the daemon's socket; by default $SIMDD_SOCKET, or\n"
               "                       " SIMDD_DEFAULT_SOCKET "\n"
               "      --json           print for programs\n"
               "  -v, --verbose        say on standard error how it was computed\n"
               "      --backend NAME   auto (the default), native or wasm\n"
               "      --cache HOW      auto (the default), always or never\n"
               "      --deadline TIME  give a job up after it; such as 50ms\n"
               "      --priority NAME  normal (the default), high or low\n"
               "  -h, --help           print this, or a command's options\n"
               "  -V, --version        print the version\n\n"
               "Files: .npy for arrays; PNG, PGM and PPM for images; '-' for standard streams.\n"
               "Exit status: 0 done, 64 usage, 65 bad data, 66 no input, 69 no daemon, 70 the\n"
               "daemon or a function failed, 73 cannot create, 74 input or output failed, 75 try\n"
               "again later, 77 permission.");
}

static const struct ctl_command *find(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* What went to standard output has arrived, or the exit code says so. */
static int finish(int code)
{
    bool lost = ferror(stdout) != 0;
    if ((fclose(stdout) != 0 || lost) && code == EX_OK)
        return ctl_fail(EX_IOERR, "standard output: the result could not be written");
    return code;
}

int main(int argc, char **argv)
{
    struct ctl c = {.socket = NULL};
    int val = ctl_getopt_global(&c, argc, argv);
    if (val == 'h')
        print_help();
    if (val == 'h' || val == CTL_HELP)
        return finish(EX_OK);
    if (val == '?')
        return EX_USAGE; /* complained */
    if (optind == argc)
        return ctl_usage("no command is given");
    bool help = strcmp(argv[optind], "help") == 0;
    if (help && optind + 1 == argc) {
        print_help();
        return finish(EX_OK);
    }
    const struct ctl_command *command = find(argv[optind + (help ? 1 : 0)]);
    if (command == NULL)
        return ctl_usage("there is no command '%s'", argv[optind + (help ? 1 : 0)]);

    char full_name[32]; /* getopt's complaints begin with it */
    (void)snprintf(full_name, sizeof(full_name), "simdctl %s", command->name);
    char *help_argv[] = {full_name, (char[]){"--help"}, NULL};
    char **own_argv = help ? help_argv : argv + optind;
    int own_argc = help ? 2 : argc - optind;
    own_argv[0] = full_name;
    optind = 0; /* getopt_long starts anew */
    int code = command->run(&c, own_argc, own_argv);
    simdd_close(c.s);
    return finish(code);
}
