#!/bin/sh
# Builds the engine into DIR: lib/libwasmtime.a and include/, as --with-wasmtime=DIR wants them.
#     build.sh CARGO RUSTC DIR
# Cargo fetches what Cargo.lock names unless it has it already; nothing else is downloaded.
set -eu
crate=$(cd "$(dirname "$0")" && pwd)
cargo=$1 rustc=$2
mkdir -p "$3/lib" "$3/include"
dir=$(cd "$3" && pwd)

# What the C compiler of the daemon is told is not meant for the engine's build scripts.
unset CFLAGS CPPFLAGS LDFLAGS RUSTFLAGS
RUSTC=$rustc
export RUSTC
"$cargo" build --quiet --release --locked --manifest-path "$crate/Cargo.toml" \
    --target-dir "$dir/cargo"

# The headers lie in the crate's source. Only this platform's crates have been fetched.
host=$("$rustc" -vV | sed -n 's/^host: //p')
source=$("$cargo" metadata --locked --offline --format-version 1 --filter-platform "$host" \
    --manifest-path "$crate/Cargo.toml" | tr ',' '\n' |
    sed -n 's/.*"manifest_path":"\(.*\/wasmtime-c-api-impl-[^"]*\)\/Cargo.toml".*/\1/p')
[ -f "$source/include/wasmtime/conf.h.in" ] || {
    echo "build.sh: the engine's headers are not in '$source'" >&2
    exit 1
}
cp -R "$source/include/." "$dir/include/"
chmod -R u+w "$dir/include"
# What its CMake does: the feature that Cargo.toml asks for is there, the others are not.
sed -e 's/^#cmakedefine WASMTIME_FEATURE_CRANELIFT$/#define WASMTIME_FEATURE_CRANELIFT/' \
    -e '/^#cmakedefine /d' "$source/include/wasmtime/conf.h.in" >"$dir/include/wasmtime/conf.h"

# Last, and in one step: make takes it as the sign that all is there.
cp "$dir/cargo/release/libsimdd_wasmtime.a" "$dir/lib/libwasmtime.a.new"
mv "$dir/lib/libwasmtime.a.new" "$dir/lib/libwasmtime.a"
