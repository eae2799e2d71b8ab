/* Which instruction path the fast kernels take, chosen once at run time; HNLMREC_CPU=scalar|avx2|avx512 caps it. */
#ifndef HN_KERNEL_CPU_H
#define HN_KERNEL_CPU_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum HnCpuPath { HN_CPU_SCALAR = 0, HN_CPU_AVX2 = 1, HN_CPU_AVX512 = 2 } HnCpuPath;

HnCpuPath hn_cpu_path(void);
const char *hn_cpu_path_name(HnCpuPath path);
/* Whether the path is AVX-512 and the processor multiplies bytes, too (AVX512-VNNI). */
bool hn_cpu_has_vnni(void);
/* Lowers the path for the whole process (ranks agree on the lowest present). Never raises it above what there is. */
void hn_cpu_path_cap(HnCpuPath path);

#ifdef __cplusplus
}
#endif
#endif
