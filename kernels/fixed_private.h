#ifndef HN_KERNEL_FIXED_PRIVATE_H
#define HN_KERNEL_FIXED_PRIVATE_H

/* factors[0] * factors[1] = 2^shift, each a normal float. */
void hn_fixed_factors(int shift, float factors[2]);

#endif
