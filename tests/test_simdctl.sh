#!/bin/sh
# simdctl against a real daemon: what it computes, what it refuses, and how it ends.
# Exit: 0 fine, 1 findings, 77 a program is not built.
set -u
LC_ALL=C
export LC_ALL
build=${abs_top_builddir:-$(cd "$(dirname "$0")/.." && pwd)/build}
ctl=$build/client/simdctl
for program in "$ctl" "$build/daemon/simdd"; do
    [ -x "$program" ] || { echo "test_simdctl: no $program"; exit 77; }
done

work=$(mktemp -d /tmp/simdctl-XXXXXX) || exit 99
daemon=
cleanup() {
    [ -z "$daemon" ] || kill "$daemon" 2>>"$work/log"
    rm -rf "$work"
}
trap cleanup EXIT
trap 'exit 99' HUP INT TERM
cd "$work" || exit 99

passed=0
failed=0
pass() { passed=$((passed + 1)); }
fail() {
    failed=$((failed + 1))
    echo "test_simdctl: $*"
}

# expect CODE WORDS ARGUMENT...: simdctl ends with that code and says those words, if any.
expect() {
    want=$1 words=$2
    shift 2
    "$ctl" "$@" >out 2>err </dev/null
    code=$?
    if [ "$code" -ne "$want" ]; then
        fail "simdctl $*: exit $code, not $want: $(cat err)"
    elif [ -n "$words" ] && ! grep -qF -e "$words" out err; then
        fail "simdctl $*: does not say '$words': $(head -c 300 out err)"
    else
        pass
    fi
}

# same A B: two files have the same bytes.
same() {
    if cmp "$1" "$2" >>log 2>&1; then pass; else fail "$1 and $2 differ"; fi
}

# npy DESCR SHAPE [ORDER] <NUMBERS: a .npy file of the bytes on standard input.
npy() {
    printf '\223NUMPY\001\000\166\000%-117s\n' \
        "{'descr': '$1', 'fortran_order': ${3:-False}, 'shape': $2, }"
    cat
}

# Bytes in octal, and words of 32 bits made of them, low byte first.
bytes() { for n in "$@"; do printf '%b' "\\0$(printf %o "$n")"; done; }
words() {
    for n in "$@"; do
        bytes $((n & 255)) $((n >> 8 & 255)) $((n >> 16 & 255)) $((n >> 24 & 255))
    done
}
# Small floats: 0 to 9.
floats() {
    for n in "$@"; do
        case $n in
        0) words 0 ;;
        1) bytes 0 0 128 63 ;;
        2) bytes 0 0 0 64 ;;
        3) bytes 0 0 64 64 ;;
        4) bytes 0 0 128 64 ;;
        5) bytes 0 0 160 64 ;;
        6) bytes 0 0 192 64 ;;
        7) bytes 0 0 224 64 ;;
        8) bytes 0 0 0 65 ;;
        9) bytes 0 0 16 65 ;;
        esac
    done
}

check_usage() {
    expect 0 'Usage: simdctl' --help
    expect 0 'Usage: simdctl' help
    expect 0 'simdctl ' --version
    for command in add mul matmul conv2d mix hash run module submit status top metrics ping bench; do
        expect 0 "Usage: simdctl $command" "$command" --help
        expect 0 "Usage: simdctl $command" help "$command"
        expect 64 '' "$command" --no-such-option
        grep -q " $command" out err || fail "simdctl $command: the complaint does not name it"
    done
    expect 64 'no command'
    expect 64 "no command 'nonsense'" nonsense
    expect 64 '--cache' --cache sometimes ping
    expect 64 '--deadline' --deadline -5ms ping
    expect 64 '--backend' ping --backend gpu
    expect 64 'two files' add x.npy
    expect 64 'odd number' conv2d im.pgm --blur 4
    expect 64 'more than one kernel' conv2d im.pgm --blur 3 --edge
    expect 64 '--sigma' conv2d im.pgm --box 3 --sigma 1
    expect 64 '--op' bench --op add_f99
    expect 64 '--depth' bench --depth 0
    expect 64 '--size' bench --size 4QiB
    expect 64 '--format' metrics --format xml
    expect 64 'no operands' status now
    expect 64 'MODULE/FUNCTION' run sobel im.pgm
    expect 64 'MODULE/FUNCTION' run sobel/sobel
    expect 64 'one to 3 files' run m/f 1 2 3 4
    expect 64 '--param' run m/f x.npy --param one
    expect 64 'up to 8' run m/f x.npy -p1 -p2 -p3 -p4 -p5 -p6 -p7 -p8 -p9
    expect 64 '--result' run m/f x.npy --result f64:2,3
    expect 64 '--result' run m/f x.npy --result f32:
    expect 64 'wasm only' --backend native run m/f x.npy
    expect 64 'add, list, show or remove' module
    expect 64 "'rename' is none of" module rename a b
    expect 64 'a name and a file' module add sobel
    expect 64 'no operands' module list all
    expect 64 '--all goes with' module list --all
}

