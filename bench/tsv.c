#include "config.h"

#include "bench/tsv.h"

#include <assert.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

enum { SAMPLE_NS = 2000000, ROUNDS_MIN = 3 };

void tsv_check(bool is_right, const char *format, ...)
{
    if (is_right)
        return;
    va_list args;
    va_start(args, format);
    fputs("bench: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

void tsv_skip(const char *what, const char *why)
{
    fprintf(stderr, "bench: left out: %s (%s)\n", what, why);
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

double tsv_median(double *values, size_t count)
{
    qsort(values, count, sizeof values[0], compare_doubles);
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

/* Four digits that matter, none in the form 1e+06. */
static void print_value(double value)
{
    double size = value < 0 ? -value : value;
    printf("%.*f", size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : size >= 1 ? 3 : 4, value);
}

void tsv_row(const struct tsv_case *c, double ours, const char *peer, double peer_value)
{
    printf("%s\t%s\t", c->group, c->name);
    print_value(ours);
    printf("\t%s\t%s\t", c->unit, peer != NULL ? peer : "-");
    if (peer == NULL) {
        puts("-\t-");
    } else {
        print_value(peer_value);
        double above = c->better == TSV_MORE ? ours : peer_value;
        double below = c->better == TSV_MORE ? peer_value : ours;
        if (below > 0)
            printf("\t%.3f\n", above / below);
        else
            puts("\t-");
    }
    fflush(stdout); /* whoever watches sees each row when it is there */
}

double tsv_race(const struct tsv_case *c, const struct tsv_side *sides, size_t count)
{
    static double values[TSV_SIDES_MAX][TSV_ROUNDS_MAX];
    assert(count >= 1 && count <= TSV_SIDES_MAX && c->round_count <= TSV_ROUNDS_MAX);
    uint64_t start_ns = clock_ns();
    unsigned round = 0;
    for (; round < c->round_count; round++) {
        double seconds = (double)(clock_ns() - start_ns) / 1e9;
        if (c->seconds_max > 0 && round >= ROUNDS_MIN && seconds > c->seconds_max)
            break;
        for (size_t i = 0; i < count; i++)
            values[i][round] = sides[i].run(sides[i].ctx);
    }
    double ours = tsv_median(values[0], round);
    for (size_t i = 1; i < count; i++)
        tsv_row(c, ours, sides[i].name, tsv_median(values[i], round));
    if (count == 1)
        tsv_row(c, ours, NULL, 0);
    return ours;
}

/* Fewer calls are tried first: they tell how many are needed, and warm up what the other
 * contestant has cooled down. */
double tsv_call_ns(void (*call)(void *ctx), void *ctx)
{
    for (size_t call_count = 1;;) {
        uint64_t start_ns = clock_ns();
        for (size_t i = 0; i < call_count; i++)
            call(ctx);
        uint64_t ns = clock_ns() - start_ns;
        if (ns >= SAMPLE_NS)
            return (double)ns / (double)call_count;
        call_count *= ns < SAMPLE_NS / 16 ? 8 : 2;
    }
}
