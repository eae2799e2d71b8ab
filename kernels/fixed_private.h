#ifndef HN_KERNEL_FIXED_PRIVATE_H
#define HN_KERNEL_FIXED_PRIVATE_H

#include <stdint.h>

/* factors[0] * factors[1] = 2^shift, each a normal float. */
void hn_fixed_factors(int shift, float factors[2]);

/* One row of hn_fixed_to_float_cpu, with the factors of -shift. */
void hn_fixed_row_to_float(const int64_t *s, const float factors[2], float scale, float *y, float *sum, uint64_t n);

#endif
