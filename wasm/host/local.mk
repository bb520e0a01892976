# The process that runs WebAssembly.
#
# It is built without the sanitizers, also where everything else has them: their runtimes want
# system calls and mappings that its filters refuse, and the engine's handlers and stacks are not
# theirs. So it takes kernels of its own there.

EXTRA_DIST += wasm/host/task.h

if WASM
wasmhostdir = $(pkglibexecdir)
wasmhost_PROGRAMS = wasm/host/simdd-wasm

WASM_HOST_BASE_CFLAGS = -std=c11 -fvisibility=hidden -ffp-contract=off $(WARN_CFLAGS)

wasm_host_simdd_wasm_SOURCES = \
	wasm/host/call.c \
	wasm/host/call.h \
	wasm/host/compiled.c \
	wasm/host/compiled.h \
	wasm/host/engine.c \
	wasm/host/engine.h \
	wasm/host/fault.c \
	wasm/host/fault.h \
	wasm/host/guest.h \
	wasm/host/instance.c \
	wasm/host/instance.h \
	wasm/host/loader.c \
	wasm/host/loader.h \
	wasm/host/main.c \
	wasm/host/message.c \
	wasm/host/message.h \
	wasm/host/module.c \
	wasm/host/module.h \
	wasm/host/module_check.c \
	wasm/host/op.c \
	wasm/host/op.h \
	wasm/host/op_check.c \
	wasm/host/op_check.h \
	wasm/host/partner.c \
	wasm/host/partner.h \
	wasm/host/reason.c \
	wasm/host/reason.h \
	wasm/host/sandbox.c \
	wasm/host/sandbox.h \
	wasm/host/trap.c \
	wasm/host/trap.h \
	wasm/host/window.c \
	wasm/host/window.h
wasm_host_simdd_wasm_CPPFLAGS = $(AM_CPPFLAGS) $(WASMTIME_CPPFLAGS) $(SECCOMP_CFLAGS) \
	$(XXHASH_CFLAGS)
wasm_host_simdd_wasm_CFLAGS = $(WASM_HOST_BASE_CFLAGS) $(HARD_CFLAGS) $(LTO_CFLAGS) -fPIE
wasm_host_simdd_wasm_LDFLAGS = $(HARD_LDFLAGS) -pie -Wl,--gc-sections
wasm_host_simdd_wasm_LDADD = $(WASM_HOST_KERN_LIBS) $(WASMTIME_LIB) $(SECCOMP_LIBS) \
	-lpthread -ldl -lm

# Its headers come with the engine.
$(wasm_host_simdd_wasm_OBJECTS): | $(WASMTIME_LIB)

if SANITIZED
WASM_HOST_KERN_CFLAGS = $(WASM_HOST_BASE_CFLAGS) -fno-stack-protector
noinst_LIBRARIES += libkern_plain.a libkern_plain_ref.a libkern_plain_ref_split.a
WASM_HOST_KERN_LIBS = libkern_plain.a libkern_plain_ref.a libkern_plain_ref_split.a
libkern_plain_a_SOURCES = $(libkern_a_SOURCES)
libkern_plain_a_CFLAGS = $(WASM_HOST_KERN_CFLAGS)
libkern_plain_ref_a_SOURCES = $(KERN_REF_SOURCES)
libkern_plain_ref_a_CFLAGS = $(WASM_HOST_KERN_CFLAGS) -fno-tree-vectorize -DKERN_ISA=ref
libkern_plain_ref_a_CPPFLAGS = $(libkern_ref_a_CPPFLAGS)
libkern_plain_ref_split_a_SOURCES = $(KERN_REF_SOURCES)
libkern_plain_ref_split_a_CFLAGS = $(WASM_HOST_KERN_CFLAGS) -fno-tree-vectorize -DKERN_ISA=ref_split
libkern_plain_ref_split_a_CPPFLAGS = $(libkern_ref_split_a_CPPFLAGS)
if KERN_X86
noinst_LIBRARIES += libkern_plain_sse4.a libkern_plain_avx2.a libkern_plain_avx512.a
WASM_HOST_KERN_LIBS += libkern_plain_sse4.a libkern_plain_avx2.a libkern_plain_avx512.a
libkern_plain_sse4_a_SOURCES = $(KERN_SOURCES)
libkern_plain_sse4_a_CFLAGS = $(WASM_HOST_KERN_CFLAGS) -msse4.2 -DKERN_ISA=sse4
libkern_plain_avx2_a_SOURCES = $(KERN_SOURCES)
libkern_plain_avx2_a_CFLAGS = $(WASM_HOST_KERN_CFLAGS) -mavx2 -mfma -mbmi2 -DKERN_ISA=avx2
libkern_plain_avx512_a_SOURCES = $(KERN_SOURCES)
libkern_plain_avx512_a_CFLAGS = $(WASM_HOST_KERN_CFLAGS) \
	-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mbmi2 -mprefer-vector-width=512 \
	-DKERN_ISA=avx512
endif
if KERN_NEON
noinst_LIBRARIES += libkern_plain_neon.a
WASM_HOST_KERN_LIBS += libkern_plain_neon.a
libkern_plain_neon_a_SOURCES = $(KERN_SOURCES)
libkern_plain_neon_a_CFLAGS = $(WASM_HOST_KERN_CFLAGS) -DKERN_ISA=neon
endif
else
WASM_HOST_KERN_LIBS = $(KERN_LIBS)
endif
endif
