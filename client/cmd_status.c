/* simdctl status, top, metrics, ping: how the daemon does. */
#include "config.h"

#include "cmd.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "hist.h"
#include "human.h"
#include "status_text.h"

enum { OPT_FORMAT = CTL_OPTION + 1 };

static void sleep_us(uint64_t us)
{
    struct timespec left = {(time_t)(us / 1000000u), (long)(us % 1000000u) * 1000};
    while (nanosleep(&left, &left) < 0 && errno == EINTR)
        continue;
}

/* Fetches the metrics: an exit code; on EX_OK *text is owned (free). */
static int fetch(struct ctl *c, enum simdd_metrics form, char **text)
{
    int code = ctl_connect(c);
    if (code != EX_OK)
        return code;
    int status = simdd_metrics(c->s, form, text);
    return status == 0 ? EX_OK : ctl_status(c, "metrics", status);
}

static int print_page(const char *text, const char *eol)
{
    return status_text_print(stdout, text, eol) == 0
               ? EX_OK
               : ctl_fail(EX_SOFTWARE, "the daemon's metrics are no JSON object");
}

static int run_status(struct ctl *c, int argc, char **argv)
{
    int val = ctl_getopt(c, &cmd_status, argc, argv, "", NULL);
    if (val != -1)
        return val == CTL_HELP ? EX_OK : EX_USAGE;
    if (optind < argc)
        return ctl_usage("status takes no operands");
    char *text;
    int code = fetch(c, SIMDD_METRICS_JSON, &text);
    if (code != EX_OK)
        return code;
    if (c->json)
        (void)puts(text);
    else
        code = print_page(text, "\n");
    free(text);
    return code;
}

