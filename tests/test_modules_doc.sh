#!/bin/sh
# docs/modules.md, from its empty file on: its C is compiled and its commands are run as they stand
# there, against a daemon of this build; only the kit is taken from the tree.
# Exit: 0 fine, 1 findings, 77 a tool is missing.
set -u
top=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
build=${abs_top_builddir:-$top/build}
daemon=''
work=$(mktemp -d /tmp/simdd-doc-XXXXXX) || exit 99
finish() {
    [ -z "$daemon" ] || kill "$daemon"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 99' HUP INT TERM

fail() {
    echo "test_modules_doc: $*"
    exit 1
}

# Debian's python3 has Debian's numpy; another that comes first on PATH may have none.
python=/usr/bin/python3
for tool in clang-22 $python socat; do
    command -v $tool >"$work/null" || exit 77
done
$python -c 'import numpy' 2>"$work/null" || exit 77

# What the page takes for granted: programs that are installed, pkg-config that finds the kit.
mkdir "$work/bin" "$work/state" "$work/new"
ln -s "$build/client/simdctl" "$work/bin/simdctl"
ln -s $python "$work/bin/python3"
printf '#!/bin/sh\necho "%s"\n' "$top/wasm/guest" >"$work/bin/pkg-config"
chmod +x "$work/bin/pkg-config"
PATH=$work/bin:$PATH
SIMDD_SOCKET=$work/simdd.sock
export PATH SIMDD_SOCKET

: >"$work/empty.conf"
"$build/daemon/simdd" --config "$work/empty.conf" --socket "$SIMDD_SOCKET" --http off --workers 2 \
    --state-dir "$work/state" --wasm-host "$build/wasm/host/simdd-wasm" \
    --wasm-kernels "$build/wasm/kernels.wasm" 2>"$work/log" &
daemon=$!
tries=0
until simdctl ping >"$work/null" 2>&1; do
    tries=$((tries + 1))
    [ $tries -le 300 ] || fail "no daemon: $(cat "$work/log")"
    sleep 0.1
done

# The blocks of the first chapter in order: block.1.sh, block.1.c and so on.
awk -v to="$work/block" '
    /^## / { chapter++ }
    chapter != 1 { next }
    /^```./ { kind = substr($0, 4); file = to "." ++count[kind] "." kind; next }
    /^```$/ { file = ""; next }
    file != "" { print >file }' "$top/docs/modules.md"

cd "$work/new" || exit 99
cp "$work/block.1.c" soft.c
python3 - <<END || exit 99
import numpy
rows = numpy.arange(40)[:, None] * 6 + numpy.arange(60) % 7
open('photo.pgm', 'wb').write(b'P5 60 40 255\n' + (rows % 256).astype('uint8').tobytes())
END

# The first starts a daemon, which is there already.
for block in 2 3 4 5 6; do
    [ -s "$work/block.$block.sh" ] || fail "no block $block of commands"
    sed 's/photo\.png/photo.pgm/; s/edges\.png/edges.pgm/' "$work/block.$block.sh" >"$work/run.sh"
    sh -eu "$work/run.sh" >"$work/out.$block" 2>&1 ||
        fail "block $block: $(cat "$work/run.sh" "$work/out.$block")"
done
[ ! -s "$work/block.7.sh" ] || fail 'commands that are not tested'

grep -q clip "$work/out.3" || fail "module show: $(cat "$work/out.3")"
grep -qF '[-1.3333334' "$work/out.4" || fail "run: $(cat "$work/out.4")"
grep -q '"result":\[-1.3333334,0.0,1.3333334\]' "$work/out.5" || fail "JSON: $(cat "$work/out.5")"
head -c 11 edges.pgm | tr '\n' ' ' | grep -q '^P5 60 40' || fail 'no edges'
simdctl module remove soft || fail 'module remove'
simdctl module list | grep -q soft && fail 'module remove: it is still there'
exit 0
