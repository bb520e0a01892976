#!/bin/sh
# systemd hands both sockets in: the daemon takes them by name, serves on both, and leaves the job
# socket's path alone when it ends.
# Exit: 0 fine, 1 findings, 77 a tool or the daemon is missing.
set -u
build=${abs_top_builddir:-$(cd "$(dirname "$0")/.." && pwd)/build}
simdd=${SIMDD:-$build/daemon/simdd}
patience=${SIMDD_TEST_PATIENCE:-600} # tenths of a second
work=$(mktemp -d) || exit 99
pid=
trap '[ -n "$pid" ] && kill -KILL "$pid" 2>"$work/null"; rm -rf "$work"' EXIT

for tool in systemd-socket-activate socat curl; do
    if ! command -v "$tool" >"$work/null"; then
        echo "test_socket_activation: no $tool"
        exit 77
    fi
done
if [ ! -x "$simdd" ]; then
    echo "test_socket_activation: no $simdd"
    exit 77
fi
if ! "$simdd" --help | grep -q socket; then
    echo 'test_socket_activation: the daemon does not run'
    exit 1
fi

fail() {
    echo "test_socket_activation: $*"
    cat "$work/log"
    exit 1
}

# await WHAT COMMAND ...: until the command succeeds.
await() {
    what=$1
    shift
    for _ in $(seq "$patience"); do
        "$@" && return 0
        kill -0 "$pid" 2>"$work/null" || fail "ended before $what"
        sleep 0.1
    done
    fail "no $what"
}

socket=$work/passed.sock
job='{"op":"add_f32","x":[1,2],"y":[3,4]}'
ask() { echo "$job" | socat -t 10 - "UNIX-CONNECT:$socket" 2>"$work/null"; }
add() { ask | grep -q '"result":\[4.0,6.0\]'; }
ended() { ! kill -0 "$pid" 2>"$work/null"; }

# A port may be taken: then another one is tried.
for try in 1 2 3 4 5; do
    port=$((20000 + ($$ * 7 + try * 1009) % 20000))
    : >"$work/log"
    systemd-socket-activate --listen="$socket" --listen="127.0.0.1:$port" \
        --fdname=job:metrics \
        "$simdd" --socket "$work/never.sock" --http 127.0.0.1:1 --config "$work/none" \
        >"$work/log" 2>&1 &
    pid=$!
    : >"$work/none"
    for _ in $(seq "$patience"); do
        [ -S "$socket" ] && break 2
        kill -0 "$pid" 2>"$work/null" || break
        sleep 0.1
    done
    [ "$try" = 5 ] && fail "cannot listen"
done

# The first connection starts it, and is served itself: it waited in the passed socket.
await 'answer on the job socket' add
add || fail 'the second job got no answer'
curl -sf --max-time 20 "http://127.0.0.1:$port/readyz" >"$work/ready" || fail 'no readyz'
curl -sf --max-time 20 -H 'Accept: application/json' "http://127.0.0.1:$port/metrics" \
    >"$work/metrics" || fail 'no metrics'
grep -q '"operation_count"' "$work/metrics" || fail 'these are no metrics'
[ -e "$work/never.sock" ] && fail 'it made a socket of its own'
grep -q 'serving' "$work/log" || fail 'it does not say that it serves'

kill -TERM "$pid"
for _ in $(seq "$patience"); do
    ended && break
    sleep 0.1
done
ended || fail 'it does not end'
wait "$pid"
code=$?
pid=
[ "$code" = 0 ] || fail "exit code $code"
[ -S "$socket" ] || fail 'it removed a socket that is not its own'
echo 'test_socket_activation: fine'