check_no_daemon() {
    for command in 'add x.npy y.npy' 'hash x.npy' status metrics 'ping -c 1' 'bench --count 1'; do
        # shellcheck disable=SC2086
        expect 69 'is simdd running?' --socket "$work/nobody.sock" $command
    done
    expect 69 'is simdd running?' --socket "$work/nobody.sock" submit '{"op":"ping"}'
    expect 71 'too long' --socket "/$(printf '%0200d' 0)" ping
}

start_daemon() {
    SIMDD_SOCKET=$work/simdd.sock
    export SIMDD_SOCKET
    mkdir "$work/state" || exit 99
    "$build/daemon/simdd" --socket "$SIMDD_SOCKET" --http off \
        --job-max-bytes 16MiB --state-dir "$work/state" 2>daemon.log &
    daemon=$!
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        "$ctl" ping -c 1 >>log 2>&1 && return 0
        sleep 0.3
    done
    echo "test_simdctl: the daemon does not answer"
    cat daemon.log
    exit 99
}

check_arrays() {
    floats 1 2 3 4 5 6 | npy '<f4' '(2, 3)' >x.npy
    floats 1 1 1 2 2 2 | npy '<f4' '(2, 3)' >y.npy
    floats 2 3 4 6 7 8 | npy '<f4' '(2, 3)' >sum.npy
    expect 0 '' add x.npy y.npy -o z.npy
    same z.npy sum.npy
    "$ctl" add - y.npy <x.npy >z.npy 2>>log
    same z.npy sum.npy
    expect 0 '"shape":[2,3]' --json add x.npy y.npy -o z.npy
    expect 0 'add_f32: 2x3 f32' -v add x.npy y.npy -o z.npy
    floats 1 2 3 8 >product.raw
    floats 1 2 3 4 >x.raw
    floats 1 1 1 2 >y.raw
    expect 0 '' mul --dtype f32 x.raw y.raw -o z.raw
    same z.raw product.raw
    words 2147483647 5 | npy '<i4' '(2,)' >i.npy
    words 1 4294967289 | npy '<i4' '(2,)' >j.npy
    words 2147483648 4294967294 | npy '<i4' '(2,)' >wrapped.npy
    expect 0 '' add i.npy j.npy -o z.npy
    same z.npy wrapped.npy
    bytes 250 3 | npy '|u1' '(2,)' >u.npy
    bytes 255 6 | npy '|u1' '(2,)' >saturated.npy
    expect 0 '' add u.npy u.npy -o z.npy
    same z.npy saturated.npy

    floats 7 7 | npy '<f4' '(2, 1)' >c.npy
    floats 1 1 1 | npy '<f4' '(3, 1)' >ones.npy
    floats 6 | npy '<f4' '(1, 1)' >six.npy
    expect 0 '' matmul x.npy ones.npy --alpha 0 -C c.npy -o z.npy
    same z.npy c.npy
    floats 1 2 3 | npy '<f4' '(1, 3)' >row.npy
    expect 0 '' matmul row.npy ones.npy -o z.npy
    same z.npy six.npy
    expect 0 '' matmul ones.npy row.npy --trans-a --trans-b -o z.npy
    same z.npy six.npy
    floats 1 2 3 | npy '<f4' '(3, 1)' True >row_fortran.npy
    expect 0 '' matmul row_fortran.npy ones.npy --trans-a -o z.npy
    same z.npy six.npy
    words 0 1 4294967295 | npy '<u4' '(3,)' >m.npy
    expect 0 '' mix m.npy -o mixed.npy
    words 0 1 4294967295 >m.raw
    expect 0 '' mix m.raw -o mixed.raw
    tail -c 12 mixed.npy >mixed.tail
    same mixed.tail mixed.raw
    cmp -s m.raw mixed.raw && fail 'mix changed nothing'
}

