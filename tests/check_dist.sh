#!/bin/sh
# Every file that is kept under version control travels in the tarball, but for what only its
# repository needs. Exit: 0 fine, 1 findings, 77 this is no repository.
set -u
top=${abs_top_srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
build=${abs_top_builddir:-$top/build}
make=${MAKE:-make}
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
unset MAKEFLAGS MFLAGS MAKELEVEL

git -C "$top" ls-files >"$work/kept" 2>"$work/errors" && [ -s "$work/kept" ] || {
    echo 'check_dist: no repository'
    exit 77
}
# A tarball's own tree may lie inside somebody else's repository.
grep -qx configure.ac "$work/kept" || exit 77

# shellcheck disable=SC2016 # make's variables
printf 'show:\n\t@printf "%%s\\n" $(patsubst $(srcdir)/%%,%%,$(DISTFILES))\n' >"$work/show.mk"
"$make" -s -C "$build" -f Makefile -f "$work/show.mk" show | sort -u >"$work/sent" || exit 99

findings=0
while read -r file; do
    case $file in .ci/* | .gitignore) continue ;; esac
    [ -f "$top/$file" ] || continue # taken away just now
    folder=$file
    until grep -qxF "$folder" "$work/sent"; do
        case $folder in
        */*) folder=${folder%/*} ;;
        *)
            echo "check_dist: $file is in no makefile's list"
            findings=$((findings + 1))
            break
            ;;
        esac
    done
done <"$work/kept"
[ "$findings" -eq 0 ]
