#!/bin/sh
# What `make install` leaves behind, in a folder of its own: every file and no other, programs
# stripped and hardened, a library that exports its own names alone, and a pkg-config file with
# which a program outside this tree builds, shared and static, and gets its sum from the daemon.
# Exit: 0 fine, 1 findings, 77 a sanitized build (nobody installs one) or a tool is missing.
set -u
build=${abs_top_builddir:-$(cd "$(dirname "$0")/.." && pwd)/build}
cc=${CC:-cc}
make=${MAKE:-make}
findings=0
missing=''
daemon=''
work=$(mktemp -d /tmp/simdd-inst-XXXXXX) || exit 99
finish() {
    [ -z "$daemon" ] || kill "$daemon"
    rm -rf "$work"
}
trap finish EXIT
trap 'exit 99' HUP INT TERM
dest=$work/root

found() {
    echo "check_install: $*"
    findings=$((findings + 1))
}

# has TOOL: false, and noted, if there is none.
has() {
    command -v "$1" >"$work/null" && return
    missing="$missing $1"
    return 1
}

# Our make is not the one that runs this test: its flags and its job server are not for us.
unset MAKEFLAGS MFLAGS MAKELEVEL

# What make knows, as shell variables.
read_folders() {
    printf 'show:\n' >"$work/show.mk"
    for name in bindir sbindir libdir includedir datadir mandir sysconfdir bashcompdir pkgconfigdir \
        rulesdir dashboarddir guestdir systemdsystemunitdir sysusersdir tmpfilesdir wasmdir \
        wasmhostdir; do
        printf "\t@echo \"%s='\$(%s)'\"\n" $name $name >>"$work/show.mk"
    done
    "$make" -s -C "$build" -f Makefile -f "$work/show.mk" show >"$work/folders" || exit 99
    # shellcheck disable=SC1091 # written above
    . "$work/folders"
}

install_all() {
    "$make" -s -C "$build" install "DESTDIR=$dest" >"$work/install.log" 2>&1 && return
    cat "$work/install.log"
    exit 1
}

check_files() {
    cat >"$work/expected" <<END
$bashcompdir/simdctl
$bindir/simdctl
$dashboarddir/simdd.json
$guestdir/examples/attention.c
$guestdir/examples/sobel.c
$guestdir/simdd.h
$includedir/simdd.h
$libdir/libsimdd.a
$libdir/libsimdd.la
$libdir/libsimdd.so
$libdir/libsimdd.so.0
$libdir/libsimdd.so.0.1.0
$mandir/man1/simdctl.1
$mandir/man3/libsimdd.3
$mandir/man5/simdd.conf.5
$mandir/man7/simdd-protocol.7
$mandir/man8/simdd.8
$pkgconfigdir/simdd.pc
$rulesdir/simdd.rules.yml
$sbindir/simdd
$sysconfdir/simdd/simdd.conf
END
    [ -z "$sysusersdir" ] || cat >>"$work/expected" <<END
$systemdsystemunitdir/simdd-metrics.socket
$systemdsystemunitdir/simdd.service
$systemdsystemunitdir/simdd.socket
$sysusersdir/simdd.conf
$tmpfilesdir/simdd.conf
END
    [ -z "$wasmdir" ] || echo "$wasmdir/kernels.wasm" >>"$work/expected"
    [ -z "$wasmhostdir" ] || echo "$wasmhostdir/simdd-wasm" >>"$work/expected"
    sort "$work/expected" >"$work/sorted"
    (cd "$dest" && find . ! -type d | sed 's/^\.//' | sort) >"$work/installed"
    diff "$work/sorted" "$work/installed" >"$work/diff" ||
        found "files missing (<) or too many (>): $(grep '^[<>]' "$work/diff")"
    if [ -n "$sysusersdir" ]; then
        grep -q "^ExecStart=$sbindir/simdd --config $sysconfdir/simdd/simdd.conf\$" \
            "$dest$systemdsystemunitdir/simdd.service" || found "simdd.service starts another program"
        grep -n '@[a-z]*@' "$dest$systemdsystemunitdir"/* && found "units with holes"
    fi
}

# A configuration that an operator has changed survives the next installation.
check_configuration_stays() {
    echo '# mine' >>"$dest$sysconfdir/simdd/simdd.conf"
    install_all
    tail -n 1 "$dest$sysconfdir/simdd/simdd.conf" | grep -qx '# mine' ||
        found "make install overwrote a changed simdd.conf"
}

check_stripped() {
    for file in "$sbindir/simdd" "$bindir/simdctl" "$libdir/libsimdd.so.0.1.0" \
        ${wasmhostdir:+"$wasmhostdir/simdd-wasm"}; do
        readelf -SW "$dest$file" >"$work/sections"
        grep -q -e ' \.symtab ' -e ' \.debug_' "$work/sections" && found "$file: not stripped"
    done
    readelf -SW "$dest$libdir/libsimdd.a" >"$work/sections"
    grep -q ' \.debug_' "$work/sections" && found "libsimdd.a: not stripped"
    grep -q -e ' \.gnu\.lto_' -e ' \.llvm\.lto' "$work/sections" &&
        found "libsimdd.a: holds one compiler's intermediate code"
}

# Position independent, nothing writable that need not be, no stack that runs, guarded frames.
check_hardened() {
    for file in "$sbindir/simdd" "$bindir/simdctl" "$libdir/libsimdd.so.0.1.0" \
        ${wasmhostdir:+"$wasmhostdir/simdd-wasm"}; do
        readelf -hldW --dyn-syms "$dest$file" >"$work/elf"
        grep -q '^ *Type: *DYN' "$work/elf" || found "$file: not position independent"
        grep -q '^ *GNU_RELRO ' "$work/elf" || found "$file: no RELRO"
        grep -q -e '(BIND_NOW)' -e '(FLAGS).*BIND_NOW' -e '(FLAGS_1).*NOW' "$work/elf" ||
            found "$file: not BIND_NOW"
        grep '^ *GNU_STACK ' "$work/elf" | grep -q ' RW  ' || found "$file: executable stack"
        grep -q '^ *LOAD .* RWE ' "$work/elf" && found "$file: writable code"
        grep -q '(TEXTREL)' "$work/elf" && found "$file: text relocations"
        grep -q '__stack_chk_fail' "$work/elf" || found "$file: no stack protector"
        grep -q -e '(RPATH)' -e '(RUNPATH)' "$work/elf" && found "$file: searches for libraries"
    done
    grep -q '_chk@' "$work/elf" || found "libsimdd.so: no _FORTIFY_SOURCE"
}

# simdd.h declares what the library exports, no more and no less, all of a version of ours.
check_exports() {
    nm -D --defined-only "$dest$libdir/libsimdd.so.0.1.0" |
        sed -n 's/^[0-9a-f]* [^A] //p' | sed 's/@@SIMDD_[01]$//' | sort >"$work/exported"
    sed -n '/^SIMDD_API/,/;/p' "$dest$includedir/simdd.h" |
        sed -n 's/^SIMDD_API [^(]*\(simdd_[a-z0-9_]*\)(.*/\1/p' | sort >"$work/declared"
    [ -s "$work/declared" ] || found "simdd.h: declares nothing"
    diff "$work/declared" "$work/exported" >"$work/diff" ||
        found "declared (<) is not exported (>): $(grep '^[<>]' "$work/diff")"
}

