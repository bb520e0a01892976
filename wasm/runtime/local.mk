# The engine: WASMTIME is a folder with include/ and lib/libwasmtime.a, either given to configure or
# made here, once, in wasm/engine of the build folder.

EXTRA_DIST += \
	wasm/runtime/Cargo.lock \
	wasm/runtime/Cargo.toml \
	wasm/runtime/build.sh \
	wasm/runtime/src/lib.rs

WASMTIME_LIB = $(WASMTIME)/lib/libwasmtime.a
# -isystem: its headers are not written to our warnings.
WASMTIME_CPPFLAGS = -isystem $(WASMTIME)/include

if WASM
# The trial from the tarball takes this build's engine: another one would take minutes and a
# network.
AM_DISTCHECK_CONFIGURE_FLAGS = --with-wasmtime='$(WASMTIME)'
endif

if WASM_ENGINE_BUILT
AM_V_CARGO = $(am__v_CARGO_@AM_V@)
am__v_CARGO_ = $(am__v_CARGO_@AM_DEFAULT_V@)
am__v_CARGO_0 = @echo "  CARGO    $@ (takes minutes)";
am__v_CARGO_1 =

$(WASMTIME_LIB): wasm/runtime/Cargo.lock wasm/runtime/Cargo.toml wasm/runtime/build.sh \
		wasm/runtime/src/lib.rs
	+$(AM_V_CARGO)$(srcdir)/wasm/runtime/build.sh '$(CARGO)' '$(RUSTC)' $(WASMTIME)

distclean-local: distclean-engine
distclean-engine:
	rm -rf wasm/engine
endif