check_images() {
    { printf 'P5 4 3 255\n'; bytes 9 9 9 9 9 27 36 9 9 9 9 9; } >im.pgm
    { printf 'P5\n4 3\n255\n'; bytes 9 9 9 9 9 14 14 9 9 9 9 9; } >mean.pgm
    expect 0 '' conv2d im.pgm --box 3 -o z.pgm
    same z.pgm mean.pgm
    expect 0 '' conv2d im.pgm --box 3 --border replicate -o z.png
    expect 0 '' conv2d im.pgm --box 1 -o one.png
    expect 0 '' conv2d one.png --box 1 -o one.pgm
    { printf 'P5\n4 3\n255\n'; tail -c 12 im.pgm; } >clean.pgm
    same one.pgm clean.pgm
    { printf 'P6\n# c\n2 2\n255\n'; bytes 1 2 3 4 5 6 7 8 9 10 11 12; } >im.ppm
    expect 0 '' conv2d im.ppm --sharpen -o z.ppm
    "$ctl" conv2d - --box 1 <im.ppm 2>>log | tail -c 12 >z.tail
    tail -c 12 im.ppm >im.tail
    same z.tail im.tail
    { printf 'P5 800 600 255\n'; head -c 480000 /dev/zero | tr '\0' '\7'; } >ramp.pgm
    expect 65 'use .ppm' conv2d im.ppm --box 3 -o z.pgm
    expect 65 'no image' add x.npy y.npy -o z.png
    expect 64 'the suffix' conv2d im.pgm --box 3 -o z.gif
    expect 65 'kernel of f32' conv2d im.pgm i.npy -o z.pgm
    expect 65 'both odd' conv2d im.pgm x.npy -o z.pgm
    { printf 'P5 4 3 65535\n'; bytes 0; } >deep.pgm
    expect 65 'maxval is 65535' conv2d deep.pgm --box 3 -o z.pgm
    head -c 20 im.pgm >short.pgm
    expect 65 'cut short' conv2d short.pgm --box 3 -o z.pgm
    head -c 50 one.png >short.png
    expect 65 'short.png' conv2d short.png --box 3 -o z.png
}

check_hashes() {
    printf a >a
    : >empty
    expect 0 '0000000' hash empty
    echo 'af63dc4c8601ec8c  a' >want
    "$ctl" hash --fnv1a-64 a >got 2>>log
    same got want
    echo 'cbf29ce484222325  -' >want
    "$ctl" hash --fnv1a-64 </dev/null >got 2>>log
    same got want
    echo '00000000811c9dc5  empty' >want
    "$ctl" hash empty >got 2>>log
    same got want
    expect 0 '"name":"a","hash":"' --json hash a
    expect 66 'nofile' hash a nofile empty
    [ "$(grep -c . out)" -eq 2 ] && pass || fail 'a missing file hides the others'
    : >many
    i=0
    while [ $i -lt 150 ]; do
        printf '%s' "$i" >"f$i"
        echo "f$i" >>many
        i=$((i + 1))
    done
    # shellcheck disable=SC2046
    "$ctl" hash $(cat many) | awk '{print $2}' >got
    same got many
    head -c 600000 "$build/daemon/simdd" >large # in shared memory; by halves it is not
    "$ctl" hash large | cut -c1-16 >got
    "$ctl" hash - <large | cut -c1-16 >want
    same got want
}

