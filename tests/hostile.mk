# Modules that nobody would want, for the suites and the fuzzer of everything that takes modules.

HOSTILE_FILES = \
	tests/wasm/hostile.h \
	tests/wasm/hostile_form.c \
	tests/wasm/hostile_run.c \
	tests/wasm/hostile_size.c \
	tests/wasm/wasm_build.c \
	tests/wasm/wasm_build.h
EXTRA_DIST += $(HOSTILE_FILES)
