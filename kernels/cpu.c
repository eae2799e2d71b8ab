#include "cpu.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "cpu_target.h"

static const char *const path_names[] = {"scalar", "avx2", "avx512"};

/* -1 until first asked. Races only repeat the same detection. */
static atomic_int chosen_path = -1;

static HnCpuPath path_present(void) {
#if HN_X86
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) {
        return HN_CPU_SCALAR;
    }
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw")) {
        return HN_CPU_AVX512;
    }
    return HN_CPU_AVX2;
#else
    return HN_CPU_SCALAR;
#endif
}

static HnCpuPath path_detect(void) {
    HnCpuPath present = path_present();
    const char *wanted = getenv("HNLMREC_CPU");
    for (int i = 0; wanted != NULL && i <= HN_CPU_AVX512; i++) {
        if (strcmp(wanted, path_names[i]) == 0 && (HnCpuPath)i < present) {
            return (HnCpuPath)i;
        }
    }
    return present;
}

HnCpuPath hn_cpu_path(void) {
    int path = atomic_load_explicit(&chosen_path, memory_order_relaxed);
    if (path < 0) {
        path = (int)path_detect();
        atomic_store_explicit(&chosen_path, path, memory_order_relaxed);
    }
    return (HnCpuPath)path;
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

void hn_cpu_path_cap(HnCpuPath path) {
    if (path < hn_cpu_path()) {
        atomic_store_explicit(&chosen_path, (int)path, memory_order_relaxed);
    }
}