start_daemon() {
    "$dest$sbindir/simdd" --config "$dest$sysconfdir/simdd/simdd.conf" \
        --socket "$work/simdd.sock" --http off --workers 1 2>"$work/log" &
    daemon=$!
    tries=0
    until "$dest$bindir/simdctl" --socket "$work/simdd.sock" ping -c 1 >"$work/ping" 2>&1; do
        tries=$((tries + 1))
        if [ $tries -gt 300 ]; then
            found "the installed daemon does not answer"
            cat "$work/ping" "$work/log"
            return 1
        fi
        sleep 0.1
    done
}

write_program() {
    cat >"$work/sum.c" <<'END'
#include <simdd.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    const float x[3] = {1, 2, 3}, y[3] = {10, 20, 30};
    float z[3] = {0, 0, 0};
    struct simdd *s = NULL;
    struct simdd_job job;
    int err = simdd_connect(&s, argc > 1 ? argv[1] : NULL);
    simdd_job_zip(&job, SIMDD_ADD_F32, 3, x, y, z);
    if (err == 0)
        err = simdd_call(s, &job, NULL);
    if (err != 0)
        fprintf(stderr, "%s\n", simdd_strerror(err));
    simdd_close(s);
    printf("%s %g %g %g\n", simdd_version(), z[0], z[1], z[2]);
    return err != 0;
}
END
}

# build_program NAME FLAG ...: builds, links and runs it.
build_program() {
    name=$1
    shift
    # shellcheck disable=SC2046,SC2086 # words each
    if ! $cc -Wall -Wextra -Werror -o "$work/$name" "$work/sum.c" $(pkg-config --cflags simdd) "$@" \
        >"$work/errors" 2>&1; then
        found "$name: does not build"
        cat "$work/errors"
        return
    fi
    sum=$(LD_LIBRARY_PATH=$dest$libdir "$work/$name" "$work/simdd.sock" 2>&1)
    [ "$sum" = "$(pkg-config --modversion simdd) 11 22 33" ] || found "$name: says $sum"
}

check_use() {
    has pkg-config && start_daemon || return
    write_program
    export PKG_CONFIG_PATH="$dest$pkgconfigdir" PKG_CONFIG_SYSROOT_DIR="$dest"
    # What pkg-config leaves out of a system's own folders is needed below $dest.
    export PKG_CONFIG_ALLOW_SYSTEM_CFLAGS=1 PKG_CONFIG_ALLOW_SYSTEM_LIBS=1
    # shellcheck disable=SC2046
    build_program shared $(pkg-config --libs simdd)
    readelf -d "$work/shared" | grep -q 'NEEDED.*\[libsimdd.so.0\]' ||
        found "shared: not linked with libsimdd.so.0"
    # shellcheck disable=SC2046
    build_program static -static $(pkg-config --static --libs simdd)
}

check_uninstall() {
    "$make" -s -C "$build" uninstall "DESTDIR=$dest" >"$work/install.log" 2>&1 ||
        found "make uninstall failed"
    left=$(find "$dest" ! -type d ! -path "$dest$sysconfdir/*")
    [ -z "$left" ] || found "make uninstall leaves $left"
}

if [ -n "${SAN_CFLAGS:-}" ]; then
    echo 'check_install: an instrumented build'
    exit 77
fi
has readelf && has nm || {
    echo "check_install: missing:$missing"
    exit 77
}
read_folders
install_all
check_files
check_stripped
check_hardened
check_exports
check_use
check_configuration_stays
check_uninstall

[ "$findings" -eq 0 ] || exit 1
if [ -n "$missing" ]; then
    echo "check_install: not all was checked, missing:$missing"
    exit 77
fi
