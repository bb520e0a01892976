#!/bin/sh
# The alert rules and the dashboard against a living daemon: every metric that they name is printed,
# Prometheus takes the rules, and each alert fires when it should (tests/simdd.rules_test.yml).
# Exit: 0 fine, 1 findings, 77 all else fine but a tool is missing.
set -u
top=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
build=${abs_top_builddir:-$top/build}
rules=$top/etc/prometheus/simdd.rules.yml
cases=$top/tests/simdd.rules_test.yml
dashboard=$top/etc/grafana/simdd.json
findings=0
missing=''
daemon=''
work=$(mktemp -d /tmp/simdd-rules-XXXXXX) || exit 99
finish() {
    [ -z "$daemon" ] || kill "$daemon"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 99' HUP INT TERM

found() {
    echo "check_rules: $*"
    findings=$((findings + 1))
}

# Writes all metrics to $work/metrics. They come over the job socket: so there is a client, whose
# rows are printed too.
read_metrics() {
    : >"$work/empty.conf"
    "$build/daemon/simdd" --config "$work/empty.conf" --socket "$work/simdd.sock" --http off \
        --workers 1 2>"$work/log" &
    daemon=$!
    tries=0
    until "$build/client/simdctl" --socket "$work/simdd.sock" metrics --format prometheus \
        >"$work/metrics" 2>"$work/errors"; do
        tries=$((tries + 1))
        if [ $tries -gt 300 ]; then
            cat "$work/errors" "$work/log"
            exit 99
        fi
        sleep 0.1
    done
    # What is printed per module has no rows where there are no modules.
    {
        sed -n 's/^\([a-z_]*\)[{ ].*/\1/p' "$work/metrics"
        sed -n 's/^MODULE([A-Z_]*, "\([a-z_]*\)".*/\1/p' "$top/daemon/metrics.def"
    } | sort -u >"$work/printed"
    [ -s "$work/printed" ] || exit 99
}

check_names() {
    grep -oE '(simdd|process)_[a-z][a-z0-9_]*' "$1" | sort -u >"$work/named"
    [ -s "$work/named" ] || found "$1: names no metric"
    for name in $(comm -23 "$work/named" "$work/printed"); do
        found "$1: simdd prints no $name"
    done
}

# Whatever the daemon prints is shown, but for what the dashboard has in another form.
check_shown() {
    sed 's/_\(bucket\|sum\|count\)$//' "$work/printed" | sort -u >"$work/families"
    for family in $(grep -v -e '^process_start_time' -e '^simdd_cache_lookups' -e '^simdd_arenas_' \
        -e '^simdd_cache_hit_ratio' -e '^simdd_cache_entries' -e '^simdd_client_arenas' \
        -e '^simdd_clients' "$work/families"); do
        grep -q "$family" "$dashboard" || found "$dashboard: does not show $family"
    done
}

check_rules() {
    if ! command -v promtool >"$work/null"; then
        missing="$missing promtool"
        return
    fi
    promtool check rules "$rules" >"$work/out" 2>&1 || {
        found "$rules: promtool finds fault"
        cat "$work/out"
    }
    promtool test rules "$cases" >"$work/out" 2>&1 || {
        found "$cases: not as it should be"
        cat "$work/out"
    }
    promtool check metrics <"$work/metrics" >"$work/out" 2>&1 || {
        found "promtool finds fault with the metrics"
        cat "$work/out"
    }
}

check_alerts() {
    for alert in $(sed -n 's/^ *- alert: *//p' "$rules"); do
        grep -q "alertname=\"$alert\"" "$cases" || found "$cases: no case for $alert"
    done
}

check_dashboard() {
    if ! command -v jq >"$work/null" && ! command -v python3 >"$work/null"; then
        missing="$missing jq"
    elif command -v jq >"$work/null"; then
        jq -e . "$dashboard" >"$work/null" || found "$dashboard: not JSON"
    else
        python3 -m json.tool "$dashboard" >"$work/null" || found "$dashboard: not JSON"
    fi
    # Which Prometheus is the reader's choice.
    if grep '"uid":' "$dashboard" | grep -v -e "\"\${datasource}\"" -e '"simdd"'; then
        found "$dashboard: names a data source of its own"
    fi
}

read_metrics
check_names "$rules"
check_names "$dashboard"
check_shown
check_alerts
check_rules
check_dashboard

[ "$findings" -eq 0 ] || exit 1
if [ -n "$missing" ]; then
    echo "check_rules: not all was checked, missing:$missing"
    exit 77
fi
