/* What the parameter table looks like to people: --help and the sample file. */
#include "config.h"

#include "conf.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#include "params.h"

enum { WIDTH = 80, HELP_INDENT = 34 };

/* Prints words up to WIDTH columns; every line but the first starts with `indent`. `column` is
 * where the cursor stands. Ends the line. */
static void print_wrapped(FILE *out, size_t column, const char *indent, const char *text)
{
    bool first = true;
    while (*text != '\0') {
        size_t bytes = strcspn(text, " ");
        if (!first && column + 1 + bytes > WIDTH) {
            fprintf(out, "\n%s", indent);
            column = strlen(indent);
            first = true;
        }
        fprintf(out, "%s%.*s", first ? "" : " ", (int)bytes, text);
        column += bytes + !first;
        first = false;
        text += bytes + strspn(text + bytes, " ");
    }
    fputc('\n', out);
}

static const char *kind_name(enum param_kind kind)
{
    switch (kind) {
    case PARAM_SIZE:
        return "SIZE";
    case PARAM_TIME:
        return "TIME";
    case PARAM_COUNT:
        return "N";
    case PARAM_STRING:
        return "TEXT";
    case PARAM_CHOICE:
        return "WORD";
    }
    return "";
}

static bool starts_section(size_t i)
{
    return i == 0 || strcmp(param_at(i - 1)->section, param_at(i)->section) != 0;
}

void conf_print_help(FILE *out)
{
    char indent[HELP_INDENT + 1];
    memset(indent, ' ', HELP_INDENT);
    indent[HELP_INDENT] = '\0';

    fputs("Parameters, by section of the file; the default in parentheses:\n", out);
    const struct param *p;
    for (size_t i = 0; (p = param_at(i)) != NULL; i++) {
        if (starts_section(i))
            fprintf(out, "\n[%s]\n", p->section);
        int n = fprintf(out, "  --");
        for (const char *q = p->name; *q != '\0'; q++, n++)
            fputc(*q == '_' ? '-' : *q, out);
        n += fprintf(out, " %s", kind_name(p->kind));
        n += fprintf(out, "%*s", n < HELP_INDENT ? HELP_INDENT - n : 1, "");

        bool choice = p->kind == PARAM_CHOICE;
        char text[CONF_ERROR_MAX];
        snprintf(text, sizeof(text), "%s%s%s (%s)", p->help, choice ? "; one of " : "",
                 choice ? p->max : "", p->def[0] != '\0' ? p->def : "empty");
        print_wrapped(out, (size_t)n, indent, text);
    }
}

static void print_range(FILE *out, const struct param *p)
{
    char text[CONF_ERROR_MAX];
    const char *when = p->live ? "on reload" : "at the next start";
    if (p->kind == PARAM_STRING)
        snprintf(text, sizeof(text), "Applies %s.", when);
    else if (p->kind == PARAM_CHOICE)
        snprintf(text, sizeof(text), "One of: %s. Applies %s.", p->max, when);
    else
        snprintf(text, sizeof(text), "From %s to %s. Applies %s.", p->min, p->max, when);
    fputs("# ", out);
    print_wrapped(out, 2, "# ", text);
}

void conf_print_sample(FILE *out)
{
    fputs("# Configuration of simdd(8); simdd.conf(5) tells more.\n"
          "#\n"
          "# Lines that start with ';' show the defaults: remove the ';' and change the value.\n"
          "# Sizes take KiB, MiB, GiB and TiB, times ns, us, ms and s. Check with\n"
          "# simdd --check-config, apply with systemctl reload simdd (or restart).\n",
          out);
    const struct param *p;
    for (size_t i = 0; (p = param_at(i)) != NULL; i++) {
        if (starts_section(i))
            fprintf(out, "\n[%s]\n", p->section);
        fputs("\n# ", out);
        char help[CONF_ERROR_MAX];
        /* A sentence here, an entry in a list in --help. */
        snprintf(help, sizeof(help), "%c%s.", toupper((unsigned char)p->help[0]), p->help + 1);
        print_wrapped(out, 2, "# ", help);
        print_range(out, p);
        fprintf(out, ";%s =%s%s\n", p->name, p->def[0] != '\0' ? " " : "", p->def);
    }
}
