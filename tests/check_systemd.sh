#!/bin/sh
# The units as systemd sees them: no complaint from `verify`, and an exposure of 0.5 at most.
# Exit: 0 fine, 1 findings, 77 systemd-analyze or a built unit is missing.
set -u
top=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
build=${abs_top_builddir:-$top/build}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

if ! command -v systemd-analyze >"$work/null"; then
    echo 'check_systemd: no systemd-analyze'
    exit 77
fi
if [ ! -x "$build/daemon/simdd" ]; then
    echo "check_systemd: no $build/daemon/simdd"
    exit 77
fi

# A copy whose ExecStart is there: `verify` wants to see the program.
cp "$top"/systemd/*.socket "$work/" || exit 99
sed -e "s|@sbindir@|$build/daemon|g" -e "s|@sysconfdir@|$top/etc|g" \
    "$top/systemd/simdd.service.in" >"$work/simdd.service" || exit 99
cd "$work" || exit 99

failed=0
for unit in simdd.socket simdd-metrics.socket simdd.service; do
    systemd-analyze verify --man=no "./$unit" >verify 2>&1 || failed=1
    if [ -s verify ]; then
        sed "s/^/check_systemd: $unit: /" verify
        failed=1
    fi
done

systemd-analyze security --offline=true --no-pager ./simdd.service >security 2>&1 || failed=1
exposure=$(sed -n 's/.*Overall exposure level for simdd.service: \([0-9.]*\) .*/\1/p' security)
echo "check_systemd: exposure ${exposure:-unknown}, at most 0.5"
case $exposure in
0.[0-5]) ;;
*)
    grep -v '✓' security
    failed=1
    ;;
esac
exit "$failed"
