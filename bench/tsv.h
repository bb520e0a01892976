/* What the programs of bench/ share: checks, medians, contestants in turn, rows of TSV.
 *
 * A row is: group, case, ours, unit, peer, peer_value, ratio. A ratio over 1 is in our favour,
 * whether more or less of the unit is better; "-" stands where there is no peer. bench/run prints
 * the header.
 */
#ifndef BENCH_TSV_H
#define BENCH_TSV_H

#include <stdbool.h>
#include <stddef.h>

enum tsv_better { TSV_MORE, TSV_LESS };

struct tsv_case {
    const char *group, *name, *unit;
    enum tsv_better better;
    unsigned round_count; /* at most TSV_ROUNDS_MAX */
    double seconds_max; /* no new round after so long, but three are run in any case; 0: none */
};

/* One contestant: runs the case once and returns its figure. */
struct tsv_side {
    const char *name;
    double (*run)(void *ctx);
    void *ctx;
};

enum { TSV_ROUNDS_MAX = 101, TSV_SIDES_MAX = 8 };

/* Ends the program with 1, and says what is wrong, unless `is_right`. */
void tsv_check(bool is_right, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says on stderr that a peer, or a case, is left out. */
void tsv_skip(const char *what, const char *why);

/* Sorts `values`; count is at least 1. */
double tsv_median(double *values, size_t count);

/* peer NULL: none. */
void tsv_row(const struct tsv_case *c, double ours, const char *peer, double peer_value);

/* Runs all sides in turn, round after round, and prints a row of the medians for each peer.
 * sides[0] is ours; the others are its peers. Returns the median of ours. */
double tsv_race(const struct tsv_case *c, const struct tsv_side *sides, size_t count);

/* Nanoseconds per call, of as many calls as take 2 ms. */
double tsv_call_ns(void (*call)(void *ctx), void *ctx);

#endif
