/* The exponential, for softmax losses: x = exp(scale * x + shift), the argument one fused multiply-add, clamped to
 * -86 .. 88 (NaN counts as -86), so that results are normal numbers. Within 2 units in the last place of the argument's
 * exponential; the same bits on every path. */
#ifndef HN_KERNEL_EXP_H
#define HN_KERNEL_EXP_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* x [n], in place. _cpu: the calling thread alone. */
void hn_exp_ref(float *x, uint64_t n, float scale, float shift);
void hn_exp_cpu(float *x, uint64_t n, float scale, float shift);

#ifdef __cplusplus
}
#endif
#endif
