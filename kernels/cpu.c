#define _DEFAULT_SOURCE /* syscall */
#include "cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_target.h"

#if HN_X86
#include <cpuid.h>
#endif
#if HN_X86 && defined(__linux__) && defined(__x86_64__)
#include <sys/syscall.h>
#include <unistd.h>
#define HN_ASKS_FOR_TILES 1
#else
#define HN_ASKS_FOR_TILES 0
#endif

static const char *const path_names[] = {"scalar", "avx2", "avx512", "avx512-bf16", "amx"};

/* -1 until first asked. Races only repeat the same detection. */
static atomic_int chosen_level = -1;

#if HN_X86

/* clang 14's __builtin_cpu_supports does not know it. */
static bool has_f16c(void) {
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
}

/* Tile registers must be asked for, once a process (Linux 5.16 and later). */
static bool has_amx(void) {
#if HN_ASKS_FOR_TILES
    enum { REQUEST = 0x1023, TILE_DATA = 18 }; /* ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA */
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    const unsigned bf16 = 1u << 22, tile = 1u << 24;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & bf16) != 0 && (edx & tile) != 0 &&
           syscall(SYS_arch_prctl, REQUEST, TILE_DATA) == 0;
#else
    return false;
#endif
}

static HnCpuPath level_present(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") || !has_f16c()) {
        return HN_CPU_SCALAR;
    }
    if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512vl") ||
        !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512bw")) {
        return HN_CPU_AVX2;
    }
    if (!__builtin_cpu_supports("avx512bf16")) {
        return HN_CPU_AVX512;
    }
    return has_amx() ? HN_CPU_AMX : HN_CPU_AVX512_BF16;
}
#else
static HnCpuPath level_present(void) {
    return HN_CPU_SCALAR;
}
#endif

static HnCpuPath level_detect(void) {
    HnCpuPath present = level_present();
    const char *wanted = getenv("HNLMREC_CPU");
    for (int i = 0; wanted != NULL && i <= HN_CPU_AMX; i++) {
        if (strcmp(wanted, path_names[i]) == 0 && (HnCpuPath)i < present) {
            return (HnCpuPath)i;
        }
    }
    return present;
}

HnCpuPath hn_cpu_level(void) {
    int level = atomic_load_explicit(&chosen_level, memory_order_relaxed);
    if (level < 0) {
        level = (int)level_detect();
        atomic_store_explicit(&chosen_level, level, memory_order_relaxed);
    }
    return (HnCpuPath)level;
}

HnCpuPath hn_cpu_path(void) {
    const HnCpuPath level = hn_cpu_level();
    return level < HN_CPU_AVX512 ? level : HN_CPU_AVX512;
}

bool hn_cpu_has_vnni(void) {
#if HN_X86
    return hn_cpu_path() == HN_CPU_AVX512 && __builtin_cpu_supports("avx512vnni");
#else
    return false;
#endif
}

const char *hn_cpu_path_name(HnCpuPath path) {
    return path_names[path];
}

bool hn_cpu_cap_unknown(void) {
    const char *wanted = getenv("HNLMREC_CPU");
    bool known = wanted == NULL || wanted[0] == '\0';
    for (int i = 0; !known && i <= HN_CPU_AMX; i++) {
        known = strcmp(wanted, path_names[i]) == 0;
    }
    return !known;
}

void hn_cpu_path_cap(HnCpuPath path) {
    if (path < hn_cpu_level()) {
        atomic_store_explicit(&chosen_level, (int)path, memory_order_relaxed);
    }
}
