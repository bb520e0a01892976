/* simdctl module: users' modules added, listed, shown and removed. */
#include "config.h"

#include "cmd.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <jansson.h>

#include "human.h"
#include "stream.h"

enum { OPT_ALL = CTL_OPTION + 1 };

struct module_options {
    unsigned flags;
};

/* "2026-11-23 08:21", local time. */
static const char *print_time(char out[static 32], const json_t *seconds)
{
    time_t t = (time_t)json_integer_value(seconds);
    struct tm tm;
    if (localtime_r(&t, &tm) == NULL || strftime(out, 32, "%Y-%m-%d %H:%M", &tm) == 0)
        out[0] = '\0';
    return out;
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text != NULL ? text : "";
}

/* The daemon's JSON as a tree, or NULL and complained. */
static json_t *parse(const char *text, const char *what)
{
    json_t *root = json_loads(text, 0, NULL);
    if (root == NULL)
        (void)ctl_fail(EX_PROTOCOL, "%s: the daemon's answer is no JSON", what);
    return root;
}

static int add(struct ctl *c, const struct module_options *o, char **args)
{
    struct input in;
    uint8_t *bytes = NULL;
    size_t byte_count = 0;
    int err = input_open(&in, args[1]);
    if (err == 0) {
        err = input_read_all(&in, &bytes, &byte_count);
        input_close(&in);
    }
    if (err < 0)
        return ctl_fail(EX_NOINPUT, "%s: %s", args[1], strerror(-err));
    int code = ctl_connect(c);
    if (code == EX_OK) {
        int status = simdd_module_add(c->s, args[0], bytes, byte_count, o->flags);
        code = status == 0 ? EX_OK : ctl_status(c, args[1], status);
    }
    free(bytes);
    return code;
}

static int list(struct ctl *c, const struct module_options *o, char **args)
{
    (void)o;
    (void)args;
    char *text;
    int code = ctl_connect(c);
    int status = code == EX_OK ? simdd_module_list(c->s, &text) : 0;
    if (code != EX_OK || status != 0)
        return code != EX_OK ? code : ctl_status(c, "module list", status);
    if (c->json) {
        (void)puts(text);
        free(text);
        return EX_OK;
    }
    json_t *root = parse(text, "module list"), *m;
    free(text);
    if (root == NULL)
        return EX_PROTOCOL;
    size_t i;
    json_array_foreach (root, i, m) {
        char bytes[HUMAN_BYTES], added[32];
        (void)printf("%-32s %10s  %s%s\n", text_of(m, "name"),
                     human_bytes(bytes, (double)json_integer_value(json_object_get(m, "bytes"))),
                     print_time(added, json_object_get(m, "added_seconds")),
                     json_is_true(json_object_get(m, "all")) ? "  for all" : "");
    }
    json_decref(root);
    return EX_OK;
}

static void print_functions(const json_t *functions)
{
    size_t i;
    const json_t *f;
    json_array_foreach (functions, i, f) {
        bool splits = json_is_true(json_object_get(f, "splits"));
        bool shapes = json_is_true(json_object_get(f, "shapes"));
        (void)printf("%-10s %s%s%s\n", i == 0 ? "functions" : "", text_of(f, "name"),
                     splits ? ", on several workers" : "",
                     shapes ? ", tells its result's shape" : "");
    }
}

static void print_imports(const json_t *imports)
{
    size_t i;
    const json_t *name;
    json_array_foreach (imports, i, name)
        (void)printf("%-10s %s\n", i == 0 ? "uses" : "", json_string_value(name));
}

static int show(struct ctl *c, const struct module_options *o, char **args)
{
    (void)o;
    char *text;
    int code = ctl_connect(c);
    int status = code == EX_OK ? simdd_module_show(c->s, args[0], &text) : 0;
    if (code != EX_OK || status != 0)
        return code != EX_OK ? code : ctl_status(c, args[0], status);
    if (c->json) {
        (void)puts(text);
        free(text);
        return EX_OK;
    }
    json_t *m = parse(text, args[0]);
    free(text);
    if (m == NULL)
        return EX_PROTOCOL;
    char bytes[HUMAN_BYTES], added[32];
    (void)printf("name       %s\nfor        %s\nsize       %s\nadded      %s\ndigest     %s\n",
                 text_of(m, "name"),
                 json_is_true(json_object_get(m, "all")) ? "all users" : "this user",
                 human_bytes(bytes, (double)json_integer_value(json_object_get(m, "bytes"))),
                 print_time(added, json_object_get(m, "added_seconds")), text_of(m, "digest"));
    print_functions(json_object_get(m, "functions"));
    print_imports(json_object_get(m, "imports"));
    json_decref(m);
    return EX_OK;
}

static int remove_module(struct ctl *c, const struct module_options *o, char **args)
{
    int code = ctl_connect(c);
    int status = code == EX_OK ? simdd_module_remove(c->s, args[0], o->flags) : 0;
    return code == EX_OK && status != 0 ? ctl_status(c, args[0], status) : code;
}

/* What can be done, with so many operands. */
static const struct verb {
    const char *name;
    int operands;
    bool takes_all;
    int (*run)(struct ctl *c, const struct module_options *o, char **args);
} verbs[] = {
    {"add", 2, true, add},
    {"list", 0, false, list},
    {"show", 1, false, show},
    {"remove", 1, true, remove_module},
};

static const struct verb *find_verb(const char *name)
{
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
        if (strcmp(verbs[i].name, name) == 0)
            return &verbs[i];
    return NULL;
}

static int run_module(struct ctl *c, int argc, char **argv)
{
    static const struct option own[] = {{"all", no_argument, NULL, OPT_ALL}, {NULL, 0, NULL, 0}};
    struct module_options o = {.flags = 0};
    for (int val; (val = ctl_getopt(c, &cmd_module, argc, argv, "", own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val != OPT_ALL)
            return EX_USAGE;
        o.flags = SIMDD_MODULE_ALL;
    }
    if (optind == argc)
        return ctl_usage("module: add, list, show or remove");
    const struct verb *v = find_verb(argv[optind]);
    if (v == NULL)
        return ctl_usage("module: '%s' is none of add, list, show, remove", argv[optind]);
    if (argc - optind - 1 != v->operands)
        return ctl_usage("module %s takes %s", v->name,
                         v->operands == 2   ? "a name and a file"
                         : v->operands == 1 ? "a name"
                                            : "no operands");
    if (o.flags != 0 && !v->takes_all)
        return ctl_usage("--all goes with module add and module remove");
    return v->run(c, &o, argv + optind + 1);
}

const struct ctl_command cmd_module = {
    .name = "module",
    .usage = "module add NAME FILE.wasm | list | show NAME | remove NAME",
    .summary = "Keep WebAssembly modules with functions of your own",
    .details = "A module that is added replaces the one of its name; calls that run keep the old\n"
               "one. Names are each user's own: 1 to 63 of A-Z a-z 0-9 _ . -, no point first.\n"
               "'simdctl run' calls a module's functions.\n\n"
               "      --all           add or remove for all users; root only\n",
    .run = run_module,
};
