/* Private to this room: how a function is compiled for one instruction path inside a baseline binary. */
#ifndef HN_KERNEL_CPU_TARGET_H
#define HN_KERNEL_CPU_TARGET_H

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define HN_X86 1
#include <immintrin.h>
#define HN_AVX2 __attribute__((target("avx2,fma")))
#define HN_AVX512 __attribute__((target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")))
#define HN_VNNI __attribute__((target("avx2,fma,popcnt,avx512f,avx512vl,avx512dq,avx512bw,avx512vnni")))
#else
#define HN_X86 0
#endif

/* HN_PREFETCH: into the second-level cache. Bodies shared by several widths are inlined so that the width is a constant
 * and accumulators live in registers. */
#if defined(__GNUC__)
#define HN_INLINE static inline __attribute__((always_inline))
#define HN_PREFETCH(address) __builtin_prefetch((address), 0, 2)
#else
#define HN_INLINE static inline
#define HN_PREFETCH(address) ((void)(address))
#endif

#endif