static int run_top(struct ctl *c, int argc, char **argv)
{
    static const struct option own[] = {{"interval", required_argument, NULL, 'i'},
                                        {"iterations", required_argument, NULL, 'n'},
                                        {NULL, 0, NULL, 0}};
    uint64_t interval_us = 1000000, iterations = UINT64_MAX;
    for (int val; (val = ctl_getopt(c, &cmd_top, argc, argv, "i:n:", own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?')
            return EX_USAGE;
        if (val == 'i' && (!ctl_parse_us(optarg, &interval_us) || interval_us == 0))
            return ctl_usage("-i: '%s' is not a time such as 500ms", optarg);
        if (val == 'n' && (!ctl_parse_u64(optarg, UINT64_MAX, &iterations) || iterations == 0))
            return ctl_usage("-n: '%s' is not a number above 0", optarg);
    }
    if (optind < argc)
        return ctl_usage("top takes no operands");
    bool live = isatty(STDOUT_FILENO) != 0 && !c->json;
    int code = EX_OK;
    for (uint64_t i = 0; i < iterations && code == EX_OK; i++) {
        char *text;
        if (i > 0)
            sleep_us(interval_us);
        if ((code = fetch(c, SIMDD_METRICS_JSON, &text)) != EX_OK)
            break;
        /* Drawn over the last page, so that nothing flickers; the rest of it is cleared. */
        (void)fputs(!live ? (i > 0 && !c->json ? "\n" : "") : i > 0 ? "\033[H" : "\033[2J\033[H",
                    stdout);
        if (c->json)
            (void)puts(text);
        else
            code = print_page(text, live ? "\033[K\n" : "\n");
        (void)fputs(live ? "\033[J" : "", stdout);
        free(text);
        if (fflush(stdout) != 0)
            code = EX_IOERR;
    }
    return code;
}

static int run_metrics(struct ctl *c, int argc, char **argv)
{
    static const char *const forms[] = {"json", "prometheus", "openmetrics", NULL};
    static const struct option own[] = {{"format", required_argument, NULL, OPT_FORMAT},
                                        {NULL, 0, NULL, 0}};
    int form = SIMDD_METRICS_JSON;
    for (int val; (val = ctl_getopt(c, &cmd_metrics, argc, argv, "", own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?')
            return EX_USAGE;
        if ((form = ctl_choice(optarg, forms)) < 0)
            return ctl_usage("--format: '%s' is none of json, prometheus, openmetrics", optarg);
    }
    if (optind < argc)
        return ctl_usage("metrics takes no operands");
    char *text;
    int code = fetch(c, (enum simdd_metrics)form, &text);
    if (code != EX_OK)
        return code;
    size_t length = strlen(text);
    (void)printf("%s%s", text, length > 0 && text[length - 1] == '\n' ? "" : "\n");
    free(text);
    return EX_OK;
}

static void print_pings(const struct ctl *c, const struct hist *h)
{
    if (c->json) {
        (void)printf("{\"count\":%llu,\"min_ns\":%llu,\"mean_ns\":%llu,\"p50_ns\":%llu,"
                     "\"p99_ns\":%llu,\"max_ns\":%llu}\n",
                     (unsigned long long)h->count, (unsigned long long)h->min_ns,
                     (unsigned long long)(h->count > 0 ? h->sum_ns / h->count : 0),
                     (unsigned long long)hist_quantile(h, .5),
                     (unsigned long long)hist_quantile(h, .99), (unsigned long long)h->max_ns);
        return;
    }
    char t[5][HUMAN_BYTES];
    (void)printf("%llu answers: min %s, mean %s, p50 %s, p99 %s, max %s\n",
                 (unsigned long long)h->count, human_ns(t[0], (double)h->min_ns),
                 human_ns(t[1], (double)h->sum_ns / (double)h->count),
                 human_ns(t[2], (double)hist_quantile(h, .5)),
                 human_ns(t[3], (double)hist_quantile(h, .99)), human_ns(t[4], (double)h->max_ns));
}

static int run_ping(struct ctl *c, int argc, char **argv)
{
    static const struct option own[] = {{"count", required_argument, NULL, 'c'},
                                        {"interval", required_argument, NULL, 'i'},
                                        {NULL, 0, NULL, 0}};
    struct hist h = {.count = 0};
    uint64_t count = 4, interval_us = 200000;
    for (int val; (val = ctl_getopt(c, &cmd_ping, argc, argv, "c:i:", own)) != -1;) {
        if (val == CTL_HELP)
            return EX_OK;
        if (val == '?')
            return EX_USAGE;
        if (val == 'c' && (!ctl_parse_u64(optarg, UINT64_MAX, &count) || count == 0))
            return ctl_usage("-c: '%s' is not a number above 0", optarg);
        if (val == 'i' && !ctl_parse_us(optarg, &interval_us))
            return ctl_usage("-i: '%s' is not a time such as 200ms", optarg);
    }
    if (optind < argc)
        return ctl_usage("ping takes no operands");
    int code = ctl_connect(c);
    for (uint64_t i = 0; i < count && code == EX_OK; i++) {
        if (i > 0)
            sleep_us(interval_us);
        uint64_t start_ns = ctl_now_ns();
        int status = simdd_ping(c->s);
        uint64_t took_ns = ctl_now_ns() - start_ns;
        if (status != 0) {
            code = ctl_status(c, "ping", status);
            break;
        }
        hist_add(&h, took_ns, 1);
        char text[HUMAN_BYTES];
        if (!c->json)
            (void)printf("%s: seq=%llu time=%s\n", ctl_path(c), (unsigned long long)i + 1,
                         human_ns(text, (double)took_ns));
        (void)fflush(stdout);
    }
    if (h.count > 0)
        print_pings(c, &h);
    return code;
}

const struct ctl_command cmd_status = {
    .name = "status",
    .usage = "status",
    .summary = "Show what the daemon does, as a page",
    .details = "--json prints all numbers as they come.\n",
    .run = run_status,
};

const struct ctl_command cmd_top = {
    .name = "top",
    .usage = "top [-i TIME] [-n COUNT]",
    .summary = "Show that page again and again",
    .details = "  -i, --interval TIME     between two pages; by default 1s\n"
               "  -n, --iterations COUNT  pages to show; by default no end\n",
    .run = run_top,
};

const struct ctl_command cmd_metrics = {
    .name = "metrics",
    .usage = "metrics [--format json|prometheus|openmetrics]",
    .summary = "Print the daemon's metrics",
    .details = "      --format FORM   json (the default), prometheus or openmetrics\n",
    .run = run_metrics,
};

const struct ctl_command cmd_ping = {
    .name = "ping",
    .usage = "ping [-c COUNT] [-i TIME]",
    .summary = "Measure round trips to the daemon",
    .details = "  -c, --count COUNT    round trips; by default 4\n"
               "  -i, --interval TIME  between two of them; by default 200ms\n",
    .run = run_ping,
};
