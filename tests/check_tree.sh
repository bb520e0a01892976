#!/bin/sh
# The tree checks itself: what no compiler notices when a row, a page or a file is forgotten.
# Prints one line a finding. Exit: 0 fine, 1 findings, 77 all else fine but a tool is missing.
set -u
top=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
build=${abs_top_builddir:-$top/build}
findings=0
missing=''
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
cd "$top" || exit 99

found() {
    echo "check_tree: $*"
    findings=$((findings + 1))
}

# Every op has a reference and a vector source.
check_ops() {
    ops=$(sed -n 's/^OP( *[0-9]*, *\([a-z0-9_]*\),.*/\1/p' kernels/ops.def)
    [ -n "$ops" ] || found "kernels/ops.def: no rows found"
    for op in $ops; do
        for file in "kernels/ref/$op.c" "kernels/$op.c"; do
            [ -f "$file" ] || found "kernels/ops.def: $op has no $file"
        done
    done
}

# Every parameter stands in the sample and, with its default, in the man page.
check_parameters() {
    params=$(sed -n 's/^PARAM([a-z]*, *\([a-z0-9_]*\),.*/\1/p' daemon/params.def)
    [ -n "$params" ] || found "daemon/params.def: no rows found"
    for param in $params; do
        default=$(sed -n "s/^;$param = *//p" etc/simdd.conf)
        grep -q "^;$param =" etc/simdd.conf || found "etc/simdd.conf: $param is missing"
        sed -n "/^\.It Ic $param\$/,/^\.It Ic\|^\.El/p" docs/simdd.conf.5 >"$work/entry"
        if [ ! -s "$work/entry" ]; then
            found "docs/simdd.conf.5: $param is missing"
        elif ! grep -qxF "Default: ${default:-empty}." "$work/entry"; then
            found "docs/simdd.conf.5: $param: its default is ${default:-empty}"
        fi
    done
}

check_sample() {
    if [ ! -x "$build/daemon/simdd" ]; then
        missing="$missing daemon/simdd"
        return
    fi
    "$build/daemon/simdd" --print-sample >"$work/sample" || found "simdd --print-sample failed"
    diff -u etc/simdd.conf "$work/sample" ||
        found "etc/simdd.conf: not what simdd --print-sample prints"
}

# Every header compiles alone, but for those whose opening comment calls them a template, which
# their includer completes. Those of kernels/isa are the bodies of kernels/vec.h, which is built for
# one ISA at a time.
check_headers() {
    cc=${CC:-cc}
    case $($cc -dumpmachine) in
    x86_64*) isa='-DKERN_ISA=sse4 -msse4.2' ;;
    aarch64*) isa='-DKERN_ISA=neon' ;;
    *) isa='' ;;
    esac
    for header in $(find client daemon kernels protocol tests -name '*.h' ! -path '*/isa/*'); do
        sed '/\*\//q' "$header" | grep -qi template && continue
        printf '#include "config.h"\n#include "%s"\n' "$header" >"$work/one.c"
        # shellcheck disable=SC2086 # each holds several words
        $cc -std=c11 -D_GNU_SOURCE -I"$build" -I. -Idaemon -Iclient $isa ${TREE_CPPFLAGS:-} \
            -fsyntax-only "$work/one.c" >"$work/errors" 2>&1 || {
            found "$header: does not compile alone"
            head -n 5 "$work/errors"
        }
    done
}

# Makefiles need tabs, and nothing else has any.
check_blanks() {
    find client daemon docs etc kernels protocol scripts systemd tests -type f \
        ! -path '*/corpus/*' \( -name '*.[ch]' -o -name '*.def' -o -name '*.sh' -o -name '*.md' \
        -o -name '*.py' -o -name '*.conf' -o -name '*.in' -o -name '*.socket' \
        -o -name '*.[1-8]' \) >"$work/files"
    tab=$(printf '\t')
    while read -r file; do
        grep -n "$tab" "$file" >"$work/lines" && found "$file: tab in line $(
            head -n 1 "$work/lines" | cut -d: -f1)"
        grep -n ' $' "$file" >"$work/lines" && found "$file: blank at the end of line $(
            head -n 1 "$work/lines" | cut -d: -f1)"
    done <"$work/files"
}

check_pages() {
    if ! command -v mandoc >"$work/null"; then
        missing="$missing mandoc"
        return
    fi
    for page in docs/*.[1-8]; do
        mandoc -T lint -W warning "$page" || found "$page: mandoc finds fault"
    done
}

check_ops
check_parameters
check_sample
if [ -f "$build/config.h" ]; then
    check_headers
else
    missing="$missing config.h"
fi
check_blanks
check_pages

[ "$findings" -eq 0 ] || exit 1
if [ -n "$missing" ]; then
    echo "check_tree: not all was checked, missing:$missing"
    exit 77
fi
