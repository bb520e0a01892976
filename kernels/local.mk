# One vector source per op, built once per ISA. Kernels are compiled without LTO and without stack
# protectors: a helper must never move from one ISA's library to another's.

KERN_REF_SOURCES = \
	kernels/ref/add_f32.c \
	kernels/ref/add_i32.c \
	kernels/ref/add_u8.c \
	kernels/ref/border.h \
	kernels/ref/conv2d_f32.c \
	kernels/ref/conv2d_i32.c \
	kernels/ref/conv2d_u8.c \
	kernels/ref/hash_fast.c \
	kernels/ref/hash_fnv1a_64.c \
	kernels/ref/matmul_f32.c \
	kernels/ref/matmul_i32.c \
	kernels/ref/matmul_u8.c \
	kernels/ref/mix_u32.c \
	kernels/ref/mul_f32.c \
	kernels/ref/mul_i32.c \
	kernels/ref/mul_u8.c \
	kernels/ref/ref.h

KERN_SOURCES = \
	kernels/add_f32.c \
	kernels/add_i32.c \
	kernels/add_u8.c \
	kernels/conv2d_f32.c \
	kernels/conv2d_i32.c \
	kernels/conv2d_u8.c \
	kernels/hash.h \
	kernels/hash_fast.c \
	kernels/hash_fnv1a_64.c \
	kernels/matmul_f32.c \
	kernels/matmul_i32.c \
	kernels/matmul_u8.c \
	kernels/mix_u32.c \
	kernels/mul_f32.c \
	kernels/mul_i32.c \
	kernels/mul_u8.c \
	kernels/zip.h

KERN_CFLAGS = $(BASE_CFLAGS) -fno-stack-protector

noinst_LIBRARIES += \
	libkern.a \
	libkern_ref.a \
	libkern_ref_split.a
KERN_LIBS = libkern.a libkern_ref.a libkern_ref_split.a

libkern_a_SOURCES = \
	kernels/cpu.c \
	kernels/cpu.h \
	kernels/kern.c \
	kernels/kern.h \
	kernels/op_info.c \
	kernels/ops.def \
	kernels/plan.c \
	kernels/plan.h \
	kernels/plan_conv2d.c \
	kernels/plan_matmul.c
libkern_a_CFLAGS = $(KERN_CFLAGS)

# The references twice: with fused multiply-adds, and with split ones.
libkern_ref_a_SOURCES = $(KERN_REF_SOURCES)
libkern_ref_a_CFLAGS = $(KERN_CFLAGS) -fno-tree-vectorize -DKERN_ISA=ref
libkern_ref_a_CPPFLAGS = $(AM_CPPFLAGS) -DKERN_REF_FUSED=1
libkern_ref_split_a_SOURCES = $(KERN_REF_SOURCES)
libkern_ref_split_a_CFLAGS = $(KERN_CFLAGS) -fno-tree-vectorize -DKERN_ISA=ref_split
libkern_ref_split_a_CPPFLAGS = $(AM_CPPFLAGS) -DKERN_REF_FUSED=0

if KERN_X86
noinst_LIBRARIES += libkern_sse4.a libkern_avx2.a libkern_avx512.a
KERN_LIBS += libkern_sse4.a libkern_avx2.a libkern_avx512.a
libkern_sse4_a_SOURCES = $(KERN_SOURCES)
libkern_sse4_a_CFLAGS = $(KERN_CFLAGS) -msse4.2 -DKERN_ISA=sse4
libkern_avx2_a_SOURCES = $(KERN_SOURCES)
libkern_avx2_a_CFLAGS = $(KERN_CFLAGS) -mavx2 -mfma -mbmi2 -DKERN_ISA=avx2
libkern_avx512_a_SOURCES = $(KERN_SOURCES)
libkern_avx512_a_CFLAGS = $(KERN_CFLAGS) \
	-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mbmi2 -mprefer-vector-width=512 \
	-DKERN_ISA=avx512
endif

if KERN_NEON
noinst_LIBRARIES += libkern_neon.a
KERN_LIBS += libkern_neon.a
libkern_neon_a_SOURCES = $(KERN_SOURCES)
libkern_neon_a_CFLAGS = $(KERN_CFLAGS) -DKERN_ISA=neon
endif

EXTRA_DIST += \
	kernels/conv2d_geom.h \
	kernels/conv2d_run.h \
	kernels/conv2d_sums.h \
	kernels/isa/avx2.h \
	kernels/isa/avx512.h \
	kernels/isa/neon.h \
	kernels/isa/sse4.h \
	kernels/matmul_geom.h \
	kernels/matmul_pack.h \
	kernels/matmul_panels.h \
	kernels/matmul_run.h \
	kernels/matmul_tile.h \
	kernels/vec.h