check_bad_files() {
    printf 'nonsense of some length' >bad
    expect 65 'none of .npy' add bad bad -o z.npy
    expect 65 'empty' add empty empty -o z.npy
    expect 66 'No such file' add nofile.npy x.npy -o z.npy
    expect 66 'directory' add . x.npy -o z.npy
    floats 1 2 | npy '<f8' '(1,)' >d.npy
    expect 65 "'<f8'" add d.npy d.npy -o z.npy
    floats 1 2 | npy '<f4' '(3,)' >short.npy
    expect 65 'short.npy: it is cut short' add short.npy short.npy -o z.npy
    floats 1 2 | npy '<f4' '(1,)' >long.npy
    expect 65 'long.npy: there are bytes behind' add long.npy long.npy -o z.npy
    floats 1 | npy '<f4' '(4294967296, 4294967296)' >huge.npy
    expect 65 'huge.npy' add huge.npy huge.npy -o z.npy
    floats 1 | npy '<f4' '(1000000000000,)' >large.npy
    expect 65 'large.npy' add large.npy large.npy -o z.npy
    npy '<f4' '(0, 3)' </dev/null >none.npy
    expect 65 'no elements' add none.npy none.npy -o z.npy
    head -c 40 x.npy >cut.npy
    expect 65 'header is cut short' add cut.npy cut.npy -o z.npy
    expect 65 'same' add x.npy ones.npy -o z.npy
    expect 65 'i32' add x.npy i.npy -o z.npy
    expect 65 'columns' matmul x.npy x.npy -o z.npy
    expect 65 'dimensions' matmul i.npy i.npy -o z.npy
    expect 73 'cannot be created' add x.npy y.npy -o /nonexistent/z.npy
    expect 74 'No space' add x.npy y.npy -o /dev/full --to npy
    for file in ./*.*.??????; do
        [ -e "$file" ] && fail "$file is left over"
    done
}

check_daemon_views() {
    expect 0 '"operation_count"' metrics
    expect 0 '# TYPE' metrics --format prometheus
    expect 0 '# EOF' metrics --format openmetrics
    expect 0 'latency' status
    expect 0 '"uptime_seconds"' --json status
    expect 0 'operation' top -n 2 -i 10ms
    expect 0 '3 answers' ping -c 3 -i 1ms
    expect 0 '"count":2' --json ping -c 2 -i 1ms
    expect 0 '"status":"ok"' submit '{"op":"add_f32","x":[1,2],"y":[3,4]}'
    expect 65 'bad_op' submit '{"op":"nonsense"}'
    expect 65 "lacks the '{'" submit nonsense
    printf '\n  {"op":"ping","id":1}\n\n{"op":"ping","id":2}' | "$ctl" submit >out 2>>log
    [ "$(grep -c pong out)" -eq 2 ] && pass || fail 'submit: not one answer per line'
    if [ -x "$build/wasm/host/simdd-wasm" ] && [ -f "$build/wasm/kernels.wasm" ]; then
        expect 0 '"isa":"wasm128' --json --backend wasm add x.npy y.npy -o z.npy
        same z.npy sum.npy
    else
        expect 69 'no_backend' --backend wasm add x.npy y.npy -o z.npy
    fi
    expect 0 '"cached":false' --json --cache always mul x.npy x.npy -o z.npy
    expect 0 '"cached":true' --json --cache always mul x.npy x.npy -o z.npy
}

# Names and files that are no use; then a filter of one's own, if it was built.
check_modules() {
    expect 66 'nothing.wasm' module add m nothing.wasm
    expect 65 'bad_name' module add ../m x.npy
    expect 65 'module_unknown' module show m
    expect 65 'module_unknown' module remove m
    expect 65 'module_unknown' run m/f x.npy -o z.npy
    expect 0 '[]' --json module list
    expect 0 '' module list
    floats 1 | npy '<f4' '(1, 1, 1, 1, 1)' >deep.npy
    expect 65 '5 dimensions' run m/f deep.npy -o z.npy
    floats 1 2 3 4 | npy '<f4' '(2, 2)' True >columns.npy
    expect 65 'Fortran' run m/f columns.npy -o z.npy
    if [ "$(id -u)" -ne 0 ]; then
        expect 77 'only root' module add m x.npy --all
    fi
    if ! [ -x "$build/wasm/host/simdd-wasm" ]; then
        expect 69 'no_backend' module add m x.npy
        return
    fi
    expect 65 'module_refused' module add m x.npy
    sobel=$build/wasm/guest/examples/sobel.wasm
    [ -f "$sobel" ] || return
    expect 0 '' module add edges "$sobel"
    expect 0 'edges ' module list
    expect 0 '"name":"edges"' --json module list
    expect 0 'functions  sobel, on several workers' module show edges
    expect 0 '"functions":[{"name":"sobel"' --json module show edges
    expect 0 '"imports":[]' --json module show edges
    expect 0 '' module add attention "$build/wasm/guest/examples/attention.wasm"
    expect 0 'uses       matmul_f32' module show attention
    expect 0 '600x800' -v run edges/sobel ramp.pgm -o ramp.png
    expect 0 '"shape":[600,800]' --json run edges/sobel ramp.pgm --result u8:600,800 -o z.pgm
    expect 0 '' conv2d ramp.png --box 1 -o told.pgm
    same z.pgm told.pgm
    "$ctl" run edges/sobel - <ramp.pgm >z.pgm 2>>log
    same z.pgm told.pgm
    expect 70 'wasm_failed' run edges/sobel x.npy -o z.npy
    expect 65 'of that name: nothing (function_unknown)' run edges/nothing ramp.pgm -o z.pgm
    expect 0 '' module remove edges
    expect 65 'module_unknown' run edges/sobel ramp.pgm -o z.pgm
}

check_bench() {
    for op in add_f32 add_i32 add_u8 mul_f32 mul_i32 mul_u8 matmul_f32 matmul_i32 matmul_u8 \
        conv2d_f32 conv2d_i32 conv2d_u8 hash_fast hash_fnv1a_64 mix_u32; do
        for size in 64 20000; do
            expect 0 '"jobs":60,' --json bench --op $op --size $size --connections 3 --depth 5 \
                --count 60
            expect 0 '"arena":true' --json bench --op $op --size $size --connections 2 --depth 3 \
                --count 20 --arena
        done
    done
    expect 0 'jobs/s' bench --seconds 0.1
    expect 65 'too_big' bench --size 16MiB --connections 1 --depth 1 --count 1 --arena
    expect 75 'deadline' --deadline 1us bench --op matmul_f32 --size 1MiB --count 50
}

check_drain() {
    kill "$daemon"
    wait "$daemon" && pass || fail "the daemon ended with $?"
    daemon=
    expect 69 '' ping -c 1
}

check_usage
check_no_daemon
start_daemon
check_arrays
check_images
check_hashes
check_bad_files
check_daemon_views
check_modules
check_bench
check_drain
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
