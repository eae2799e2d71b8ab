/* Which instruction path the fast kernels take, chosen once at run time;
 * HNLMREC_CPU=scalar|avx2|avx512|avx512-bf16|amx caps it.
 *
 * The level counts all of them; the path is what kernels in plain floats choose by, and ends at avx512: the levels
 * above differ from it, and from each other, in products of bf16 only (linear.h). */
#ifndef HN_KERNEL_CPU_H
#define HN_KERNEL_CPU_H

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum HnCpuPath {
    HN_CPU_SCALAR = 0,
    HN_CPU_AVX2 = 1,
    HN_CPU_AVX512 = 2,
    HN_CPU_AVX512_BF16 = 3, /* pairs of bf16 multiplied in one step */
    HN_CPU_AMX = 4          /* tiles of bf16 pairs; the system has granted their registers */
} HnCpuPath;

HnCpuPath hn_cpu_path(void);  /* at most HN_CPU_AVX512 */
HnCpuPath hn_cpu_level(void); /* any */
const char *hn_cpu_path_name(HnCpuPath path);
/* Whether HNLMREC_CPU names no path at all, so that it is without effect. */
bool hn_cpu_cap_unknown(void);
/* Whether the path is AVX-512 and the processor multiplies bytes, too (AVX512-VNNI). */
bool hn_cpu_has_vnni(void);
/* Lowers the level for the whole process (ranks agree on the lowest present). Never raises it above what there is. */
void hn_cpu_path_cap(HnCpuPath path);

#ifdef __cplusplus
}
#endif
#endif
